"""Medians, and one line a figure: ours, bare, ratio, and the bound the project sets itself."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

Work = Callable[[], Awaitable[Any]]


async def interleaved(ours: Work, bare: Work, *, rounds: int = 15, warmup: int = 3) -> tuple[float, float]:
    """Median seconds of both, run in turn, so that a slow spell of the machine falls on both."""
    for _ in range(warmup):
        await ours()
        await bare()
    walls: tuple[list[float], list[float]] = [], []
    for number in range(rounds):
        order = ((ours, walls[0]), (bare, walls[1]))
        for work, into in order if number % 2 else reversed(order):
            start = time.perf_counter()
            await work()
            into.append(time.perf_counter() - start)
    return statistics.median(walls[0]), statistics.median(walls[1])


def line(what: str, ours: str, bare: str, ratio: str, bound: str, *, kept: bool) -> None:
    """Print one figure."""
    print(f"{what:<44} {ours:>16} {bare:>16} {ratio:>10}   {bound:<28} {'kept' if kept else 'MISSED'}")


def heading(title: str) -> None:
    """Print a table's head."""
    print(f"\n{title}\n{'':<44} {'yggdrasil':>16} {'bare':>16} {'ratio':>10}   bound")
