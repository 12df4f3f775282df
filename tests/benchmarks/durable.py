"""Durable appends on SQLite, beside bare sqlite3 doing the same commits: `python -m tests.benchmarks.durable`.

Every append is one record of some 200 bytes, durable (write-ahead log, synchronous=FULL) when its
caller goes on. All kinds keep a file of their own open and take turns, some hundred appends each, so
that a noisy machine is noisy for all; figures are medians over the rounds, ratios medians of the
ratios within a round. The files lie in a temporary folder (TMPDIR chooses the disk).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import queue
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from yggdrasil.abc.store import Entry, Store
from yggdrasil.storage.sqlite import SqliteStore

CALLERS = 256
DATA = {"path": "world midgard / stage author", "digest": "0123456789abcdef" * 4, "result": "x" * 70}

Kind = Callable[[int], Awaitable[None]]
Work = queue.SimpleQueue["Callable[[], object] | None"]


def bare(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE record (id INTEGER PRIMARY KEY, stream TEXT, kind TEXT, time REAL, data TEXT)")
    return connection


def insert(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "INSERT INTO record (stream, kind, time, data) VALUES ('one', 'effect', ?, ?)",
        (time.time(), json.dumps(DATA, separators=(",", ":"))),
    )
    connection.execute("COMMIT")


def bare_inline(path: Path) -> Kind:
    """In the calling thread: what blocks an event loop."""
    connection = bare(path)

    async def block(count: int) -> None:
        for _ in range(count):
            insert(connection)

    return block


def writing_thread(path: Path) -> Work:
    work: Work = queue.SimpleQueue()
    connection = bare(path)

    def run() -> None:
        while (done := work.get()) is not None:
            insert(connection)
            done()

    threading.Thread(target=run, daemon=True).start()
    return work


def bare_thread(path: Path) -> Kind:
    """A thread fed by a queue; the caller blocks until its commit."""
    work = writing_thread(path)
    answers: queue.SimpleQueue[None] = queue.SimpleQueue()

    async def block(count: int) -> None:
        for _ in range(count):
            work.put(lambda: answers.put(None))
            answers.get()

    return block


def bare_thread_awaited(path: Path) -> Kind:
    """The same thread, its caller awaiting on asyncio: what does not block an event loop."""
    work = writing_thread(path)

    async def block(count: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            future = loop.create_future()
            work.put(lambda future=future: loop.call_soon_threadsafe(future.set_result, None))  # type: ignore[misc]
            await future

    return block


async def append_many(store: Store, stream: str, count: int) -> None:
    for _ in range(count):
        await store.append(stream, [Entry("effect", DATA)])


def one_caller(store: Store) -> Kind:
    return lambda count: append_many(store, "one", count)


def many_callers(store: Store) -> Kind:
    async def block(count: int) -> None:
        async with asyncio.TaskGroup() as group:
            for caller in range(CALLERS):
                group.create_task(append_many(store, f"stream {caller}", count // CALLERS))

    return block


async def longest_hold(work: Awaitable[None]) -> float:
    """How long, in milliseconds, the event loop was held at most meanwhile."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        before = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, before = max(longest, now - before), now

    ticking = asyncio.create_task(tick())
    await work
    ticking.cancel()
    return longest * 1000


async def measure(folder: Path, rounds: int) -> tuple[dict[str, list[float]], float]:
    async with AsyncExitStack() as stack:
        alone = await stack.enter_async_context(SqliteStore(folder / "alone.db"))
        shared = await stack.enter_async_context(SqliteStore(folder / "shared.db"))
        kinds: dict[str, tuple[Kind, int]] = {
            "bare inline sqlite3": (bare_inline(folder / "inline.db"), 150),
            "bare writer thread, blocking caller": (bare_thread(folder / "thread.db"), 150),
            "bare writer thread, asyncio caller": (bare_thread_awaited(folder / "awaited.db"), 150),
            "SqliteStore, 1 caller": (one_caller(alone), 150),
            f"SqliteStore, {CALLERS} callers": (many_callers(shared), CALLERS * 40),
        }
        rates: dict[str, list[float]] = {name: [] for name in kinds}
        for turn in range(-2, rounds):  # the first two warm up
            for name, (block, count) in kinds.items():
                start = time.perf_counter()
                await block(count)
                if turn >= 0:
                    rates[name].append(count / (time.perf_counter() - start))
        return rates, await longest_hold(many_callers(shared)(CALLERS * 40))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rates, held = asyncio.run(measure(Path(folder), options.rounds))
    for name, found in rates.items():
        low, median, high = statistics.quantiles(found, n=4)
        print(f"{name:38} {median:10,.0f} appends/s   (half of the rounds from {low:,.0f} to {high:,.0f})")
    inline, blocking, awaited, one, many = rates.values()

    def ratio(ours: list[float], base: list[float]) -> float:
        return statistics.median(a / b for a, b in zip(ours, base, strict=True))

    print(f"1 caller beside the bare writer thread, asyncio caller    {ratio(one, awaited):6.2f}   wanted: 0.8")
    print(f"1 caller beside the bare writer thread, blocking caller   {ratio(one, blocking):6.2f}")
    print(f"{CALLERS} callers beside bare inline sqlite3                   {ratio(many, inline):6.2f}   wanted: 5")
    print(f"longest the event loop was held, {CALLERS} callers            {held:6.1f} ms")


if __name__ == "__main__":
    main()
