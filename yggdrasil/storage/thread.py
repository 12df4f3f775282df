"""A thread that carries out jobs for async callers, and wakes them natively.

A caller hands over a job and waits on its own event loop, asyncio or trio. However many jobs a
batch held, each loop is woken once. A job that was handed over is carried out even when its
caller is cancelled meanwhile: what is written must not depend on who still waits.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from queue import Empty, SimpleQueue
from typing import Any, cast, final

from yggdrasil.errors import StoreError

BATCH = 128  # not all who wait: while one batch waits for the disk, those of the last one are at work


class Waiter(ABC):
    """One pending wake-up of one task. `home` is the event loop the task lives on."""

    __slots__ = ("home",)
    home: Any

    @abstractmethod
    def __await__(self) -> Generator[Any, Any, Any]:
        """Return once woken; cancellable."""

    @abstractmethod
    def send(self, waiters: list[Any]) -> None:
        """From any thread: wake all `waiters`, which share this one's home."""


@final
class _LoopWaiter(Waiter):
    __slots__ = ("_future",)

    def __init__(self) -> None:
        self.home = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self.home.create_future()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._future.__await__()

    def send(self, waiters: list[Any]) -> None:
        self.home.call_soon_threadsafe(_finish, waiters)


def _finish(waiters: list[_LoopWaiter]) -> None:
    for waiter in waiters:
        if not waiter._future.done():
            waiter._future.set_result(None)


@final
class _TrioWaiter(Waiter):
    __slots__ = ("_event",)

    def __init__(self, trio: Any) -> None:
        self.home = trio.lowlevel.current_trio_token()
        self._event = trio.Event()

    def __await__(self) -> Generator[Any, Any, Any]:
        return cast("Generator[Any, Any, Any]", self._event.wait().__await__())

    def send(self, waiters: list[Any]) -> None:
        self.home.run_sync_soon(_set, waiters)


def _set(waiters: list[_TrioWaiter]) -> None:
    for waiter in waiters:
        waiter._event.set()


def waiter() -> Waiter:
    """A waiter for the running task, on whichever event loop it runs."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        return _TrioWaiter(trio)
    return _LoopWaiter()


def wake(waiters: Sequence[Waiter]) -> None:
    """From any thread: wake them all, with one call for each event loop."""
    homes: dict[Any, list[Waiter]] = {}
    for one in waiters:
        homes.setdefault(one.home, []).append(one)
    for group in homes.values():
        try:
            group[0].send(group)
        except RuntimeError:  # that loop has ended, and its tasks with it (trio.RunFinishedError is one too)
            continue


class Job:
    """Work for a thread, and its outcome.

    waiter    None when nobody waits
    touches   names what it changes
    begun     it was begun already on the thread of the one who asks
    """

    __slots__ = ("begun", "error", "result", "touches", "waiter", "work")

    def __init__(self, work: Callable[[Any], Any], waiter: Waiter | None, touches: str = "") -> None:
        self.work = work
        self.waiter = waiter
        self.touches = touches
        self.begun = False
        self.result: Any = None
        self.error: BaseException | None = None


def _nothing() -> None:
    return None


def _not(job: Job) -> bool:
    return False


class Worker:
    """The thread.

    carry_out   does a batch
    begin       begins what can be begun without waiting, on the thread of the one who asks, and says whether it did;
                called only while nothing else is under way; such a job is a batch of its own
    idle        is called every `pause` seconds without a job, if given
    """

    def __init__(
        self,
        name: str,
        carry_out: Callable[[list[Job]], None],
        *,
        begin: Callable[[Job], bool] = _not,
        idle: Callable[[], None] = _nothing,
        pause: Callable[[], float | None] = _nothing,
    ) -> None:
        self._carry_out = carry_out
        self._begin = begin
        self._idle = idle
        self._pause = pause
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._closed = False
        self._under_way = 0
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[Any], Any], touches: str = "") -> Any:
        """Hand `work` over and wait for its outcome."""
        turn = waiter()
        job = Job(work, turn, touches)
        self.hand_over(job)
        await turn
        if job.error is not None:
            raise job.error
        return job.result

    def hand_over(self, job: Job) -> None:
        """Put a job into the queue; StoreError once the thread was stopped."""
        with self._gate:
            if self._closed:
                raise StoreError("the store is closed", hint="use it inside `async with store:`")
            if not self._under_way:
                job.begun = self._begin(job)
            self._under_way += 1
            self._queue.put(job)

    def stop(self, *, wait: bool = True) -> None:
        """Carry out what was handed over, then end. Blocks unless told not to `wait`: call it off the event loop."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        if wait:
            self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                first = self._queue.get(timeout=self._pause())
            except Empty:
                self._idle()
                continue
            jobs, ending = self._drain(first)
            if jobs:
                self._do(jobs)
                with self._gate:
                    self._under_way -= len(jobs)
                wake([job.waiter for job in jobs if job.waiter is not None])
            if ending:
                return

    def _do(self, jobs: list[Job]) -> None:
        try:
            self._carry_out(jobs)
        except Exception as error:  # the thread goes on; those who wait are told
            for job in jobs:
                job.error = job.error or error

    def _drain(self, first: Job | None) -> tuple[list[Job], bool]:
        jobs: list[Job] = []
        item = first
        while item is not None:
            jobs.append(item)
            if item.begun or len(jobs) == BATCH or self._queue.empty():  # nobody else takes from it: not empty stays so
                return jobs, False
            item = self._queue.get_nowait()
        return jobs, True
