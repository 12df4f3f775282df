"""Running several things at once: native tasks on asyncio (6 us each), anyio's on trio (30 us)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import sniffio

from yggdrasil.errors import YggdrasilError

Spawn = Callable[..., Any]


def concurrently() -> AbstractAsyncContextManager[Spawn]:
    """A task group: `spawn(function, *args)` starts a task. The first failure cancels the rest and is raised alone."""
    return _NativeGroup() if sniffio.current_async_library() == "asyncio" else _anyio_group()


@asynccontextmanager
async def _anyio_group() -> AsyncIterator[Spawn]:
    try:
        async with anyio.create_task_group() as group:
            yield group.start_soon
    except BaseExceptionGroup as failures:
        error = first_failure(failures)
        raise error from error.__cause__


class _NativeGroup:
    """A task group on asyncio.

    The library's own leaves its parent marked as cancelled when a child fails while the parent waits at the end
    (before Python 3.13), and anyio's costs five times as much a task. Each child has a cancel scope of its own, so that
    it is cancelled as anyio does it: again at every await, until it has ended, but not in what it shields.
    """

    def __init__(self) -> None:
        import asyncio  # only where it runs already: importing it costs as much as all of anyio

        self._loop = asyncio.get_running_loop()
        parent = asyncio.current_task()
        if parent is None:
            raise RuntimeError("a task group needs a task around it")
        self._parent = parent
        self._marked = parent.cancelling()
        self._cancelled_error = asyncio.CancelledError
        self._tasks: dict[Any, anyio.CancelScope] = {}
        self._errors: list[BaseException] = []
        self._waiting: Any = None
        self._stopping = self._leaving = self._interrupted = False

    async def __aenter__(self) -> Spawn:
        return self._spawn

    def _spawn(self, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> None:
        scope = anyio.CancelScope()
        task = self._loop.create_task(_scoped(scope, function, args))
        self._tasks[task] = scope
        task.add_done_callback(self._ended)
        if self._stopping:
            scope.cancel()

    def _ended(self, task: Any) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled():
            error = task.exception()
            if error is not None:
                self._errors.append(error)
                self._stop()
                if not self._leaving and not self._interrupted:
                    self._interrupted = True
                    self._parent.cancel()
        if self._waiting is not None and not self._tasks and not self._waiting.done():
            self._waiting.set_result(None)

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            for scope in tuple(self._tasks.values()):
                scope.cancel()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self._leaving = True
        cancelled = error if isinstance(error, self._cancelled_error) else None
        if self._interrupted and self._parent.uncancel() <= self._marked:
            cancelled = None  # it was this group that cancelled its parent
        if error is not None:
            self._stop()
        while self._tasks:
            self._waiting = self._loop.create_future()
            try:
                await self._waiting
            except self._cancelled_error as now:
                cancelled = now
                self._stop()
            self._waiting = None
        if error is not None and not isinstance(error, self._cancelled_error):
            self._errors.append(error)
        if self._errors:
            chosen, self._errors = _chosen(self._errors), []
            raise chosen from chosen.__cause__
        if cancelled is not None and cancelled is not error:
            raise cancelled


async def _scoped(scope: anyio.CancelScope, function: Callable[..., Coroutine[Any, Any, Any]], args: Any) -> None:
    with scope:
        await function(*args)


def first_failure(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure to report out of several: errors before cancellations, by path, so that timing cannot choose."""
    leaves: list[BaseException] = []

    def collect(group: BaseExceptionGroup[BaseException]) -> None:
        for error in group.exceptions:
            if isinstance(error, BaseExceptionGroup):
                collect(error)
            else:
                leaves.append(error)

    collect(failures)
    return _chosen(leaves)


def _chosen(leaves: Sequence[BaseException]) -> BaseException:
    errors: list[BaseException] = [e for e in leaves if isinstance(e, Exception)] or list(leaves)
    fatal: list[BaseException] = [e for e in leaves if isinstance(e, KeyboardInterrupt | SystemExit)]
    chosen = (fatal or sorted(errors, key=lambda e: e.path if isinstance(e, YggdrasilError) else ""))[0]
    for other in errors:
        if other is not chosen:
            chosen.add_note(f"also failed: {other}")
    return chosen
