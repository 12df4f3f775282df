"""Durability `step`: a loop that was interrupted goes on behind its last whole iteration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from yggdrasil import Graph, PortError, RunContext, World
from yggdrasil.core.facts import EffectDone
from yggdrasil.errors import ParkedError, RunError
from yggdrasil.levels.replay import replay
from yggdrasil.storage.open import open_store

pytestmark = pytest.mark.anyio


class Work:
    """A loop that adds random numbers, and fails where it is told to."""

    def __init__(self, *, fails: int = -1, asks: bool = False, steps: int = 8) -> None:
        self.fails, self.asks, self.steps = fails, asks, steps
        self.seen: list[int] = []

    async def add(self, total: torch.Tensor, number: int = 0, *, ctx: RunContext) -> dict[str, Any]:
        if number == self.fails:
            self.fails = -1
            raise RuntimeError("the power is gone")
        self.seen.append(number)
        more = ctx.random().random()
        if self.asks:

            async def perform(key: str) -> float:
                return 1.0

            more += await ctx.effect("tool", {"number": number}, perform)
        return {"total": total + more, "number": number + 1}

    def graph(self) -> Graph:
        from yggdrasil.runtime.function import FunctionBlock

        graph = Graph("sum", num_loop_steps=self.steps)
        graph.add("add", FunctionBlock(self.add, outputs={"total": torch.Tensor, "number": int}))
        graph.add_edge("add.total", "add.total")
        graph.add_edge("add.number", "add.number")
        graph.expose_input("add", "total", "start")
        graph.expose_output("add", "total", "total")
        return graph


START = torch.zeros(2)


async def kept(store: str, stream: str = "thread:t") -> list[str]:
    found = open_store(store)
    async with found:
        return [r.data["what"] for r in await found.read(stream) if r.kind == EffectDone.kind]


async def never_stopped(graph: Graph, options: dict[str, Any], folder: Path) -> torch.Tensor:
    return (await graph.run(start=START, **{**options, "store": f"sqlite:///{folder}/whole.db"}))["total"]


async def test_it_goes_on_behind_the_last_whole_iteration(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/runs.db"
    options: dict[str, Any] = {"seed": 3, "thread": "t", "store": store, "durability": "step"}
    whole = await never_stopped(Work().graph(), options, tmp_path)
    work = Work(fails=5)
    with pytest.raises(RunError, match="the power is gone"):
        await work.graph().run(start=START, **options)
    assert work.seen == [0, 1, 2, 3, 4]
    assert await kept(store) == ["turn"] * 5
    again = Work()
    assert torch.equal((await again.graph().run(start=START, **options))["total"], whole)
    assert again.seen == [5, 6, 7]
    third = Work()
    await third.graph().run(start=START, **options)
    assert third.seen == list(range(8)), "the next run of the thread is a new one"


async def test_without_it_the_loop_begins_anew(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/runs.db"
    with pytest.raises(RunError):
        await Work(fails=5).graph().run(start=START, seed=3, thread="t", store=store)
    assert await kept(store) == []
    again = Work()
    await again.graph().run(start=START, seed=3, thread="t", store=store)
    assert again.seen == list(range(8))


async def test_a_loop_that_asks_the_outside_is_made_of_its_answers(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/runs.db"
    options: dict[str, Any] = {"seed": 3, "thread": "t", "store": store, "durability": "step"}
    whole = await never_stopped(Work(asks=True).graph(), options, tmp_path)
    with pytest.raises(RunError):
        await Work(fails=5, asks=True).graph().run(start=START, **options)
    assert await kept(store) == ["tool"] * 5
    again = Work(asks=True)
    assert torch.equal((await again.graph().run(start=START, **options))["total"], whole)
    assert await kept(store) == ["tool"] * 8


async def test_a_loop_in_a_loop(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/runs.db"
    options: dict[str, Any] = {"seed": 3, "thread": "t", "store": store, "durability": "step"}

    def nested(work: Work) -> Graph:
        outer = Graph("outer", num_loop_steps=3)
        outer.add("inner", work.graph())
        outer.add_edge("inner.total", "inner.start")
        outer.expose_input("inner", "start", "start")
        outer.expose_output("inner", "total", "total")
        return outer

    whole = await never_stopped(nested(Work(steps=4)), options, tmp_path)
    work = Work(steps=4)
    count = 0

    async def failing(total: torch.Tensor, number: int = 0, *, ctx: RunContext) -> dict[str, Any]:
        nonlocal count
        count += 1
        if count == 7:  # the third step of the second run of the inner loop
            raise RuntimeError("the power is gone")
        return await Work.add(work, total, number, ctx=ctx)

    work.add = failing  # type: ignore[method-assign]
    with pytest.raises(RunError):
        await nested(work).run(start=START, **options)
    assert work.seen == [0, 1, 2, 3, 0, 1]
    again = Work(steps=4)
    assert torch.equal((await nested(again).run(start=START, **options))["total"], whole)
    assert again.seen == [2, 3, 0, 1, 2, 3]


async def test_another_beginning_is_another_loop(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/runs.db"
    options: dict[str, Any] = {"thread": "t", "store": store, "durability": "step"}
    with pytest.raises(RunError):
        await Work(fails=5).graph().run(start=START, seed=3, **options)
    again = Work()
    found = await again.graph().run(start=START, seed=4, **options)
    assert again.seen == list(range(8))
    assert torch.equal(found["total"], await never_stopped(Work().graph(), {**options, "seed": 4}, tmp_path))


async def test_in_a_world_by_its_own_durability(tmp_path: Path) -> None:
    def world(work: Work) -> World:
        graph = work.graph()
        graph.add("given", lambda intent: torch.zeros(2))
        graph.add_edge("given", "add.total")
        graph.add("told", lambda total: f"{float(total[0]):.9f}")
        graph.add_edge("add.total", "told")
        graph._inputs = graph._outputs = None
        graph.expose_input("given", "intent", "intent")
        graph.expose_output("told", "output", "artifacts")
        made = World("valley")
        made.set_cycle(["development", "creator"], {"development": [], "creator": ["intent"]})
        made.add_stage("development", lambda action="": "a day")
        made.add_stage("creator", graph)
        made.set_durability("step")
        return made

    store = f"sqlite:///{tmp_path}/valley.db"
    async with World.open(world(Work()), seed=3) as live:
        whole = (await live.run(ticks=1))["state"]["artifacts"]
    with pytest.raises(ParkedError):
        async with World.open(world(Work(fails=5)), store=store, seed=3) as live:
            await live.run(ticks=1)
    again = Work()
    async with World.open(world(again), store=store) as live:
        await live.command("retry")
        assert (await live.run(ticks=1))["state"]["artifacts"] == whole
        assert again.seen == [5, 6, 7]
    async with open_store(store) as found:
        assert (await replay(world(Work()), found, "valley")).last == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"durability": "step"}, "for the run of a thread"),
        ({"durability": "tick", "thread": "t", "store": "memory://"}, "durability is 'tick'"),
    ],
)
async def test_a_durability_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(PortError, match=said):
        await Work().graph().run(start=START, **options)
