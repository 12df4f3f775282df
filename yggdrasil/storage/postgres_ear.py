"""Telling other processes of what was written, and hearing it from them: NOTIFY and LISTEN on one connection.

A notice is sent after its transaction has ended, in one of its own: within a transaction that waits for the disk
it would hold a lock of the whole server. So one may be lost, with the process that was to send it; therefore those
who wait look again now and then by themselves.
"""

from __future__ import annotations

import hashlib
import os
import select
import threading
import time
from collections.abc import Iterable

import psycopg

from yggdrasil.storage.postgres_place import Place
from yggdrasil.storage.postgres_schema import Connection, connect
from yggdrasil.storage.watch import Watchers

GAP = 0.05  # seconds between two notices: what happens meanwhile shares the next one
FALLBACK = 5.0  # seconds until those who wait look by themselves
RETRY = 1.0  # seconds until the connection is tried again
ROOM = 7900  # bytes of one notice; one that would be longer concerns everybody

FAULTS = (psycopg.Error, OSError)


class Ear:
    """The thread with that connection. It tells `watchers` whatever it hears."""

    def __init__(self, place: Place, watchers: Watchers) -> None:
        self._place, self._watchers = place, watchers
        self._channel = "yggdrasil_" + hashlib.sha256(place.schema.encode()).hexdigest()[:16]
        self._untold: set[str] = set()
        self._gate = threading.Lock()
        self._closing = False
        self._marker = ""
        self._told = 0.0
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._thread = threading.Thread(target=self._run, name="yggdrasil-postgres-ear", daemon=True)
        self._thread.start()

    def tell(self, streams: Iterable[str]) -> None:
        """Let all processes know, soon, that these have changed."""
        with self._gate:
            quiet = not self._untold
            self._untold.update(streams)
        if quiet:
            self._nudge()

    def close(self) -> None:
        """Tell what is untold, and end. Blocks."""
        self._closing = True
        self._nudge()
        self._thread.join()
        os.close(self._read)
        os.close(self._write)

    def _nudge(self) -> None:
        try:
            os.write(self._write, b".")
        except BlockingIOError:  # there are enough of them in it
            return

    def _run(self) -> None:
        while True:
            try:
                with connect(self._place) as connection:
                    self._listen(connection)
            except FAULTS:  # those who watch look for themselves, and are told what is wrong
                self._watchers.wake()
            if self._closing:
                return
            self._pause(RETRY)

    def _listen(self, connection: Connection) -> None:
        connection.execute(f"LISTEN {self._channel}")
        self._marker = ""  # something may have been missed
        while True:
            self._tell(connection)
            if self._closing and not self._untold:
                return
            self._hear(connection)

    def _tell(self, connection: Connection) -> None:
        wait = self._told + GAP - time.monotonic()
        if wait > 0 and not self._closing:
            return
        with self._gate:
            names, self._untold = self._untold, set()
        if names:
            try:
                said = "\n".join(names)
                connection.execute(
                    "SELECT pg_notify(%s, %s)", (self._channel, said if len(said.encode()) < ROOM else "")
                )
            except FAULTS:
                with self._gate:
                    self._untold |= names
                raise
            self._told = time.monotonic()
            self._drain(connection)  # what came with the answer wakes no `select`

    def _hear(self, connection: Connection) -> None:
        soon = max(self._told + GAP - time.monotonic(), 0.0) if self._untold else FALLBACK
        ready, _, _ = select.select([connection.fileno(), self._read], [], [], soon)
        if self._read in ready:
            os.read(self._read, 4096)
        self._drain(connection)
        if not ready and soon == FALLBACK and self._watchers:
            self._look(connection)

    def _drain(self, connection: Connection) -> None:
        for notice in connection.notifies(timeout=0):
            if notice.pid != connection.info.backend_pid:  # who waits in this process was told at once
                self._watchers.wake(notice.payload.split("\n") if notice.payload else None)

    def _look(self, connection: Connection) -> None:
        row = connection.execute("SELECT pg_current_snapshot()::text").fetchone()  # changes with every transaction
        marker = str(row and row[0])
        if marker != self._marker:
            self._marker = marker
            self._watchers.wake()

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._closing and (left := until - time.monotonic()) > 0:
            if select.select([self._read], [], [], left)[0]:
                os.read(self._read, 4096)
