"""A stream's records as they come, read from wherever they are kept, and who waits for them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import final

from yggdrasil.abc.store import Record
from yggdrasil.storage.thread import Waiter, waiter, wake


class Watchers:
    """Who waits for changes of which stream. True while somebody does; from any thread."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[Waiter]] = {}
        self._gate = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, stream: str) -> Waiter:
        """A waiter that is woken by the next change that may concern `stream`."""
        one = waiter()
        with self._gate:
            self._waiting.setdefault(stream, set()).add(one)
        return one

    def remove(self, stream: str, one: Waiter) -> None:
        """Forget a waiter."""
        with self._gate:
            waiting = self._waiting.get(stream, set())
            waiting.discard(one)
            if not waiting:
                self._waiting.pop(stream, None)

    def wake(self, streams: Iterable[str] | None = None) -> None:
        """Let those who wait for these streams look again; without any named, all."""
        with self._gate:
            names = list(self._waiting) if streams is None else streams
            woken = [one for name in names for one in self._waiting.pop(name, ())]
        wake(woken)


@final
class Watch(AsyncIterator[Record]):
    """Reads, and waits for a wake-up when there is nothing to read. May be left at any time: it holds nothing.

    read       the records after a sequence, some at a time
    listen     a waiter for the next change, made before reading so that none is missed
    unlisten   forgets that waiter
    """

    def __init__(
        self,
        read: Callable[[int], Awaitable[list[Record]]],
        listen: Callable[[], Waiter],
        unlisten: Callable[[Waiter], None],
        after: int,
    ) -> None:
        self._read, self._listen, self._unlisten = read, listen, unlisten
        self._after = after
        self._ready: deque[Record] = deque()

    async def __anext__(self) -> Record:
        """The next record, waiting for it if need be."""
        while not self._ready:
            waiter = self._listen()
            try:
                self._ready.extend(await self._read(self._after))
                if not self._ready:
                    await waiter
            finally:
                self._unlisten(waiter)
        record = self._ready.popleft()
        self._after = record.sequence
        return record
