"""What an agent costs: one model turn with one tool call, beside bare asyncio doing the same work.

    python tests/benchmarks/agent.py

Medians over repetitions, ours and the bare loop in turn within one process. No model, no network.
The bare loop and the workload are those of the peer benchmark: JSON arguments, one int, validated.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

from yggdrasil import Agent, ScriptedModel, tool
from yggdrasil.core.messages import Reply, Request, ToolCall, assistant

REPETITIONS = 25


async def add_one(x: int) -> int:
    """Add one to a number.

    Args:
        x: the number
    """
    return x + 1


async def add_one_slowly(x: int) -> int:
    """Add one to a number, slowly.

    Args:
        x: the number
    """
    await asyncio.sleep(0.01)
    return x + 1


def script(turns: int, calls: int, marks: list[float]) -> Callable[[Request], Reply]:
    """Tool calls for so many turns, then the answer; arguments as JSON text, as providers send them."""
    turn = 0

    def say(request: Request) -> Reply:
        nonlocal turn
        marks.append(time.perf_counter())
        turn += 1
        if turn > turns:
            turn = 0
            return Reply(assistant(f"done:{turns}"))
        texts = [(f"call_{turn}_{k}", json.dumps({"x": turn + k})) for k in range(calls)]
        return Reply(assistant(*(ToolCall(id, function, json.loads(text)) for id, text in texts)), finish="tool_calls")

    function = "add_one" if calls == 1 else "add_one_slowly"
    return say


async def bare(turns: int, calls: int, function: Callable[..., Awaitable[int]]) -> str:
    """The same work without anything: a list of messages, a loop, a task group."""
    turn = 0

    async def model(messages: list[Any]) -> Any:
        nonlocal turn
        turn += 1
        if turn > turns:
            return f"done:{turns}"
        return [(f"call_{turn}_{k}", json.dumps({"x": turn + k})) for k in range(calls)]

    async def call(id: str, text: str) -> dict[str, Any]:
        arguments = json.loads(text)
        if set(arguments) != {"x"} or not isinstance(arguments["x"], int):
            raise ValueError(arguments)
        return {"role": "tool", "id": id, "content": str(await function(**arguments))}

    messages: list[Any] = [{"role": "user", "content": "go"}]
    while True:
        reply = await model(messages)
        messages.append({"role": "assistant", "content": reply})
        if isinstance(reply, str):
            return reply
        if len(reply) == 1:
            messages.append(await call(*reply[0]))
        else:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(call(*c)) for c in reply]
            messages += [task.result() for task in tasks]


async def seconds(run: Callable[[], Awaitable[Any]], answer: str) -> float:
    """Wall time of one checked run."""
    began = time.perf_counter()
    found = await run()
    took = time.perf_counter() - began
    if getattr(found, "output", found) != answer:
        raise AssertionError(found)
    return took


def agent(turns: int, calls: int, marks: list[float]) -> Agent:
    """The agent that does the workload."""
    function = tool(add_one if calls == 1 else add_one_slowly)
    return Agent(
        ScriptedModel(script(turns, calls, marks), keep=0), tools=[function], max_steps=turns + 2, max_retries=0
    )


async def measure(turns: int, calls: int = 1) -> tuple[float, float, list[float]]:
    """Median seconds of ours and of the bare loop, and when each of our turns began."""
    marks: list[float] = []
    ours = agent(turns, calls, marks)
    function = add_one if calls == 1 else add_one_slowly
    answer = f"done:{turns}"
    found: list[float] = []
    base: list[float] = []
    for _ in range(REPETITIONS):
        marks.clear()
        found.append(await seconds(lambda: ours.run("go"), answer))
        base.append(await seconds(lambda: bare(turns, calls, function), answer))
    return statistics.median(found), statistics.median(base), marks


def median_gap(marks: list[float], first: int, last: int) -> float:
    """Median seconds from one model call to the next over these turns."""
    return statistics.median(b - a for a, b in zip(marks[first:last], marks[first + 1 : last + 1], strict=True))


async def crowd(count: int, turns: int) -> tuple[float, float, float]:
    """Seconds of so many agents at once, of the bare loops one after another, and KiB for each agent and its run."""
    answer = f"done:{turns}"
    gc.collect()
    tracemalloc.start()
    agents = [agent(turns, 1, []) for _ in range(count)]
    # the workload's own list of marks is not ours
    await asyncio.gather(*(a.run("go") for a in agents))
    held = tracemalloc.get_traced_memory()[1] / 1024 / count
    tracemalloc.stop()
    ours, base = [], []
    for _ in range(5):
        began = time.perf_counter()
        found = await asyncio.gather(*(a.run("go") for a in agents))
        ours.append(time.perf_counter() - began)
        if any(f.output != answer for f in found):
            raise AssertionError(found)
        began = time.perf_counter()
        for _ in range(count):
            await bare(turns, 1, add_one)
        base.append(time.perf_counter() - began)
    return statistics.median(ours), statistics.median(base), held


async def main() -> None:
    """Print the figures."""
    print(f"{'':34}{'ours':>10}{'bare':>10}{'ratio':>9}")
    for turns in (10, 100):
        ours, base, _ = await measure(turns)
        per, bare_per = ours / (turns + 1) * 1e6, base / (turns + 1) * 1e6
        print(f"{f'turn of {turns}, µs':34}{per:10.1f}{bare_per:10.1f}{per / bare_per:9.1f}")
    ours, base, _ = await measure(1, 8)
    print(f"{'8 tools of 10 ms in one turn, ms':34}{ours * 1e3:10.2f}{base * 1e3:10.2f}{ours / base:9.2f}")
    ours, base, held = await crowd(1000, 10)
    figures = f"{ours * 1e3:10.1f}{base * 1e3:10.1f}{ours / base:9.2f}   {held:.1f} KiB each"
    print(f"{'1,000 agents of 10 turns, ms':34}{figures}")
    _, _, marks = await measure(1000)
    early, late = median_gap(marks, 50, 100) * 1e6, median_gap(marks, 950, 1000) * 1e6
    print(f"turn 50-100: {early:.1f} µs; turn 950-1,000: {late:.1f} µs; ratio {late / early:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
