"""One SDK client per provider, endpoint and key, shared by all levels of one event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar


class Client:
    """An SDK client with the queue in front of it.

    The lowest `max_concurrent_requests` that any of its users has come with so far holds for all of them.
    """

    def __init__(self, sdk: Any) -> None:
        self.sdk = sdk
        self._limit: anyio.CapacityLimiter | None = None

    @asynccontextmanager
    async def turn(self, max_concurrent_requests: int | None = None) -> AsyncIterator[Any]:
        """Wait for a place in the queue, then give the SDK client."""
        if max_concurrent_requests is not None:
            if self._limit is None:
                self._limit = anyio.CapacityLimiter(max_concurrent_requests)
            self._limit.total_tokens = min(self._limit.total_tokens, max_concurrent_requests)
        if self._limit is None:
            yield self.sdk
        else:
            # each turn borrows for itself: one task may hold several
            borrower = object()
            await self._limit.acquire_on_behalf_of(borrower)
            try:
                yield self.sdk
            finally:
                self._limit.release_on_behalf_of(borrower)


class _Clients:
    def __init__(self) -> None:
        self.by_place: dict[tuple[str, str, str], Client] = {}
        self.making = anyio.Lock()
        self.closing: AsyncGenerator[None, None] | None = None


_clients: RunVar[_Clients] = RunVar("yggdrasil model clients")


async def client(provider: str, endpoint: str, key: str, make: Callable[[], Any]) -> Client:
    """The one client for this place in the running event loop; `make` builds its SDK client the first time.

    Connections belong to an event loop: each has clients of its own, closed when it shuts down. `make` runs in a
    thread, since importing an SDK takes a second that the loop must not be held for.
    """
    clients = _clients.get(None)
    if clients is None:
        clients = _Clients()
        _clients.set(clients)
        clients.closing = _close_with_loop(clients)
        await anext(clients.closing)
    place = (provider, endpoint, key)
    found = clients.by_place.get(place)
    if found is None:
        async with clients.making:
            found = clients.by_place.get(place)
            if found is None:
                found = clients.by_place[place] = Client(await anyio.to_thread.run_sync(make))
    return found


async def close_clients() -> None:
    """Close every client of the running event loop. Done by itself when the loop shuts down."""
    clients = _clients.get(None)
    if clients is not None:
        await _close(clients)


async def _close(clients: _Clients) -> None:
    while clients.by_place:
        _, client = clients.by_place.popitem()
        await client.sdk.close()


async def _close_with_loop(clients: _Clients) -> AsyncGenerator[None, None]:
    # asyncio and trio both close the async generators that are still open when an event loop ends
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await _close(clients)
