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

Work = Callable[[Hook], Awaitable[Any]]


class _Told:
    """What the run has told and nobody has read. The run's task holds this, and not the stream."""

    def __init__(self, work: Work, label: str) -> None:
        self.work, self.label = work, label
        self.events: deque[Event] = deque()
        self.wake = anyio.Event()
        self.ended = self.closing = False
        self.failure: BaseException | None = None

    def hear(self, event: Event) -> None:
        self.events.append(event)
        self.wake.set()

    async def run(self) -> None:
        try:
            await self.work(self.hear)
        except Exception as error:
            self.failure = error
        except BaseException as error:
            if not self.closing:
                self.failure = RunError("the run was cancelled from inside", path=self.label)
                self.failure.__cause__ = error
            raise
        finally:
            self.ended = True
            self.wake.set()


@final
class RunStream(Stream):
    """The events of `work`, which is started with the first one asked for, in a task of its own."""

    def __init__(self, work: Work, label: str) -> None:
        self._begin: tuple[Work, str] | None = (work, label)
        self._told: _Told | None = None
        self._handle: Handle | None = None

    async def __anext__(self) -> Event:
        if self._begin is not None:
            self._told = _Told(*self._begin)
            self._begin = None
            self._handle = spawn(self._told.run)
        told = self._told
        if told is None:
            raise StopAsyncIteration
        while not told.events:
            if told.ended:
                await self.aclose()
                raise told.failure or StopAsyncIteration
            try:
                await told.wake.wait()
            except BaseException:
                await self.aclose()
                raise
            if not told.ended:
                told.wake = anyio.Event()
        return told.events.popleft()

    async def aclose(self) -> None:
        """End the run, if it goes on still, and wait until it is gone."""
        handle = self._let_go()
        if handle is not None:
            with anyio.CancelScope(shield=True):
                await handle.stop()

    def _let_go(self) -> Handle | None:
        told, handle = self._told, self._handle
        self._begin = self._told = self._handle = None
        if told is not None:
            told.closing = True
        return handle

    def __del__(self) -> None:
        handle = self._let_go()
        if handle is not None:
            handle.cancel()
