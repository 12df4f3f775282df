"""Deadlines that strike at every moment of a wide, failing, nested run: nothing is left, nothing is stuck."""

from __future__ import annotations

import asyncio
import random

import anyio
import pytest

from yggdrasil import BlockError, Graph, RunTimeoutError
from yggdrasil.testing import CallCounter, Failing, Sleeper

pytestmark = pytest.mark.anyio


def wide(rng: random.Random, counters: list[CallCounter], depth: int = 2) -> Graph:
    graph = Graph(f"depth{depth}", num_loop_steps=2)
    for i in range(4):
        what = Sleeper(rng.uniform(0, 0.004))
        block = CallCounter(Failing(lambda: LookupError("rune"), times=int(rng.random() < 0.15)) if i == 3 else what)
        counters.append(block)
        graph.add_node(f"n{i}", block, timeout=rng.choice([None, 0.003]), retry=rng.choice([None, 2]))
        graph.expose_input(f"n{i}.value", name="value")
        graph.expose_output(f"n{i}.value", name=f"v{i}")
    if depth:
        graph.add_node("inner", wide(rng, counters, depth - 1))
        graph.expose_input("inner.value", name="value")
        graph.expose_output("inner.v0", name="inner")
    return graph


async def test_deadlines_at_any_moment(anyio_backend_name: str) -> None:
    rng = random.Random(7)
    ends: dict[str, int] = {}
    for _ in range(150):
        counters: list[CallCounter] = []
        graph = wide(rng, counters)
        seconds = rng.choice([0.0001, 0.001, 0.003, 0.006, 5])
        try:
            with anyio.fail_after(10):
                if rng.random() < 0.5:
                    await graph.run(value=1, timeout=seconds)
                else:
                    with anyio.move_on_after(seconds) as scope:
                        await graph.run(value=1)
                    end = "cancelled" if scope.cancelled_caught else "done"
                    ends[end] = ends.get(end, 0) + 1
        except (RunTimeoutError, BlockError) as error:
            end = type(error).__name__ if error.path.startswith("depth2") else f"lost at {error.path}"
            ends[end] = ends.get(end, 0) + 1
        assert sum(c.running for c in counters) == 0
        if anyio_backend_name == "asyncio":
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
    assert {"RunTimeoutError", "cancelled"} <= set(ends) <= {"RunTimeoutError", "cancelled", "done", "BlockError"}, ends
    await anyio.sleep(0.01)
    if anyio_backend_name == "asyncio":
        others = {t for t in asyncio.all_tasks() if t is not asyncio.current_task()}
        assert not [t for t in others if "work" in repr(t.get_coro())]
