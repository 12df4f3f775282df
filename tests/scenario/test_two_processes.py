"""Two processes on one world, by the command: one runs, the other is told who; a dead or stale holder loses nothing."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from yggdrasil import World
from yggdrasil.cli import exits
from yggdrasil.levels.live import LEASE

if TYPE_CHECKING:
    from tests.scenario.conftest import Command, Start


def wait_for(process: subprocess.Popen[str], *words: str) -> None:
    """Read its events until one holds these words."""
    assert process.stdout is not None
    for line in process.stdout:
        if all(word in line for word in words):
            return
    raise AssertionError(f"it ended: {process.communicate()[1]}")


def finished() -> list[int]:
    """The ticks in the journal that ended, in their order; and no record is missing."""
    with sqlite3.connect("tiny.db") as base:
        found = base.execute("SELECT place, kind, data FROM record ORDER BY place").fetchall()
    base.close()
    places = [place for place, _, _ in found]
    assert places == list(range(places[0], places[0] + len(places))), "a gap in the journal"
    return [json.loads(data)["tick"] for _, kind, data in found if kind == "finished"]


def undisturbed(ticks: int) -> tuple[str, str]:
    async def live() -> tuple[str, str]:
        async with World.open("tiny") as world:
            await world.run(ticks=ticks)
            return world.content_hash, world.tick_hash

    return anyio.run(live)


def check_whole(yggdrasil: Command) -> None:
    """It is what a life would have been that nobody disturbed."""
    shown = json.loads(yggdrasil("show", "tiny", "--json").out)
    assert finished() == list(range(1, shown["tick"] + 1))
    assert undisturbed(shown["tick"]) == (shown["content_hash"], shown["tick_hash"])


def test_the_second_is_told_who_runs_it_and_goes_on_when_that_one_is_killed(
    tiny: Path, start: Start, yggdrasil: Command, apart: Command
) -> None:
    holder = start("run", "tiny", "--ticks", "100000", "--json")
    wait_for(holder, '"tick_finished"', '"tick": 3')
    for second in (apart("run", "tiny"), apart("run", "tiny", "--action", "a storm")):
        assert second.code == exits.HELD.code
        assert second.err.startswith("error: ")
        assert re.search(rf"held by '.+:{holder.pid}'", second.err), second.err
        assert f"process {holder.pid}" in second.err
        assert "\n  try: stop that process" in second.err
        assert "Traceback" not in second.err
    for reading in (("show", "tiny"), ("export", "tiny", "--content"), ("validate", "tiny")):
        assert apart(*reading).code == 0, "reading needs no lease"
    assert holder.poll() is None, "the holder goes on"
    holder.kill()
    holder.wait()
    asked = time.monotonic()
    assert apart("run", "tiny", "--ticks", "2").code == 0
    assert time.monotonic() - asked < LEASE - 1, "the lease of a dead process is not waited for"
    check_whole(yggdrasil)


def test_a_holder_that_slept_too_long_cannot_write_any_more(
    tiny: Path, start: Start, yggdrasil: Command, apart: Command
) -> None:
    (tiny / "slow").touch()
    stale = start("run", "tiny", "--ticks", "100000", "--json")
    wait_for(stale, '"stage_started"', '"creator"')
    stale.send_signal(signal.SIGSTOP)
    (tiny / "slow").unlink()
    early = apart("run", "tiny")
    assert early.code == exits.HELD.code, "it may come back yet"
    assert re.search(r"for \d+ s more", early.err)
    until = time.monotonic() + LEASE + 15
    taken = apart("run", "tiny", "--ticks", "3", "--json")
    while taken.code == exits.HELD.code and time.monotonic() < until:
        time.sleep(1.0)
        taken = apart("run", "tiny", "--ticks", "3", "--json")
    assert taken.code == 0, taken.err
    before = finished()
    assert before == [1, 2, 3]
    stale.send_signal(signal.SIGCONT)
    out, err = stale.communicate(timeout=60)
    assert stale.returncode == exits.HELD.code, err
    assert "is no longer good" in err
    assert "\n  try: " in err
    assert "Traceback" not in err
    assert '"tick_finished"' not in out, "it told of a tick that was never written"
    assert finished() == before, "a stale holder wrote"
    assert yggdrasil("run", "tiny").code == 0
    check_whole(yggdrasil)
