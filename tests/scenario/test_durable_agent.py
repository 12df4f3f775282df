"""A durable agent killed at random instants: recorded effects are never repeated, the answer is as undisturbed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from yggdrasil import approve
from yggdrasil.abc.store import Record
from yggdrasil.core.canonical import digest
from yggdrasil.storage.sqlite import SqliteStore

SCRIPT = Path(__file__).with_name("durable_agent.py")
MODEL_CALLS, NOTES = 21, 30


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def to_the_end(folder: Path) -> str:
    """Run the same line, with a person's yes in between, until it ends; what it said last."""
    for _ in range(3):
        out, errors = start(folder).communicate(timeout=60)
        said = out.splitlines()[-1] if out else ""
        if said.startswith("end"):
            return said
        assert said == "waits", errors
        anyio.run(lambda: approve("work", store=f"sqlite:///{folder / 'runs.db'}"))
    raise AssertionError("it never ends")


def logged(folder: Path) -> list[dict[str, Any]]:
    log = folder / "log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def records(folder: Path) -> list[Record]:
    async def read() -> list[Record]:
        if not (folder / "runs.db").exists():
            return []
        async with SqliteStore(folder / "runs.db") as store:
            return await store.read("thread:work")

    return anyio.run(read)


def keys(found: list[Record]) -> list[str]:
    """The idempotency keys of the effects that are recorded."""
    places = [[r.data[n] for n in ("scope", "path", "ordinal", "request")] for r in found if r.kind == "effect"]
    return [digest(["thread:work", *place]) for place in places]


def survive(kills: int, folder: Path, dice: random.Random) -> None:
    """Kill runs at random instants, so many times in all, let each of them end, and compare."""
    calm = folder / "calm"
    calm.mkdir()
    expected = to_the_end(calm)
    left, rounds, places = kills, 0, set()
    while left:
        rounds += 1
        rough = folder / f"rough{rounds}"
        rough.mkdir()
        recorded: dict[int, set[str]] = {}
        order: list[int] = []
        while left and not_ended(rough):
            left -= 1
            pid = kill_one(rough, dice)
            recorded[pid] = set(keys(records(rough)))
            order.append(pid)
            places.add((rounds, len(logged(rough)), len(recorded[pid])))
        if not_ended(rough):  # else it was killed between its last record and the word "end"
            assert to_the_end(rough) == expected, "killed or not, the answer and what it cost are the same"
        assert answer(records(rough)) == answer(records(calm))
        check(rough, recorded, order)
    assert len(places) > kills // 3, "the kills did not hit the run at different instants"


def answer(found: list[Record]) -> str:
    """The text of the last model reply of the first run."""
    replies = [r.data["result"]["message"] for r in found if r.kind == "effect" and r.data["what"] == "model"]
    return str(replies[MODEL_CALLS - 1]["parts"])


def not_ended(folder: Path) -> bool:
    return not any(r.kind == "run_finished" for r in records(folder))


def kill_one(folder: Path, dice: random.Random) -> int:
    """Start the line, kill it when it has begun some more effects, and give a person's yes when it waits for one."""
    more = len(logged(folder)) + dice.randrange(0, 7)
    child = start(folder)
    assert child.stdout is not None
    assert child.stdout.readline() == "begin\n"
    deadline = time.monotonic() + 5
    while len(logged(folder)) < more and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.0005)
    time.sleep(dice.uniform(0.0, 0.004))
    child.kill()
    if "waits" in child.communicate()[0]:
        anyio.run(lambda: approve("work", store=f"sqlite:///{folder / 'runs.db'}"))
    return child.pid


def keys_of(lines: list[dict[str, Any]]) -> set[str]:
    return {line["key"] for line in lines}


def check(folder: Path, recorded: dict[int, set[str]], order: list[int]) -> None:
    """Each effect has one key for ever; a recorded one is not repeated, one in flight at most once a start."""
    done = logged(folder)
    whole = records(folder)
    assert [r.sequence for r in whole] == list(range(1, len(whole) + 1)), "a gap in the journal"
    written = keys(whole)
    assert len(written) == len(set(written)) == MODEL_CALLS + NOTES + 1
    assert keys_of(done) == set(written), "done and not recorded, or recorded with another key"
    outside = {p.name for p in (folder / "outside").iterdir()}
    assert len(outside) == NOTES + 1, "each effect happened once outside"
    starts: dict[tuple[str, int], int] = {}
    for line in done:
        starts[line["key"], line["pid"]] = starts.get((line["key"], line["pid"]), 0) + 1
    assert set(starts.values()) == {1}, "repeated within one start"
    for number, pid in enumerate(order[1:], 1):
        before = recorded[order[number - 1]]
        again = [line["kind"] for line in done if line["pid"] == pid and line["key"] in before]
        assert not again, f"recorded, and done again: {again}"
    assert sum(r.kind == "approval_asked" for r in whole) == 1


@pytest.mark.timeout(180)
def test_killed_at_20_random_instants(tmp_path: Path) -> None:
    survive(20, tmp_path, random.Random(11))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_at_100_random_instants(tmp_path: Path) -> None:
    survive(100, tmp_path, random.Random(110))
