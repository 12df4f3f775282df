"""A world inside somebody's program: tasks are cancelled, streams are left, time runs out, and it goes on."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import anyio
import pytest

from yggdrasil import ConflictError, World
from yggdrasil.abc.store import Store
from yggdrasil.levels.journal import Journal
from yggdrasil.storage.sqlite import SqliteStore

TICKS = 30


async def undisturbed() -> tuple[str, str]:
    async with World.open("tiny", seed=1) as world:
        await world.run(ticks=TICKS)
        return world.content_hash, world.tick_hash


def store_of(kind: str) -> Store | str:
    return "sqlite:///tiny.db" if kind == "sqlite" else "memory://"


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
def test_cancelled_by_asyncio_at_random_moments(kind: str, tiny: Path) -> None:
    """`task.cancel()`, which no shield holds off: the open world knows what it has written, and goes on."""
    dice = random.Random(kind)

    async def live() -> tuple[str, str, int]:
        cancelled = 0
        async with World.open("tiny", store=store_of(kind), seed=1) as world:
            while world.tick < TICKS:
                task = asyncio.create_task(world.run(ticks=1))
                if cancelled < 150:
                    for _ in range(dice.randrange(0, 40)):
                        await asyncio.sleep(0)
                    if kind == "sqlite" and dice.random() < 0.5:  # in memory a tick has ended by then
                        await asyncio.sleep(dice.uniform(0.0, 0.002))
                    cancelled += task.cancel()
                try:
                    await task
                except asyncio.CancelledError:
                    assert task.cancelled()
            return world.content_hash, world.tick_hash, cancelled

    *hashes, cancelled = asyncio.run(live())
    assert cancelled > (30 if kind == "sqlite" else 5)
    assert tuple(hashes) == asyncio.run(undisturbed())
    if kind == "sqlite":
        again = asyncio.run(reopened())
        assert again == tuple(hashes)


async def reopened() -> tuple[str, str]:
    async with World.open("tiny", store="sqlite:///tiny.db") as world:
        return world.content_hash, world.tick_hash


@pytest.mark.anyio
async def test_a_stream_left_by_break_does_not_block_the_next_run(tiny: Path, anyio_backend: str) -> None:
    async with World.open("tiny", store="sqlite:///tiny.db", seed=1) as world:
        for _ in range(5):
            async for event in world.stream(ticks=100):
                if event.kind == "stage_finished":
                    break
            await world.run(ticks=1)
        while world.tick < TICKS:
            with anyio.move_on_after(0.01):
                await world.run(ticks=1)
            await world.run(ticks=1)
        assert world.tick in (TICKS, TICKS + 1)


def test_timeouts_of_asyncio(tiny: Path) -> None:
    async def live() -> None:
        async with World.open("tiny", store="sqlite:///tiny.db", seed=1) as world:
            for _ in range(10):
                try:
                    async with asyncio.timeout(0.01):
                        await world.run(ticks=1000)
                except TimeoutError:
                    pass
            before = world.tick
            await world.run(ticks=2)
            assert world.tick in (before + 1, before + 2)

    asyncio.run(live())


def test_many_worlds_at_once_some_cancelled(tiny: Path) -> None:
    async def one(number: int, store: Store) -> Any:
        async with World.open("tiny", store=store, seed=1, name=f"tiny-{number}") as world:
            if number % 3 == 0:
                task = asyncio.create_task(world.run(ticks=1000))
                await asyncio.sleep(0.02 + number / 1000)
                task.cancel()
                await asyncio.wait([task])
            await world.run(ticks=max(TICKS - world.tick, 0))
            return world.tick, world.tick_hash

    async def live() -> list[Any]:
        async with SqliteStore("many.db") as store:
            return await asyncio.gather(*(one(number, store) for number in range(12)))

    ends = asyncio.run(live())
    expected = asyncio.run(undisturbed())[1]
    assert all(chain == expected for tick, chain in ends if tick == TICKS)
    assert sum(tick == TICKS for tick, _ in ends) >= 8


def test_another_writer_is_still_refused(tiny: Path) -> None:
    """What was not written by this journal is a conflict, cancelled or not."""

    async def live() -> None:
        async with SqliteStore("tiny.db") as store, World.open("tiny", store=store, seed=1) as world:
            await world.run(ticks=1)
            from yggdrasil.abc.store import Entry

            journal = world._loop.journal if world._loop is not None else None
            assert isinstance(journal, Journal)
            await store.append("tiny", [Entry("paused", {})], lease=journal.lease)
            with pytest.raises(ConflictError):
                await world.run(ticks=1)

    asyncio.run(live())
