"""A stream's records as they come, read from wherever they are kept."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import final

from yggdrasil.abc.store import Record
from yggdrasil.storage.thread import Waiter


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
