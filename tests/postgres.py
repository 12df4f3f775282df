"""A real PostgreSQL for the tests: started by them as an ordinary user, on loopback, with its default durability.

`postgres()` gives one server for the whole process, started when it is first asked for and stopped when the
process ends, however it ends. A machine without PostgreSQL fails the tests and says what to install;
YGG_NO_POSTGRES=1 skips them.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

MISSING = (
    "these tests need PostgreSQL 13 or newer: initdb and postgres on PATH (Debian: apt-get install postgresql, "
    "and PATH=/usr/lib/postgresql/15/bin:$PATH); YGG_NO_POSTGRES=1 leaves them out"
)

# A server whose parent is gone stops by itself: this small process waits for the tests and ends it after them.
_GUARD = """
import os, signal, shutil, sys, time
home, user, group = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sys.stdin.read()
try:
    with open(f"{home}/data/postmaster.pid") as file:
        pid = int(file.readline())
    os.kill(pid, signal.SIGQUIT)
    for _ in range(200):
        os.kill(pid, 0)
        time.sleep(0.05)
except (OSError, ValueError):
    pass
shutil.rmtree(home, ignore_errors=True)
"""


class Postgres:
    """A server in a temporary folder. It may be killed and started again; data and port stay."""

    def __init__(self, *settings: str) -> None:
        for binary in ("initdb", "postgres"):
            if shutil.which(binary) is None:
                raise FileNotFoundError(f"{binary} is not on PATH: {MISSING}")
        self.settings = settings
        self.home = Path(tempfile.mkdtemp(prefix="ygg-postgres-"))
        self._as_user: dict[str, Any] = {}
        user, group = os.getuid(), os.getgid()
        if user == 0:  # the server refuses to run as root
            entry = pwd.getpwnam("postgres")
            user, group = entry.pw_uid, entry.pw_gid
            os.chown(self.home, user, group)
            self._as_user = {"user": user, "group": group, "extra_groups": []}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._guard = subprocess.Popen(
            [sys.executable, "-c", _GUARD, str(self.home), str(user), str(group)],
            stdin=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self._server: subprocess.Popen[bytes] | None = None
        self._names = itertools.count(1)
        self._run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
        self.start()

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, cwd=self.home, capture_output=True, check=False, **self._as_user)
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr.decode()}")

    def start(self, **environment: str) -> bool:
        """Start it, and wait until it answers; whether it does, where faults are given it for shim.c to make."""
        options = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.home),
            "max_connections": 200,
        }  # fmt: skip
        given = [f"--{name}={value}" for name, value in options.items()] + [f"--{one}" for one in self.settings]
        with (self.home / "log").open("ab") as log:
            self._server = subprocess.Popen(
                ["postgres", "-D", "data", *given], cwd=self.home, stdout=log, stderr=log,
                env={**os.environ, **environment}, **self._as_user,
            )  # fmt: skip
        until = time.monotonic() + 60
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > until:
                if environment:
                    return False
                raise RuntimeError(f"the server did not start: {(self.home / 'log').read_text()[-2000:]}")
            time.sleep(0.05)
        return True

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.dsn("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """kill -9 of the postmaster; its children notice and end, and then it may be started again."""
        assert self._server is not None
        if self._server.poll() is not None:
            return
        children = self._children()
        self._server.send_signal(signal.SIGKILL)
        self._server.wait()
        until = time.monotonic() + 30
        while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < until:
            time.sleep(0.02)

    def _children(self) -> list[int]:
        assert self._server is not None
        found = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children")
        return [int(child) for child in found.read_text().split()]

    def dsn(self, database: str) -> str:
        """How a database of it is reached."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def query(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """What an SQL statement gives, each in a transaction of its own."""
        import psycopg

        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            cursor = connection.execute(sql)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def create(self) -> str:
        """A new database: its URL."""
        name = f"worlds{next(self._names)}"
        self.query(f"CREATE DATABASE {name}")
        return self.dsn(name)

    def stop(self) -> None:
        """Stop it, and leave nothing behind."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGINT)  # a fast shutdown
            try:
                self._server.wait(30)
            except subprocess.TimeoutExpired:
                self._server.kill()
        shutil.rmtree(self.home, ignore_errors=True)
        with suppress(OSError):
            self._guard.communicate(timeout=30)


_shared: list[Postgres] = []


def postgres() -> Postgres:
    """The server that the tests of this process share."""
    if os.environ.get("YGG_NO_POSTGRES") == "1":
        pytest.skip("YGG_NO_POSTGRES=1")
    if not _shared:
        _shared.append(Postgres())
        atexit.register(_shared[0].stop)
    return _shared[0]


@contextmanager
def own_postgres(*settings: str) -> Iterator[Postgres]:
    """A server of one's own, to be killed."""
    if os.environ.get("YGG_NO_POSTGRES") == "1":
        pytest.skip("YGG_NO_POSTGRES=1")
    server = Postgres(*settings)
    try:
        yield server
    finally:
        server.stop()
