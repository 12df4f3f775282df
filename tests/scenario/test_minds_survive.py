"""An agent that remembers, in a world whose process is killed: what it remembers is the world's, and is not lost."""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from yggdrasil import World
from yggdrasil.abc.store import Record
from yggdrasil.storage.sqlite import SqliteStore

SCRIPT = Path(__file__).with_name("told_world.py")
TICKS = 20
AGENT = "told/author/teller"


def told_world(folder: Path) -> World:
    spec = importlib.util.spec_from_file_location("told_world", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: World = module.told_world(folder, remembering=True)
    return made


def undisturbed(folder: Path) -> tuple[list[str], Any]:
    async def live() -> tuple[list[str], Any]:
        async with World.open(told_world(folder), seed=5) as world:
            await world.run(ticks=TICKS)
            return [world.content_hash, world.tick_hash], world.memories

    return anyio.run(live)


def records(folder: Path) -> list[Record]:
    async def read() -> list[Record]:
        async with SqliteStore(folder / "told.db") as store:
            return await store.read("told")

    return anyio.run(read)


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(folder), str(TICKS), "remembering"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def survive(kills: int, folder: Path, dice: random.Random) -> None:
    for instant in sorted(dice.uniform(0.0, TICKS - 2) for _ in range(kills)):
        child = start(folder)
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("end") or int(line.split()[1]) >= int(instant):
                break
        time.sleep(dice.uniform(0.0, 0.015))
        child.kill()
        child.communicate()
    last = start(folder)
    out, errors = last.communicate(timeout=60)
    assert last.returncode == 0, errors
    hashes, memories = undisturbed(folder.parent)
    assert out.splitlines()[-1].split()[1:] == hashes
    log = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
    assert len({line["pid"] for line in log}) > kills // 2, "the kills did not hit the run"

    async def remembered() -> Any:
        async with World.open(told_world(folder), store=f"sqlite:///{folder / 'told.db'}", read_only=True) as world:
            return world.memories

    kept = anyio.run(remembered)
    assert kept == memories
    assert kept[AGENT]["summary"], "it was summarised on the way"


@pytest.mark.timeout(180)
def test_killed_8_times_it_remembers_as_if_nothing_had_happened(tmp_path: Path) -> None:
    folder = tmp_path / "rough"
    folder.mkdir()
    survive(8, folder, random.Random(11))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_60_times_it_remembers_as_if_nothing_had_happened(tmp_path: Path) -> None:
    folder = tmp_path / "rough"
    folder.mkdir()
    survive(60, folder, random.Random(12))


def test_what_is_kept_is_what_changed_and_not_the_whole_memory_each_time(tmp_path: Path) -> None:
    async def live() -> None:
        async with World.open(told_world(tmp_path), store=f"sqlite:///{tmp_path / 'told.db'}", seed=5) as world:
            await world.run(ticks=TICKS)

    anyio.run(live)
    kept = [r.data for r in records(tmp_path) if r.kind == "kept"]
    assert len(kept) == TICKS - 1  # each tick but the first, in which the author has nothing to tell of
    assert {each["path"] for each in kept} == {AGENT}
    grown = [each["change"]["messages"] for each in kept[1:]]
    assert all("add" in each and len(each["add"]) <= 6 for each in grown)
    assert any(each["drop"] for each in grown), "what was summarised is dropped from the front"
