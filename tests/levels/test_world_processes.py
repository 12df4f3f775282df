"""Worlds in real processes on one SQLite file: who holds them, and what `kill -9` leaves behind."""

from __future__ import annotations

import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.levels import toy_world as worlds
from yggdrasil import CorruptError, LeaseError, World, run_sync
from yggdrasil.abc.store import Record
from yggdrasil.storage.open import open_store

SCRIPT = Path(__file__).with_name("toy_world.py")
TICKS = 30


class Child:
    """A process that lives a toy world."""

    def __init__(self, file: Path | str, kind: str, log: Path, ticks: int = TICKS) -> None:
        command = [sys.executable, str(SCRIPT), str(file), str(ticks), kind, str(log)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_for(self, word: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(word):
                return line
        raise AssertionError(f"it ended without saying {word!r}: {self.process.communicate()[1]}")

    def wait_for_tick(self, tick: int) -> None:
        """Until it has opened the world at that tick or later, or has come so far."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            word, number = line.split()[:2]
            if word == "end" or int(number) >= tick:
                return

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def end(self) -> str:
        out, errors = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, errors
        return out


async def _records(file: Path | str) -> list[Record]:
    async with open_store(str(file)) as store:
        return await store.read("toy")


def records(file: Path | str) -> list[Record]:
    import anyio

    return anyio.run(_records, file)


async def _hashes(kind: str, log: Path) -> tuple[str, str]:
    made = worlds.effect_world(worlds.Log(log), 0) if kind == "effects" else worlds.slow_toy(0)
    async with World.open(made) as world:
        await world.run(ticks=TICKS)
        return world.content_hash, world.tick_hash


def undisturbed(kind: str, log: Path) -> tuple[str, str]:
    import anyio

    return anyio.run(_hashes, kind, log)


def die_often(kind: str, kills: int, folder: Path, dice: random.Random, store: str | None = None) -> None:
    """Kill it so many times at random instants, then let it end; compare with the life nobody disturbed."""
    file, log = store or folder / "w.db", folder / "log"
    recorded: dict[int, set[str]] = {}
    pids, ends = [], []
    for instant in sorted(dice.uniform(0.0, TICKS - 2) for _ in range(kills)):
        child = Child(file, kind, log)
        child.wait_for_tick(int(instant))
        time.sleep(dice.uniform(0.0, 0.012))
        child.kill()
        pids.append(child.process.pid)
        there = records(file)
        recorded[child.process.pid] = {str(r.data["request"]) for r in there if r.kind == "effect"}
        ends.append(len(there))
    child = Child(file, kind, log)
    out = child.end()
    pids.append(child.process.pid)
    whole = records(file)
    assert len({end for end in ends if end < len(whole)}) > kills // 2, "the kills did not hit the run"
    found = re.search(r"end (\w+) (\w+)", out)
    assert found is not None, out
    assert found.groups() == undisturbed(kind, folder / "undisturbed")
    assert [record.sequence for record in whole] == list(range(1, len(whole) + 1)), "a gap in the journal"
    assert [r.data["tick"] for r in whole if r.kind == "finished"] == list(range(1, TICKS + 1))
    if kind == "effects":
        check_effects(whole, worlds.Log(log).lines(), recorded, pids)


def check_effects(whole: list[Record], done: list[Any], recorded: dict[int, set[str]], pids: list[int]) -> None:
    """No recorded effect was performed again; what was in flight was repeated once per start, with the same key."""
    places = [(r.data["scope"], r.data["path"], r.data["ordinal"]) for r in whole if r.kind == "effect"]
    assert len(places) == len(set(places)), "an effect is recorded twice"
    assert len(places) > 3 * TICKS
    keys: dict[tuple[str, str], set[str]] = {}
    times: dict[tuple[str, int], int] = {}
    for line in done:
        keys.setdefault((line["path"], line["request"]), set()).add(line["key"])
        times[line["key"], line["pid"]] = times.get((line["key"], line["pid"]), 0) + 1
    # each request of this world is asked once in its life, so one request is one key
    assert all(len(found) == 1 for found in keys.values()), "the same effect with another key"
    assert set(times.values()) == {1}, "performed twice by one process"
    performed = {line["key"] for line in done}
    assert len(performed) == len(places)
    by_pid = {pid: [line for line in done if line["pid"] == pid] for pid in pids}
    from yggdrasil.core.canonical import digest

    for earlier, later in pairwise(pids):
        requests = {digest([line["kind"], line["request"]]) for line in by_pid[later]}
        assert not requests & recorded[earlier], "a recorded effect was performed again"


@pytest.mark.parametrize("kind", ["plain", "effects"])
def test_killed_at_random_instants_it_ends_as_if_nothing_had_happened(kind: str, tmp_path: Path) -> None:
    die_often(kind, 25, tmp_path, random.Random(kind))


@pytest.mark.parametrize("kind", ["plain:stage", "effects:stage", "effects:tick", "plain:none"])
def test_whatever_the_durability_it_ends_alike(kind: str, tmp_path: Path) -> None:
    """A coarser level repeats more after a crash, always with the same keys; it ends the same and has no gap."""
    dice, file, log = random.Random(kind), tmp_path / "w.db", tmp_path / "log"
    for _ in range(3):
        child = Child(file, kind, log)
        child.wait_for_tick(dice.randrange(2, TICKS - 2))
        time.sleep(dice.uniform(0.0, 0.012))
        child.kill()
    found = re.search(r"end (\w+) (\w+)", Child(file, kind, log).end())
    assert found is not None
    assert found.groups() == undisturbed(kind.partition(":")[0], tmp_path / "undisturbed")
    whole = records(file)
    assert [r.data["tick"] for r in whole if r.kind == "finished"] == list(range(1, TICKS + 1))
    keys: dict[tuple[str, str], set[str]] = {}
    for line in worlds.Log(log).lines():
        keys.setdefault((line["path"], line["request"]), set()).add(line["key"])
    assert all(len(one) == 1 for one in keys.values())


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["plain", "effects"])
def test_killed_a_hundred_times(kind: str, tmp_path: Path) -> None:
    dice = random.Random(f"long {kind}")
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        die_often(kind, 25, folder, dice)


def test_the_second_process_is_told_who_holds_it_until_the_holder_dies(tmp_path: Path) -> None:
    file = tmp_path / "w.db"
    holder = Child(file, "plain", tmp_path / "log", ticks=100_000)
    try:
        holder.wait_for("tick 2 ")
        with pytest.raises(LeaseError) as caught:
            run_sync(worlds.toy(), store=f"sqlite:///{file}")
        assert caught.value.holder.endswith(f":{holder.process.pid}")
    finally:
        holder.kill()
    before = len([r for r in records(file) if r.kind == "finished"])
    run_sync(worlds.toy(), store=f"sqlite:///{file}", ticks=2)
    assert len([r for r in records(file) if r.kind == "finished"]) == before + 2


def test_a_damaged_record_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "w.db"
    store = f"sqlite:///{file}"
    run_sync(worlds.toy(), store=store, ticks=4)
    with sqlite3.connect(file) as raw:
        found = raw.execute("SELECT place, data FROM record WHERE kind = 'updated' ORDER BY place DESC")
        place, text = found.fetchone()
        raw.execute("UPDATE record SET data = ? WHERE place = ?", (text.replace("day", "dey"), place))
    raw.close()
    size = _dump(file)
    with pytest.raises(CorruptError, match=r"record \d+"):
        run_sync(worlds.toy(), store=store)
    assert _dump(file) == size
    with sqlite3.connect(file) as raw:
        raw.execute("UPDATE record SET data = ? WHERE place = ?", (text, place))
    raw.close()
    assert run_sync(worlds.toy(), store=store)["state"]["intent"]["what"] == "day 4"


def _dump(file: Path) -> list[Any]:
    with sqlite3.connect(file) as raw:
        found = raw.execute("SELECT place, kind, data FROM record ORDER BY place").fetchall()
    raw.close()
    return found
