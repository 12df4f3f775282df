"""A store copied into another: nothing is lost, nothing twice, and worlds go on from the copy."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from tests.levels.toy_world import toy
from yggdrasil import World
from yggdrasil.abc.store import Entry, Snapshot, Store
from yggdrasil.errors import ConflictError, CorruptError, LeaseError, StoreError
from yggdrasil.storage.copying import Copied, CopiedBlobs, CopiedStream, copy_store
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.storage.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[2]
Make = Callable[[str], Store]


@pytest.fixture
def make(anyio_backend_name: str, tmp_path: Path) -> Make:
    return lambda name: MemoryStore() if anyio_backend_name == "trio" else SqliteStore(tmp_path / f"{name}.db")


async def fill(store: Store) -> None:
    """Streams of all kinds: long, forked twice, pruned, with letters, with nothing but a letter."""
    for start in range(0, 1200, 100):
        await store.append("long", [Entry("note", n) for n in range(start, start + 100)], snapshot={"n": start})
    digests = [await store.put_blob(bytes([n]) * size) for n, size in enumerate((0, 10, 100_000))]
    await store.append("a", [Entry("note", {"blob": digest}) for digest in digests], snapshot="at 3")
    await store.fork("a", 2, "z first")  # before its parent by name
    await store.append("z first", [Entry("own", [1, {"deep": None}])], snapshot="z at 3")
    await store.fork("z first", 3, "b")
    await store.append("b", [Entry("own", "b4")])
    await store.fork("b", 1, "c")
    for number in range(1, 31):
        await store.append("pruned", [Entry("kept" if number % 5 == 0 else "note", number)], snapshot=number)
    await store.adopt("pruned", [], snapshots=[Snapshot(10, "materialised")])
    await store.prune("pruned", 20, kinds=["kept"], snapshots=[10])
    await store.fork("pruned", 10, "of what was pruned")
    await store.append("of what was pruned", [Entry("own", 1)])
    for number in range(3):
        await store.post("long", Entry("letter", number))
    await store.post("only letters", Entry("letter", {"x": 1}))
    await store.acquire("a", "somebody", seconds=1000)


async def all_of(store: Store) -> dict[str, Any]:
    infos = await store.streams()
    found: dict[str, Any] = {"blobs": await store.blobs(), "sizes": await store.sizes()}
    for info in infos:
        places = await store.snapshots(info.name)
        found[info.name] = (
            info.head, info.parent, info.parent_sequence, await store.read(info.name), places,
            [await store.snapshot(info.name, at=place) for place in places],
            [(letter.kind, letter.data) for letter in await store.inbox(info.name)],
        )  # fmt: skip
    return found


@pytest.mark.anyio
async def test_a_copy_is_the_same(make: Make, tmp_path: Path) -> None:
    other = SqliteStore(tmp_path / "other.db") if isinstance(make("x"), MemoryStore) else MemoryStore()
    async with make("from") as source, make("to") as target, other:
        await fill(source)
        told: list[Copied] = []
        await copy_store(source, target, told.append)
        assert await all_of(target) == await all_of(source)
        assert [info.holder for info in await target.streams() if info.name == "a"] == [""], "leases stay behind"
        assert CopiedStream("long", 1200, 0, 4, 3) in told
        assert told[-1] == CopiedBlobs(3, 100_010, 0)
        await copy_store(target, other)
        assert await all_of(other) == await all_of(source)
        for name in ("a", "b", "of what was pruned", "pruned"):
            head = await other.head(name)
            assert await other.append(name, [Entry("note", "goes on")], expect=head) == head + 1


@pytest.mark.anyio
async def test_called_again_it_copies_what_is_new(make: Make) -> None:
    async with make("from") as source, make("to") as target:
        await fill(source)
        await copy_store(source, target)
        told: list[Copied] = []
        await copy_store(source, target, told.append)
        assert all(not copied.letters and not copied.records for copied in told if isinstance(copied, CopiedStream))
        await source.append("a", [Entry("note", await source.put_blob(b"new"))], snapshot="at 4")
        await source.post("long", Entry("letter", 3))
        await source.fork("long", 700, "new fork")
        await copy_store(source, target)
        assert await all_of(target) == await all_of(source)


@pytest.mark.anyio
async def test_what_went_its_own_way_is_refused(make: Make) -> None:
    async with make("from") as source, make("to") as target:
        await source.append("a", [Entry("note", 1), Entry("note", 2)])
        await source.append("b", [Entry("note", 1)])
        await source.fork("a", 1, "f")
        await copy_store(source, target)
        before = await all_of(target)
        for spoil in (
            lambda: target.append("a", [Entry("note", "own")]),
            lambda: target.post("a", Entry("letter", "own")),
        ):
            await spoil()
            with pytest.raises(ConflictError, match="stream a"):
                await copy_store(source, target)
        after = await all_of(target)
        assert {name: after[name] for name in ("b", "f")} == {name: before[name] for name in ("b", "f")}
        for name, records in (("a", [Entry("note", 1), Entry("other", 2)]), ("f", [Entry("note", 1)])):
            async with make(f"spoilt {name}") as spoilt:
                await spoilt.append(name, records)
                with pytest.raises(ConflictError, match=f"stream {name}"):
                    await copy_store(source, spoilt)
        with pytest.raises(StoreError, match="into itself"):
            await copy_store(source, source)


@pytest.mark.anyio
async def test_what_runs_in_the_target_is_left_alone(make: Make) -> None:
    async with make("from") as source, make("to") as target:
        await source.append("a", [Entry("note", 1)])
        await target.acquire("a", "Kara", seconds=100)
        with pytest.raises(LeaseError, match="Kara"):
            await copy_store(source, target)
        assert await target.head("a") == 0


@pytest.mark.anyio
async def test_a_world_goes_on_from_the_copy_with_the_same_hashes(make: Make) -> None:
    world = toy()
    world.set_keep(last=5, every=20)
    async with make("from") as source, make("to") as target:
        async with World.open(world, store=source, seed=7) as living:
            await living.run(ticks=75)
            await living.act("a last action")
        await copy_store(source, target)
        hashes = []
        for store in (source, target):
            async with World.open(world, store=store) as living:
                await living.run(ticks=75)
                hashes.append((living.tick, living.tick_hash, living.content_hash, len(await living.history())))
        assert hashes[0] == hashes[1]


@pytest.mark.anyio
async def test_worlds_may_go_on_while_they_are_copied(make: Make) -> None:
    async with make("from") as source, make("to") as target:
        ended = anyio.Event()

        async def live() -> None:
            async with World.open(toy(), store=source, seed=7) as living:
                for number in range(30):
                    await living.act(f"action {number}")
                    await living.run(ticks=2)
                    await anyio.lowlevel.checkpoint()
            ended.set()

        async with anyio.create_task_group() as group:
            group.start_soon(live)
            while not ended.is_set():
                await anyio.sleep(0.01)
                await copy_store(source, target)
                if not await target.head("toy"):
                    continue  # copied before its first record
                async with World.open(toy(), store=target, read_only=True) as copied:
                    actions = [r.data["text"] for r in await target.read("toy", kinds=["action"])]
                    actions += [letter.data["text"] for letter in await target.inbox("toy")]
                    assert actions == [f"action {number}" for number in range(len(actions))], "none lost, none twice"
                    assert copied.tick <= 60
                if len(actions) > await _taken(target):
                    break  # letters wait in the copy: from here on it is another one
        async with MemoryStore() as last:
            await copy_store(source, last)
            async with World.open(toy(), store=last) as copied, World.open(toy(), store=source) as original:
                assert (copied.tick, copied.tick_hash) == (original.tick, original.tick_hash)


async def _taken(store: Store) -> int:
    return len(await store.read("toy", kinds=["action"]))


@pytest.mark.anyio
async def test_what_is_damaged_is_named(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "from.db") as source:
        await source.append("a", [Entry("note", {"marker": f"record-{n}"}) for n in range(5)])
        digest = await source.put_blob(b"x" * 100_000)
    content = (tmp_path / "from.db").read_bytes()
    (tmp_path / "from.db").write_bytes(content.replace(b"record-3", b"record-9"))
    async with SqliteStore(tmp_path / "from.db") as source, MemoryStore() as target, MemoryStore() as other:
        with pytest.raises(CorruptError, match="stream a / record 4"):
            await copy_store(source, target)
        (tmp_path / "from.db.blobs" / digest[:2] / digest[2:]).write_bytes(b"y")
        with pytest.raises(CorruptError, match=digest):
            await copy_store(source, other)


@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=pytest.mark.long)])
def test_killed_and_called_again(tmp_path: Path, kills: int) -> None:
    source = tmp_path / "from.db"

    async def write() -> None:
        async with SqliteStore(source) as store:
            await fill(store)
            for number in range(60):
                large = 70_000 if number % 9 == 0 else 500
                await store.append(f"s{number}", [Entry("n", n) for n in range(40)], snapshot=number)
                await store.put_blob(number.to_bytes(2, "big") * large)

    async def compare(target: Path) -> None:
        async with SqliteStore(source) as one, SqliteStore(target) as other:
            assert await all_of(other) == await all_of(one)

    anyio.run(write)
    pick, killed, turn = random.Random(5), 0, 0
    while killed < kills:
        turn += 1
        target = tmp_path / f"to{turn}.db"
        words = [sys.executable, "-m", "yggdrasil", "copy", f"sqlite:///{source}", f"sqlite:///{target}"]
        while True:
            copying = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            assert copying.stdout is not None
            for _ in range(pick.randrange(40)):  # so many streams are told of, then it dies
                if not copying.stdout.readline():
                    break
            time.sleep(pick.random() * 0.01)
            if killed < kills:
                copying.kill()
            _, complaint = copying.communicate(timeout=60)
            if copying.returncode == 0:
                break
            assert copying.returncode == -9, complaint
            killed += 1
        anyio.run(compare, target)
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
