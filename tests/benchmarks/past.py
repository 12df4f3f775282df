"""The past of a long life: how long `at(tick)`, a fork, a comparison and opening take on a stream of many records.

    python tests/benchmarks/past.py [RECORDS] [FILE]

The stream is written as a world writes it (ticks of ten records of about 1 KiB, snapshots now and then), by the same
functions, without stages.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anyio

from yggdrasil import World, block
from yggdrasil.abc.store import Entry
from yggdrasil.core.content import apply, content_of
from yggdrasil.core.cycle import DEVELOPMENT, Cycle, Status, finished, fold
from yggdrasil.core.facts import EffectDone, Fact, Finished, Opened, Remembered, StageDone, TickBegun, Updated
from yggdrasil.core.frozen import freeze
from yggdrasil.levels.snapshot import Snapshots
from yggdrasil.levels.view import view
from yggdrasil.storage.sqlite import SqliteStore

STAGES = ("philosopher", "author", "environment/update", DEVELOPMENT, "architect", "creator")
PADDING = "a word of the saga " * 45
SNAPSHOT_EVERY = 45
"""Ticks: 450 records, about as far apart as a store keeps old snapshots."""


def world() -> World:
    made = World("long")
    for name in STAGES:
        made.add_stage(name, block(lambda: 1))
    return made


def tick_facts(cycle: Cycle, status: Status, snapshots: Snapshots) -> tuple[Status, list[Fact]]:
    """One tick as it would be journaled."""
    tick = status.tick + 1
    facts: list[Fact] = [TickBegun(tick)]
    for stage, fills in (("philosopher", "description"), ("author", "chronicle")):
        facts.append(StageDone(stage, fills, {"text": PADDING, "tick": tick}))
    patch = freeze([{"op": "replace", "path": f"/places/p{tick % 50}/visits", "value": tick}])
    facts.append(EffectDone(f"tick:{tick}", "long/author", 0, "0" * 64, "model", {"text": PADDING}))
    facts.append(Remembered(tick, freeze({"tick": tick, "text": PADDING})))
    made = []
    for fact in facts:
        status = fold(cycle, status, fact)
        made.append(fact)
    applied = apply(status.content, patch)
    snapshots.note(applied.operations)
    for fact in (
        Updated(tick, applied.operations, status.state, applied.content.hash),
        StageDone(DEVELOPMENT, "intent", freeze({"what": f"day {tick}", "text": PADDING})),
        StageDone("architect", "blueprint", freeze({"scene": PADDING})),
        StageDone("creator", "artifacts", freeze({"texts": [PADDING]})),
    ):
        status = fold(cycle, status, fact, applied.content if isinstance(fact, Updated) else None)
        made.append(fact)
    end: Finished = finished(status)
    return fold(cycle, status, end), [*made, end]


async def write(store: SqliteStore, records: int) -> int:
    """The stream; how many ticks it has."""
    cycle = world().cycle
    content, _ = content_of({"places": {f"p{n}": {"about": "a place", "visits": 0} for n in range(50)}})
    status, snapshots = Status(content, content_hash=content.hash), Snapshots()
    data, blobs = snapshots.take(status)
    for blob in blobs:
        await store.put_blob(blob.data)
    opened = Opened("long", 0, content.digests, content.hash)
    head = await store.append("long", [Entry("opened", opened.to_json())], snapshot=data)
    while head < records:
        entries: list[Entry] = []
        for _ in range(SNAPSHOT_EVERY):
            status, facts = tick_facts(cycle, status, snapshots)
            entries += [Entry(fact.kind, fact.to_json()) for fact in facts]
        data, blobs = snapshots.take(status)
        for blob in blobs:
            await store.put_blob(blob.data)
        head = await store.append("long", entries, snapshot=data)
    return status.tick


async def timed(what: str, times: int, work: Any) -> None:
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        await work()
        spent.append((time.perf_counter() - start) * 1000)
    spent.sort()
    print(f"{what:<44} median {spent[len(spent) // 2]:8.2f} ms   worst {spent[-1]:8.2f} ms", flush=True)


async def main(records: int, path: Path) -> None:
    rng = random.Random(7)
    definition = world()
    async with SqliteStore(path) as store:
        start = time.perf_counter()
        ticks = await write(store, records)
        print(f"{await store.head('long'):,} records, {ticks:,} ticks, written in {time.perf_counter() - start:.0f} s")

        async def at() -> None:
            await view(store, "long", rng.randrange(1, ticks), definition)

        await timed("at(any tick)", 100, at)
        past = await view(store, "long", ticks // 2, definition)
        names = iter(range(1000))

        async def fork() -> None:
            await past.fork(name=f"fork {next(names)}")

        async def fork_any() -> None:
            await past.fork(name=f"fork {next(names)}", at=rng.randrange(1, ticks))

        await timed("fork(this tick), found and durable", 50, fork)
        await timed("fork(any tick), found and durable", 50, fork_any)
        await past.fork(name="other", at=ticks // 3)
        last, other = await view(store, "long", ticks, definition), await view(store, "other", None, definition)

        async def diff() -> None:
            await other.diff(past)

        await timed("diff of a fork with the middle (all history)", 1, diff)
        assert last.tick == ticks

    async def opened() -> None:
        async with SqliteStore(path) as again, World.open(definition, store=again, name="long", read_only=True) as live:
            assert live.tick == ticks

    await timed("open the store and the world", 20, opened)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(main, count, Path(sys.argv[2]) if len(sys.argv) > 2 else Path(folder) / "long.db")
