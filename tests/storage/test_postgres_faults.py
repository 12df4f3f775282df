"""Connections cut, the server killed: what was acknowledged is there, and nothing is there twice."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import anyio
import anyio.to_thread
import psycopg
import pytest

from tests.postgres import Postgres, own_postgres, postgres
from tests.storage.wire import wire
from yggdrasil.abc.store import Entry
from yggdrasil.errors import StoreError
from yggdrasil.storage.postgres import PostgresStore

CUT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'yggdrasil' AND datname = current_database()"""


@pytest.fixture
def anyio_backend() -> str:
    """One event loop is enough: what fails here is on the far side of the threads."""
    return "asyncio"


class Tally:
    """What writers were told, and what they were not."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, list[int]] = {}
        self.unknown: dict[str, set[int]] = {}

    async def write(self, store: PostgresStore, stream: str, until: Callable[[], bool]) -> None:
        """Append numbers, each once; whatever the outcome, the next one has another number."""
        told, unknown = self.acknowledged.setdefault(stream, []), self.unknown.setdefault(stream, set())
        number = 0
        while not until():
            number += 1
            try:
                await store.append(stream, [Entry("note", number)])
                told.append(number)
            except StoreError:
                unknown.add(number)
                await anyio.sleep(0.02)

    async def check(self, url: str) -> None:
        """All that was acknowledged is there, in order, once; nothing else but what nobody could tell."""
        async with PostgresStore(url) as store:
            for stream, told in self.acknowledged.items():
                records = await store.read(stream)
                numbers = [record.data for record in records]
                assert [record.sequence for record in records] == list(range(1, len(records) + 1)), "a gap"
                assert numbers == sorted(set(numbers)), "twice, or out of order"
                assert set(told) <= set(numbers), "an acknowledged record is lost"
                assert set(numbers) - set(told) <= self.unknown[stream], "refused, and written all the same"


def cut_often(url: str, cuts: int, dice: random.Random) -> None:
    """Cut all connections of the store at random moments while 20 writers are at it."""
    tally, over = Tally(), threading.Event()

    def cutter() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            for _ in range(cuts):
                time.sleep(dice.uniform(0.0, 0.12))
                connection.execute(CUT)
        over.set()

    async def main() -> None:
        async with PostgresStore(url) as store:
            async with anyio.create_task_group() as group:
                for number in range(20):
                    group.start_soon(tally.write, store, f"s{number}", over.is_set)
                await anyio.to_thread.run_sync(cutter)
            assert len(await store.read("s0")) > 0

    anyio.run(main)
    anyio.run(tally.check, url)
    assert sum(map(len, tally.acknowledged.values())) > cuts, "it hardly wrote"
    assert sum(map(len, tally.unknown.values())) < cuts * 5, "what can be found out is found out"


def test_connections_cut_in_the_middle_of_commits() -> None:
    cut_often(postgres().create(), 25, random.Random(1))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_thousand_cuts() -> None:
    cut_often(postgres().create(), 1000, random.Random(2))


@pytest.mark.anyio
@pytest.mark.parametrize("slow", [False, True], ids=["at once", "with a snapshot"])
@pytest.mark.parametrize("when", ["before", "after", "late"])
async def test_cut_at_the_worst_moment_an_append_is_done_once(when: str, slow: bool) -> None:
    url = postgres().create()
    with wire(postgres().port, b"the very one") as between:
        through = url.replace(f":{postgres().port}", f":{between.port}")
        async with PostgresStore(through) as store:
            for number in range(3):
                await store.append("a", [Entry("note", number)])
            between.cut = getattr(between, when)
            # nothing is expected, so nothing but the store itself keeps it from being done twice
            snapshot = "s" if slow else None
            assert await store.append("a", [Entry("note", "the very one")], snapshot=snapshot) == 4
            assert between.cuts == 1
            assert await store.append("a", [Entry("note", "next")]) == 5
            between.close()  # what comes late has come
            async with PostgresStore(url) as direct:
                assert [record.data for record in await direct.read("a")] == [0, 1, 2, "the very one", "next"]


@pytest.mark.anyio
async def test_a_connection_that_went_while_nobody_used_it() -> None:
    url = postgres().create()
    async with PostgresStore(url) as store:
        lease = await store.acquire("a", "Kara")
        for number in range(1, 6):
            postgres().query(CUT, url.rpartition("/")[2])
            assert await store.append("a", [Entry("note", number)], expect=number - 1, lease=lease) == number
            postgres().query(CUT, url.rpartition("/")[2])
            assert len(await store.read("a")) == number
            assert await store.get_blob(await store.put_blob(b"x" * 70_000 * number)) == b"x" * 70_000 * number
        records = aiter(store.watch("a", after=5))
        postgres().query(CUT, url.rpartition("/")[2])
        async with PostgresStore(f"{url}?application_name=other") as other:
            with anyio.fail_after(20):
                await other.append("a", [Entry("note", "heard")])
                assert (await anext(records)).data == "heard"


def kill_the_server(server: Postgres, kills: int, dice: random.Random) -> None:
    """kill -9 of the postmaster in the middle of appends, and another start; so many times."""
    url, tally, over = server.create(), Tally(), threading.Event()

    def killer() -> None:
        for _ in range(kills):
            time.sleep(dice.uniform(0.1, 0.5))
            server.kill()
            server.start()
        time.sleep(0.3)
        over.set()

    async def main() -> None:
        async with PostgresStore(url) as store:
            with anyio.fail_after(60 + 20 * kills):
                async with anyio.create_task_group() as group:
                    for number in range(20):
                        group.start_soon(tally.write, store, f"s{number}", over.is_set)
                    await anyio.to_thread.run_sync(killer)
            assert await store.append("after", [Entry("note", "goes on")]) == 1

    anyio.run(main)
    anyio.run(tally.check, url)


@pytest.mark.timeout(300)
def test_the_server_is_killed_in_the_middle_of_appends() -> None:
    with own_postgres() as server:
        kill_the_server(server, 1, random.Random(3))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_server_is_killed_thirty_times() -> None:
    with own_postgres() as server:
        kill_the_server(server, 30, random.Random(4))


@pytest.mark.anyio
async def test_a_server_that_is_gone_and_comes_back() -> None:
    with own_postgres() as server:
        url = server.create()
        async with PostgresStore(url) as store:
            await store.append("a", [Entry("note", 1)])
            await anyio.to_thread.run_sync(server.kill)
            with pytest.raises(StoreError, match="not known yet") as unknown:
                await store.append("a", [Entry("note", 2)], expect=1)
            assert "head(stream)" in unknown.value.hint
            for refused in (store.append("a", [Entry("note", 2)], expect=1), store.read("a"), store.put_blob(b"x")):
                with pytest.raises(StoreError, match="cannot be reached"):
                    await refused
            await anyio.to_thread.run_sync(server.start)
            assert await store.append("a", [Entry("note", 2)], expect=1) == 2
            assert [record.data for record in await store.read("a")] == [1, 2]
