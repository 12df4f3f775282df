"""What a store weighs, and that its age costs nothing, on SQLite: `python -m tests.benchmarks size`.

A million records of 1 KiB in one stream: the time of an append late and early, opening, forking, bytes on disk; 5,000
steps that each add 200 bytes to a state; 100 forks of a world of 10 MB. The files lie in a temporary folder (TMPDIR
chooses the disk). `--records N` makes it shorter; the others are kept as they are.

An append here is 100 records in one transaction, durable when it returns: with one record each the million would take
as long as the disk flushes, which is what `durable` measures. The two windows take turns with nothing else; a median
stands for each, since what is asked is whether an append costs more when there are many records.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import heading, line
from yggdrasil import World, block
from yggdrasil.abc.store import Entry
from yggdrasil.core.content import content_of
from yggdrasil.core.cycle import Status
from yggdrasil.core.frozen import freeze
from yggdrasil.levels.snapshot import Snapshots
from yggdrasil.storage.open import bytes_on_disk
from yggdrasil.storage.sqlite import SqliteStore

RECORDS = 1_000_000
AT_ONCE = 100
WINDOW = 10_000
PAYLOAD = 1024
STEPS, ADDED = 5000, 200
FORKS, WORLD = 100, 10_000_000

OPEN = """
import asyncio, sys, time
from yggdrasil.abc.store import Entry
from yggdrasil.storage.sqlite import SqliteStore
async def main():
    start = time.perf_counter()
    async with SqliteStore(sys.argv[1]) as store:
        head = await store.head("a")
        snapshot = await store.snapshot("a")
        records = await store.read("a", after=head - 10)
        opened = time.perf_counter() - start
        assert len(records) == 10 and snapshot is not None
        await store.append("a", [Entry("note", "first")], expect=head)
        print(opened, time.perf_counter() - start)
asyncio.run(main())
"""


def weight(path: Path) -> int:
    found = bytes_on_disk(str(path))
    assert found is not None
    return found


def fillers(count: int) -> list[str]:
    """Texts of 1 KiB that are not all alike."""
    pick = random.Random(5)
    return [pick.randbytes(PAYLOAD // 2).hex()[: PAYLOAD - 2] for _ in range(count)]  # JSON adds two quotes


async def write(path: Path, count: int) -> list[float]:
    """Append them all; seconds of each append of a hundred."""
    texts = fillers(997)
    seconds = []
    async with SqliteStore(path) as store:
        for start in range(0, count, AT_ONCE):
            entries = [Entry("note", texts[(start + number) % 997]) for number in range(AT_ONCE)]
            state = {"after": start + AT_ONCE} if start % 1000 == 0 else None
            before = time.perf_counter()
            await store.append("a", entries, snapshot=state)
            seconds.append(time.perf_counter() - before)
    return seconds


async def forks(path: Path, count: int) -> list[float]:
    seconds = []
    async with SqliteStore(path) as store:
        head = await store.head("a")
        for number in range(count):
            at = head * number // count
            before = time.perf_counter()
            await store.fork("a", at, f"fork {number}")
            seconds.append(time.perf_counter() - before)
        assert len(await store.read(f"fork {count // 2}", after=head * (count // 2) // count - 5)) == 5
    return seconds


def million(folder: Path, count: int) -> None:
    path = folder / "million.db"
    seconds = asyncio.run(write(path, count))
    size = weight(path)
    edge = WINDOW // AT_ONCE
    early, late = (statistics.median(part) / AT_ONCE * 1e6 for part in (seconds[:edge], seconds[-edge:]))
    line("append, a record, last 10,000", f"{late:.2f} us", f"{early:.2f} us", f"{late / early:.3f}", "at most 1.15",
         kept=late / early <= 1.15)  # fmt: skip
    line("bytes on disk beside payload", f"{size / 1e6:,.0f} MB", f"{count * PAYLOAD / 1e6:,.0f} MB",
         f"{size / count / PAYLOAD:.3f}", "at most 1.3", kept=size <= 1.3 * count * PAYLOAD)  # fmt: skip
    opened, first = zip(*(map(float, said.split()) for said in (
        subprocess.run([sys.executable, "-c", OPEN, str(path)], check=True, capture_output=True, text=True,
                       env=dict(os.environ)).stdout for _ in range(5))), strict=True)  # fmt: skip
    line("open, read the newest", f"{statistics.median(opened):.4f} s", "", "", "at most 0.3 s",
         kept=statistics.median(opened) <= 0.3)  # fmt: skip
    line("... and the first append", f"{statistics.median(first):.4f} s", "", "", "at most 0.3 s",
         kept=statistics.median(first) <= 0.3)  # fmt: skip
    forked = asyncio.run(forks(path, 100))
    line("fork, median of 100", f"{statistics.median(forked) * 1e3:.2f} ms", "", "", "at most 5 ms",
         kept=statistics.median(forked) <= 5e-3)  # fmt: skip


async def steps(path: Path) -> int:
    """A state that grows by 200 bytes a step: each step a record of its change, a snapshot when one is due."""
    content, _ = content_of({"state": {}})
    status, snapshots = Status(content, content_hash=content.hash), Snapshots()
    state: dict[str, Any] = {}
    pick = random.Random(7)
    written = 0
    async with SqliteStore(path) as store:
        for number in range(STEPS):
            added = pick.randbytes(ADDED // 2).hex()
            state[f"step {number}"] = added
            operation = freeze({"op": "add", "path": f"/state/step {number}", "value": added})
            snapshots.note([operation])
            entry = Entry("updated", operation)
            written += len(json.dumps(operation))
            if written < snapshots.threshold:
                await store.append("a", [entry])
                continue
            content, _ = content_of({"state": state})
            data, blobs = snapshots.take(status.replace(content=content, content_hash=content.hash))
            for blob in blobs:
                await store.put_blob(blob.data)
            await store.append("a", [entry], snapshot=data)
            written = 0
    return weight(path)


@block
def change(chronicle: str) -> list[dict[str, Any]]:
    return [{"op": "replace", "path": "/count/n", "value": len(chronicle)}]


def large_world() -> World:
    """A world with 10 MB of content."""
    from tests.levels.toy_world import toy

    world = toy(update=change)
    texts = fillers(WORLD // PAYLOAD)
    sections = {"count": {"n": 0}, "texts": {str(number): text for number, text in enumerate(texts)}}
    world.set_initial_world({**sections, "places": {}})
    return world


async def forked_worlds(path: Path) -> tuple[int, list[int]]:
    """Bytes of a world of 10 MB, and what each of 100 forks adds that lives on for three ticks."""
    sizes: list[int] = []
    async with SqliteStore(path) as store:
        async with World.open(large_world(), store=store) as world:
            await world.run(ticks=3)
        await store.vacuum()
        before = weight(path)
        head, last = await store.head("toy"), before
        for number in range(FORKS):
            await store.fork("toy", head, f"fork {number}")
            async with World.open(large_world(), store=store, name=f"fork {number}") as world:
                await world.run(ticks=3)
            if number % 10 == 9:
                await store.vacuum()  # moves the log into the file
                last, grown = weight(path), weight(path) - last
                sizes.append(grown // 10)
    return before, sizes


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        heading(f"{options.records:,} records of 1 KiB in one stream (bare: the first 10,000; the payload)")
        million(folder, options.records)
        heading(f"{STEPS:,} steps that each add {ADDED} bytes to a state (bare: what was added)")
        size = asyncio.run(steps(folder / "steps.db"))
        line("bytes on disk", f"{size / 1e6:.2f} MB", f"{STEPS * ADDED / 1e6:.2f} MB", f"{size / STEPS / ADDED:.2f}",
             "at most 3 MB", kept=size <= 3_000_000)  # fmt: skip
        heading(f"{FORKS} forks of a world of 10 MB, each living three ticks (bare: the world)")
        before, grown = asyncio.run(forked_worlds(folder / "forks.db"))
        most = max(grown)
        line("bytes a fork adds, at most", f"{most:,} B", f"{before / 1e6:.1f} MB", f"{most / before:.4f}",
             "under 1 %", kept=most < before / 100)  # fmt: skip


if __name__ == "__main__":
    main()
