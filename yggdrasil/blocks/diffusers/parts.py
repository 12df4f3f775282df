"""What stands around backbone and solver in a pipeline of diffusers: the prompt, the beginning and the end."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.diffusers.family import Family, family_of
from yggdrasil.blocks.diffusers.source import Source
from yggdrasil.blocks.diffusers.sourced import Sourced
from yggdrasil.blocks.random import generator_of
from yggdrasil.blocks.solver.diffusers import Solver
from yggdrasil.blocks.tokenizer.gate import alone_with
from yggdrasil.core.ports import Port, Spec, port
from yggdrasil.errors import ConfigError, PortError

_SIZE = (port("height", int, optional=True), port("width", int, optional=True))
_PROMPT = port("prompt", "any")
_TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")


class _Part(Sourced):
    """A part of a pipeline. `kind` names the pipeline's class where a picture is begun otherwise than it says."""

    def __init__(
        self, ref: str = "", *, revision: str = "", dtype: str = "", kind: str = "", source: Source | None = None
    ) -> None:
        super().__init__(ref, revision, dtype, source)
        self.kind = kind

    @property
    def config(self) -> dict[str, Any]:
        """Where the pipeline lies."""
        return self.written(kind=(self.kind, ""))

    @cached_property
    def family(self) -> Family:
        """What is done as."""
        return family_of(self.kind or self.source.pipeline_class)


class Prompt(_Part):
    """Prompts, encoded for the backbone: `embedding` is one batch [uncond, cond] where it is guided."""

    block_type = "conditioner/diffusers"

    @cached_property
    def spec(self) -> Spec:
        """The ports of the role, and what the family takes besides."""
        more = (port("negative_prompt", "any", optional=True), port("guidance_scale", float, optional=True))
        outputs = [port("embedding", "tensor"), port("extra", "any"), port("scale", float)]
        if self.family.two_calls:
            outputs.append(Port("negative", outputs[0].type, optional=True))
        return Spec.declare([_PROMPT, *more, *_SIZE], outputs)

    def modules(self, device: str | None = None) -> Mapping[str, torch.nn.Module]:
        """The text encoders."""
        found = {name: self.source.part(name, device) for name in self.family.encoders}
        return {name: module for name, module in found.items() if module is not None}

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Encode."""
        for name in ("prompt", "negative_prompt"):
            said = inputs.get(name, "")
            if not isinstance(said, str) and not (isinstance(said, list) and all(isinstance(s, str) for s in said)):
                raise PortError(f"{name} is {type(said).__name__}, no text", path=ctx.path, hint=f'{name}="a house"')
        pipe = self.source.pipeline(ctx.device, self.family.encoders)
        device = torch.device(ctx.device) if ctx.device else pipe.device
        with alone_with(*(getattr(pipe, name, None) for name in _TOKENIZERS)):
            made = self.family.encode(pipe, inputs, device)
        outputs = {"embedding": made.embedding, "extra": made.extra, "scale": made.scale}
        return outputs if made.negative is None else {**outputs, "negative": made.negative}


class Start(_Part):
    """The first latent, its timestep, and the state of a solver.

    What is random is drawn as diffusers draws it: from one generator of the CPU, whose seed is the run's `seed` (in a
    world's tick another for each tick), and which goes on in the solver's state.
    """

    block_type = "schedule/diffusers"

    def __init__(
        self,
        ref: str = "",
        *,
        solver: str = "ddim",
        options: Mapping[str, Any] | None = None,
        steps: int | None = None,
        revision: str = "",
        dtype: str = "",
        kind: str = "",
        source: Source | None = None,
    ) -> None:
        super().__init__(ref, revision=revision, dtype=dtype, kind=kind, source=source)
        self.steps = steps
        if steps is not None:
            _require_steps(steps, self.label)
        self.solver, self.options = solver, dict(options or {})
        self._solver = Solver(solver, options=options)

    @property
    def config(self) -> dict[str, Any]:
        """Where the pipeline lies, and the solver."""
        more: dict[str, Any] = {"solver": self.solver} | ({"steps": self.steps} if self.steps is not None else {})
        return {**super().config, **more, **({"options": dict(self.options)} if self.options else {})}

    @cached_property
    def spec(self) -> Spec:
        """What a run begins with."""
        return Spec.declare(
            [
                _PROMPT,
                port("embedding", "tensor"),
                port("extra", "any", optional=True),
                port("steps", int, optional=True),
                *_SIZE,
                *self.family.inputs,
            ],
            [
                port("latent", "tensor"),
                port("input", "tensor"),
                port("timestep", "tensor"),
                port("state", "any"),
                port("extra", "any"),
                port("concat", "tensor", optional=True),
                port("hint", "tensor", optional=True),
            ],
        )

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Begin."""
        own = self.family.steps if self.steps is None else self.steps
        inputs = {**inputs, "steps": _require_steps(inputs.get("steps", own), ctx.path)}
        random = generator_of(ctx)
        pipe = self.source.pipeline(ctx.device, ("vae", "image_encoder"))
        made = self.family.begin(pipe, self._solver, inputs, inputs["embedding"], random)
        first = self._solver.begin(made.latent, made.plan, random)
        extra = _merged(inputs.get("extra") or {}, made.extra)
        optional = {"concat": made.concat, "hint": made.hint}
        given = {name: value for name, value in optional.items() if value is not None}
        return {"latent": made.latent, **first, "extra": extra, **given}


def _require_steps(steps: Any, path: str) -> int:
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        raise ConfigError(f"steps is {steps!r}", path=path, hint="steps=30")
    return steps


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both, and of mappings that both have what is in either."""
    both = {k: {**one[k], **v} for k, v in other.items() if isinstance(v, dict) and k in one}
    return {**one, **other, **both}


class Decode(_Part):
    """A latent as a picture, [B, H, W, 3] from 0 to 1 (a video: [B, F, H, W, 3])."""

    block_type = "codec/diffusers"

    @cached_property
    def spec(self) -> Spec:
        """The ports of the role."""
        return Spec.declare([port("latent", "tensor"), *_SIZE], [port(self.family.output, self.family.output)])

    def modules(self, device: str | None = None) -> Mapping[str, torch.nn.Module]:
        """The autoencoder."""
        return {"vae": self.source.require("vae", device)}

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Decode."""
        pipe = self.source.pipeline(ctx.device, ("vae",))
        return {self.family.output: self.family.finish(pipe, inputs["latent"], inputs)}
