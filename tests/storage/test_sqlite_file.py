"""The database file: what is opened and what is refused, damage, and no space."""

from __future__ import annotations

import errno
import os
import random
import sqlite3
from pathlib import Path
from typing import Any

import anyio
import pytest

from yggdrasil.abc.store import Entry
from yggdrasil.core.canonical import digest_bytes
from yggdrasil.errors import ConflictError, CorruptError, FormatError, PortError, StoreError, StoreFullError
from yggdrasil.storage.blobs import BlobFolder
from yggdrasil.storage.sqlite import SqliteStore
from yggdrasil.storage.sqlite_file import translate

pytestmark = pytest.mark.anyio


def notes(*data: Any) -> list[Entry]:
    return [Entry("note", item) for item in data]


async def made(path: Path, count: int = 5, step: int = 1) -> None:
    async with SqliteStore(path, clock=lambda: 1_234_567.5) as store:
        for first in range(1, count + 1, step):
            some = notes(*({"marker": f"record-{number:05}"} for number in range(first, first + step)))
            await store.append("a", some, snapshot={"marker": f"snapshot-{first}"})
        await store.post("a", Entry("note", {"marker": "letter"}))
        await store.put_blob(b"small blob marker")


def damage(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))


def statement(path: Path, text: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(text)
    connection.commit()
    connection.close()


async def refused(path: Path) -> StoreError:
    with pytest.raises(StoreError) as caught:
        await SqliteStore(path).open()
    assert str(path) in str(caught.value)
    assert caught.value.hint
    return caught.value


async def test_a_folder(tmp_path: Path) -> None:
    assert "is a folder" in str(await refused(tmp_path))


async def test_a_missing_folder(tmp_path: Path) -> None:
    assert "mkdir -p" in (await refused(tmp_path / "no" / "such" / "world.db")).hint


async def test_another_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary, this is no database at all.\n" * 99)
    assert isinstance(await refused(path), FormatError)
    assert path.read_text() == "Dear diary, this is no database at all.\n" * 99


async def test_another_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    statement(path, "CREATE TABLE customer (name TEXT)")
    before = path.read_bytes()
    assert isinstance(await refused(path), FormatError)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["shop.db"]


async def test_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "world.db"
    await made(path)
    statement(path, "PRAGMA user_version=99")
    error = await refused(path)
    assert isinstance(error, FormatError)
    assert "99" in str(error)
    assert "upgrade" in error.hint


async def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "world.db"
    path.touch()
    await made(path)
    async with SqliteStore(path) as store:
        assert await store.head("a") == 5


async def test_many_open_a_new_file_at_once(tmp_path: Path) -> None:
    stores = [SqliteStore(tmp_path / "world.db", max_pages=1000 + number) for number in range(8)]  # eight desks
    async with anyio.create_task_group() as group:
        for store in stores:
            group.start_soon(store.open)
    for number, store in enumerate(stores):
        assert await store.append("a", notes(number)) == number + 1
    for store in stores:
        await store.close()
    assert os.listdir(tmp_path) == ["world.db"], "the last one to close leaves a single file"


async def test_stores_on_one_path_share(tmp_path: Path) -> None:
    one, other = SqliteStore(tmp_path / "world.db"), SqliteStore(tmp_path / "." / "world.db")
    async with one, other:
        await one.append("a", notes(1))
        assert await other.append("a", notes(2), expect=1) == 2
        watch = aiter(other.watch("a", after=2))
        async with anyio.create_task_group() as group:
            group.start_soon(one.append, "a", notes(3))
            with anyio.fail_after(5):
                assert (await anext(watch)).data == 3
    async with one:
        assert await one.head("a") == 3


async def test_opened_twice_at_once_and_closed_once(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "world.db")
    async with anyio.create_task_group() as group:
        group.start_soon(store.open)
        group.start_soon(store.open)
    await store.append("a", notes(1))
    await store.close()
    assert os.listdir(tmp_path) == ["world.db"], "nothing holds the file any more"


async def test_the_working_folder_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with SqliteStore("world.db") as store:
        assert store.url == "sqlite:///world.db"
        digest = await store.put_blob(bytes(100_000))
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert await store.get_blob(digest) == bytes(100_000)
    assert os.listdir(tmp_path / "elsewhere") == []


async def test_one_refusal_does_not_concern_the_others(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "world.db") as store:
        refusals: list[str] = []

        async def append(number: int) -> None:
            wrong = number % 3 == 0
            try:
                await store.append(f"s{number}", notes(number), expect=1 if wrong else 0)
            except ConflictError:
                refusals.append(f"s{number}")

        async with anyio.create_task_group() as group:
            for number in range(60):
                group.start_soon(append, number)
        assert sorted(refusals) == sorted(f"s{number}" for number in range(0, 60, 3))
        assert len(await store.streams()) == 40


async def test_a_changed_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "world.db"
    await made(path)
    damage(path, b"record-00003", b"record-00008")
    async with SqliteStore(path) as store:
        with pytest.raises(CorruptError, match=r"stream a / record 3.*checksum"):
            await store.read("a")
        with pytest.raises(CorruptError, match="record 3"):
            await store.read("a", kinds=["another kind"])
        assert len(await store.read("a", limit=2)) == 2
        assert len(await store.read("a", after=3)) == 2
        assert await store.append("a", notes("it still takes records")) == 6


async def test_a_record_that_is_not_json_is_named(tmp_path: Path) -> None:
    import zlib

    from yggdrasil.storage.sqlite_file import checksum

    path = tmp_path / "world.db"
    await made(path)
    connection = sqlite3.connect(path)
    place, kind, moment = connection.execute("SELECT place, kind, time FROM record WHERE id = 2").fetchone()
    good = checksum(place, kind, moment, b"{broken")
    assert good != zlib.crc32(b"{broken")
    connection.execute("UPDATE record SET data = '{broken', checksum = ? WHERE id = 2", (good,))
    connection.commit()
    connection.close()
    async with SqliteStore(path) as store:
        with pytest.raises(CorruptError, match=r"stream a / record 2.*not JSON"):
            await store.read("a")


@pytest.mark.parametrize("placed", [True, False], ids=["places written down", "not yet"])
async def test_a_missing_record_is_named(tmp_path: Path, placed: bool) -> None:
    path = tmp_path / "world.db"
    await made(path, 4500 if placed else 5, 500 if placed else 1)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT record > 0 FROM place WHERE place = 0").fetchone() == (placed,)
    connection.execute("DELETE FROM record WHERE id = 4")
    connection.commit()
    connection.close()
    async with SqliteStore(path) as store:
        with pytest.raises(CorruptError, match="stream a / record 4: is missing"):
            await store.read("a")
        await store.fork("a", 5, "b")
        with pytest.raises(CorruptError, match="stream b / record 4: is missing"):
            await store.read("b", after=2)


async def test_a_lost_table_is_told_each_time(tmp_path: Path) -> None:
    path = tmp_path / "world.db"
    await made(path)
    statement(path, "DROP TABLE place")
    async with SqliteStore(path) as store:
        for _ in range(2):
            with pytest.raises(StoreError, match="no such table"):
                await store.append("a", notes(1))
            with pytest.raises(StoreError, match="no such table"):
                await store.read("a")


async def test_changed_snapshots_letters_and_blobs_are_named(tmp_path: Path) -> None:
    path = tmp_path / "world.db"
    await made(path)
    damage(path, b"snapshot-5", b"snapshot-7")
    damage(path, b'"letter"', b'"lettex"')
    damage(path, b"small blob marker", b"small blob mArkeR")
    async with SqliteStore(path) as store:
        with pytest.raises(CorruptError, match="stream a / snapshot 5"):
            await store.snapshot("a")
        assert (await store.snapshot("a", at=4)) is not None, "as the hint says"
        with pytest.raises(CorruptError, match="stream a / letter 1"):
            await store.inbox("a")
        digest = digest_bytes(b"small blob marker")
        with pytest.raises(CorruptError, match=f"blob {digest}"):
            await store.get_blob(digest)
        assert await store.put_blob(b"small blob marker") == digest
        assert await store.get_blob(digest) == b"small blob marker", "putting it again mends it"


async def test_a_changed_blob_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "world.db"
    data = bytes(200_000)
    async with SqliteStore(path) as store:
        digest = await store.put_blob(data)
        place = tmp_path / "world.db.blobs" / digest[:2] / digest[2:]
        assert place.read_bytes() == data
        place.write_bytes(data[:-1] + b"\1")
        with pytest.raises(CorruptError, match=digest):
            await store.get_blob(digest)
        await store.put_blob(data)
        assert await store.get_blob(digest) == data
        place.unlink()
        with pytest.raises(CorruptError, match="not in the store"):
            await store.get_blob(digest)
        assert not list(place.parent.iterdir())


@pytest.mark.parametrize("count", [40, 4600])
async def test_any_flipped_byte_is_noticed_or_harmless(tmp_path: Path, count: int) -> None:
    whole = tmp_path / "whole.db"
    await made(whole, count, min(count, 460))
    content = whole.read_bytes()
    want = [{"marker": f"record-{number:05}"} for number in range(1, count + 1)]
    pick = random.Random(5)
    used = [at for at in range(100, len(content)) if content[at]]
    noticed = 0
    for turn in range(40):
        path = tmp_path / f"{turn}.db"
        at = pick.choice(used)
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << pick.randrange(8)]) + content[at + 1 :])
        try:
            async with SqliteStore(path) as store:
                records = await store.read("a")
                head = await store.head("a")
            assert [record.data for record in records] == want[: len(records)], f"byte {at}"
            assert len(records) >= count - 1 or not records, f"byte {at}: nothing but a last record can go unnoticed"
            assert head == len(records)
        except StoreError:
            noticed += 1
        path.unlink()
    assert noticed >= 10


async def test_a_full_disk_and_room_again(tmp_path: Path) -> None:
    path = tmp_path / "world.db"
    await made(path)
    async with SqliteStore(path, max_pages=60) as store:
        refused = []

        async def one(size: int) -> None:
            try:
                await store.append(f"stream {size}", notes("x" * size))
            except StoreFullError:
                refused.append(size)

        async with anyio.create_task_group() as group:
            for size in (10, 500_000, 20, 600_000):
                group.start_soon(one, size)
        assert sorted(refused) == [500_000, 600_000], "those that fit are written though those beside them do not"
        head, full = 5, None
        while full is None:
            try:
                head = await store.append("a", notes("x" * 4000), expect=head)
            except StoreFullError as error:
                full = error
        assert head > 20
        assert str(path) in str(full)
        assert full.hint
        assert len(await store.read("a")) == head, "what was acknowledged is readable"
        with pytest.raises(StoreFullError):
            await store.put_blob(b"y" * 60_000)
    async with SqliteStore(path) as store:
        assert await store.append("a", notes("room again"), expect=head) == head + 1
        assert [info.name for info in await store.streams("stream")] == ["stream 10", "stream 20"]


async def test_what_is_refused_costs_nothing(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "world.db") as store:
        with pytest.raises(PortError, match="stream a entry/deep/0"):
            await store.append("a", notes(1, {"deep": [object()]}))
        assert await store.streams() == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT])
async def test_full_as_the_system_says_it(number: int) -> None:
    assert isinstance(translate(OSError(number, "full"), Path("x")), StoreFullError)


async def test_a_blob_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="blobs"):
        BlobFolder(tmp_path / "blobs").put("ab" * 32, b"data", 0.0)


async def test_snapshots_stay_few(tmp_path: Path) -> None:
    path = tmp_path / "world.db"
    await made(path, 50)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM snapshot").fetchone() == (2,)
    connection.close()


async def test_a_fork_costs_a_row(tmp_path: Path) -> None:
    path = tmp_path / "world.db"
    await made(path, 5000, 500)
    before = path.stat().st_size
    async with SqliteStore(path) as store:
        for number in range(20):
            await store.fork("a", 1000 + number, f"fork {number}")
        assert len(await store.read("fork 7")) == 1007
    assert path.stat().st_size - before <= 3 * 8192


async def test_the_loop_is_free_while_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "world.db"
    await made(path)
    async with SqliteStore(path) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as group:
            group.start_soon(store.append, "a", notes("waits"))
            for _ in range(20):  # which nobody would reach if the waiting blocked the loop
                await anyio.sleep(0.005)
            assert await store.head("a") == 5, "reading goes on"
            other.execute("COMMIT")
        other.close()
        assert await store.head("a") == 6
