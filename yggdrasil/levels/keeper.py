"""What all open worlds of a store share in this process: one task that renews their leases and looks for letters.

A thousand worlds cost one question for letters each quarter of a second, and their leases are renewed together, so
that the store writes them in a few transactions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio

from yggdrasil.abc.store import Lease, Store
from yggdrasil.errors import LeaseError, StoreError
from yggdrasil.levels.loop import POLL, WorldLoop
from yggdrasil.runtime.bells import hang
from yggdrasil.runtime.group import concurrently
from yggdrasil.runtime.limits import event_loop
from yggdrasil.runtime.spawn import Handle, spawn

LEASE = 15.0
"""Seconds a lease lasts unless renewed; it is renewed three times in that time."""

_keepers: dict[tuple[int, int], Keeper] = {}


class Keeper:
    """Keeps the worlds that one event loop has open on one store object."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._key = (id(store), id(event_loop()))
        self._worlds: dict[tuple[str, int], tuple[WorldLoop, Lease, Callable[[], None]]] = {}
        self._task: Handle | None = None

    @classmethod
    def of(cls, store: Store) -> Keeper:
        """The keeper of a store in this event loop."""
        return _keepers.get((id(store), id(event_loop()))) or cls(store)

    def join(self, loop: WorldLoop, lease: Lease) -> None:
        """Keep a world until it leaves."""
        _keepers[self._key] = self
        self._worlds[lease.stream, lease.token] = loop, lease, hang(self.store.url, lease.stream, loop.post_came)
        if self._task is None:
            self._task = spawn(self._keep)

    async def leave(self, lease: Lease) -> None:
        """Keep it no longer."""
        _, _, take_down = self._worlds.pop((lease.stream, lease.token))
        take_down()
        if not self._worlds and self._task is not None:
            task, self._task = self._task, None
            _keepers.pop(self._key, None)
            await task.stop()

    async def _keep(self) -> None:
        renewed = anyio.current_time()
        while True:
            await self.store.wait_for_post(POLL)
            await self._look()
            if anyio.current_time() - renewed >= LEASE / 3:
                renewed = anyio.current_time()
                await self._renew()

    async def _look(self) -> None:
        """Tell the worlds for which letters wait."""
        try:
            posted = await self.store.posted()
        except StoreError as error:
            self._doubt(error)
            return
        if posted:
            waiting = set(posted)
            for (stream, _), (loop, *_) in [*self._worlds.items()]:
                if stream in waiting:
                    loop.post_came()

    async def _renew(self) -> None:
        async def renew(loop: WorldLoop, lease: Lease) -> None:
            try:
                await loop.journal.store.renew(lease, seconds=LEASE)
            except LeaseError as error:
                loop.lose(error)
            except StoreError as error:
                # the lease may live on, and the next append says what is the matter with the store
                loop.journal.doubt = error

        async with concurrently() as begin:
            for loop, lease, _ in [*self._worlds.values()]:
                if loop.lost is None:
                    begin(renew, loop, lease)

    def _doubt(self, error: Exception) -> None:
        for loop, *_ in self._worlds.values():
            loop.journal.doubt = error


def kept_by(store: Store) -> Any:
    """The keeper of a store in this event loop, if it keeps anything; for tests and measurements."""
    return _keepers.get((id(store), id(event_loop())))
