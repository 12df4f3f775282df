"""Everything that may befall a machine while a world lives on SQLite, at random; in the end it is as if nothing had.

A life of 30 ticks is disturbed again and again: killed; the power cut, so that of what was not synced some is lost
and some is torn; a sync that fails; a disk that is full; a clock that jumps a day ahead or back. Faults are made below
SQLite, by `faults/shim.c`.
"""

from __future__ import annotations

import random
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.faults.life import TICKS, Life
from tests.scenario.faults.powercut import cut_power

KINDS = ("kill", "power", "sync", "space", "clock")


@dataclass
class OnDisk(Life):
    """One world on one file."""

    kind: str = ""
    lost: int = 0

    @property
    def file(self) -> Path:
        return self.folder / "store" / "w.db"

    def start(self, **faults: str) -> subprocess.Popen[str]:
        self.file.parent.mkdir(exist_ok=True)
        given = {"FAULTS_ROOT": f"{self.file.parent}/", "FAULTS_LOG": str(self.folder / "writes"), **faults}
        return super().start(**given)

    def disturb(self) -> None:
        """Start it, let one fault befall it, and look what is left."""
        self.kind = self.dice.choice(KINDS)
        faults = {
            "sync": {"FAULTS_SYNC": str(self.dice.randint(1, 60))},
            "space": {"FAULTS_SPACE": str(self.dice.randint(0, 400_000))},
            "clock": {"FAULTS_CLOCK": str(self.dice.randint(1, 10**6))},
        }.get(self.kind, {})
        process = self.start(**faults)
        self.kill_after(process, self.later() if self.kind in ("kill", "power", "clock") else TICKS)

    def restore(self) -> None:
        if self.kind in ("power", "sync"):  # what the system could not sync, it may have dropped
            self.lost += cut_power(self.folder / "writes", self.dice)
        (self.folder / "writes").unlink(missing_ok=True)

    def records(self) -> list[Any]:
        return super().records() if self.file.exists() else []


def live(shim: Path, folder: Path, seed: int, faults: int) -> OnDisk:
    folder.mkdir()
    life = OnDisk(folder, shim, random.Random(seed), f"sqlite:///{folder / 'store' / 'w.db'}")
    for _ in range(faults):
        life.disturb()
    life.end()
    return life


@pytest.mark.timeout(300)
def test_fifty_faults(shim: Path, tmp_path: Path) -> None:
    lives = [live(shim, tmp_path / str(seed), seed, 10) for seed in range(5)]
    assert sum(life.lost for life in lives) > 0, "no power cut took anything"
    assert sum(life.refused for life in lives) > 0, "no sync failed and no disk was full"


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_thousand_faults(shim: Path, tmp_path: Path) -> None:
    for seed in range(1000, 1100):
        live(shim, tmp_path / str(seed), seed, 10)
