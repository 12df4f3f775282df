"""A world's life that is disturbed again and again, and what became of it: in the end it is as if nothing had."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from tests.levels.test_world_processes import SCRIPT, check_effects, records, undisturbed, worlds
from yggdrasil.levels.verify import verify
from yggdrasil.storage.open import open_store

TICKS = 30


@dataclass
class Life:
    """One world in one store. What is to befall it, its kinds say."""

    folder: Path
    shim: Path
    dice: random.Random
    url: str
    acknowledged: int = 0
    pids: list[int] = field(default_factory=list)
    recorded: dict[int, set[str]] = field(default_factory=dict)
    refused: int = 0

    @property
    def log(self) -> Path:
        """What its effects did."""
        return self.folder / "effects"

    def start(self, **faults: str) -> subprocess.Popen[str]:
        """A process that lives it up to `TICKS`; the faults are for shim.c."""
        command = [sys.executable, str(SCRIPT), self.url, str(TICKS), "effects", str(self.log)]
        environment = {**os.environ, "LD_PRELOAD": str(self.shim), **faults}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        self.pids.append(process.pid)
        return process

    def later(self) -> int:
        """A tick not far ahead."""
        return self.acknowledged + self.dice.randint(0, 5)

    def ticks(self, process: subprocess.Popen[str]) -> Iterator[int]:
        """The ticks that it says it opened at, or has lived."""
        assert process.stdout is not None
        for line in process.stdout:
            word, number, *_ = line.split()
            if word in ("open", "tick"):
                yield int(number)

    def kill_after(self, process: subprocess.Popen[str], tick: int, said: int = 0) -> None:
        """Kill it a moment after that tick, and look at what is left. `said` is what it told of already."""
        told = max(said, self.acknowledged)
        if tick < TICKS and self.dice.random() < 0.2:
            time.sleep(self.dice.uniform(0, 0.6))  # it may die as it opens
        else:
            for told in self.ticks(process):
                if tick <= told < TICKS:
                    time.sleep(self.dice.uniform(0, 0.01))
                    break
        if tick < TICKS:
            process.kill()
        self.leave(process, told)

    def leave(self, process: subprocess.Popen[str], said: int) -> None:
        """Its last words; then what it left, against what it said."""
        rest, errors = process.communicate(timeout=60)
        said = max([said, *(int(line.split()[1]) for line in rest.splitlines() if line.startswith("tick "))])
        if process.returncode > 0:
            self.refused += 1
            assert re.search(r"StoreFullError|StoreError", errors), errors
        self.restore()
        there = self.records()
        finished = [record.data["tick"] for record in there if record.kind == "finished"]
        assert finished == list(range(1, len(finished) + 1))
        assert len(finished) >= said, f"tick {said} was told of, and is lost"
        assert [record.sequence for record in there] == list(range(1, len(there) + 1)), "a gap in the journal"
        self.acknowledged = len(finished)
        self.recorded[process.pid] = {str(record.data["request"]) for record in there if record.kind == "effect"}

    def records(self) -> list[Any]:
        """What is in the journal."""
        return records(self.url)

    def restore(self) -> None:
        """The machine as it is after the fault."""

    def end(self) -> None:
        """Let it live to its end undisturbed, and compare."""
        process = self.start()
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        found = re.search(r"end (\w+) (\w+)", out)
        assert found is not None, out
        assert found.groups() == undisturbed("effects", self.folder / "undisturbed")
        check_effects(self.records(), worlds.Log(self.log).lines(), self.recorded, self.pids)
        anyio.run(self._verify)

    async def _verify(self) -> None:
        async with open_store(self.url) as store:
            found = await verify(store, "toy", worlds.effect_world(worlds.Log(self.log), 0))
        assert found.whole, found.problems
