"""ControlNet (Zhang, Rao and Agrawala, arXiv 2302.05543): a picture that says where things are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.diffusers.source import Source
from yggdrasil.blocks.diffusers.sourced import Sourced
from yggdrasil.core.ports import Spec, port


class ControlNet(Sourced):
    """What a ControlNet adds to a UNet's activations.

    ref, part, revision, dtype   where it lies (see `Source`)
    scale                        how much of it is added

    Ports: `latent`, `timestep` and `condition` as the backbone has them; `hint` the picture that is followed,
    [B or 2 B, 3, H, W] from 0 to 1. `adapted` goes to the backbone's `adapter_features`.
    """

    block_type = "adapter/controlnet"

    def __init__(
        self, ref: str = "", part: str = "controlnet", *, scale: float = 1.0, revision: str = "", dtype: str = "",
        source: Source | None = None,
    ) -> None:  # fmt: skip
        super().__init__(ref, revision, dtype, source, part)
        self.scale = scale

    @property
    def config(self) -> dict[str, Any]:
        """Where it lies, and how much of it."""
        return self.written(part=(self.part, "controlnet"), scale=(self.scale, 1.0))

    @property
    def spec(self) -> Spec:
        """The ports of the role."""
        return _SPEC

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """What it adds."""
        module = self.module(ctx.device)
        latent, condition = inputs["latent"], inputs["condition"]
        latent = torch.cat([latent] * (condition.shape[0] // latent.shape[0]))
        down, middle = module(
            latent, inputs["timestep"], encoder_hidden_states=condition, controlnet_cond=inputs["hint"],
            conditioning_scale=self.scale, guess_mode=False, return_dict=False,
        )  # fmt: skip
        return {"adapted": {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}}


_SPEC = Spec.declare(
    [port("latent", "tensor"), port("timestep", "any"), port("condition", "tensor"), port("hint", "tensor")],
    [port("adapted", "any")],
)
