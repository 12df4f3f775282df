"""`yggdrasil up` and those who steer it, each a real process on one SQLite file."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from yggdrasil.abc.store import Record
from yggdrasil.storage.sqlite import SqliteStore

pytestmark = pytest.mark.timeout(120)
STORE = "sqlite:///worlds.db"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    spec = importlib.util.spec_from_file_location("steered_worlds", Path(__file__).with_name("steered_worlds.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write_project(tmp_path)
    return tmp_path


def command(project: Path, *words: str, code: int = 0) -> str:
    """What a command prints; it must end with `code`."""
    done = subprocess.run(
        [sys.executable, "-m", "yggdrasil", *words], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def standing(project: Path) -> dict[str, dict[str, Any]]:
    lines = command(project, "ps", "--store", STORE, "--json").splitlines()
    return {each["name"]: each for each in map(json.loads, lines)}


class Up:
    """A process that runs worlds."""

    def __init__(self, project: Path, *worlds: str) -> None:
        self.project = project
        self.log = project / f"up-{time.monotonic_ns()}.jsonl"
        with self.log.open("w") as out:
            words = [sys.executable, "-m", "yggdrasil", "up", *worlds, "--store", STORE, "--json"]
            self.process = subprocess.Popen(words, cwd=project, stdout=out, stderr=subprocess.PIPE, text=True)

    def events(self, world: str = "", kind: str = "") -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines(keepends=True)
        found = [json.loads(line) for line in lines if line.endswith("\n")]
        return [e for e in found if kind in ("", e["event"]) and world in ("", e["path"].partition("/")[0])]

    def ticks(self, world: str) -> int:
        return len(self.events(world, "tick_finished"))

    def wait(self, holds: Callable[[], bool]) -> None:
        """Until it holds."""
        until = time.monotonic() + 30
        while not holds():
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < until, self.log.read_text()[-2000:]
            time.sleep(0.05)

    def end(self, sign: int = signal.SIGTERM) -> int:
        self.process.send_signal(sign)
        self.process.communicate(timeout=30)
        return self.process.returncode


@pytest.fixture
def begun() -> Iterator[list[Up]]:
    """Whatever is put in here is ended with the test."""
    there: list[Up] = []
    yield there
    for up in there:
        if up.process.poll() is None:
            up.end(signal.SIGKILL)


def records(project: Path, world: str) -> list[Record]:
    async def read() -> list[Record]:
        async with SqliteStore(project / "worlds.db") as store:
            return await store.read(world)

    return anyio.run(read)


def test_worlds_are_steered_from_other_processes(project: Path, begun: list[Up]) -> None:
    up = Up(project, "wood", "slow")
    begun.append(up)
    up.wait(lambda: up.ticks("wood") >= 3 and up.ticks("slow") == 1)
    there = standing(project)
    assert {each["state"] for each in there.values()} == {"living"}
    assert there["wood"]["holder"].endswith(f":{up.process.pid}")

    command(project, "pause", "wood", "--store", STORE)
    up.wait(lambda: bool(up.events("wood", "world_paused")))
    assert standing(project)["wood"]["state"] == "paused"
    before = up.ticks("wood")
    command(project, "step", "wood", "--store", STORE)
    up.wait(lambda: up.ticks("wood") == before + 1)
    command(project, "act", "wood", "a storm", "--store", STORE)
    command(project, "step", "wood", "--store", STORE)
    up.wait(lambda: up.ticks("wood") == before + 2)
    assert up.events("wood", "tick_finished")[-1]["state"]["intent"] == "a storm"
    command(project, "resume", "wood", "--store", STORE)
    up.wait(lambda: up.ticks("wood") > before + 4)

    command(project, "act", "slow", "a beacon", "--store", STORE)
    up.wait(lambda: up.ticks("slow") == 2)
    command(project, "stop", "wood", "--store", STORE)
    up.wait(lambda: bool(up.events("wood", "world_stopped")))
    assert {n: each["state"] for n, each in standing(project).items()} == {"wood": "resting", "slow": "living"}
    command(project, "stop", "slow", "--store", STORE)
    up.process.communicate(timeout=30)
    assert up.process.returncode == 0, "all were stopped, so it ends"


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_at_safe_points(project: Path, begun: list[Up], sign: int) -> None:
    up = Up(project, "wood", "slow", "ill")
    begun.append(up)
    up.wait(lambda: up.ticks("wood") >= 2 and up.ticks("slow") == 1 and up.ticks("ill") >= 1)
    assert up.end(sign) == 130
    for world in ("wood", "slow", "ill"):
        assert records(project, world)[-1].kind == "stopped"
        assert up.events(world, "world_stopped")[-1]["reason"] == "a signal"
    assert {each["holder"] for each in standing(project).values()} == {""}


def test_one_that_needs_a_person_waits_and_the_others_live_on(project: Path, begun: list[Up]) -> None:
    (project / "ill").touch()
    up = Up(project, "wood", "ill")
    begun.append(up)
    up.wait(lambda: bool(up.events("ill", "world_parked")))
    before = up.ticks("wood")
    up.wait(lambda: up.ticks("wood") > before + 2)
    there = standing(project)
    assert there["ill"]["state"] == "parked"
    assert "it is ill" in there["ill"]["why"]
    assert "not parked" in command(project, "resume", "wood", "--retry", "--store", STORE, code=1)
    said = command(project, "resume", "ill", "--edit", "[1, 2]", "--store", STORE, code=3)
    assert "blueprint" in said
    assert "no request changed" in command(project, "resume", "ill", "--migrate", "--store", STORE, code=1)
    (project / "mine.md").write_text("a picture by hand")
    command(project, "resume", "ill", "--edit", "mine.md", "--store", STORE)
    up.wait(lambda: up.ticks("ill") == 1 and len(up.events("ill", "world_parked")) == 2)
    assert up.events("ill", "tick_finished")[0]["state"]["artifacts"] == {"texts": ["a picture by hand"]}
    command(project, "resume", "ill", "--skip", "--store", STORE)
    up.wait(lambda: up.ticks("ill") == 2 and len(up.events("ill", "world_parked")) == 3)
    (project / "ill").unlink()
    command(project, "resume", "ill", "--retry", "--store", STORE)
    up.wait(lambda: up.ticks("ill") >= 4)
    assert [each["how"] for each in up.events("ill", "world_mended")] == ["edit", "skip"]


def test_what_is_said_while_nobody_runs_it_is_read_by_the_next_who_does(project: Path, begun: list[Up]) -> None:
    (project / "ill").touch()
    command(project, "run", "ill", "--store", STORE, code=1)
    assert standing(project)["ill"]["state"] == "parked"
    command(project, "resume", "ill", "--edit", "a picture by hand", "--store", STORE)
    assert standing(project)["ill"]["letters"] == 1
    command(project, "pause", "ill", "--store", STORE)
    command(project, "step", "ill", "--store", STORE)
    up = Up(project, "ill")
    begun.append(up)
    up.wait(lambda: up.ticks("ill") == 1 and bool(up.events("ill", "world_paused")))
    assert standing(project)["ill"]["state"] == "paused"
    said = command(project, "act", "nowhere", "x", "--store", STORE, code=5)
    assert "no world 'nowhere'" in said


def test_killed_and_up_again_it_goes_on_and_what_waits_still_waits(project: Path, begun: list[Up]) -> None:
    up = Up(project, "wood", "shy")
    begun.append(up)
    up.wait(lambda: up.ticks("wood") >= 3 and bool(up.events("shy", "world_parked")))
    assert standing(project)["shy"]["state"] == "waiting"
    up.end(signal.SIGKILL)
    assert standing(project)["shy"]["state"] == "waiting", "nobody holds it, and the question stands"
    again = Up(project, "wood", "shy")
    begun.append(again)
    again.wait(lambda: again.ticks("wood") >= 3)
    assert again.events("wood", "world_opened")[0]["resumed"]
    assert again.ticks("shy") == 0
    command(project, "approve", "shy", "--store", STORE)
    again.wait(lambda: again.ticks("shy") == 1)
    again.end()
    finished = [r.data["tick"] for r in records(project, "wood") if r.kind == "finished"]
    assert finished == list(range(1, len(finished) + 1))
    whole = records(project, "shy")
    assert [r.sequence for r in whole] == list(range(1, len(whole) + 1))
    calls = [r.data["path"] for r in whole if r.kind == "effect" and r.data["what"] == "model"]
    assert len(calls) >= 2
    assert len({(r.data["scope"], r.data["path"], r.data["ordinal"]) for r in whole if r.kind == "effect"}) == len(
        [r for r in whole if r.kind == "effect"]
    ), "nothing was recorded twice"


def test_approved_while_nobody_runs_it_it_goes_on_by_itself_when_somebody_does(
    project: Path, begun: list[Up]
) -> None:
    command(project, "run", "shy", "--store", STORE, code=7)
    command(project, "approve", "shy", "--store", STORE)
    assert standing(project)["shy"]["state"] == "resting"
    up = Up(project, "shy")
    begun.append(up)
    up.wait(lambda: up.ticks("shy") == 1)
