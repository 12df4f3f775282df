"""The engine beside bare asyncio: a chain, a fan, and many runs at once.

python -m tests.benchmarks engine
"""

from __future__ import annotations

import asyncio

from tests.benchmarks.measure import heading, interleaved, line
from yggdrasil import Graph, block


async def step(state: dict[str, int]) -> dict[str, int]:
    """The trivial node."""
    return {"n": state["n"] + 1}


def chain(length: int) -> Graph:
    """`length` trivial nodes in a row."""
    graph = Graph("chain")
    for number in range(length):
        graph.add_node(f"step{number}", step)
        if number:
            graph.add_edge(f"step{number - 1}", f"step{number}")
    return graph


async def bare_chain(length: int) -> dict[str, int]:
    """The same in plain awaits."""
    state = {"n": 0}
    for _ in range(length):
        state = await step(state)
    return state


def fan(width: int, delay: float) -> Graph:
    """One node, `width` in parallel that sleep, one join."""

    async def source(state: dict[str, int]) -> int:
        return state["n"]

    async def leaf(n: int) -> int:
        await asyncio.sleep(delay)
        return n

    @block(many={"found": "list"})
    async def join(found: list[int]) -> int:
        return sum(found)

    graph = Graph("fan")
    graph.add_node("source", source)
    graph.add_node("join", join)
    for number in range(width):
        graph.add_node(f"leaf{number}", leaf)
        graph.add_edge("source", f"leaf{number}")
        graph.add_edge(f"leaf{number}", "join")
    return graph


async def bare_fan(width: int, delay: float) -> int:
    """The same with a task group."""

    async def leaf(n: int) -> int:
        await asyncio.sleep(delay)
        return n

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(leaf(1)) for _ in range(width)]
    return sum(t.result() for t in tasks)


async def measure() -> None:
    """Print the figures."""
    heading("Engine")
    graph = chain(1000)
    assert (await graph.run({"n": 0})).output == await bare_chain(1000)
    ours, bare = await interleaved(lambda: graph.run({"n": 0}), lambda: bare_chain(1000), rounds=51)
    per_node = (ours - bare) * 1e3
    line("chain of 1,000, us a node above bare", f"{ours * 1e3:.2f} us", f"{bare * 1e3:.2f} us", f"+{per_node:.2f} us",
         "at most +3 us", kept=per_node <= 3)  # fmt: skip
    wide = fan(100, 0.01)
    assert (await wide.run({"n": 1})).output == await bare_fan(100, 0.01)
    ours, bare = await interleaved(lambda: wide.run({"n": 1}), lambda: bare_fan(100, 0.01), rounds=31)
    line("1 -> 100 -> 1, each 10 ms", f"{ours * 1e3:.2f} ms", f"{bare * 1e3:.2f} ms", f"{ours / bare:.3f}",
         "at most 1.25", kept=ours / bare <= 1.25)  # fmt: skip
    ten = chain(10)

    async def many() -> None:
        await asyncio.gather(*[ten.run({"n": 0}) for _ in range(1000)])

    async def many_bare() -> None:
        await asyncio.gather(*[bare_chain(10) for _ in range(1000)])

    ours, bare = await interleaved(many, many_bare, rounds=31)
    line("1,000 runs of 10 nodes at once, runs/s", f"{1000 / ours:,.0f}", f"{1000 / bare:,.0f}", f"{bare / ours:.3f}",
         "at least 0.2", kept=bare / ours >= 0.2)  # fmt: skip


if __name__ == "__main__":
    asyncio.run(measure())
