"""What a turn of a long conversation costs: 500 turns with one agent, in memory and in a durable thread.

    python -m tests.benchmarks.memory

A turn is one `agent.run()`: a question, a call of a tool, its result, an answer; some 500 tokens. The memory has its
usual budget (8,000 tokens), so that a summary is written every ten turns or so. Time of a turn is its least over the
repetitions, since others may use the machine; the figures are means over turns 50-100 and over the last 50, summaries
included. Bytes of a turn are what the model is sent, what the memory holds as JSON, and in the durable thread what
the file grows by.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
import tracemalloc
from array import array
from collections.abc import Callable
from pathlib import Path

from yggdrasil import Agent, ScriptedModel, tool
from yggdrasil.agent.memory import Memory
from yggdrasil.core.messages import Reply, Request, ToolCall, assistant, message_to_json

TURNS = 500
EARLY, LATE = (50, 100), (TURNS - 50, TURNS)
BOUND = 1.2
FACT = "Her name is Kara."

Series = dict[str, list[float]]


@tool
async def look(at: int) -> str:
    """Look at a place.

    Args:
        at: its number
    """
    return f"place {at}: " + "a ford, a mill and a road " * 20


def script(sent: list[float]) -> Callable[[Request], Reply]:
    """A call of the tool, then an answer; summaries on demand. Bytes of what was asked go to `sent`."""

    def say(request: Request) -> Reply:
        messages = request.messages
        if "memory of a conversation" in messages[0].text:
            return Reply(assistant("what was said so far, " * 40))
        if FACT not in messages[0].text:
            raise AssertionError("the pinned fact is gone")
        if messages[-1].role == "user":
            return Reply(assistant(ToolCall(f"call_{len(sent)}", "look", {"at": len(sent)})), finish="tool_calls")
        sent.append(float(sum(len(json.dumps(message_to_json(m))) for m in messages)))
        return Reply(assistant("there is a ford, a mill and a road " * 15))

    return say


def agent(sent: list[float]) -> Agent[str]:
    """The agent that talks."""
    memory = Memory(pinned=[FACT])
    return Agent(ScriptedModel(script(sent), keep=0), name="kara", tools=[look], memory=memory)


def question(number: int) -> str:
    """What is asked in a turn."""
    return f"question {number}: " + "what lies at the next place on the way to the sea? " * 12


async def in_memory() -> Series:
    """One conversation with one agent."""
    took, sent, held = [], [], []
    ours = agent(sent)
    for number in range(TURNS):
        began = time.perf_counter()
        await ours.run(question(number))
        took.append((time.perf_counter() - began) * 1e6)
        held.append(float(len(json.dumps(ours.state_dict()))))
    return {"time of a turn, us": took, "sent to the model, bytes": sent, "state after it, bytes": held}


def filled(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(file.stat().st_size for file in folder.iterdir())


async def durable(folder: Path) -> Series:
    """One conversation in a thread of a file, which each run opens and closes."""
    took, sent, grown = [], [], []
    ours, file, size = agent(sent), folder / "runs.db", 0
    for number in range(TURNS):
        began = time.perf_counter()
        await ours.run(question(number), thread="t1", store=f"sqlite:///{file}")
        took.append((time.perf_counter() - began) * 1e6)
        before, size = size, filled(folder)
        grown.append(float(size - before))
    return {"time of a turn, us": took, "sent to the model, bytes": sent, "growth of the file, bytes": grown}


async def growth() -> Series:
    """Bytes of the process by tracemalloc after each turn, in memory."""
    sent: list[float] = []
    ours, held = agent(sent), array("d", bytes(8 * TURNS))  # made before: not to measure ourselves
    tracemalloc.start()
    for number in range(TURNS):
        await ours.run(question(number))
        sent.clear()
        gc.collect()
        held[number] = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return {"held by the process, bytes": list(held)}


def least(found: list[Series]) -> Series:
    """Each turn's least over the repetitions."""
    return {what: [min(t) for t in zip(*(f[what] for f in found), strict=True)] for what in found[0]}


def report(title: str, found: Series) -> bool:
    """Print a table; whether every figure is within the bound."""
    print(f"\n{title:<28} {'turns 50-100':>14} {'last 50':>14} {'ratio':>7}")
    kept = True
    for what, values in found.items():
        early, late = (statistics.fmean(values[first:last]) for first, last in (EARLY, LATE))
        kept = kept and late <= BOUND * early
        print(f"{what:<28} {early:>14,.0f} {late:>14,.0f} {late / early:>7.2f}")
    return kept


def main() -> int:
    """Print the figures; 1 when one of them grows by more than the bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    alone = [asyncio.run(in_memory()) for _ in range(rounds)]
    threads = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            threads.append(asyncio.run(durable(Path(folder))))
    tables = {
        "in memory": {**least(alone), **asyncio.run(growth())},
        "durable, sqlite": least(threads),
    }
    kept = [report(title, found) for title, found in tables.items()]
    print(f"\nbound: ratio at most {BOUND}: {'kept' if all(kept) else 'MISSED'}")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
