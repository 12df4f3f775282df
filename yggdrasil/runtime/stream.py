"""A run as an iterator of its events. Whoever stops listening stops the run."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, final

import anyio

from yggdrasil.abc.hook import Hook
from yggdrasil.abc.runnable import Stream
from yggdrasil.core.events import Event
from yggdrasil.errors import RunError
from yggdrasil.runtime.spawn import Handle, spawn


@final
class RunStream(Stream):
    """The events of `work`, which is started with the first one asked for, in a task of its own."""

    def __init__(self, work: Callable[[Hook], Awaitable[Any]], label: str) -> None:
        self._work = work
        self._label = label
        self._events: deque[Event] = deque()
        self._handle: Handle | None = None
        self._wake: anyio.Event | None = None
        self._ended = self._closing = False
        self._failure: BaseException | None = None

    async def __anext__(self) -> Event:
        if self._wake is None:
            if self._closing:
                raise StopAsyncIteration
            self._wake = anyio.Event()
            self._handle = spawn(self._run)
        while not self._events:
            if self._ended:
                await self.aclose()
                failure, self._failure = self._failure, None
                raise failure or StopAsyncIteration
            try:
                await self._wake.wait()
            except BaseException:
                await self.aclose()
                raise
            if not self._ended:
                self._wake = anyio.Event()
        return self._events.popleft()

    def _hear(self, event: Event) -> None:
        self._events.append(event)
        if self._wake is not None:
            self._wake.set()

    async def _run(self) -> None:
        try:
            await self._work(self._hear)
        except Exception as error:
            self._failure = error
        except BaseException as error:
            if not self._closing:
                self._failure = RunError("the run was cancelled from inside", path=self._label)
                self._failure.__cause__ = error
            raise
        finally:
            self._ended = True
            if self._wake is not None:
                self._wake.set()

    async def aclose(self) -> None:
        """End the run, if it goes on still, and wait until it is gone."""
        self._closing = True
        handle, self._handle = self._handle, None
        if handle is not None:
            with anyio.CancelScope(shield=True):
                await handle.stop()

    def __del__(self) -> None:
        if self._handle is not None:
            self._closing = True
            self._handle.cancel()
