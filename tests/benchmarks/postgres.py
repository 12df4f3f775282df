"""Durable appends on PostgreSQL, beside bare psycopg doing the same commits: `python -m tests.benchmarks.postgres`.

Every append is one record of some 200 bytes, durable (fsync and synchronous_commit on) when its caller goes on. The
server is a real one on loopback, started for this. All kinds keep a connection of their own and take turns, so that a
noisy machine is noisy for all; figures are medians over the rounds, ratios medians of the ratios within a round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from contextlib import AsyncExitStack

import psycopg

from tests.benchmarks.durable import CALLERS, DATA, Kind, many_callers, one_caller
from tests.postgres import own_postgres
from yggdrasil.storage.postgres import PostgresStore


def bare(url: str, *, autocommit: bool) -> Kind:
    """One INSERT and a commit for each record, in the calling thread; as one round trip with `autocommit`."""
    connection = psycopg.connect(url, autocommit=autocommit)
    connection.execute(
        "CREATE TABLE IF NOT EXISTS bare (id bigserial PRIMARY KEY, stream text, kind text, time float8, data text)"
    )
    connection.commit()

    async def block(count: int) -> None:
        for _ in range(count):
            connection.execute(
                "INSERT INTO bare (stream, kind, time, data) VALUES ('one', 'effect', %s, %s)",
                (time.time(), json.dumps(DATA, separators=(",", ":"))),
            )
            connection.commit()

    return block


async def measure(url: str, rounds: int) -> dict[str, list[float]]:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(PostgresStore(url))
        kinds: dict[str, tuple[Kind, int]] = {
            "bare psycopg, INSERT and commit()": (bare(url, autocommit=False), 150),
            "bare psycopg, autocommit": (bare(url, autocommit=True), 150),
            "PostgresStore, 1 caller": (one_caller(store), 150),
            f"PostgresStore, {CALLERS} callers": (many_callers(store), CALLERS * 20),
        }
        rates: dict[str, list[float]] = {name: [] for name in kinds}
        for turn in range(-2, rounds):  # the first two warm up
            for name, (block, count) in kinds.items():
                start = time.perf_counter()
                await block(count)
                if turn >= 0:
                    rates[name].append(count / (time.perf_counter() - start))
        return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    with own_postgres() as server:
        rates = asyncio.run(measure(server.create(), options.rounds))
    for name, found in rates.items():
        low, median, high = statistics.quantiles(found, n=4)
        print(f"{name:38} {median:10,.0f} appends/s   (half of the rounds from {low:,.0f} to {high:,.0f})")
    commit, auto, one, many = rates.values()

    def ratio(ours: list[float], base: list[float]) -> float:
        return statistics.median(a / b for a, b in zip(ours, base, strict=True))

    print(f"1 caller beside bare psycopg, INSERT and commit()         {ratio(one, commit):6.2f}   wanted: 0.8")
    print(f"1 caller beside bare psycopg, autocommit                  {ratio(one, auto):6.2f}")
    print(f"{CALLERS} callers beside bare psycopg, INSERT and commit()      {ratio(many, commit):6.2f}   wanted: 3")


if __name__ == "__main__":
    main()
