"""Public doubles: what tests put in the place of time, of work, and of failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.ports import Spec
from yggdrasil.runtime.wrap import Wrapper


class FakeClock:
    """Seconds that go on only when told: `clock.advance(5)`."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        self._listeners: list[Callable[[], None]] = []

    def __call__(self) -> float:
        """The time now, in seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass; a negative number sets the clock back."""
        self.now += seconds
        for look in [*self._listeners]:
            look()

    def listen(self, look: Callable[[], None]) -> Callable[[], None]:
        """Have `look` called after each `advance`, so that who sleeps until a time wakes; what ends that again."""
        self._listeners.append(look)
        return lambda: self._listeners.remove(look)


class CallCounter(Wrapper):
    """Counts the calls of what it is around: `calls`, and how many run just now: `running`."""

    def __init__(self, inner: Runnable) -> None:
        super().__init__(inner)
        self.calls = self.running = 0

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Count, and run the inner one."""
        self.calls += 1
        self.running += 1
        try:
            return await self.inner.execute(inputs, ctx)
        finally:
            self.running -= 1


class Sleeper(Block):
    """Sleeps for `seconds`, then gives `value` back."""

    block_type = "testing/sleeper"
    spec = Spec.declare({"value": "any"}, {"value": "any"})

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Sleep."""
        await anyio.sleep(self.seconds)
        return {"value": inputs["value"]}


class Failing(Block):
    """Raises what `make` gives, `times` times; then it gives `value` back."""

    block_type = "testing/failing"
    spec = Spec.declare({"value": "any"}, {"value": "any"})

    def __init__(self, make: Callable[[], Exception], times: int = 10**9) -> None:
        self.make, self.times = make, times

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Fail, as long as it is to."""
        if self.times > 0:
            self.times -= 1
            raise self.make()
        return {"value": inputs["value"]}
