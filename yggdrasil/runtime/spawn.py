"""A task of its own beside the caller, on asyncio and trio: started here, ended here."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import anyio
import sniffio


class Handle(Protocol):
    """A running task."""

    async def stop(self) -> None:
        """Cancel it and wait until it is gone; what it raised was its own to report."""
        ...

    def cancel(self) -> None:
        """Cancel it without waiting; from any thread, and when its event loop is gone already."""
        ...


class _AsyncioTask:
    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        import asyncio  # only where it runs already: importing it costs as much as all of anyio

        async def run() -> None:
            await work()

        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(run())

    def cancel(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)

    async def stop(self) -> None:
        import asyncio

        self._task.cancel()
        await asyncio.wait([self._task])


class _TrioTask:
    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        import trio

        self._scope = anyio.CancelScope()
        self._gone = anyio.Event()

        async def run() -> None:
            try:
                with self._scope:
                    await work()
            finally:
                self._gone.set()

        self._token = trio.lowlevel.current_trio_token()
        trio.lowlevel.spawn_system_task(run, context=contextvars.copy_context())

    def cancel(self) -> None:
        import trio

        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._scope.cancel)

    async def stop(self) -> None:
        self._scope.cancel()
        with anyio.CancelScope(shield=True):
            await self._gone.wait()


def spawn(work: Callable[[], Awaitable[None]]) -> Handle:
    """Start `work`, which must not raise, beside the caller."""
    kind: Any = _AsyncioTask if sniffio.current_async_library() == "asyncio" else _TrioTask
    handle: Handle = kind(work)
    return handle
