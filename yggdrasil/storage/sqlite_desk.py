"""One database file in this process: the thread that writes it, the thread that reads it, and who watches.

However many stores of a process are open on one file, they share one desk, so that a thousand
worlds share each wait for the disk. All appends that are waiting go into one transaction
(group commit); one that is refused does not concern the others.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

from yggdrasil.errors import StoreError, YggdrasilError
from yggdrasil.storage.sqlite_file import FAULTS, connect, prepare, translate
from yggdrasil.storage.sqlite_ledger import Ledger
from yggdrasil.storage.sqlite_reads import Reader
from yggdrasil.storage.thread import Job, Worker
from yggdrasil.storage.watch import Watchers

POLL = 0.05  # seconds between looks for what other processes have written

Key = tuple[int, Path, int | None]
_desks: dict[Key, Desk] = {}
_gate = threading.Lock()


class Desk:
    """Writes and reads of one file. Blocking parts: making it, and `close`."""

    def __init__(self, path: Path, max_pages: int | None) -> None:
        self.path = path
        self.users = 0
        prepare(path)
        with ExitStack() as opened:
            try:
                self._ledger = Ledger(opened.enter_context(closing(connect(path, max_pages=max_pages))))
                self._reader = Reader(opened.enter_context(closing(connect(path, read_only=True))), path)
                self._version = self._reader.version()
            except FAULTS as error:
                raise translate(error, path) from error
            self._opened = opened.pop_all()
        self.watchers = Watchers()
        self._writes = Worker("yggdrasil-sqlite-writer", self._commit_together)
        self._reads = Worker("yggdrasil-sqlite-reader", self._read, idle=self._look, pause=self._pause)

    def write(self, work: Callable[[Ledger], Any], touches: str = "") -> Coroutine[Any, Any, Any]:
        """Do `work` in the next transaction and return when it is durable; then watchers of `touches` wake."""
        return self._writes.do(work, touches)

    def write_unawaited(self, work: Callable[[Ledger], Any]) -> None:
        """The same for one who cannot wait (a cancelled task); what comes of it is not told."""
        self._writes.hand_over(Job(work, None))

    def read(self, work: Callable[[Reader], Any]) -> Coroutine[Any, Any, Any]:
        """Do `work` on the reading thread."""
        return self._reads.do(work)

    def close(self) -> None:
        """Write what was handed over, and close the file."""
        self._writes.stop()
        self._reads.stop()
        self._opened.close()

    def _commit_together(self, jobs: list[Job]) -> None:
        try:
            self._ledger.begin()
        except FAULTS as error:
            self._undo()
            for job in jobs:
                job.error = translate(error, self.path)
            return
        try:
            for job in jobs:
                self._try(job)
            self._ledger.commit()
        except Exception as error:  # of one job, but none of them is written: each again, alone
            self._undo()
            if len(jobs) > 1:
                for job in jobs:
                    self._commit_together([job])
            else:
                jobs[0].error = translate(error, self.path) if isinstance(error, FAULTS) else error
        if self.watchers:
            self.watchers.wake({job.touches for job in jobs if job.error is None})

    def _undo(self) -> None:
        with suppress(*FAULTS):  # those who wait are told of the fault that led here
            self._ledger.rollback()

    def _try(self, job: Job) -> None:
        try:
            job.result, job.error = job.work(self._ledger), None
        except YggdrasilError as refusal:  # refused before anything was written
            job.error = refusal

    def _read(self, jobs: list[Job]) -> None:
        for job in jobs:
            try:
                with self._reader.steady():
                    job.result = job.work(self._reader)
            except FAULTS as error:
                job.error = translate(error, self.path)
            except Exception as error:  # handed to the one who waits
                job.error = error
        self._look()

    def _pause(self) -> float | None:
        return POLL if self.watchers else None

    def _look(self) -> None:
        if not self.watchers:
            return
        try:
            version = self._reader.version()
        except FAULTS:
            version = -1  # those who watch read again, and are told what is wrong
        if version != self._version:
            self._version = version
            self.watchers.wake()


def borrow(path: Path, max_pages: int | None) -> tuple[Key, Desk]:
    """The desk of a file, shared by all who use it in this process. Blocks."""
    key = (os.getpid(), path.resolve(), max_pages)
    with _gate:
        desk = _desks.get(key)
        if desk is None:
            desk = _desks[key] = Desk(key[1], max_pages)
        desk.users += 1
        return key, desk


def give_back(key: Key) -> None:
    """The reverse of `borrow`; the last one closes the file. Blocks."""
    with _gate:
        desk = _desks.get(key)
        if desk is None:
            raise StoreError("the store is closed already", path=str(key[1]))
        desk.users -= 1
        if desk.users:
            return
        del _desks[key]
    desk.close()
