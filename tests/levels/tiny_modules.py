"""Small modules that a config rebuilds, for the tests of checkpoints; imported by the processes they start too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from yggdrasil import Agent, Block, Graph, Pipeline, Stage, World, register
from yggdrasil.blocks.neural import Neural, NeuralBlock
from yggdrasil.core.ports import Spec
from yggdrasil.runtime.pool import POOL, Key, Lease


class Mixer(torch.nn.Module):
    """Two layers, one of which may be tied to the other, and a buffer."""

    scale: torch.Tensor

    def __init__(self, width: int, tied: bool) -> None:
        super().__init__()
        self.first = torch.nn.Linear(width, width)
        self.second = torch.nn.Linear(width, width)
        if tied:
            self.second.weight = self.first.weight
        self.register_buffer("scale", torch.rand(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.second(self.first(x))) * self.scale


@register("backbone/tiny")
def tiny(width: int = 4, tied: bool = False) -> NeuralBlock:
    config = {"width": width, "tied": tied}
    return NeuralBlock(
        Mixer(width, tied), name="tiny", outputs={"x": torch.Tensor}, block_type="backbone/tiny", config=config
    )


@register("backbone/dropping")
def dropping(width: int = 4) -> NeuralBlock:
    module = torch.nn.Sequential(torch.nn.Linear(width, width), torch.nn.Dropout(0.5))
    return NeuralBlock(module, block_type="backbone/dropping", config={"width": width})


@register("demo/keeping")
class Keeping(Block):
    """Keeps whatever it is given, and adds a number."""

    spec = Spec.declare({"x": torch.Tensor}, {"x": torch.Tensor})

    def __init__(self, start: float = 0.0) -> None:
        self.start = start
        self.kept: Any = None

    def state_dict(self) -> dict[str, Any]:
        return {} if self.kept is None else {"kept": self.kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.kept = state.get("kept")

    async def execute(self, inputs: Mapping[str, Any], ctx: Any) -> Mapping[str, Any]:
        return {"x": inputs["x"] + self.start}


@register("demo/noise")
class Noise(Block):
    """A tensor out of nothing."""

    spec = Spec.declare({}, {"x": torch.Tensor})

    async def execute(self, inputs: Mapping[str, Any], ctx: Any) -> Mapping[str, Any]:
        return {"x": torch.linspace(0, 1, 4)}


def weights_of(ref: str) -> torch.nn.Module:
    torch.manual_seed(sum(map(ord, ref)))
    return torch.nn.Linear(3, 3)


@register("backbone/pooled")
class Pooled(Neural):
    """Loaded through the pool, from a ref."""

    block_type = "backbone/pooled"
    spec = Spec.declare({"x": torch.Tensor}, {"x": torch.Tensor})

    def __init__(self, ref: str = "stock") -> None:
        self.ref = ref
        self.model: torch.nn.Module | None = None
        self.lease: Lease[torch.nn.Module] | None = None

    def modules(self, device: str | None = None) -> Mapping[str, torch.nn.Module]:
        if self.model is not None:
            return {"model": self.model}
        if self.lease is None:
            self.lease = POOL.lease(Key.of("demo.Linear", self.ref), lambda: weights_of(self.ref))
        return {"model": self.lease.value}

    def compute(self, inputs: Mapping[str, Any], ctx: Any) -> Mapping[str, Any]:
        return {"x": self.modules()["model"](inputs["x"])}


def sharing(width: int = 4) -> Graph:
    """A chain of four nodes: one block in two of them, another block with the same module, and one of its own."""
    graph = Graph("sharing")
    one, other = tiny(width), tiny(width)
    other.adopt(one.modules())
    for name, block in (("a", one), ("b", one), ("c", other), ("d", tiny(width))):
        graph.add(name, block)
    for source, target in ("ab", "bc", "cd"):
        graph.add_edge(f"{source}.x", f"{target}.x")
    graph.expose_input("a.x", name="x")
    graph.expose_output("d.x", name="x")
    return graph


def pipeline() -> Pipeline:
    made = Pipeline("two")
    made.add("first", sharing())
    made.add("second", sharing())
    made.add_edge("first.x", "second.x")
    return made


def stage() -> Stage:
    made = Stage("painter")
    made.add("draw", pipeline())
    return made


def world() -> World:
    made = World("small")
    made.set_cycle(["development", "creator"], {"development": [], "creator": ["intent"]})
    for name, reads, fills in (("development", "action", "intent"), ("creator", "intent", "artifacts")):
        graph = Graph(name)
        graph.add("write", Agent(model="scripted:echo", memory=True))
        graph.add("noise", Noise())
        graph.add("paint", tiny())
        graph.add_edge("noise.x", "paint.x")
        graph.expose_input("write.prompt", name=reads)
        graph.expose_output("write.response", name=fills)
        one = Stage(name)
        one.add("graph", graph)
        one.expose_input(f"graph.{reads}", name=reads)
        one.expose_output(f"graph.{fills}", name=fills)
        one.set_state_contract(reads=[reads] if reads == "intent" else [], fills=fills)
        made.add_stage(name, one)
    made.set_initial_world({"places": ["ford"]})
    return made
