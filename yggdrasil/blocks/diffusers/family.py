"""What differs between the pipelines of diffusers: how each encodes, begins and ends. One small class per kind.

The arithmetic is that of diffusers' own `__call__`, in its order, so that results are equal bit by bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from yggdrasil.blocks.solver.diffusers import Solver
from yggdrasil.core.ports import Port, port
from yggdrasil.errors import ConfigError, PortError

Given = Mapping[str, Any]
"""The inputs of a run by name."""


@dataclass
class Encoded:
    """A prompt for a backbone.

    embedding   [uncond, cond] as one batch where it is guided in one call, else that of the prompt
    negative    of a family that guides by two calls: what the other one is given
    extra       what else the backbone is given, by the names of its arguments
    scale       of the guidance; 1 where there is none
    """

    embedding: torch.Tensor
    negative: torch.Tensor | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    scale: float = 1.0


@dataclass
class Beginning:
    """Where a run begins: its first latent, the plan of its steps, and what the backbone is given besides.

    concat   what goes beside the latent's channels
    hint     the picture that a ControlNet follows
    """

    latent: torch.Tensor
    plan: dict[str, Any]
    extra: dict[str, Any] = field(default_factory=dict)
    concat: torch.Tensor | None = None
    hint: torch.Tensor | None = None


class Family(ABC):
    """One kind of pipeline."""

    pipelines: ClassVar[tuple[str, ...]]
    backbone: ClassVar[str] = "unet"
    encoders: ClassVar[tuple[str, ...]] = ("text_encoder",)
    two_calls: ClassVar[bool] = False
    adapter: ClassVar[str] = ""
    """The part that adds to the backbone's activations: "controlnet", "adapter" (T2I)."""
    output: ClassVar[str] = "image"
    steps: ClassVar[int] = 50
    scale: ClassVar[float] = 7.5
    inputs: ClassVar[tuple[Port, ...]] = ()

    @abstractmethod
    def encode(self, pipe: Any, given: Given, device: Any) -> Encoded:
        """The prompts, encoded."""

    @abstractmethod
    def begin(
        self, pipe: Any, solver: Solver, given: Given, embedding: torch.Tensor, random: torch.Generator
    ) -> Beginning:
        """The first latent, drawn with `random` in diffusers' order."""

    @abstractmethod
    def finish(self, pipe: Any, latent: torch.Tensor, given: Given) -> Any:
        """The pictures, as diffusers gives them for `output_type="np"`: [B, H, W, 3] from 0 to 1."""

    def size(self, pipe: Any, given: Given) -> tuple[int, int]:
        """Height and width in pixels: as given, or what the model was made for."""
        side = getattr(pipe, "default_sample_size", None) or getattr(pipe, self.backbone).config.sample_size
        sides = (side, side) if isinstance(side, int) else side
        factor = pipe.vae_scale_factor
        for name in ("height", "width"):
            if (asked := given.get(name)) and asked % factor:
                nearest = asked // factor * factor or factor
                raise PortError(f"{name} is {asked}, no multiple of {factor}", hint=f"{name}={nearest}")
        return given.get("height") or sides[0] * factor, given.get("width") or sides[1] * factor


def guided(pipe: Any, given: Given, default: float) -> tuple[float, bool]:
    """The scale, and whether it guides: as diffusers, above 1, and not where the model takes it as an input."""
    scale = float(given.get("guidance_scale", default))
    config = getattr(getattr(pipe, "unet", None), "config", None)
    return scale, scale > 1 and getattr(config, "time_cond_proj_dim", None) is None


def batch_of(given: Given) -> int:
    """How many prompts there are."""
    prompt = given["prompt"]
    return 1 if isinstance(prompt, str) else len(prompt)


IMAGE = (port("image", "any"), port("strength", float, optional=True, default=0.8))
MASK = port("mask_image", "any")


_families: dict[str, Family] = {}


def family_of(pipeline_class: str) -> Family:
    """The family of a pipeline's class; ConfigError names those that are known."""
    if not _families:
        from yggdrasil.blocks.diffusers import flow, sd, video

        for kind in (*sd.FAMILIES, *flow.FAMILIES, *video.FAMILIES):
            for name in kind.pipelines:
                _families[name] = kind()
    if pipeline_class not in _families:
        known = ", ".join(sorted(_families))
        raise ConfigError(f"{pipeline_class} cannot be taken apart yet", hint=f"one of {known}")
    return _families[pipeline_class]
