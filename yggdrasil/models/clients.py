"""One SDK client per provider, endpoint and key, shared by all levels of one event loop, and the queue before it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from yggdrasil.core.messages import Usage
from yggdrasil.errors import ModelTransientError, RateLimitError
from yggdrasil.models.rate import MINUTE, Limits, Sent, Window

LONGEST_PAUSE = 60.0
"""Seconds that a request waits in the queue because the provider asked for a pause; a longer one is an error."""

_NO_LIMITS = Limits()


class Place:
    """One request's place in the queue: `sdk` to ask with, and `used` to say what the answer took."""

    __slots__ = ("_client", "_sent", "sdk")

    def __init__(self, client: Client, sent: Sent | None) -> None:
        self.sdk = client.sdk
        self._client, self._sent = client, sent

    def used(self, usage: Usage) -> None:
        """Count the tokens of the answer instead of those that were estimated; nothing when none were counted."""
        tokens = usage.input_tokens + usage.output_tokens
        if self._sent is not None and tokens:
            self._client.settle(self._sent, tokens)


class Client:
    """An SDK client with the queue in front of it: first come, first served.

    The lowest limit that any of its users has come with so far holds for all of them. When the provider asks for a
    pause (Retry-After), nobody sends anything until it is over.
    name: what it is called in errors; minute: how long the minute of a limit is, in seconds.
    """

    def __init__(self, sdk: Any, *, name: str = "the provider", minute: float = MINUTE) -> None:
        self.sdk = sdk
        self.name = name
        self.limits = _NO_LIMITS
        self._places: anyio.CapacityLimiter | None = None
        self._window = Window(minute)
        self._order = anyio.Lock(fast_acquire=True)  # first come, first served
        self._changed = anyio.Event()
        self._paused_until = 0.0

    @asynccontextmanager
    async def place(self, limits: Limits = _NO_LIMITS, tokens: Callable[[], int] = lambda: 0) -> AsyncIterator[Place]:
        """Wait for a place in the queue. `tokens` estimates the request's, and is called only where they are limited.

        RateLimitError, with `retry_after`, when the provider has asked for a pause of more than LONGEST_PAUSE.
        """
        self._lower(limits)
        places = self._places
        # each turn borrows for itself: one task may hold several
        borrower = object()
        if places is not None:
            await places.acquire_on_behalf_of(borrower)
        try:
            place = Place(self, await self._pass(tokens))
            try:
                yield place
            except ModelTransientError as error:
                if error.retry_after:
                    self._paused_until = max(self._paused_until, time.monotonic() + error.retry_after)
                raise
        finally:
            if places is not None:
                places.release_on_behalf_of(borrower)

    def settle(self, sent: Sent, tokens: int) -> None:
        """Count what a request really took, and let those who wait look again."""
        if self._window.settle(sent, tokens):
            self._changed.set()
            self._changed = anyio.Event()

    def _lower(self, limits: Limits) -> None:
        if limits is _NO_LIMITS:
            return
        self.limits = lowest = self.limits.lowest(limits)
        if lowest.max_concurrent_requests is not None:
            if self._places is None:
                self._places = anyio.CapacityLimiter(lowest.max_concurrent_requests)
            self._places.total_tokens = lowest.max_concurrent_requests

    async def _pass(self, tokens: Callable[[], int]) -> Sent | None:
        """Wait until the limits by the minute and the provider allow one more request."""
        if not self.limits.rated and self._paused_until <= time.monotonic() and not self._order.locked():
            return None
        about = tokens() if self.limits.tokens_per_minute is not None else 0
        async with self._order:
            while True:
                now = time.monotonic()
                pause = self._paused_until - now
                if pause > LONGEST_PAUSE:
                    raise RateLimitError(
                        f"{self.name} asked for a pause, of which {pause:.0f} s are left", retry_after=pause
                    )
                wait = max(pause, self._window.wait(now, about, self.limits))
                if wait <= 0:
                    return self._window.take(now, about) if self.limits.rated else None
                with anyio.move_on_after(wait):
                    await self._changed.wait()


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
                made = await anyio.to_thread.run_sync(make)
                found = clients.by_place[place] = Client(made, name=f"{provider} at {endpoint}")
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
