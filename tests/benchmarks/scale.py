"""What a tick of a world of agents costs as people and years add up, on SQLite.

    python -m tests.benchmarks.scale [--ticks 200]

Each acts in every tick (two model calls and a tool), sees its place, and remembers. Least of three neighbouring ticks,
so that other work on the machine counts less.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import anyio

from tests.worlds.crowd import crowd
from yggdrasil import World


async def live(people: int, ticks: int, folder: Path) -> list[float]:
    """Seconds of each tick."""
    took = []
    async with World.open(crowd(people), store=f"sqlite:///{folder}/{people}.db", seed=1) as world:
        for _ in range(ticks):
            began = time.perf_counter()
            await world.run(ticks=1)
            took.append(time.perf_counter() - began)
    return took


def calm(took: list[float]) -> float:
    """Median of the least of each three."""
    return statistics.median(min(took[i : i + 3]) for i in range(0, len(took) - 2, 3))


async def main(ticks: int) -> int:
    """Print the figures; 1 when a tick grows faster than its people, or with age."""
    kept = True
    with tempfile.TemporaryDirectory() as name:
        print(f"{'people':>8}{'ms a tick':>12}{'us each':>10}")
        each = []
        for people in (10, 20, 40, 80, 160):
            took = calm((await live(people, 12, Path(name)))[3:])
            each.append(took / people)
            print(f"{people:8}{took * 1e3:12.1f}{each[-1] * 1e6:10.0f}")
        kept &= each[-1] <= 1.25 * min(each)
        took = await live(24, ticks, Path(name))
        early, late = calm(took[10:40]), calm(took[-30:])
        print(
            f"\n24 people, ms a tick: ticks 10-40 {early * 1e3:.1f}, the last 30 of {ticks} {late * 1e3:.1f}, ", end=""
        )
        print(f"ratio {late / early:.2f}")
        kept &= late <= 1.25 * early
    print("linear in people, and flat with age" if kept else "MISSED: a bound of 1.25")
    return 0 if kept else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--ticks", type=int, default=200)
    sys.exit(anyio.run(main, parser.parse_args().ticks))
