"""Named resources: at most so many users of `gpu`, `api`, ... at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

import anyio
import sniffio

from yggdrasil.errors import ConfigError, close_names

_holding: ContextVar[frozenset[tuple[int, str]]] = ContextVar("holding", default=frozenset())


class Limits:
    """Named capacities, counted per event loop."""

    def __init__(self, capacities: Mapping[str, int]) -> None:
        if not isinstance(capacities, Mapping):
            raise ConfigError(f"resources is {type(capacities).__name__}", hint="resources={'gpu': 1}")
        for name, capacity in capacities.items():
            if not isinstance(capacity, int) or isinstance(capacity, bool) or capacity < 1:
                raise ConfigError(f"resource {name!r} has capacity {capacity!r}", hint=f"{name}: 1")
        self.capacities = dict(capacities)
        self._shared: Limits | None = None
        self._limiters: WeakKeyDictionary[Any, dict[str, anyio.Semaphore]] = WeakKeyDictionary()

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[None]:
        """Hold one unit of a resource. What runs inside a holder has it already, so that it cannot wait for itself."""
        if self._shared is not None and name in self.capacities:
            async with self._shared.held(name):
                yield
            return
        key = (id(self), name)
        holding = _holding.get()
        if key in holding:
            yield
            return
        async with self.of(name):
            token = _holding.set(holding | {key})
            try:
                yield
            finally:
                _holding.reset(token)

    def share(self, shared: Limits) -> None:
        """Hold units of `shared` from now on; what `shared` does not have yet it gets with the capacity it has here."""
        for name, capacity in self.capacities.items():
            shared.capacities.setdefault(name, capacity)
        self._shared = shared

    def of(self, name: str) -> anyio.Semaphore:
        """The counter of one resource in the running event loop; ConfigError when it is not declared."""
        if name not in self.capacities:
            raise ConfigError(
                f"no resource {name!r}; {close_names(name, self.capacities)}", hint=f"resources: {{{name}: 1}}"
            )
        limiters = self._limiters.setdefault(event_loop(), {})
        if name not in limiters:
            limiters[name] = anyio.Semaphore(self.capacities[name])
        return limiters[name]


def event_loop() -> Any:
    """What tells the running event loop from others, on asyncio and trio."""
    if sniffio.current_async_library() == "asyncio":
        import asyncio

        return asyncio.get_running_loop()
    import trio

    return trio.lowlevel.current_trio_token()
