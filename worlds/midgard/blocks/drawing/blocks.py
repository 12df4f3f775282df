"""The blocks around this world's networks: each holds its network through the pool, one for all who use it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.adapter.active import adapted
from yggdrasil.blocks.neural import Neural
from yggdrasil.blocks.shared import Shared
from yggdrasil.core.ports import Spec
from yggdrasil.errors import ConfigError

from ..seeing.description import description_of, pixels_of, without_picture
from ..seeing.eye import measure
from .networks import file_of, restored
from .reader import ANSWERS

SPECS = {
    "conditioner": Spec.declare({"words": "tensor[B,N,_]", "numbers": "tensor[B,N,_]"}, {"embedding": "tensor[B,N,D]"}),
    "backbone": Spec.declare(
        {"latent": "tensor[B,C,H,W]", "timestep": "tensor", "condition": "tensor[B,N,D]"}, {"pred": "tensor[B,C,H,W]"}
    ),
    "decoder": Spec.declare({"latent": "tensor[B,_,_,_]"}, {"image": "tensor[B,3,_,_]"}),
    "reader": Spec.declare({"artifacts": dict}, {"description": dict}),
}


class Network(Neural):
    """One side of the Creator: `conditioner`, `backbone` or `decoder`.

    weights  a folder; "": what ships with midgard
    pack     a LoRA pack that it draws with, a folder, or the name of one beside the weights; "": none
    """

    def __init__(self, side: str, weights: str = "", pack: str = "") -> None:
        self.block_type, self.weights, self.pack = f"midgard/{side}", weights, pack
        self._side = side
        self._shared = _shared("codec" if side == "decoder" else side, weights)
        self._pack = _pack(weights, pack) if pack else None

    @property
    def spec(self) -> Spec:
        """The ports of its role."""
        return SPECS[self._side]

    @property
    def config(self) -> dict[str, Any]:
        """What it was built from."""
        return {name: value for name, value in (("weights", self.weights), ("pack", self.pack)) if value}

    def modules(self, device: str | None = None) -> Mapping[str, torch.nn.Module]:
        """The network."""
        return {self._side: self._shared.get(device)}

    def unload(self) -> None:
        """Give the network back to the pool."""
        self._shared.close()

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Call it where its weights are."""
        module = self._shared.get(ctx.device)
        where = next(module.parameters()).device
        call = module.decoder if self._side == "decoder" else module
        with self._changed(ctx):
            found = call(**{name: value.to(where) for name, value in inputs.items()})
        return {next(iter(self.spec.outputs)): found}

    def _changed(self, ctx: RunContext) -> Any:
        """Its own pack, as a run would ask for it at this place."""
        if self._pack is None:
            return nullcontext()
        run = ctx.run.under(adapters={ctx.path: str(self._pack)})
        return adapted(lambda: self.modules(ctx.device), RunContext(run, ctx.name, ctx.parent))


class Looking(Neural):
    """Artifacts to a description: what is named and counted is the network's answer, the colours are measured."""

    block_type = "midgard/reader"

    def __init__(self, weights: str = "") -> None:
        self.weights = weights
        self._shared = _shared("reader", weights)

    @property
    def spec(self) -> Spec:
        """artifacts -> description."""  # noqa: D403 - a port's name
        return SPECS["reader"]

    def modules(self, device: str | None = None) -> Mapping[str, torch.nn.Module]:
        """The network."""
        return {"reader": self._shared.get(device)}

    def unload(self) -> None:
        """Give the network back to the pool."""
        self._shared.close()

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Look at the first picture."""
        artifacts = inputs["artifacts"]
        pixels = pixels_of(artifacts)
        if pixels is None:
            return {"description": without_picture()}
        module = self._shared.get(ctx.device)
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        scores = module(image.to(next(module.parameters()).device))
        said = {name: answers[int(scores[name][0].argmax())] for name, answers in ANSWERS.items()}
        found = {key: said[key] for key in ("light", "season", "weather", "place")}
        counted = {key: int(said[key]) for key in ("fires", "figures", "buildings")}
        return {"description": description_of(artifacts, pixels, measure(pixels), {**found, **counted})}


def _shared(name: str, weights: str) -> Shared[Any]:
    """A hold of a network; ConfigError at once where there is no file of it."""
    file = file_of(name, weights)
    return Shared(f"midgard.{name}", str(file), lambda device: restored(name, file).to(device))


def _pack(weights: str, pack: str) -> Path:
    beside = file_of("backbone", weights).parent / pack
    for place in (beside, Path(pack)):
        if place.exists():
            return place
    there = sorted(path.parent.name for path in beside.parent.glob("*/adapter_config.json"))
    raise ConfigError(
        f"there is no pack {pack!r}; beside the weights lie {', '.join(there) or 'none'}", hint="pack: winter"
    )
