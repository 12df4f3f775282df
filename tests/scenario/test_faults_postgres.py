"""Everything that may befall a machine while a world lives on PostgreSQL, at random; it ends as if nothing had.

A life of 30 ticks is disturbed again and again: its process killed, the server killed, its connections cut; the
server's disk full or its syncs failing (by `faults/shim.c`, below the server); the clock of the process jumping.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import psycopg
import pytest

from tests.postgres import Postgres, own_postgres
from tests.scenario.faults.life import Life

CUT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'yggdrasil' AND datname = current_database()"""
CUT_OFF = "terminating connection due to administrator command"


@dataclass
class OnServer(Life):
    """One world in one database of a server that may be killed."""

    server: Postgres = field(kw_only=True)
    faulty: bool = False

    def disturb(self) -> None:
        """Start it, let one fault befall it, and look what is left."""
        self.dice.choice([self.kill, self.cut, self.kill_server, self.sync, self.space, self.clock])()

    def kill(self) -> None:
        self.kill_after(self.start(), self.later())

    def clock(self) -> None:
        self.kill_after(self.start(FAULTS_CLOCK=str(self.dice.randint(1, 10**6))), self.later())

    def cut(self) -> None:
        """Cut its connections some times; it goes on all the same, until it is killed."""
        process, said, cuts = self.start(), self.acknowledged, self.dice.randint(1, 4)
        with psycopg.connect(self.url, autocommit=True) as connection:
            for said in islice(self.ticks(process), cuts):  # noqa: B007
                time.sleep(self.dice.uniform(0, 0.02))
                connection.execute(CUT)
        self.kill_after(process, max(said, self.later()), said)

    def kill_server(self) -> None:
        """Kill the server and start it again; the process goes on, or says that it does not know."""
        process, said = self.start(), self.acknowledged
        until = self.later()
        for said in self.ticks(process):
            if said >= until:
                break
        time.sleep(self.dice.uniform(0, 0.02))
        self.server.kill()
        time.sleep(self.dice.uniform(0, 0.3))
        self.server.start()
        self.kill_after(process, max(said, until) + self.dice.randint(0, 3), said)

    def sync(self) -> None:
        self.on_faulty_disk("FAULTS_SYNC", self.dice.randint(1, 40))

    def space(self) -> None:
        self.on_faulty_disk("FAULTS_SPACE", self.dice.randint(0, 600_000))

    def on_faulty_disk(self, fault: str, number: int) -> None:
        """Each process of the server has this fault, as often as it is begun anew."""
        self.server.kill()
        self.faulty = True
        faults = {"LD_PRELOAD": str(self.shim), "FAULTS_ROOT": f"{self.server.home}/data/", fault: str(number)}
        if not self.server.start(**faults):
            self.restore()  # it did not even start
            return
        process, said, until = self.start(), self.acknowledged, time.monotonic() + self.dice.uniform(0.6, 2)
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        process.kill()
        self.leave(process, said)

    def restore(self) -> None:
        """A server on a sound disk."""
        if self.faulty:
            self.server.kill()
            self.server.start()
            self.faulty = False


def live(server: Postgres, shim: Path, folder: Path, seed: int, faults: int) -> OnServer:
    folder.mkdir()
    life = OnServer(folder, shim, random.Random(seed), server.create(), server=server)
    for _ in range(faults):
        life.disturb()
    life.end()
    return life


@contextmanager
def faulty_server(shim: Path) -> Iterator[tuple[Postgres, Path]]:
    """A server of one's own, and the shim where its user may read it."""
    with own_postgres() as server:
        there = server.home / "shim.so"
        there.write_bytes(shim.read_bytes())
        there.chmod(0o755)
        yield server, there


def live_often(shim: Path, folder: Path, seeds: range) -> str:
    """Ten faults to a life; what the server wrote into its log."""
    with faulty_server(shim) as (server, there):
        for seed in seeds:
            live(server, there, folder / str(seed), seed, 10)
        return (server.home / "log").read_text()


@pytest.mark.timeout(600)
def test_twenty_faults(shim: Path, tmp_path: Path) -> None:
    assert CUT_OFF in live_often(shim, tmp_path, range(2))


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_thousand_faults(shim: Path, tmp_path: Path) -> None:
    log = live_often(shim, tmp_path, range(1000, 1100))
    for what in ("No space left on device", "Input/output error", CUT_OFF):
        assert what in log, f"never befell it: {what}"
