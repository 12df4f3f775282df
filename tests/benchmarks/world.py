"""A long life: `midgard --overlay text` for 5,000 ticks; time and bytes a tick late and early, and reopening.

python -m tests.benchmarks world
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from tests.benchmarks.measure import heading, line
from yggdrasil import World
from yggdrasil.core.events import TickFinished

TICKS = 5000
WINDOWS = (500, 1000), (4500, 5000)

OPEN = """
import asyncio, sys, time
from yggdrasil import World
async def main():
    for _ in range(2):
        start = time.perf_counter()
        async with World.open("midgard", overlay="text", store=sys.argv[1]) as world:
            assert world.tick == {ticks}, world.tick
            print(time.perf_counter() - start)
asyncio.run(main())
"""


def size(path: Path) -> int:
    """Bytes of a store: the database with its log, and its blobs. Its file alone would lag a checkpoint behind."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        pages, page = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    blobs = path.with_name(f"{path.name}.blobs")
    return int(pages * page) + sum(f.stat().st_size for f in blobs.rglob("*") if f.is_file())


async def live(path: Path) -> list[tuple[float, int]]:
    """After each tick: the time, and the store's bytes."""
    seen = [(time.perf_counter(), 0)]
    async with World.open("midgard", overlay="text", store=f"sqlite:///{path}") as world:
        async for event in world.stream(ticks=TICKS):
            if isinstance(event, TickFinished):
                at = len(seen)
                seen.append((time.perf_counter(), size(path) if any(at in w for w in WINDOWS) else 0))
    return seen


def measure() -> None:
    """Print the figures."""
    heading("A long life: midgard --overlay text, 5,000 ticks on SQLite (bare: its own ticks 500-1,000)")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "midgard.db"
        seen = asyncio.run(live(path))
        assert len(seen) == TICKS + 1
        gaps = [b[0] - a[0] for a, b in pairwise(seen)]
        early, late = (statistics.median(gaps[a:b]) * 1e3 for a, b in WINDOWS)
        line("time a tick, median", f"{late:.3f} ms", f"{early:.3f} ms", f"{late / early:.3f}", "at most 1.15",
             kept=late / early <= 1.15)  # fmt: skip
        early, late = (sum(gaps[a:b]) / (b - a) * 1e3 for a, b in WINDOWS)
        line("time a tick, mean", f"{late:.3f} ms", f"{early:.3f} ms", f"{late / early:.3f}", "at most 1.15",
             kept=late / early <= 1.15)  # fmt: skip
        grown = [(seen[b][1] - seen[a][1]) / (b - a) for a, b in WINDOWS]
        line("bytes a tick", f"{grown[1]:,.0f} B", f"{grown[0]:,.0f} B", f"{grown[1] / grown[0]:.3f}", "at most 1.15",
             kept=grown[1] / grown[0] <= 1.15)  # fmt: skip
        times = [
            [float(said) for said in
             subprocess.run([sys.executable, "-c", OPEN.format(ticks=TICKS), f"sqlite:///{path}"], check=True,
                            capture_output=True, text=True, env=dict(os.environ)).stdout.split()]
            for _ in range(7)
        ]  # fmt: skip
        first, again = (statistics.median(column) for column in zip(*times, strict=True))
        # the first opening of a process loads pydantic, sqlite and midgard's own blocks, whatever the world's age
        line("reopening at tick 5,000", f"{again:.3f} s", "", "", "under 0.2 s", kept=again < 0.2)
        line("the same, the first of a new process", f"{first:.3f} s", "", "", "measured", kept=True)


if __name__ == "__main__":
    measure()
