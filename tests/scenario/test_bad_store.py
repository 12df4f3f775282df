"""Stores that are wrong, full or damaged: a clear refusal, nothing acknowledged is lost, and the world goes on."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from yggdrasil import ConfigError, CorruptError, StoreError, StoreFullError, World
from yggdrasil.cli import exits
from yggdrasil.cli.failure import LINES
from yggdrasil.storage.sqlite import SqliteStore

if TYPE_CHECKING:
    from tests.scenario.conftest import Command, Done

ROOT = Path(__file__).resolve().parents[2]


def hashes(ticks: int, name: str = "tiny") -> dict[str, Any]:
    """Where an undisturbed world stands after so many ticks, as `show --json` says it."""

    async def live() -> dict[str, Any]:
        async with World.open(name) as world:
            await world.run(ticks=ticks)
            return {"tick": world.tick, "content_hash": world.content_hash, "tick_hash": world.tick_hash}

    return anyio.run(live)


def told(out: str) -> list[int]:
    """The ticks whose end was told."""
    events = [json.loads(line) for line in out.splitlines()]
    return [event["tick"] for event in events if event["event"] == "tick_finished"]


def check_screen(done: Done, code: int, *words: str) -> None:
    """One screen: an error with its place and the line to write."""
    assert done.code == code, done.err
    assert done.err.startswith("error: ")
    assert "\n  try: " in done.err
    assert len(done.err.splitlines()) <= LINES
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err


@pytest.mark.parametrize(
    ("store", "code", "reason", "line", "kind"),
    [
        ("worlds", exits.STORE, "is a folder, not a file", "sqlite:///", StoreError),
        ("sqlite:///worlds", exits.STORE, "is a folder, not a file", "/worlds/world.db", StoreError),
        ("none/w.db", exits.STORE, "there is no folder", "mkdir -p", StoreError),
        ("yggdrasil.toml", exits.STORE, "is not a Yggdrasil store", "sqlite:///world.db", StoreError),
        ("other.db", exits.STORE, "is an SQLite database, but not", "sqlite:///world.db", StoreError),
        ("/dev/null", exits.STORE, "is no regular file", "sqlite:///world.db", StoreError),
        ("memory:", exits.INVALID, "'memory:' is no store", "memory://", ConfigError),
        ("sqlite:w.db", exits.INVALID, "'sqlite:w.db' is no store", "sqlite:///w.db", ConfigError),
        ("sqlite://w.db", exits.INVALID, "names no file", "sqlite:///world.db", ConfigError),
        ("", exits.INVALID, "names no file", "sqlite:///world.db", ConfigError),
        ("mysql://w", exits.INVALID, "no store is called 'mysql'", "sqlite:///world.db", ConfigError),
        ("postgres:me:hunter2@h", exits.INVALID, "is no store", "postgresql://user@host/database", ConfigError),
        ("postgres://me:hunter2@127.0.0.1:9/w", exits.STORE, "cannot be reached", "is the server up?", StoreError),
    ],
)
def test_a_store_that_is_none(
    store: str, code: exits.Exit, reason: str, line: str, kind: type[Exception], tiny: Path, yggdrasil: Command
) -> None:
    (tiny / "yggdrasil.toml").write_text("# a project\n")
    with sqlite3.connect("other.db") as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    before = {p: p.is_file() and p.read_bytes() for p in tiny.rglob("*") if "__pycache__" not in p.parts}
    for options in (("--ticks", "2"), ("--json",)):
        done = yggdrasil("run", "tiny", "--store", store, *options)
        check_screen(done, code.code, reason, line)
        assert "hunter2" not in done.err + done.out

    async def open_it() -> None:
        async with World.open("tiny", store=store):
            pass

    with pytest.raises(kind) as caught:
        anyio.run(open_it)
    assert "hunter2" not in f"{caught.value!r}{caught.value.__dict__}"
    assert {p: p.is_file() and p.read_bytes() for p in tiny.rglob("*") if "__pycache__" not in p.parts} == before


@contextlib.contextmanager
def limited(size: int) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """The command in a process that may not write a file beyond `size` bytes."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "yggdrasil", *words],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            preexec_fn=limit,
            check=False,
        )

    yield call


def test_a_limit_on_the_size_of_files(tiny: Path, yggdrasil: Command) -> None:
    """RLIMIT_FSIZE: what was told is there, the rest can be read, and with room the world goes on as if nothing was."""
    from tests.scenario.conftest import Done

    with limited(200_000) as call:
        stopped = call("run", "tiny", "--ticks", "5000", "--json")
        done = Done(stopped.returncode, stopped.stdout, stopped.stderr)
        check_screen(done, exits.STORE.code, "no space left", "tiny.db", "free some space")
        ticks = told(done.out)
        assert len(ticks) > 2
        again = call("run", "tiny", "--ticks", "5000")
        assert again.returncode == exits.STORE.code, again.stderr
    shown = json.loads(yggdrasil("show", "tiny", "--json").out)
    assert shown["tick"] >= ticks[-1], "an acknowledged tick is lost"
    # the content may be that of the tick under way, whose update is written already
    assert hashes(shown["tick"])["tick_hash"] == shown["tick_hash"]
    assert yggdrasil("run", "tiny", "--ticks", "2").code == 0
    now = json.loads(yggdrasil("show", "tiny", "--json").out)
    assert now["tick"] > shown["tick"]
    assert hashes(now["tick"]).items() <= now.items()


def test_a_full_disk(tiny: Path, tmp_path: Path, yggdrasil: Command, apart: Command) -> None:
    """A file system of 300 KiB."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a small file system")
    try:
        store = f"sqlite:///{small / 'w.db'}"
        done = apart("run", "tiny", "--ticks", "5000", "--json", "--store", store)
        check_screen(done, exits.STORE.code, "no space left", "w.db", "free some space")
        ticks = told(done.out)
        assert len(ticks) > 2
        shown = json.loads(yggdrasil("show", "tiny", "--json", "--store", store).out)
        assert shown["tick"] >= ticks[-1], "an acknowledged tick is lost"
        subprocess.run(["mount", "-o", "remount,size=8m", str(small)], check=True)
        assert yggdrasil("run", "tiny", "--ticks", "2", "--store", store).code == 0
        now = json.loads(yggdrasil("show", "tiny", "--json", "--store", store).out)
        assert hashes(now["tick"]).items() <= now.items()
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_full_database(tiny: Path) -> None:
    """PRAGMA max_page_count, through the Python API."""

    async def live(pages: int | None, ticks: int) -> tuple[int, str]:
        async with SqliteStore("w.db", max_pages=pages) as store, World.open("tiny", store=store) as world:
            await world.run(ticks=ticks)
            return world.tick, world.tick_hash

    with pytest.raises(StoreFullError, match="what was acknowledged is safe"):
        anyio.run(live, 40, 5000)
    tick, chain = anyio.run(live, None, 1)
    assert tick > 2
    assert hashes(tick)["tick_hash"] == chain


def test_no_room_for_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yggdrasil: Command) -> None:
    """The tick is kept though its picture cannot be written beside the store; the next run writes it."""
    monkeypatch.chdir(tmp_path)
    Path("midgard-pictures").write_text("in the way")
    done = yggdrasil("run", "midgard", "--seed", "3")
    check_screen(done, exits.INVALID.code, "midgard-pictures", "move it away")
    Path("midgard-pictures").unlink()
    assert yggdrasil("run", "midgard").code == 0
    assert sorted(p.name for p in Path("midgard-pictures").iterdir()) == ["tick-0001.png", "tick-0002.png"]


def test_a_corrupt_record(tiny: Path, yggdrasil: Command) -> None:
    assert yggdrasil("run", "tiny", "--ticks", "3").code == 0
    with sqlite3.connect("tiny.db") as raw:
        updates = raw.execute("SELECT place, data FROM record WHERE kind = 'updated' ORDER BY place DESC")
        place, text = updates.fetchone()
        raw.execute("UPDATE record SET data = ? WHERE place = ?", (text.replace("count", "coins"), place))
    raw.close()
    before = rows()
    for command in (("run", "tiny"), ("show", "tiny"), ("export", "tiny", "--content")):
        done = yggdrasil(*command)
        assert done.code == exits.STORE.code
        assert f"record {place & 0xFFFFFFFFF}" in done.err
        assert "\n  try: " in done.err
        assert rows() == before

    async def open_it() -> None:
        async with World.open("tiny", store="tiny.db"):
            pass

    with pytest.raises(CorruptError):
        anyio.run(open_it)
    with sqlite3.connect("tiny.db") as raw:
        raw.execute("UPDATE record SET data = ? WHERE place = ?", (text, place))
    raw.close()
    assert yggdrasil("run", "tiny").code == 0
    assert hashes(4).items() <= json.loads(yggdrasil("show", "tiny", "--json").out).items()


def rows() -> list[Any]:
    with sqlite3.connect("tiny.db") as raw:
        found = raw.execute("SELECT place, kind, data FROM record ORDER BY place").fetchall()
    raw.close()
    return found


def test_a_torn_file(tiny: Path, yggdrasil: Command) -> None:
    """Half of the file is gone, or is noise: named, and nothing is made worse."""
    assert yggdrasil("run", "tiny", "--ticks", "20").code == 0
    whole = Path("tiny.db").read_bytes()
    assert not Path("tiny.db-wal").exists()
    for torn in (whole[: len(whole) // 2], whole[:4096] + bytes(len(whole) - 4096), whole[:5000] + b"x" * 20000):
        Path("tiny.db").write_bytes(torn)
        done = yggdrasil("run", "tiny")
        assert done.code == exits.STORE.code, done.err
        assert "tiny" in done.err
        assert "Traceback" not in done.err
        assert "fault of yggdrasil" not in done.err
    Path("tiny.db").write_bytes(whole)
    for beside in ("tiny.db-wal", "tiny.db-shm"):
        Path(beside).unlink(missing_ok=True)
    assert yggdrasil("run", "tiny").code == 0
    assert hashes(21).items() <= json.loads(yggdrasil("show", "tiny", "--json").out).items()


@pytest.mark.anyio
async def test_reading_makes_no_file(tiny: Path, anyio_backend: str) -> None:
    with pytest.raises(StoreError, match="there is no world 'tiny' here"):
        async with World.open("tiny", store="sqlite:///none.db", read_only=True):
            pass
    ended = {"kind": "world", "name": "ended", "content": {"days": {"count": 3}}}
    async with World.open(ended, store="sqlite:///none.db") as world:
        assert world.content["days"]["count"] == 3
    assert not [name for name in os.listdir(tiny) if name.startswith("none.db")]
