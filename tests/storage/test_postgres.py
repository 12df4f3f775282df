"""The contract of every store, on a real PostgreSQL; and what is PostgreSQL's own."""

from __future__ import annotations

import threading
from contextlib import AsyncExitStack

import anyio
import psycopg
import pytest

from tests.postgres import postgres
from yggdrasil.abc.store import Entry
from yggdrasil.errors import CorruptError, FormatError, LeaseError, StoreError, StoreFullError
from yggdrasil.storage.postgres import PostgresStore
from yggdrasil.storage.postgres_place import read_url
from yggdrasil.storage.postgres_schema import VERSION, connect, prepare
from yggdrasil.testing import STORE_CHECKS, FakeClock, StoreCheck

pytestmark = pytest.mark.anyio


def note(*data: object) -> list[Entry]:
    return [Entry("note", item) for item in data]


def ask(url: str, sql: str) -> list[tuple[object, ...]]:
    """What an administrator sees or does."""
    return postgres().query(sql, url.rpartition("/")[2])


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
async def test_contract(check: StoreCheck) -> None:
    clock = FakeClock()
    async with PostgresStore(postgres().create(), clock=clock) as store:
        await check(store, clock)


async def test_leases_expire_by_the_servers_clock() -> None:
    url = postgres().create()
    async with PostgresStore(url) as store, PostgresStore(url, clock=FakeClock(4e9)) as late:
        lease = await store.acquire("a", "Kara", seconds=0.2)
        [(now,)] = ask(url, "SELECT extract(epoch FROM clock_timestamp())::float8")
        assert isinstance(now, float)
        assert now - 1 < lease.expires - 0.2 <= now
        with pytest.raises(LeaseError):
            await store.acquire("a", "Bo")
        await anyio.sleep(0.25)
        taken = await store.acquire("a", "Bo")
        assert taken.token == lease.token + 1
        assert (await late.acquire("a", "Una")).token == taken.token + 1, "a clock that is given is gone by"


async def test_letters_are_heard_of_at_once() -> None:
    url = postgres().create()
    async with PostgresStore(url) as store, PostgresStore(f"{url}?application_name=another") as other:
        for place in (store, other):  # the second one has connections of its own, as another process has
            for number in range(3):
                with anyio.fail_after(30):
                    async with anyio.create_task_group() as group:
                        group.start_soon(store.wait_for_post, 1000.0)
                        await anyio.sleep(0.1)
                        await place.append("a", note("no letter"))
                        await place.post(f"s{number}", Entry("action", number))
        assert await store.posted() == ["s0", "s1", "s2"]
        await store.wait_for_post(0.01)


def test_a_thousand_stores_need_a_handful_of_connections() -> None:
    anyio.run(a_thousand_stores, postgres().create())


async def a_thousand_stores(url: str) -> None:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(PostgresStore(url)) for _ in range(1000)]
        async with anyio.create_task_group() as group:
            for number, store in enumerate(stores):
                group.start_soon(store.append, f"world {number}", note(number))
        async with anyio.create_task_group() as group:
            for number, store in enumerate(stores):
                group.start_soon(store.read, f"world {number}")
        [(connections,)] = ask(url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'yggdrasil'")
        assert connections <= 6
        assert len(await stores[0].streams("world ")) == 1000
    for _ in range(500):  # the server takes a moment to see that they are closed
        if ask(url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'yggdrasil'") == [(0,)]:
            break
        await anyio.sleep(0.02)
    else:
        raise AssertionError("a connection was left open")
    assert ask(url, "SELECT count(*) FROM yggdrasil.writer") == [(0,)]


async def test_a_place_of_its_own_beside_the_tables_of_others() -> None:
    url = postgres().create()
    ask(url, "CREATE TABLE record (theirs int); INSERT INTO record VALUES (1)")
    async with PostgresStore(url) as store, PostgresStore(f"{url}?schema=north") as north:
        await store.append("a", note(1))
        await north.append("a", note(1, 2))
        assert (await store.head("a"), await north.head("a")) == (1, 2)
        assert (await anext(aiter(north.watch("a", after=1)))).data == 2
    assert ask(url, "SELECT * FROM public.record") == [(1,)]
    ask(url, "CREATE SCHEMA mine; CREATE TABLE mine.record (theirs int)")
    with pytest.raises(FormatError, match="not of a Yggdrasil store"):
        await PostgresStore(f"{url}?schema=mine").open()
    with pytest.raises(FormatError, match="schema=public_worlds"):
        await PostgresStore(f"{url}?schema=public").open()


async def test_format_1_is_brought_forward() -> None:
    url = postgres().create()
    async with PostgresStore(url) as store:
        await store.append("a", note(1, 2), snapshot="s")
    functions = "SELECT proname, proconfig FROM pg_proc WHERE pronamespace = 'yggdrasil'::regnamespace ORDER BY 1"
    new = ask(url, functions)
    for name in ("append_1", "append_one_1"):
        ask(url, f"ALTER FUNCTION yggdrasil.{name} SET search_path = yggdrasil, pg_temp")
    ask(url, "UPDATE yggdrasil.format SET version = 1")
    assert ask(url, functions) != new
    async with PostgresStore(url) as store:
        assert await store.append("a", note(3), expect=2) == 3
        assert [record.data for record in await store.read("a")] == [1, 2, 3]
    assert ask(url, functions) == new
    assert ask(url, "SELECT version FROM yggdrasil.format") == [(VERSION,)]


async def test_a_newer_format_is_refused_and_an_older_one_brought_forward() -> None:
    url = postgres().create()
    async with PostgresStore(url) as store:
        await store.append("a", note("kept"))
    place = read_url(url)
    with connect(place) as connection:
        prepare(connection, place, version=VERSION + 1, migrations={VERSION: "ALTER TABLE stream ADD colour text"})
    assert ask(url, "SELECT version FROM yggdrasil.format") == [(VERSION + 1,)]
    assert ask(url, "SELECT colour FROM yggdrasil.stream") == [(None,)]
    with pytest.raises(FormatError, match=rf"its format is {VERSION + 1}, this one reads up to {VERSION}") as refused:
        await PostgresStore(url).open()
    assert "pip install --upgrade" in refused.value.hint
    with connect(place) as connection, pytest.raises(psycopg.errors.SyntaxError):
        prepare(connection, place, version=VERSION + 2, migrations={VERSION + 1: "DROP TABLE record; nonsense"})
    ask(url, f"UPDATE yggdrasil.format SET version = {VERSION}")
    async with PostgresStore(url) as store:
        assert len(await store.read("a")) == 1, "a migration that fails changes nothing"


def test_many_make_it_at_once() -> None:
    place = read_url(postgres().create())
    failures: list[BaseException] = []
    barrier = threading.Barrier(8)

    def make() -> None:
        try:
            with connect(place) as connection:
                barrier.wait()
                prepare(connection, place)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


async def test_a_user_with_few_rights() -> None:
    url = postgres().create()
    database = url.rpartition("/")[2]
    role = f"few_{database}"
    ask(url, f"CREATE ROLE {role} LOGIN")
    few = url.replace("postgres@", f"{role}@")
    with pytest.raises(StoreError, match="GRANT CREATE ON DATABASE"):
        await PostgresStore(few).open()
    ask(url, f"CREATE SCHEMA yggdrasil AUTHORIZATION {role}")
    async with PostgresStore(few) as store:
        await store.append("a", note(1), snapshot="s")
        await store.put_blob(b"x" * 100_000)
        assert await store.vacuum(older=-10) == 100_000


async def test_what_cannot_be_opened_says_why_and_never_the_password() -> None:
    url = postgres().create().replace("postgres@", "postgres:s3cret@")
    for wrong, said in (
        (url + "_not", "createdb"),
        (url.replace(f":{postgres().port}", ":1"), "is the server up"),
        (f"{url}_not?sslmode=require", "postgresql://postgres@127.0.0.1"),
    ):
        with pytest.raises(StoreError) as refused:
            await PostgresStore(wrong).open()
        assert said in str(refused.value)
        assert "s3cret" not in str(refused.value) + repr(refused.value.__cause__)


async def test_a_database_in_another_encoding_is_refused() -> None:
    url = postgres().create()
    database = url.rpartition("/")[2]
    ask(url, f"CREATE DATABASE {database}_latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StoreError, match="LATIN1"):
        await PostgresStore(f"{url}_latin").open()


async def test_what_is_damaged_is_named() -> None:
    url = postgres().create()
    async with PostgresStore(url) as store:
        await store.append("a", note(1, "two", 3), snapshot=["state"])
        await store.post("a", Entry("note", "letter"))
        small, large = await store.put_blob(b"small"), await store.put_blob(b"large" * 500_000)
        flip = "set_byte(data, 1, get_byte(data, 1) # 1)"
        ask(url, f"UPDATE yggdrasil.record SET data = {flip} WHERE sequence = 2")
        with pytest.raises(CorruptError, match="stream a / record 2"):
            await store.read("a")
        assert len(await store.read("a", after=2)) == 1
        ask(url, "DELETE FROM yggdrasil.record WHERE sequence = 2")
        with pytest.raises(CorruptError, match=r"record 2: is missing"):
            await store.read("a")
        ask(url, "UPDATE yggdrasil.record SET sequence = 2 WHERE sequence = 1")
        with pytest.raises(CorruptError, match="record 2"):
            await store.read("a", after=1)
        for table, read in (("snapshot", store.snapshot), ("letter", store.inbox)):
            ask(url, f"UPDATE yggdrasil.{table} SET data = {flip}")
            with pytest.raises(CorruptError, match=f"stream a / {table}"):
                await read("a")
        ask(url, f"UPDATE yggdrasil.blob SET data = {flip} WHERE part IN (0, 2)")
        for digest, data in ((small, b"small"), (large, b"large" * 500_000)):
            with pytest.raises(CorruptError, match=f"blob {digest}"):
                await store.get_blob(digest)
            assert await store.put_blob(data) == digest
            assert await store.get_blob(digest) == data, "put again it is whole"


async def test_a_full_server() -> None:
    url = postgres().create()
    async with PostgresStore(url) as store:
        await store.append("a", note(1))
        # the server's own error, from where it would come: an insert that finds no space
        ask(url, """CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
            CREATE TRIGGER no_space BEFORE INSERT ON yggdrasil.record EXECUTE FUNCTION no_space();
            CREATE TRIGGER no_space BEFORE INSERT ON yggdrasil.blob EXECUTE FUNCTION no_space()""")  # fmt: skip
        for _ in range(2):
            with pytest.raises(StoreFullError, match="no space left"):
                await store.append("a", note(2), expect=1)
        with pytest.raises(StoreFullError):
            await store.append("new", note(1), snapshot="s")
        for size in (10, 100_000):
            with pytest.raises(StoreFullError):
                await store.put_blob(b"x" * size)
        assert await store.post("a", Entry("note", 1)), "what needs no such space goes on"
        assert [info.name for info in await store.streams()] == ["a"]
        ask(url, "DROP TRIGGER no_space ON yggdrasil.record; DROP TRIGGER no_space ON yggdrasil.blob")
        assert await store.append("a", note(2), expect=1) == 2


async def test_one_that_fails_does_not_concern_the_others() -> None:
    async with PostgresStore(postgres().create()) as store:
        done: list[int] = []

        async def good(number: int) -> None:
            done.append(await store.append(f"s{number}", note(number)))

        async def bad() -> None:
            with pytest.raises(StoreError, match="NUL"):
                await store.acquire("bad", "a holder with \0")

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(good, number)
                group.start_soon(bad)
        assert done == [1] * 20
        with pytest.raises(StoreError, match="kind"):
            await store.append("bad", [Entry("a kind with \0", 1)])
        assert "bad" not in [info.name for info in await store.streams()]


async def test_an_unnamed_blob_that_is_named_meanwhile_stays() -> None:
    url = postgres().create()
    clock = FakeClock()
    async with PostgresStore(url, clock=clock) as store:
        blobs = [await store.put_blob(f"blob {number}".encode() * 20_000) for number in range(40)]
        clock.advance(10_000)

        async def name_them() -> None:
            for blob in blobs[::2]:
                await store.put_blob(b"x" * 70_000)  # others go on meanwhile
                await store.append("a", note({"of": blob}))

        async with anyio.create_task_group() as group:
            group.start_soon(name_them)
            for _ in range(5):
                await store.vacuum()
        await store.vacuum()
        kept = [record.data["of"] for record in await store.read("a")]
        there = {str(digest) for (digest,) in ask(url, "SELECT encode(digest, 'hex') FROM yggdrasil.blob")}
        assert there & set(blobs) <= set(kept)
