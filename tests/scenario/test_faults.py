"""Everything that may befall a machine while a world lives on SQLite, at random; in the end it is as if nothing had.

A life of `TICKS` ticks is disturbed again and again: killed; the power cut, so that of what was not synced some is lost
and some is torn; a sync that fails; a disk that is full; a clock that jumps a day ahead or back. Faults are made below
SQLite, by `faults/shim.c`.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.levels.test_world_processes import SCRIPT, check_effects, records, undisturbed, worlds
from tests.scenario.faults.powercut import cut_power

SHIM = Path(__file__).parent / "faults" / "shim.c"
TICKS = 30
KINDS = ("kill", "power", "sync", "space", "clock")


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shim") / "shim.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", made, SHIM, "-ldl", "-lpthread"], check=True)
    return made


@dataclass
class Life:
    """One world on one file, and what became of it."""

    folder: Path
    shim: Path
    dice: random.Random
    acknowledged: int = 0
    pids: list[int] = field(default_factory=list)
    recorded: dict[int, set[str]] = field(default_factory=dict)
    lost: int = 0
    seen: set[str] = field(default_factory=set)

    @property
    def file(self) -> Path:
        return self.folder / "store" / "w.db"

    @property
    def log(self) -> Path:
        return self.folder / "effects"

    def start(self, **faults: str) -> subprocess.Popen[str]:
        self.file.parent.mkdir(exist_ok=True)
        given = {"FAULTS_ROOT": f"{self.file.parent}/", "FAULTS_LOG": str(self.folder / "writes"), **faults}
        command = [sys.executable, str(SCRIPT), f"sqlite:///{self.file}", str(TICKS), "effects", str(self.log)]
        environment = {**os.environ, "LD_PRELOAD": str(self.shim), **given}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        self.pids.append(process.pid)
        return process

    def disturb(self, kind: str) -> None:
        """Start it, let one fault befall it, and look what is left."""
        faults = {
            "sync": {"FAULTS_SYNC": str(self.dice.randint(1, 60))},
            "space": {"FAULTS_SPACE": str(self.dice.randint(0, 400_000))},
            "clock": {"FAULTS_CLOCK": str(self.dice.randint(1, 10**6))},
        }.get(kind, {})
        process = self.start(**faults)
        until = self.acknowledged + self.dice.randint(0, 5)
        said, errors = self.follow(process, until if kind in ("kill", "power", "clock") else TICKS)
        if process.returncode > 0:
            self.seen.add("refused")
            assert re.search(r"StoreFullError|StoreError", errors), errors
        if kind in ("power", "sync"):  # what the system could not sync, it may have dropped
            self.lost += cut_power(self.folder / "writes", self.dice)
        (self.folder / "writes").unlink(missing_ok=True)
        self.check(process.pid, said)

    def follow(self, process: subprocess.Popen[str], until: int) -> tuple[int, str]:
        """Read what it says; kill it a moment after that tick. The last tick it told of."""
        said = self.acknowledged
        assert process.stdout is not None
        if until < TICKS and self.dice.random() < 0.2:
            time.sleep(self.dice.uniform(0, 0.6))  # it may die as it opens
        else:
            for line in process.stdout:
                word, number, *_ = line.split()
                if word == "tick":
                    said = int(number)
                if word in ("open", "tick") and int(number) >= until and until < TICKS:
                    time.sleep(self.dice.uniform(0, 0.01))
                    break
        if until < TICKS:
            process.kill()
        rest, errors = process.communicate(timeout=60)
        ticks = [int(line.split()[1]) for line in rest.splitlines() if line.startswith("tick ")]
        return max([said, *ticks]), errors

    def check(self, pid: int, said: int) -> None:
        there = records(self.file) if self.file.exists() else []
        finished = [record.data["tick"] for record in there if record.kind == "finished"]
        assert finished == list(range(1, len(finished) + 1))
        assert len(finished) >= said, f"tick {said} was told of, and is lost"
        assert [record.sequence for record in there] == list(range(1, len(there) + 1)), "a gap in the journal"
        self.acknowledged = len(finished)
        self.recorded[pid] = {str(record.data["request"]) for record in there if record.kind == "effect"}

    def end(self) -> None:
        process = self.start()
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        found = re.search(r"end (\w+) (\w+)", out)
        assert found is not None, out
        assert found.groups() == undisturbed("effects", self.folder / "undisturbed")
        check_effects(records(self.file), worlds.Log(self.log).lines(), self.recorded, self.pids)


def live(shim: Path, folder: Path, seed: int, faults: int) -> Life:
    life = Life(folder, shim, random.Random(seed))
    for _ in range(faults):
        life.disturb(life.dice.choice(KINDS))
    life.end()
    return life


@pytest.mark.timeout(300)
def test_fifty_faults(shim: Path, tmp_path: Path) -> None:
    lives = []
    for seed in range(5):
        (tmp_path / str(seed)).mkdir()
        lives.append(live(shim, tmp_path / str(seed), seed, 10))
    assert sum(life.lost for life in lives) > 0, "no power cut took anything"
    assert any("refused" in life.seen for life in lives), "no sync failed and no disk was full"


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_thousand_faults(shim: Path, tmp_path: Path) -> None:
    for seed in range(1000, 1100):
        (tmp_path / str(seed)).mkdir()
        live(shim, tmp_path / str(seed), seed, 10)
