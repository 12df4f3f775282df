"""A thousand small worlds in one process on one store: throughput, fairness, and what an idle world weighs.

python -m tests.benchmarks worlds
"""

from __future__ import annotations

import asyncio
import gc
import resource
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import heading, line
from yggdrasil import Supervisor, World, block
from yggdrasil.core.events import Event, TickFinished
from yggdrasil.storage.sqlite import SqliteStore

WORLDS, TICKS, IDLE = 1000, 100, 1000
# what is waited for is whatever the worlds do: there is no event of it


@block
def philosopher(artifacts: dict[str, Any]) -> str:
    return f"one sees {artifacts['texts'][0]}"


@block
def author(intent: str, description: str) -> str:
    return f"{intent}: {description}"


@block
def update(chronicle: str, world: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"op": "replace", "path": "/days/count", "value": world["days"]["count"] + 1}]


@block
def development(world: dict[str, Any], action: str | None = None) -> str:
    return action or f"day {world['days']['count']}"


@block
def architect(intent: str) -> str:
    return f"a picture of {intent}"


@block
def creator(blueprint: str) -> dict[str, Any]:
    return {"texts": [blueprint]}


def small(number: int) -> World:
    """A world of five function stages."""
    world = World(f"small{number}")
    for name, stage in (("philosopher", philosopher), ("author", author), ("environment/update", update),
                        ("environment/development", development), ("architect", architect), ("creator", creator)):
        world.add_stage(name, stage)  # fmt: skip
    world.set_initial_world({"days": {"count": 0}})
    return world


class Clocked:
    """When each world had its last tick."""

    def __init__(self) -> None:
        self.ended: dict[str, float] = {}
        self.ticks = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, TickFinished):
            self.ticks += 1
            if event.tick == TICKS:
                self.ended[event.path] = time.perf_counter()


async def crowd(folder: Path) -> None:
    """All of them at once."""
    heard = Clocked()
    async with SqliteStore(folder / "worlds.db") as store:
        supervisor = Supervisor([small(n) for n in range(WORLDS)], store=store, ticks=TICKS, hooks=[heard])
        begun, used = time.perf_counter(), time.process_time()
        await supervisor.run()
        wall, used = time.perf_counter() - begun, time.process_time() - used
    assert not supervisor.failed, supervisor.failed
    assert heard.ticks == WORLDS * TICKS
    times = [ended - begun for ended in heard.ended.values()]
    line("ticks a second, all together", f"{heard.ticks / wall:,.0f} /s", f"{used / wall:.0%} CPU", "", "measured",
         kept=True)  # fmt: skip
    ratio = max(times) / min(times)
    line("time to tick 100, slowest / fastest", f"{max(times):.1f} s", f"{min(times):.1f} s", f"{ratio:.3f}",
         "at most 1.5", kept=ratio <= 1.5)  # fmt: skip
    line("peak memory of the process", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB", "", "",
         "measured", kept=True)  # fmt: skip


async def idle(folder: Path) -> None:
    """Worlds that rest until an hour has passed: their memory, the time of this process, and how soon one wakes."""
    made = []
    for number in range(IDLE):
        world = small(number)
        world.set_timers({"every": 3600})
        made.append(world)
    heard = Clocked()
    async with SqliteStore(folder / "idle.db") as store:
        supervisor = Supervisor(store=store, hooks=[heard])
        for world in made[:10]:
            supervisor.add(world)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(supervisor.run())
            while heard.ticks < 10:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            gc.collect()
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            for world in made[10:]:
                supervisor.add(world)
            while heard.ticks < IDLE:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await asyncio.sleep(1)
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
            tracemalloc.stop()
            each = grown / (IDLE - 10) / 1024
            line("memory of an idle world", f"{each:.1f} KiB", "", "", "at most 64 KiB", kept=each <= 64)
            used, wall = time.process_time(), time.perf_counter()
            await asyncio.sleep(11)  # two renewals of every lease
            share = (time.process_time() - used) / (time.perf_counter() - wall)
            line("CPU of 1,000 idle worlds, leases renewed", f"{share:.1%}", "", "", "measured", kept=True)
            woken = []
            for number in range(5):
                begun, count = time.perf_counter(), heard.ticks
                await supervisor.living[f"small{number}"].act("a storm")
                while heard.ticks == count:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
                woken.append((time.perf_counter() - begun) * 1e3)
            line("an action in this process until its tick", f"{sorted(woken)[2]:.1f} ms", "", "", "measured",
                 kept=True)  # fmt: skip
            supervisor.stop()
            await task


def measure() -> None:
    """Print the figures."""
    heading("A thousand worlds of five function stages, one process, one SQLite file")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(idle(Path(folder)))
        asyncio.run(crowd(Path(folder)))


if __name__ == "__main__":
    measure()
