"""A world from the command line: it lives, goes on, is shown and exported, stopped, held, parked."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from yggdrasil.cli import exits

if TYPE_CHECKING:
    from tests.cli.conftest import Command

    Start = Callable[..., subprocess.Popen[str]]

BLOCKS = """
    import time
    from pathlib import Path
    from yggdrasil import block

    @block("tiny/development", outputs={"intent": str})
    def development(world: dict, action: str | None = None) -> str:
        return action or "the wind turns"

    @block("tiny/architect", outputs={"blueprint": dict})
    def architect(intent: str) -> dict:
        if Path("broken").exists():
            raise ValueError("no wood is left")
        return {"of": intent}

    @block("tiny/creator", outputs={"artifacts": dict}, blocking=True)
    def creator(blueprint: dict) -> dict:
        while Path("slow").exists():
            time.sleep(0.02)
        return {"texts": [blueprint["of"]]}

    @block("tiny/philosopher", outputs={"description": str})
    def philosopher(artifacts: dict) -> str:
        return "It shows: " + artifacts["texts"][0]

    @block("tiny/author", outputs={"chronicle": str})
    def author(description: str) -> str:
        return "So it went. " + description

    @block("tiny/update", outputs={"patch": list})
    def update(chronicle: str, world: dict) -> list:
        days = {"op": "replace", "path": "/days", "value": world["days"] + 1}
        return [days, {"op": "add", "path": "/history/-", "value": chronicle}]
"""
WORLD = """
    kind: world
    version: 1
    name: tiny
    execution:
      stages:
        philosopher: {type: tiny/philosopher}
        author: {type: tiny/author}
        environment: {update: {type: tiny/update}, development: {type: tiny/development}}
        architect: {type: tiny/architect}
        creator: {type: tiny/creator}
    content: {days: 0}
"""


@pytest.fixture
def tiny(here: Path) -> Path:
    """A project with a small world in it; `broken` and `slow` beside it make it so."""
    folder = here / "worlds" / "tiny"
    (folder / "blocks").mkdir(parents=True)
    (here / "yggdrasil.toml").write_text("")
    (folder / "world.yaml").write_text(dedent(WORLD))
    (folder / "blocks" / "stages.py").write_text(dedent(BLOCKS))
    return here


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def ticks(text: str) -> list[int]:
    return [event["tick"] for event in events(text) if event["event"] == "tick_finished"]


def test_midgard_lives_and_goes_on(yggdrasil: Command, here: Path) -> None:
    first = yggdrasil("run", "midgard", "--ticks", "2", "--seed", "3")
    assert (first.code, first.err) == (0, "")
    assert "tick 2" in first.out
    second = yggdrasil("run", "midgard", "--action", "Kara lights the beacon", "--json")
    assert ticks(second.out) == [3]
    assert all(event["tick"] in (2, 3) for event in events(second.out)), "every event has its tick"
    assert {"stage_started", "stage_finished", "world_updated", "tick_started"} <= {
        e["event"] for e in events(second.out)
    }
    pictures = sorted((here / "midgard-pictures").iterdir())
    assert [p.name for p in pictures] == ["tick-0001.png", "tick-0002.png", "tick-0003.png"]
    assert len({p.read_bytes() for p in pictures}) == 3
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in pictures)
    assert yggdrasil("run", "midgard", "--seed", "4").code == exits.INVALID.code


def test_show_and_export(yggdrasil: Command, here: Path) -> None:
    new = json.loads(yggdrasil("show", "midgard", "--json").out)
    assert new["tick"] == 0
    assert not list(here.iterdir()), "looking writes nothing"
    for store in ("a.db", "b.db"):
        run = yggdrasil(
            "run", "midgard", "--overlay", "text", "--ticks", "3", "--store", f"sqlite:///{store}", "--json"
        )
        finished = next(e for e in reversed(events(run.out)) if e["event"] == "tick_finished")
        shown = json.loads(
            yggdrasil("show", "midgard", "--overlay", "text", "--store", f"sqlite:///{store}", "--json").out
        )
        assert (shown["tick"], len(shown["tick_hash"])) == (3, 64)
        for key in ("content_hash", "tick_hash"):
            assert shown[key] == finished[key] != new[key]
    exports = [yggdrasil("export", "midgard", "--content", "--json", "--store", f"sqlite:///{s}.db").out for s in "ab"]
    assert exports[0] == exports[1]
    content = json.loads(exports[0])
    assert len(content["history"]) == 2
    assert "pictures" not in yggdrasil("show", "midgard", "--store", "sqlite:///a.db").out
    assert not list(here.glob("*-pictures"))

    saved = yggdrasil("export", "midgard", "--content", "--store", "sqlite:///a.db", "--output", "ended.yaml")
    assert "ended.yaml" in saved.err
    assert yggdrasil("export", "ended.yaml", "--content", "--json").out == exports[0], "an End World can be opened"
    refused = yggdrasil("run", "ended.yaml")
    assert refused.code == exits.FAILED.code
    assert "End World" in refused.err
    assert not list(here.glob("midgard.db*")), "a refused run leaves nothing"


def test_the_first_signal_stops_at_a_safe_point(start: Start, yggdrasil: Command, tiny: Path) -> None:
    process = start("run", "tiny", "--ticks", "100000", "--action", "it's spring", "--json")
    assert process.stdout is not None
    lines = []
    while len(ticks("".join(lines))) < 3:
        lines.append(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == exits.STOPPED.code, err
    done = ticks("".join(lines) + out)
    assert done == list(range(1, len(done) + 1))
    words = shlex.split(err.strip().splitlines()[-1].partition("with: ")[2])
    assert words == ["yggdrasil", "run", "tiny", "--ticks", str(100000 - len(done))]
    assert "Traceback" not in err
    again = yggdrasil("run", "tiny", "--ticks", "2", "--json")
    assert ticks(again.out) == [len(done) + 1, len(done) + 2]


def test_the_second_signal_stops_at_once(start: Start, yggdrasil: Command, tiny: Path) -> None:
    (tiny / "slow").touch()
    process = start("run", "tiny", "--ticks", "5", "--json")
    assert process.stdout is not None
    line = process.stdout.readline()
    while '"stage_started"' not in line or '"creator"' not in line:
        line = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    assert "safe point" in process.stderr.readline()
    asked = time.perf_counter()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert time.perf_counter() - asked < 10
    assert process.returncode == exits.STOPPED.code
    assert "go on with: yggdrasil run tiny --ticks 5" in err
    (tiny / "slow").unlink()
    assert ticks(yggdrasil("run", "tiny", "--ticks", "2", "--json").out) == [1, 2]


def test_two_processes_on_one_world(start: Start, yggdrasil: Command, tiny: Path) -> None:
    (tiny / "slow").touch()
    process = start("run", "tiny", "--json")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        while '"creator"' not in line:
            line = process.stdout.readline()
        second = yggdrasil("run", "tiny")
        assert second.code == exits.HELD.code
        assert str(process.pid) in second.err, "it names the holder"
        assert "Traceback" not in second.err
        shown = json.loads(yggdrasil("show", "tiny", "--json").out)
        assert shown["tick"] == 0, "looking needs no lease"
    finally:
        process.kill()
        process.communicate()
    (tiny / "slow").unlink()
    assert ticks(yggdrasil("run", "tiny", "--json").out) == [1], "the lease of a dead process passes on"


def test_a_parked_world_says_why_and_goes_on(yggdrasil: Command, tiny: Path) -> None:
    (tiny / "broken").touch()
    parked = yggdrasil("run", "tiny", "--ticks", "2", "--action", "build")
    assert parked.code == exits.FAILED.code
    assert "architect" in parked.err
    assert "no wood is left" in parked.err
    assert "yggdrasil run tiny --ticks 2" in parked.err
    assert "Traceback" not in parked.err
    (tiny / "broken").unlink()
    mended = yggdrasil("run", "tiny", "--ticks", "2")
    assert mended.code == 0, mended.err
    assert "creator: build" in mended.out, "the action was not lost"


def test_whoever_reads_may_leave(start: Start, tiny: Path) -> None:
    with start("run", "tiny", "--ticks", "100000", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == exits.STOPPED.code
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("run", "tinny"), 3, "'tiny'"),
        (("run", "tiny", "--overlay", "no"), 3, "overlay"),
        (("run", "tiny", "--store", "worlds"), 5, "worlds"),
        (("run", "tiny", "--store", "mysql://x"), 3, "sqlite"),
        (("show", "tiny", "--store", "sqlite:///none.db"), 5, "none.db"),
        (("export", "tiny", "--content"), 5, "yggdrasil run tiny"),
        (("export", "tiny", "--content", "--store", "yggdrasil.toml"), 5, "yggdrasil.toml"),
    ],
)
def test_what_is_wrong_is_said(yggdrasil: Command, tiny: Path, words: tuple[str, ...], code: int, said: str) -> None:
    before = sorted(tiny.rglob("*"))
    done = yggdrasil(*words)
    assert done.code == code, done.err
    assert said in done.err
    assert done.err.startswith("error: ")
    assert "fault of yggdrasil" not in done.err
    assert [p for p in sorted(tiny.rglob("*")) if "__pycache__" not in p.parts and p not in before] == []


def test_a_world_that_reads_what_nobody_fills(yggdrasil: Command, tiny: Path) -> None:
    path = tiny / "worlds" / "tiny" / "world.yaml"
    path.write_text(path.read_text().replace("type: tiny/architect", "type: tiny/author"))
    for command in ("validate", "run"):
        done = yggdrasil(command, "tiny")
        assert done.code == exits.INVALID.code
        assert "architect" in done.err
    assert not (tiny / "tiny.db").exists()
