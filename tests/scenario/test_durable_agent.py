"""A durable agent killed at random instants: recorded effects are never repeated, and the answer is the undisturbed one."""

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
        async with SqliteStore(folder / "runs.db") as store:
            return await store.read("thread:work")

    return anyio.run(read)


def keys(found: list[Record]) -> list[str]:
    """The idempotency keys of the effects that are recorded."""
    places = [[r.data[n] for n in ("scope", "path", "ordinal", "request")] for r in found if r.kind == "effect"]
    return [digest(["thread:work", *place]) for place in places]


def survive(kills: int, folder: Path, dice: random.Random) -> None:
    """Kill it so many times, let it end, and compare."""
    calm = folder / "calm"
    rough = folder / "rough"
    calm.mkdir()
    rough.mkdir()
    expected = to_the_end(calm)
    began = time.monotonic()
    to_the_end_again = start(calm).communicate(timeout=60)[0]
    assert to_the_end_again.splitlines()[-1].split()[0] in ("end", "waits"), "the next run of the thread begins"
    whole_run = time.monotonic() - began
    recorded: dict[int, set[str]] = {}
    order, ends, signed = [], set(), False
    total = MODEL_CALLS + NOTES + 1
    for place in sorted(dice.uniform(0, total - 2) for _ in range(kills)):
        child = start(rough)
        deadline = time.monotonic() + 10 * max(whole_run, 1)
        while len(keys_of(logged(rough))) < place and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(dice.uniform(0.0, 0.004))
        child.kill()
        out = child.communicate()[0]
        found = records(rough)
        recorded[child.pid] = set(keys(found))
        order.append(child.pid)
        ends.add(len(found))
        if "waits" in out and not signed:
            anyio.run(lambda: approve("work", store=f"sqlite:///{rough / 'runs.db'}"))
            signed = True
    assert len(ends) > kills // 4, "the kills did not hit the run"
    assert to_the_end(rough) == expected, "killed or not, the answer and what it cost are the same"
    check(rough, recorded, order)


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
    assert sum(line["kind"] == "sign" for line in done) >= 1


@pytest.mark.timeout(180)
def test_killed_at_20_random_instants(tmp_path: Path) -> None:
    survive(20, tmp_path, random.Random(11))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_at_100_random_instants(tmp_path: Path) -> None:
    survive(100, tmp_path, random.Random(110))
