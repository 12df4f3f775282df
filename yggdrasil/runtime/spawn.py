"""A task of its own behind an async generator, on asyncio and trio: started here, ended here."""

from __future__ import annotations

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


class _AsyncioTask:
    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        import asyncio  # only where it runs already: importing it costs as much as all of anyio

        async def run() -> None:
            await work()

        self._task = asyncio.get_running_loop().create_task(run())

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

        trio.lowlevel.spawn_system_task(run, context=contextvars.copy_context())

    async def stop(self) -> None:
        self._scope.cancel()
        with anyio.CancelScope(shield=True):
            await self._gone.wait()


def spawn(work: Callable[[], Awaitable[None]]) -> Handle:
    """Start `work`, which must not raise, beside the caller."""
    kind: Any = _AsyncioTask if sniffio.current_async_library() == "asyncio" else _TrioTask
    handle: Handle = kind(work)
    return handle
