"""A store that an older version wrote is opened, brought up to date in one transaction, and goes on."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.levels.toy_world import toy
from yggdrasil import World
from yggdrasil.abc.store import Entry, Letter, Snapshot
from yggdrasil.core.canonical import digest_bytes
from yggdrasil.errors import FormatError
from yggdrasil.storage.sqlite import SqliteStore
from yggdrasil.storage.sqlite_file import MIGRATIONS, VERSION

ROOT = Path(__file__).resolve().parents[2]
OLD = Path(__file__).parent / "fixtures" / "format-1.sqlite"
"""As format 1 has it: 701 notes, a fork of them, a letter, a small blob, the toy world (seed 7) after 23 ticks."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.db"
    shutil.copyfile(OLD, path)
    return path


def described(path: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in names}
        indices = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        return {"version": connection.execute("PRAGMA user_version").fetchone(), **tables, "": sorted(indices)}


def test_there_is_a_way_from_every_format() -> None:
    assert [*MIGRATIONS] == [*range(1, VERSION)]


@pytest.mark.anyio
async def test_what_an_older_version_wrote_is_read(old: Path) -> None:
    async with SqliteStore(old) as store:
        assert [record.data for record in await store.read("notes")] == [*range(1, 702)]
        assert [record.data for record in await store.read("branch", after=648)] == [649, 650, "branch 651"]
        assert await store.snapshot("notes") == Snapshot(700, {"after": 700})
        assert await store.snapshots("branch") == [600]
        assert await store.inbox("notes") == [Letter(1, "letter", {"waits": True})]
        blob = b"a small blob of format 1"
        assert await store.get_blob(digest_bytes(blob)) == blob
        assert await store.vacuum() == 0, "a blob of before counts as new"
        assert await store.vacuum(older=-10) == len(blob)
        assert await store.append("notes", [Entry("odd", 702)], expect=701) == 702
        assert await store.prune("notes", 600) == 0, "the fork shares them"
    async with SqliteStore(old) as store:
        assert await store.head("notes") == 702
        assert len(await store.read("branch")) == 651


@pytest.mark.anyio
async def test_its_format_is_that_of_a_new_file(old: Path, tmp_path: Path) -> None:
    async with SqliteStore(old), SqliteStore(tmp_path / "new.db"):
        pass
    assert described(old) == described(tmp_path / "new.db")


@pytest.mark.anyio
async def test_an_old_world_goes_on_with_the_same_hashes(old: Path) -> None:
    async with World.open(toy(), store="memory://", seed=7) as new:
        await new.run(ticks=30)
    async with World.open(toy(), store=f"sqlite:///{old}") as world:
        assert world.tick == 23
        await world.run(ticks=7)
        assert (world.tick_hash, world.content_hash) == (new.tick_hash, new.content_hash)


@pytest.mark.anyio
async def test_what_cannot_be_migrated_is_left_as_it_was(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("ALTER TABLE blob RENAME TO elsewhere")
    before = described(old)
    with pytest.raises(Exception, match="no such table"):
        await SqliteStore(old).open()
    assert described(old) == before, "not half of it"


def test_several_processes_open_an_old_file_at_once(tmp_path: Path) -> None:
    for turn in range(3):
        path = tmp_path / f"{turn}.db"
        shutil.copyfile(OLD, path)
        words = [sys.executable, "-m", "tests.storage.other_process", "one", str(path)]
        started = [subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(4)]
        said = [json.loads(one.communicate(timeout=60)[0]) for one in started]
        assert [one.returncode for one in started] == [0] * 4
        assert sorted(said) == [1, 2, 3, 4]
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


@pytest.mark.anyio
async def test_a_newer_one_is_refused(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute(f"PRAGMA user_version={VERSION + 1}")
    with pytest.raises(FormatError, match=rf"newer version: its format is {VERSION + 1}") as refused:
        await SqliteStore(old).open()
    assert "upgrade" in refused.value.hint
