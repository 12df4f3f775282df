"""A world's life as something that runs until it is stopped; those who follow it; and time zones by name."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

import anyio

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.events import Event, EventsMissed
from yggdrasil.core.ports import Spec
from yggdrasil.core.timers import Offset, Timers, utc
from yggdrasil.errors import ConfigError

if TYPE_CHECKING:
    from yggdrasil.levels.live import LiveWorld
    from yggdrasil.levels.loop import WorldLoop


class Life(Runnable):
    """The life of an open world: its `run` ends when the world is stopped."""

    keeps_itself: ClassVar[bool] = True

    def __init__(self, world: LiveWorld, patient: bool) -> None:
        self._world, self._patient = world, patient

    @property
    def spec(self) -> Spec:
        """The ports of a world."""
        return self._world.spec

    @property
    def label(self) -> str:
        """The world's name."""
        return self._world.label

    @property
    def block_type(self) -> str:
        """`world`."""
        return "world"

    def accept(self, value: Any) -> Any:
        """As a world takes it."""
        return self._world.accept(value)

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Live until it is stopped."""
        from yggdrasil.levels.live import check_ticks

        ticks = ctx.run.options.get("ticks")
        if ticks is not None:
            check_ticks(ticks, self.label)
        await self._world.advance(inputs, ctx, ticks, living=True, patient=self._patient)
        return {"state": self._world.state}


class Subscription(AsyncIterator[Event]):
    """The events of a world's runs, for one who may be slow."""

    def __init__(self, loop: WorldLoop, limit: int = 1000) -> None:
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise ConfigError(f"limit is {limit!r}; it counts events", hint="limit=1000")
        self._loop, self._limit = loop, limit
        self._waiting: deque[tuple[Event, int]] = deque()
        self._missed, self._after = 0, loop.journal.head
        self._more = anyio.Event()
        self._ended = False
        loop.listen(self._hear)

    def _hear(self, event: Event) -> None:
        if len(self._waiting) >= self._limit:
            self._waiting.popleft()
            self._missed += 1
        self._waiting.append((event, self._loop.journal.head))
        self._more.set()

    async def __anext__(self) -> Event:
        """The next event; EventsMissed before those that come after a gap."""
        while not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            self._more = anyio.Event()
            await self._more.wait()
        if self._missed:
            missed, self._missed = self._missed, 0
            first = self._waiting[0][0]
            return EventsMissed(
                path=first.path, time=first.time, sequence=first.sequence, tick=first.tick,
                missed=missed, stream=self._loop.journal.stream, after=self._after,
            )  # fmt: skip
        event, self._after = self._waiting.popleft()
        return event

    def end(self) -> None:
        """No more events come; those that wait are still given."""
        self._ended = True
        self._more.set()
        self._loop.unlisten(self._hear)

    async def aclose(self) -> None:
        """Stop listening, and let go of what waits."""
        self.end()
        self._waiting.clear()


def zone_of(timers: Timers | None) -> Offset:
    """The time zone of timers as a function. ConfigError for one that this machine does not know."""
    name = "UTC" if timers is None else timers.zone
    if name == "UTC":
        return utc
    try:
        zone = ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        hint = "zone: Europe/Oslo; or pip install tzdata, where the system has no time zones"
        raise ConfigError(f"there is no time zone {name!r}", path="timers", hint=hint) from error

    def offset(time: float) -> float:
        shift = datetime.fromtimestamp(time, UTC).astimezone(zone).utcoffset()
        return 0.0 if shift is None else shift.total_seconds()

    return offset
