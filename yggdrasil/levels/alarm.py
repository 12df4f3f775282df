"""How a resting world waits: until somebody rings, or until its clock says so. Waiting is here, deciding is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio

LOOK = 5.0
"""Seconds between two looks at the clock, which may be set while the world sleeps."""


class Alarm:
    """A bell and a clock. `clock` gives seconds since the epoch; one with `listen` says when it was advanced."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._event: anyio.Event | None = None
        self._rung = False

    def ring(self) -> None:
        """Wake who waits, or who will wait next."""
        self._rung = True
        self._look()

    def _look(self) -> None:
        if self._event is not None:
            self._event.set()

    async def wait(self, until: float | None = None) -> None:
        """Return when somebody has rung, or when the clock says `until`; and each time that the clock was looked at.

        Who waits decides anew: the clock may have been set.
        """
        listen: Any = getattr(self.clock, "listen", None)
        quiet = listen(self._look) if listen is not None and until is not None else None
        try:
            if not self._rung and (until is None or self.clock() < until):
                self._event = anyio.Event()
                with anyio.move_on_after(None if until is None else max(min(until - self.clock(), LOOK), 0)):
                    await self._event.wait()
        finally:
            self._event = None
            if quiet is not None:
                quiet()
        self._rung = False
