"""The order in which a graph was put together changes nothing: outputs, events, the plan."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import anyio.lowlevel
import pytest

from yggdrasil import Block, Graph
from yggdrasil.abc.context import RunContext
from yggdrasil.core.ports import Spec, port
from yggdrasil.runtime.call import fold

pytestmark = pytest.mark.anyio


class Mixer(Block):
    """Mixes what it is given with its number, waiting now and then; `draw` makes it random."""

    spec = Spec.declare(
        [port("first", int, default=1), port("all", list[int], many="list", optional=True),
         port("by_name", dict[str, int], many="dict", optional=True)],
        {"y": int, "z": int},
    )  # fmt: skip

    def __init__(self, number: int, pauses: int = 0, *, draw: bool = False) -> None:
        self.number, self.pauses, self.draw = number, pauses, draw

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        for _ in range(self.pauses):
            await anyio.lowlevel.checkpoint()
        total = self.number * 7919 + inputs["first"]
        for value in inputs.get("all", ()):
            total = (total * 31 + value) % 1_000_003
        for name, value in inputs.get("by_name", {}).items():
            total = (total * 37 + len(name) * value) % 1_000_003
        if self.draw:
            total += ctx.random().randrange(1000)
        return {"y": total % 1_000_003, "z": -total % 1_000_003}


Parts = tuple[dict[str, Mixer], list[tuple[str, str]]]


def parts(seed: int, *, loops: bool, waiting: bool) -> Parts:
    """Nodes and edges at random; an edge backwards makes a loop, whose first value is a default."""
    rng = random.Random(seed)
    size = rng.randint(2, 12)
    nodes = {
        f"n{i}": Mixer(i, rng.randint(0, 3) if waiting else 0, draw=rng.random() < 0.3) for i in range(size)
    }
    names = list(nodes)
    edges: set[tuple[str, str]] = set()
    singles: set[str] = set()
    for _ in range(rng.randint(1, size * 3)):
        a, b = sorted(rng.sample(range(size), 2))
        into = rng.choice(["all", "by_name", "first"])
        backwards = loops and rng.random() < 0.25
        source, target = (names[b], names[a]) if backwards else (names[a], names[b])
        if into == "first":
            if target in singles:
                continue
            singles.add(target)
        edges.add((f"{source}.{rng.choice('yz')}", f"{target}.{into}"))
    return nodes, sorted(edges)


def build(made: Parts, rng: random.Random) -> Graph:
    nodes, edges = list(made[0].items()), list(made[1])
    rng.shuffle(nodes)
    rng.shuffle(edges)
    graph = Graph("g", num_loop_steps=3)
    for name, mixer in nodes:
        graph.add_node(name, mixer)
    for source, target in edges:
        graph.add_edge(source, target)
    return graph


def story(events: list[Any]) -> list[tuple[str, ...]]:
    return [(e.kind, e.path, str(getattr(e, "iteration", "")), str(getattr(e, "outputs", ""))) for e in events]


def by_node(events: list[Any]) -> dict[str, list[tuple[str, ...]]]:
    found = defaultdict(list)
    for told in story(events):
        found[told[1]].append(told)
    return dict(found)


@pytest.mark.parametrize("loops", [False, True], ids=["dag", "loops"])
@pytest.mark.parametrize("seed", range(10))
async def test_a_hundred_shuffles(seed: int, loops: bool, anyio_backend_name: str) -> None:
    made = parts(seed, loops=loops, waiting=seed % 2 == 1)
    rng = random.Random(seed)
    first = build(made, rng)
    expected = await first.run(seed=seed)
    told = [e async for e in first.stream(seed=seed)]
    assert expected
    assert fold(told) == expected
    for _ in range(10):
        graph = build(made, rng)
        assert graph.plan.order == first.plan.order
        events = [e async for e in graph.stream(seed=seed)]
        assert fold(events) == expected == await graph.run(seed=seed)
        assert by_node(events) == by_node(told)
        if anyio_backend_name == "asyncio":  # trio chooses at random among what is ready
            assert story(events) == story(told)


def reference(made: Parts) -> dict[str, int]:
    """What a graph without loops gives, worked out the slow way: each node when it is asked for, by recursion."""
    nodes, edges = made

    def value(source: str) -> int:
        name, port = source.split(".")
        into = {p: sorted(s for s, t in edges if t == f"{name}.{p}") for p in ("first", "all", "by_name")}
        total = nodes[name].number * 7919 + (value(into["first"][0]) if into["first"] else 1)
        for each in into["all"]:
            total = (total * 31 + value(each)) % 1_000_003
        for each in into["by_name"]:
            total = (total * 37 + len(each) * value(each)) % 1_000_003
        return total % 1_000_003 if port == "y" else -total % 1_000_003

    return {f"{name}.{port}": value(f"{name}.{port}") for name in nodes for port in "yz"}


@pytest.mark.parametrize("seed", range(20, 40))
async def test_outputs_are_those_of_the_definition(seed: int) -> None:
    made = parts(seed, loops=False, waiting=True)
    for mixer in made[0].values():
        mixer.draw = False
    graph = build(made, random.Random(seed))
    for name in made[0]:
        for port_name in "yz":
            graph.expose_output(name, port_name)
    assert dict(await graph.run()) == reference(made)


async def test_some_of_these_loop_and_some_run_wide() -> None:
    graphs = [build(parts(seed, loops=True, waiting=False), random.Random(0)) for seed in range(10)]
    assert any(graph.plan.loops for graph in graphs)
    assert any(len([s for s in graph.plan.steps if not s.after]) > 1 for graph in graphs)
