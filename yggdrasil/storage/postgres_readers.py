"""A few threads that read, each with a connection of its own, made when it is needed.

psycopg's own pool hands connections to threads that wait; here the callers are tasks of an event loop, and the
threads are ours anyway: a connection each is all the pool there is to keep.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from yggdrasil.storage.postgres_ear import FAULTS
from yggdrasil.storage.postgres_place import Place, lost, translate
from yggdrasil.storage.postgres_reads import Reader
from yggdrasil.storage.postgres_schema import connect
from yggdrasil.storage.thread import Job, Worker

READERS = 4


class Readers:
    """At most `READERS` of them, however many stores and worlds of this process read."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._all: list[_One] = []
        self._gate = threading.Lock()

    async def do(self, work: Callable[[Reader], Any]) -> Any:
        """Do `work` on a connection that nobody else uses meanwhile."""
        one = self._pick()
        try:
            return await one.worker.do(work)
        finally:
            with self._gate:
                one.waiting -= 1

    def close(self) -> None:
        """Do what was handed over, and close. Blocks."""
        with self._gate:
            going, self._all = self._all, []
        for one in going:
            one.close()

    def _pick(self) -> _One:
        with self._gate:
            best = min(self._all, key=lambda one: one.waiting, default=None)
            if best is None or (best.waiting and len(self._all) < READERS):
                best = _One(self._place)
                self._all.append(best)
            best.waiting += 1
            return best


class _One:
    def __init__(self, place: Place) -> None:
        self.waiting = 0
        self._place = place
        self._reader: Reader | None = None
        self.worker = Worker("yggdrasil-postgres-reader", self._carry_out)

    def close(self) -> None:
        self.worker.stop()
        self._drop()

    def _drop(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.connection.close()

    def _carry_out(self, jobs: list[Job]) -> None:
        for job in jobs:
            try:
                job.result = self._read(job.work)
            except FAULTS as error:
                job.error = translate(error, self._place)
            except Exception as error:  # handed to the one who waits
                job.error = error

    def _read(self, work: Callable[[Reader], Any]) -> Any:
        there = self._reader is not None
        try:
            return work(self._connected())
        except FAULTS as error:
            if not lost(error):
                raise
            self._drop()
            if not there:
                raise
        return work(self._connected())  # the connection had gone while nobody used it: once more, on a new one

    def _connected(self) -> Reader:
        if self._reader is None:
            self._reader = Reader(connect(self._place), self._place)
        return self._reader
