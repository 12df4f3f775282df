"""Stages that call a scripted model and a tool, killed at random instants: what was recorded is never done again."""

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
from yggdrasil.core.canonical import digest
from yggdrasil.storage.sqlite import SqliteStore

SCRIPT = Path(__file__).with_name("told_world.py")
TICKS = 30


def records(folder: Path) -> list[Record]:
    async def read() -> list[Record]:
        async with SqliteStore(folder / "told.db") as store:
            return await store.read("told")

    return anyio.run(read)


def keys(found: list[Record]) -> list[str]:
    """The idempotency keys of the effects that are recorded."""
    places = [[r.data[name] for name in ("scope", "path", "ordinal", "request")] for r in found if r.kind == "effect"]
    return [digest(["told", *place]) for place in places]


def undisturbed(folder: Path) -> list[str]:
    spec = importlib.util.spec_from_file_location("told_world", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    async def live() -> list[str]:
        async with World.open(module.told_world(folder), seed=5) as world:
            await world.run(ticks=TICKS)
            return [world.content_hash, world.tick_hash]

    return anyio.run(live)


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(folder), str(TICKS)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def survive(kills: int, folder: Path, dice: random.Random) -> None:
    """Kill it so many times, let it end, and compare."""
    recorded: dict[int, set[str]] = {}
    order, ends = [], []
    for instant in sorted(dice.uniform(0.0, TICKS - 2) for _ in range(kills)):
        child = start(folder)
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("end") or int(line.split()[1]) >= int(instant):
                break
        time.sleep(dice.uniform(0.0, 0.015))
        child.kill()
        child.communicate()
        found = records(folder)
        recorded[child.pid] = set(keys(found))
        order.append(child.pid)
        ends.append(len(found))
    last = start(folder)
    out, errors = last.communicate(timeout=60)
    assert last.returncode == 0, errors
    order.append(last.pid)
    whole = records(folder)
    assert len(set(ends)) > kills // 2, "the kills did not hit the run"
    assert [r.sequence for r in whole] == list(range(1, len(whole) + 1)), "a gap in the journal"
    assert out.splitlines()[-1].split()[1:] == undisturbed(folder.parent)
    check_effects(whole, [json.loads(line) for line in (folder / "log").read_text().splitlines()], recorded, order)


def check_effects(
    whole: list[Record], done: list[dict[str, Any]], recorded: dict[int, set[str]], order: list[int]
) -> None:
    """Each effect has one key for ever; a recorded one is not repeated, one in flight at most once a start."""
    written = keys(whole)
    # a tick but the first has two turns of the model and two calls of the tool
    assert len(written) == len(set(written)) == 4 * (TICKS - 1)
    assert {line["key"] for line in done} == set(written), "done and not recorded, or recorded with another key"
    starts: dict[tuple[str, int], int] = {}
    for line in done:
        starts[line["key"], line["pid"]] = starts.get((line["key"], line["pid"]), 0) + 1
    assert set(starts.values()) == {1}, "repeated within one start"
    for number, pid in enumerate(order[1:], 1):
        before = recorded[order[number - 1]]
        again = [line["kind"] for line in done if line["pid"] == pid and line["key"] in before]
        assert not again, f"recorded, and done again: {again}"


@pytest.mark.timeout(180)
def test_killed_25_times_no_recorded_turn_or_call_is_repeated(tmp_path: Path) -> None:
    folder = tmp_path / "rough"
    folder.mkdir()
    survive(25, folder, random.Random(7))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_100_times_no_recorded_turn_or_call_is_repeated(tmp_path: Path) -> None:
    folder = tmp_path / "rough"
    folder.mkdir()
    survive(100, folder, random.Random(70))
