"""Backbones of diffusers: one forward prediction by its UNets and transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.diffusers.source import Source
from yggdrasil.blocks.diffusers.sourced import Sourced
from yggdrasil.blocks.neural import moved
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError, PortError


def _as_it_is(timestep: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
    return timestep


def _of_each(timestep: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
    return timestep.expand(latent.shape[0])


def _of_each_in_thousandths(timestep: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
    return timestep.expand(latent.shape[0]).to(latent.dtype) / 1000


@dataclass(frozen=True)
class Form:
    """How a class of diffusers wants to be called: the names of its arguments, and the form of the timestep.

    conditional   it cannot do without a condition
    """

    latent: str = "hidden_states"
    condition: str = "encoder_hidden_states"
    conditional: bool = True
    timestep: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = _of_each


FORMS: Mapping[str, Form] = {
    "UNet2DModel": Form("sample", "class_labels", False, _as_it_is),
    "UNet2DConditionModel": Form("sample", timestep=_as_it_is),
    "UNet3DConditionModel": Form("sample", timestep=_as_it_is),
    "UNetMotionModel": Form("sample", timestep=_as_it_is),
    "UNetSpatioTemporalConditionModel": Form("sample", timestep=_as_it_is),
    "DiTTransformer2DModel": Form(condition="class_labels", conditional=False),
    "PixArtTransformer2DModel": Form(),
    "SD3Transformer2DModel": Form(),
    "FluxTransformer2DModel": Form(timestep=_of_each_in_thousandths),
    "WanTransformer3DModel": Form(),
}
"""The classes that are known; `FORMS` takes more."""


class Backbone(Sourced):
    """A model of diffusers as a backbone: `Backbone(ref="hf://org/name", part="unet")`.

    ref, revision, dtype   where its pipeline lies (see `Source`)
    part                   which of its parts
    model                  a model that is there already, instead

    Ports: `latent` [B, ...], `timestep` a number, `condition` [B or 2 B, ...]: a condition of several times the
    latent's batch (guidance: [uncond, cond]) repeats the latent. `concat` goes beside the latent's channels, `extra` is
    whatever else the model takes, by its names, and `adapter_features` what a ControlNet or the like adds.
    """

    block_type = "backbone/diffusers"

    def __init__(
        self, ref: str = "", part: str = "unet", *, revision: str = "", dtype: str = "", model: Any = None,
        source: Source | None = None,
    ) -> None:  # fmt: skip
        given = Source(ref, revision, dtype) if model is not None else None
        super().__init__(ref, revision, dtype, source or given, part)
        self.model = model
        self.from_ref = model is None and bool(self.ref)

    @classmethod
    def of(cls, source: Source, part: str) -> Backbone:
        """The part of a source that is open already."""
        return cls(source.ref, part, revision=source.revision, dtype=source.dtype, source=source)

    @property
    def config(self) -> dict[str, Any]:
        """Where it is loaded from; ConfigError where that is not known."""
        return {**self.written(), "part": self.part}

    @property
    def spec(self) -> Spec:
        """The ports of the role; the condition is optional where the model can do without."""
        return _CONDITIONAL if self.form.conditional else _FREE

    @property
    def form(self) -> Form:
        """How its model is called; ConfigError where that is not known."""
        name = type(self.model).__name__ if self.model is not None else self.source.class_of(self.part)
        if name not in FORMS:
            raise ConfigError(f"how to call a {name} is not known", hint=f"one of {', '.join(FORMS)}")
        return FORMS[name]

    def module(self, device: str | None = None) -> Any:
        """The model, loaded by now; one that was given moves there."""
        return super().module(device) if self.model is None else moved(self.model, device)

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Predict."""
        module = self.module(ctx.device)
        form = FORMS.get(type(module).__name__)
        if form is None:
            known = ", ".join(FORMS)
            raise ConfigError(
                f"how to call {type(module).__name__} is not known", path=ctx.path, hint=f"one of {known}"
            )
        latent, condition = inputs["latent"].to(module.device), inputs.get("condition")
        if condition is not None and condition.shape[0] != latent.shape[0]:
            times, rest = divmod(condition.shape[0], latent.shape[0])
            if rest or not times:
                sentence = f"a batch of {condition.shape[0]} conditions for {latent.shape[0]} latents"
                raise PortError(sentence, path=ctx.path, hint="one for each, or [uncond, cond]")
            latent = torch.cat([latent] * times)
        timestep = torch.as_tensor(inputs["timestep"], device=latent.device)
        given = {**(inputs.get("extra") or {}), **(inputs.get("adapter_features") or {})}
        given = {k: list(v) if isinstance(v, list) else v for k, v in given.items()}  # diffusers takes lists apart
        if condition is not None:
            given[form.condition] = condition
        if inputs.get("concat") is not None:
            latent = torch.cat([latent, inputs["concat"]], dim=1)
        latent = latent.to(module.dtype)
        given[form.latent] = latent
        return {"pred": module(timestep=form.timestep(timestep, latent), return_dict=False, **given)[0]}


def _spec(conditional: bool) -> Spec:
    optional = ("concat", "extra", "adapter_features")
    return Spec.declare(
        [
            port("latent", "tensor"),
            port("timestep", "any"),
            port("condition", "tensor", optional=not conditional),
            *(port(name, "tensor" if name == "concat" else "any", optional=True) for name in optional),
        ],
        [port("pred", "tensor")],
    )


_CONDITIONAL, _FREE = _spec(True), _spec(False)
