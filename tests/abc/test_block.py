from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from yggdrasil import Block, ConfigError
from yggdrasil.abc.context import Run, RunContext, Turn
from yggdrasil.core.budget import Budget
from yggdrasil.core.events import Event, Progress, Warned
from yggdrasil.core.messages import Usage
from yggdrasil.core.ports import Spec


class Scale(Block):
    block_type = "demo/scale"
    spec = Spec.declare({"x": float}, {"y": float})

    def __init__(self, factor: float = 2.0, names: tuple[str, ...] = ()) -> None:
        self.factor, self.names = factor, names

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        return {"y": inputs["x"] * self.factor}


class Forgetful(Scale):
    def __init__(self, factor: float) -> None:
        super().__init__(factor)
        del self.factor


def test_what_a_block_is() -> None:
    block = Scale(3.0)
    assert (block.role, block.label, block.block_type) == ("demo", "scale", "demo/scale")
    assert block.config == {"factor": 3.0}
    assert Scale().config == {}
    assert (block.state_dict(), list(block.trainable_parameters()), dict(block.children())) == ({}, [], {})
    block.load_state_dict({})
    with pytest.raises(ConfigError, match="has no state"):
        block.load_state_dict({"x": 1})
    with pytest.raises(ConfigError, match="does not keep its argument 'factor'") as caught:
        _ = Forgetful(1.0).config
    assert caught.value.hint == "self.factor = factor"
    block.block_id = "mine"
    assert block.label == "mine"


def test_a_block_needs_ports_and_work() -> None:
    class Empty(Block): ...

    with pytest.raises(TypeError, match="abstract"):
        Empty()  # type: ignore[abstract]


def test_places_and_seeds() -> None:
    root = RunContext(Run(seed=7), "graph")
    node = root.child("a").child("b")
    assert node.path == "graph/a/b"
    assert RunContext(Run(seed=7), "graph").child("a").child("b").seed == node.seed
    turns = [Turn(root.child("a"), i).child("b") for i in range(3)]
    assert [t.path for t in turns] == ["graph/a/b"] * 3
    inner = [Turn(t, j).child("c").seed for t in turns for j in range(2)]
    seeds = {node.seed, *(t.seed for t in turns), *inner}
    assert len(seeds) == 4 + 6
    assert RunContext(Run(), "graph").seed is None
    assert RunContext(Run(seed=7, scope="tick:2"), "graph").seed != root.seed
    assert root.random().random() == root.random().random()


def test_spending_is_counted_here_and_above() -> None:
    outer = Budget(tokens=100)
    root = RunContext(Run(), "graph", None, outer)
    inner = root.child("a").within(Budget(tokens=10))
    inner.child("b").spend(Usage(input_tokens=7))
    assert inner.budget is not None
    assert (inner.budget.spent.input_tokens, outer.spent.input_tokens, root.run.usage.input_tokens) == (7, 7, 7)


def test_events_are_told_only_where_someone_listens() -> None:
    heard: list[Event] = []
    silent = RunContext(Run(), "graph")
    silent.progress(1)
    assert (silent.listening, silent.run.sequence) == (False, 0)
    loud = RunContext(Run(hooks=(heard.append,), clock=lambda: 12.5, tick=3), "graph")
    loud.child("a").progress(1, 2, "half")
    loud.warn("odd")
    assert heard == [
        Progress(path="graph/a", time=12.5, sequence=1, tick=3, done=1, total=2, note="half"),
        Warned(path="graph", time=12.5, sequence=2, tick=3, sentence="odd"),
    ]


def test_a_run_under_another_gives_back_what_it_spent() -> None:
    run = Run(seed=1, device="cpu")
    run.sequence = 5
    other = run.under(seed=2)
    assert (other.seed, other.device, other.sequence) == (2, "cpu", 5)
    other.count(Usage(input_tokens=3))
    other.sequence = 9
    run.absorb(other)
    assert (run.usage.input_tokens, run.sequence, run.seed) == (3, 9, 1)
