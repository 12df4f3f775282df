"""Whether a world is whole: a byte that was flipped anywhere is found and named, or is one that nobody reads."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.levels import toy_world as worlds
from yggdrasil import Blob, CorruptError, StoreError, World, block
from yggdrasil.abc.store import Entry, Store
from yggdrasil.core.blob import references
from yggdrasil.levels.verify import Verified, verify
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.storage.sqlite import SqliteStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """One is enough: files are damaged here, not tasks."""
    return "asyncio"


TICKS = 14
NAMES = ("toy", "other")


@block
def creator(blueprint: dict[str, Any]) -> dict[str, Any]:
    scene = blueprint["scene"]
    return {"texts": [scene, Blob(scene.encode() * 10)], "images": [Blob(scene.encode() * 9000, "image/png")]}


def toy() -> World:
    world: World = worlds.toy(creator=creator)
    world.description = "one with large artifacts"
    return world


async def make(store: Store) -> None:
    async with World.open(toy(), store=store, seed=4) as live:
        for tick in range(TICKS):
            await live.run(action=f"deed {tick}" if tick % 3 else None)
            await live.store.append("thread", [Entry("turn", {"said": tick})])
        await live.fork(at=6, name="other")
    async with World.open(toy(), store=store, name="other") as other:
        await other.run(ticks=3)
        await other.pause()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two worlds and a thread, closed: one file, and a folder of blobs."""
    import anyio

    path = tmp_path_factory.mktemp("whole") / "w.db"

    async def made() -> None:
        async with SqliteStore(path) as store:
            await make(store)

    anyio.run(made)
    assert list(path.parent.glob("w.db-*")) == []
    return path


async def everything(store: Store) -> list[Any]:
    """All that can be read of a store."""
    found: list[Any] = [[(i.name, i.head, i.parent_sequence) for i in await store.streams()]]
    for name in (*NAMES, "thread"):
        found += [await store.read(name), await store.inbox(name)]
        found += [await store.snapshot(name, at=at) for at in await store.snapshots(name)]
    for name in NAMES:
        async with World.open(toy(), store=store, name=name, read_only=True) as world:
            found.append((world.tick_hash, world.content_hash, await world.export_content(), dict(world.state)))
            found += [await world.blob(r["$blob"]) for r in (await world.at(3)).state["artifacts"]["images"]]
    return found


def contents(path: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in path.parent.rglob("*") if p.is_file()}


def remove(path: Path) -> None:
    path.unlink()


async def looked_through(path: Path) -> list[Verified]:
    async with SqliteStore(path) as store:
        return [await verify(store, name, toy()) for name in NAMES]


async def test_a_world_that_is_whole_is_said_to_be(whole: Path) -> None:
    before = contents(whole)
    told: list[tuple[int, int]] = []
    async with SqliteStore(whole) as store:
        found = await verify(store, "toy", toy(), told=lambda done, of: told.append((done, of)))
        assert found.whole
        assert found.problems == ()
        assert (found.ticks, found.records) == (TICKS, await store.head("toy"))
        assert found.snapshots >= 1
        assert found.blobs >= 2 * TICKS
        assert told[-1] == (found.records, found.records)
        assert (await verify(store, "other", toy())).whole
        assert (await verify(store, "other")).whole, "the canonical schema needs no definition"
        with pytest.raises(StoreError, match="no world 'nobody'"):
            await verify(store, "nobody")
    assert contents(whole) == before
    async with MemoryStore() as memory:
        await make(memory)
        assert (await verify(memory, "toy", toy())).whole


def damaged(whole: Path, folder: Path, damage: Callable[[Path], str]) -> tuple[Path, str]:
    path = folder / "w.db"
    for there in folder.glob("*"):
        shutil.rmtree(there) if there.is_dir() else there.unlink()
    shutil.copy(whole, path)
    shutil.copytree(f"{whole}.blobs", f"{path}.blobs")
    return path, damage(path)


def flip(path: Path, at: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ (1 << bit)]))


def flip_anywhere(rng: random.Random) -> Callable[[Path], str]:
    def damage(path: Path) -> str:
        files = [path] * 4 + sorted(Path(f"{path}.blobs").glob("??/*"))[:1]
        chosen = rng.choice(files)
        at, bit = rng.randrange(chosen.stat().st_size), rng.randrange(8)
        flip(chosen, at, bit)
        return f"{chosen.name} byte {at} bit {bit}"

    return damage


async def found_or_harmless(path: Path, where: str, was: list[Any]) -> bool:
    """Whether the damage was found; when it was not, all that can be read must be what it was."""
    try:
        found = await looked_through(path)
    except StoreError:
        return True  # it cannot even be opened, or the world is not there under its name: and that is said
    if any(not one.whole for one in found):
        return True
    async with SqliteStore(path) as store:
        assert await everything(store) == was, f"{where}: something reads differently, and was called whole"
    return False


@pytest.mark.parametrize("seed", range(4))
async def test_a_flipped_byte_is_found_or_nobody_reads_it(whole: Path, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    async with SqliteStore(whole) as store:
        was = await everything(store)
    found = 0
    for _ in range(12):
        path, where = damaged(whole, tmp_path, flip_anywhere(rng))
        found += await found_or_harmless(path, where, was)
    assert found >= 3, "much of a store is what somebody reads"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 125))
async def test_many_flipped_bytes(whole: Path, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    async with SqliteStore(whole) as store:
        was = await everything(store)
    for _ in range(40):
        path, where = damaged(whole, tmp_path, flip_anywhere(rng))
        await found_or_harmless(path, where, was)


@pytest.mark.parametrize("sequence", [1, 2, 9, 40, 60, 100])
async def test_a_damaged_record_is_named_with_its_tick(whole: Path, tmp_path: Path, sequence: int) -> None:
    async with SqliteStore(whole) as store:
        records = await store.read("toy")
    tick = next((r.data["tick"] for r in records[sequence - 1 :: -1] if r.kind in ("tick", "finished")), 0)

    def damage(path: Path) -> str:
        with closing(sqlite3.connect(path)) as connection:
            first = "SELECT id FROM record WHERE place & 68719476735 = ? ORDER BY id LIMIT 1"
            connection.execute(f"UPDATE record SET data = data || ' ' WHERE id IN ({first})", (sequence,))
            connection.commit()
        return ""

    path, _ = damaged(whole, tmp_path, damage)
    found = (await looked_through(path))[0]
    assert [p.path for p in found.problems] == [f"stream toy / record {sequence}"]
    assert not tick or f"tick {tick}" in found.problems[0].sentence or f"tick {tick - 1}" in found.problems[0].sentence
    assert found.ticks >= TICKS - 1


async def test_a_damaged_blob_is_named_with_what_names_it(whole: Path, tmp_path: Path) -> None:
    chosen: list[str] = []

    def damage(path: Path) -> str:
        blob = sorted(Path(f"{path}.blobs").glob("??/*"))[2]
        chosen.append(blob.parent.name + blob.name)
        flip(blob, 5000, 3)
        return ""

    path, _ = damaged(whole, tmp_path, damage)
    toys, others = await looked_through(path)
    (problem,) = (toys if "names it" in str(toys.problems) else others).problems
    assert problem.path == f"blob {chosen[0]}"
    assert "/ record " in problem.sentence
    assert "tick" in problem.sentence
    remove(Path(f"{path}.blobs", chosen[0][:2], chosen[0][2:]))
    assert f"blob {chosen[0]}" in [p.path for v in await looked_through(path) for p in v.problems]


async def test_several_damages_are_all_named(whole: Path, tmp_path: Path) -> None:
    def damage(path: Path) -> str:
        with closing(sqlite3.connect(path)) as connection:
            for sequence in (12, 13, 70):
                connection.execute("UPDATE record SET kind = 'odd' WHERE id IN (SELECT id FROM record"
                                   " WHERE place & 68719476735 = ? ORDER BY id LIMIT 1)", (sequence,))
            connection.execute("UPDATE snapshot SET data = data || ' '")
            connection.commit()
        return ""

    path, _ = damaged(whole, tmp_path, damage)
    found = (await looked_through(path))[0]
    named = [problem.path for problem in found.problems]
    assert [f"stream toy / record {n}" for n in (12, 13, 70)] == [n for n in named if "toy / record" in n]
    assert any("toy / snapshot" in n for n in named)


async def test_a_forgery_with_right_checksums_breaks_the_chain() -> None:
    """Whoever writes other records, checksums and all, cannot make them follow from one another."""
    async with MemoryStore() as store, MemoryStore() as forged:
        await make(store)
        records = await store.read("toy")
        for record in records:
            data = record.data
            if record.kind == "stage" and record.data["stage"] == "architect" and record.sequence > 60:
                data = {**data, "output": {"scene": "a forged one"}}
            await forged.append("toy", [Entry(record.kind, data)])
        named = [r["$blob"] for record in records for r in references(record.data)]
        for digest in {*records[0].data["sections"].values(), *named}:
            await forged.put_blob(await store.get_blob(digest))
        found = await verify(forged, "toy", toy())
        assert not found.whole
        assert "hash of the chain" in found.problems[0].sentence
        with pytest.raises(CorruptError):
            async with World.open(toy(), store=forged, read_only=True):
                pass


async def test_a_snapshot_of_something_else_is_found() -> None:
    async with MemoryStore() as store:
        await make(store)
        last = (await store.snapshots("toy"))[-1]
        snapshot = await store.snapshot("toy", at=last)
        assert snapshot is not None
        async with World.open(toy(), store=store) as live:
            await live.run()
        await store.append("toy", [], snapshot=snapshot.data)  # an older state at a newer place
        found = await verify(store, "toy", toy())
        assert [p.path for p in found.problems] == [f"stream toy / snapshot {await store.head('toy')}"]


async def test_what_is_pruned_is_not_missing(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "w.db") as store:
        async with World.open(worlds.toy(), store=store) as live:
            await live.run(ticks=60)
        marks = await store.snapshots("toy")
        await store.prune("toy", marks[-1], kinds=("opened", "history", "finished"))
        found = await verify(store, "toy", worlds.toy())
        assert found.whole, found.problems
        assert found.ticks == 60

