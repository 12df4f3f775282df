"""The main job under `kill -9`: midgard, with pictures, run by the command a person types."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from yggdrasil import World
from yggdrasil.abc.store import Record
from yggdrasil.storage.sqlite import SqliteStore

TICKS = 30
LINES = 27
"""About how many events a tick has."""


def start(folder: Path, ticks: int) -> subprocess.Popen[str]:
    """`yggdrasil run midgard`, in a folder of its own."""
    command = [sys.executable, "-m", "yggdrasil", "run", "midgard", "--seed", "7", "--ticks", str(ticks), "--json"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def records(folder: Path) -> list[Record]:
    """The journal so far."""

    async def read() -> list[Record]:
        async with SqliteStore(folder / "midgard.db") as store:
            return await store.read("midgard")

    return anyio.run(read)


def finished(whole: list[Record]) -> list[int]:
    """The ticks that ended."""
    return [r.data["tick"] for r in whole if r.kind == "finished"]


async def undisturbed() -> tuple[str, str]:
    """The hashes of a life that nobody disturbed, in memory."""
    async with World.open("midgard", seed=7) as world:
        await world.run(ticks=TICKS)
        return world.content_hash, world.tick_hash


def survive(kills: int, folder: Path, dice: random.Random) -> None:
    """Kill it so many times, spread over its 30 ticks; then let it end and compare."""
    ends = []
    for left in range(kills, 0, -1):
        done = len(finished(records(folder))) if (folder / "midgard.db").exists() else 0
        child = start(folder, TICKS - done)
        assert child.stdout is not None
        # an instant somewhere in what is left, counted in events: a busy machine must not move it
        lines = 2 + int(dice.uniform(0.0, 2.0) * LINES * (TICKS - done) / (left + 1))
        for _ in range(lines):
            if not child.stdout.readline():  # it has lived all its ticks
                break
        time.sleep(dice.uniform(0.0, 0.02))
        child.kill()
        child.communicate()
        ends.append(len(records(folder)))
    done = len(finished(records(folder)))
    if done < TICKS:
        out, errors = start(folder, TICKS - done).communicate(timeout=120)
        assert '"tick_finished"' in out, errors
    whole = records(folder)
    assert len(set(ends)) > kills // 2, "the kills did not hit the run"
    assert [r.sequence for r in whole] == list(range(1, len(whole) + 1)), "a gap in the journal"
    assert finished(whole) == list(range(1, TICKS + 1))
    last = next(r.data for r in reversed(whole) if r.kind == "finished")
    assert (last["content_hash"], last["tick_hash"]) == anyio.run(undisturbed)
    pictures = sorted((folder / "midgard-pictures").glob("*.png"))
    assert len({p.read_bytes() for p in pictures}) == len(pictures) == TICKS, "a picture is missing, or there twice"


@pytest.mark.timeout(300)
def test_killed_25_times_midgard_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    survive(25, tmp_path, random.Random(25))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_100_times_midgard_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    survive(100, tmp_path, random.Random(100))
