"""One database in this process: the thread that writes it, those that read it, and who watches.

However many stores of a process are open on one database, they share one desk, so that a thousand worlds need a
handful of connections and share each wait for the disk. All that waits goes into one transaction (group commit);
an operation that is refused does not concern the others.

A connection that is lost while a transaction ends leaves its outcome unknown. The next connection finds out by the
number of the turn (postgres_ledger.py): what was committed is answered as such, what was not is done again.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from yggdrasil.errors import StoreError, YggdrasilError
from yggdrasil.storage.asked import Append
from yggdrasil.storage.postgres_ear import FAULTS, Ear
from yggdrasil.storage.postgres_ledger import AgainError, Ledger
from yggdrasil.storage.postgres_place import Place, lost, translate
from yggdrasil.storage.postgres_readers import Readers
from yggdrasil.storage.postgres_reads import Reader
from yggdrasil.storage.postgres_schema import connect, prepare
from yggdrasil.storage.thread import Job, Worker
from yggdrasil.storage.watch import Watchers

ATTEMPTS = 30  # of a transaction that others get in the way of
LOSSES = 3  # connections lost in one transaction
POST = "\tpost"  # no stream is called so
RETURN = 5.0  # seconds in which a lost server may come back before the outcome is told to be unknown

Key = tuple[int, str, str]
_desks: dict[Key, Desk] = {}
_gate = threading.Lock()


@dataclass(slots=True)
class Operation:
    """Something to be done to a stream (or to none).

    tells   those who watch it should look
    posts   those who wait for letters of any stream should look
    """

    stream: str
    work: Callable[[Ledger], Any]
    tells: bool = False
    posts: bool = False

    def __call__(self, ledger: Ledger) -> Any:
        """Do it."""
        return self.work(ledger)


class Desk:
    """Writes and reads of one schema. Blocking parts: making it, and `close`."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.users = 0
        self._ledger: Ledger | None = None
        self._left: Ledger | None = None  # whose last turn nobody knows yet
        try:
            self._ledger = self._connect(first=True)
        except FAULTS as error:
            raise translate(error, place) from error
        self.watchers = Watchers()
        self._readers = Readers(place)
        self._ear = Ear(place, self.watchers)
        self._writes = Worker("yggdrasil-postgres-writer", self._commit_together, begin=self._begin)

    def write(self, work: Append | Operation) -> Coroutine[Any, Any, Any]:
        """Do `work` in the next transaction and return when it is durable; then those who watch its stream wake."""
        return self._writes.do(work)

    def write_unawaited(self, work: Operation) -> None:
        """The same for one who cannot wait (a cancelled task); what comes of it is not told."""
        self._writes.hand_over(Job(work, None))

    def read(self, work: Callable[[Reader], Any]) -> Coroutine[Any, Any, Any]:
        """Do `work` on a reading thread."""
        return self._readers.do(work)

    def close(self) -> None:
        """Write what was handed over, tell of it, and close the connections."""
        self._writes.stop()
        self._readers.close()
        self._ear.close()
        if self._ledger is not None:
            with suppress(*FAULTS):  # a row that stays is harmless
                self._ledger.retire()
            self._ledger.connection.close()

    def _commit_together(self, jobs: list[Job]) -> None:
        try:
            self._transact(jobs)
        except Exception as error:  # of one job, but none of them is written: each again, alone
            fault = isinstance(error, FAULTS)
            if len(jobs) > 1 and not (fault and lost(error)) and not isinstance(error, StoreError):
                for job in jobs:
                    self._commit_together([job])
                return
            for job in jobs:
                job.error = translate(error, self.place) if isinstance(error, FAULTS) else error
        self._announce(jobs)

    def _transact(self, jobs: list[Job]) -> None:
        losses = 0
        for _ in range(ATTEMPTS):
            ledger = self._ledger or self._connect()
            try:
                self._try(ledger, jobs)
                return
            except AgainError:
                ledger.rollback()
            except FAULTS as error:
                if not (lost(error) or ledger.connection.closed):
                    if ledger.doubts(error):
                        continue
                    self._undo(ledger)
                    raise
                losses += 1
                if self._was_written(ledger, error):
                    return
                if losses == LOSSES:
                    raise
            except Exception:
                self._undo(ledger)
                raise
        raise StoreError("other processes write the same streams all the time", path=self.place.shown, hint="try again")

    def _try(self, ledger: Ledger, jobs: list[Job]) -> None:
        begun, jobs[0].begun = jobs[0].begun, False
        if ledger.finish() if begun else self._admit(ledger, jobs) and ledger.send():
            return
        ledger.begin(sorted(_streams(jobs)))
        for job in jobs:
            try:
                job.result, job.error = job.work(ledger), None
            except YggdrasilError as refusal:  # refused before anything was written
                job.error = refusal
        if all(job.error is not None for job in jobs):
            ledger.leave()
        else:
            ledger.commit()

    def _admit(self, ledger: Ledger, jobs: list[Job]) -> bool:
        appends = [job.work for job in jobs if isinstance(job.work, Append)]
        heads = ledger.admit(appends) if len(appends) == len(jobs) else None
        # before it is sent: when the answer is lost, this is what holds if it was carried out
        for job, head in zip(jobs, heads or (), strict=heads is not None):
            job.result, job.error = head, None
        return heads is not None

    def _begin(self, job: Job) -> bool:
        # on the thread of the one who asks: the server is at work while the writing thread wakes up
        ledger = self._ledger
        return ledger is not None and self._admit(ledger, [job]) and ledger.start()

    def _undo(self, ledger: Ledger) -> None:
        ledger.forget()
        try:
            ledger.rollback()
        except FAULTS:  # those who wait are told of the fault that led here
            self._drop(ledger)

    def _drop(self, ledger: Ledger) -> None:
        self._ledger = None
        ledger.connection.close()

    def _connect(self, *, first: bool = False) -> Ledger:
        connection = connect(self.place)
        try:
            if first:
                prepare(connection, self.place)
            ledger = Ledger(connection)
            if self._left is not None:
                ledger.strike(self._left.writer, self._left.turn)
                self._left = None
        except BaseException:
            connection.close()
            raise
        self._ledger = ledger
        return ledger

    def _was_written(self, ledger: Ledger, error: BaseException) -> bool:
        """Whether the turn in which the connection was lost was committed; StoreError when nobody can tell yet."""
        self._drop(ledger)
        self._left = ledger
        until = time.monotonic() + RETURN
        while True:
            try:
                fresh = Ledger(connect(self.place))
                written = fresh.strike(ledger.writer, ledger.turn)
                self._ledger, self._left = fresh, None
                return written
            except FAULTS as again:
                if not lost(again) or time.monotonic() > until:
                    raise self._unknown(again) from error
                time.sleep(0.1)

    def _unknown(self, error: Any) -> StoreError:
        said = translate(error, self.place)
        return StoreError(
            f"the connection was lost while this was being written; whether it was is not known yet: {said.sentence}",
            path=self.place.shown,
            hint="when the server is back, look at head(stream) before writing again",
        )

    def _announce(self, jobs: list[Job]) -> None:
        done = [job for job in jobs if job.error is None]
        touched = _streams([job for job in done if getattr(job.work, "tells", True)])
        if any(getattr(job.work, "posts", False) for job in done):
            touched.add(POST)
        if touched:
            if self.watchers:
                self.watchers.wake(touched)
            self._ear.tell(touched)


def _streams(jobs: list[Job]) -> set[str]:
    return {job.work.stream for job in jobs if isinstance(job.work, Append | Operation) and job.work.stream}


def borrow(place: Place) -> tuple[Key, Desk]:
    """The desk of a database, shared by all who use it in this process. Blocks."""
    key = (os.getpid(), place.conninfo, place.schema)
    with _gate:
        desk = _desks.get(key)
        if desk is None:
            desk = _desks[key] = Desk(place)
        desk.users += 1
        return key, desk


def give_back(key: Key) -> None:
    """The reverse of `borrow`; the last one closes the connections. Blocks."""
    with _gate:
        desk = _desks.get(key)
        if desk is None:
            raise StoreError("the store is closed already")
        desk.users -= 1
        if desk.users:
            return
        del _desks[key]
    desk.close()
