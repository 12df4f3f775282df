"""Durable appends on SQLite, beside bare sqlite3 doing the same commits: `python -m tests.benchmarks.durable`.

Every append is one record of some 200 bytes, durable (write-ahead log, synchronous=FULL) when its
caller goes on. Each figure is the median of several rounds; the kinds take turns within a round,
so that a noisy machine is noisy for all. The files lie in a temporary folder (TMPDIR chooses the disk).
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
from collections.abc import Callable
from pathlib import Path

from yggdrasil.abc.store import Entry
from yggdrasil.storage.sqlite import SqliteStore

CALLERS = 256
DATA = {"path": "world midgard / stage author", "digest": "0123456789abcdef" * 4, "result": "x" * 70}
TEXT = json.dumps(DATA, separators=(",", ":"))


def bare(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE record (id INTEGER PRIMARY KEY, stream TEXT, kind TEXT, time REAL, data TEXT)")
    return connection


def insert(connection: sqlite3.Connection, stream: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "INSERT INTO record (stream, kind, time, data) VALUES (?, 'effect', ?, ?)",
        (stream, time.time(), json.dumps(DATA, separators=(",", ":"))),
    )
    connection.execute("COMMIT")


def bare_inline(path: Path, count: int) -> float:
    """Sqlite3 in the calling thread, a commit for each append: what blocks an event loop."""
    connection = bare(path)
    start = time.perf_counter()
    for _ in range(count):
        insert(connection, "one")
    took = time.perf_counter() - start
    connection.close()
    return count / took


def writing_thread(connection: sqlite3.Connection, work: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    while (done := work.get()) is not None:
        insert(connection, "one")
        done()


def bare_thread(path: Path, count: int) -> float:
    """A thread fed by a queue, a commit for each append, one blocking caller in another thread."""
    connection = bare(path)
    work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
    thread = threading.Thread(target=writing_thread, args=(connection, work))
    thread.start()
    answer: queue.SimpleQueue[None] = queue.SimpleQueue()
    start = time.perf_counter()
    for _ in range(count):
        work.put(lambda: answer.put(None))
        answer.get()
    took = time.perf_counter() - start
    work.put(None)
    thread.join()
    connection.close()
    return count / took


def bare_thread_asyncio(path: Path, count: int) -> float:
    """The same thread, with one asyncio caller."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        start = time.perf_counter()
        for _ in range(count):
            future = loop.create_future()
            work.put(lambda future=future: loop.call_soon_threadsafe(future.set_result, None))  # type: ignore[misc]
            await future
        return time.perf_counter() - start

    connection = bare(path)
    work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
    thread = threading.Thread(target=writing_thread, args=(connection, work))
    thread.start()
    took = asyncio.run(main())
    work.put(None)
    thread.join()
    connection.close()
    return count / took


async def append_many(store: SqliteStore, stream: str, count: int) -> None:
    for _ in range(count):
        await store.append(stream, [Entry("effect", DATA)])


def store_with(callers: int) -> Callable[[Path, int], float]:
    """SqliteStore with so many concurrent callers, each on a stream of its own."""

    async def main(path: Path, each: int) -> float:
        async with SqliteStore(path) as store:
            start = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for caller in range(callers):
                    group.create_task(append_many(store, f"stream {caller}", each))
            return time.perf_counter() - start

    def measure(path: Path, count: int) -> float:
        each = max(count // callers, 1)
        return each * callers / asyncio.run(main(path, each))

    return measure


def longest_block(path: Path, count: int) -> float:
    """How long, in milliseconds, the event loop was held at most while 256 callers appended."""

    async def main() -> float:
        gaps = []
        async with SqliteStore(path) as store:

            async def tick() -> None:
                before = time.perf_counter()
                while True:
                    await asyncio.sleep(0)
                    now = time.perf_counter()
                    gaps.append(now - before)
                    before = now

            ticking = asyncio.create_task(tick())
            await asyncio.gather(*(append_many(store, f"stream {c}", count // CALLERS) for c in range(CALLERS)))
            ticking.cancel()
        return max(gaps) * 1000

    return asyncio.run(main())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=3000, help="appends of one caller in a round")
    options = parser.parse_args()
    kinds: dict[str, tuple[Callable[[Path, int], float], int]] = {
        "bare inline sqlite3, 1 caller": (bare_inline, options.count),
        "bare writer thread, 1 blocking caller": (bare_thread, options.count),
        "bare writer thread, 1 asyncio caller": (bare_thread_asyncio, options.count),
        "SqliteStore, 1 caller": (store_with(1), options.count),
        f"SqliteStore, {CALLERS} callers": (store_with(CALLERS), options.count * 10),
    }
    found: dict[str, list[float]] = {name: [] for name in kinds}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(options.rounds):
            for place, (name, (measure, count)) in enumerate(kinds.items()):
                found[name].append(measure(Path(folder, f"{turn}-{place}.db"), count))
        held = longest_block(Path(folder, "held.db"), options.count * 10)
    medians = {name: statistics.median(rates) for name, rates in found.items()}
    for name, rate in medians.items():
        print(f"{name:40} {rate:10,.0f} appends/s   (from {min(found[name]):,.0f} to {max(found[name]):,.0f})")
    inline, blocking, looped, one, many = medians.values()
    print(f"1 caller beside the bare writer thread (blocking caller)   {one / blocking:5.2f}   wanted: 0.8")
    print(f"1 caller beside the bare writer thread (asyncio caller)    {one / looped:5.2f}   wanted: 0.8")
    print(f"{CALLERS} callers beside bare inline sqlite3                    {many / inline:5.1f}   wanted: 5")
    print(f"longest the event loop was held, {CALLERS} callers             {held:5.1f} ms")


if __name__ == "__main__":
    main()
