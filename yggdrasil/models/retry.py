"""Try again, when waiting can help: a wrapper that is itself a model."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from yggdrasil.abc.model import Delta, Model, ModelAround
from yggdrasil.core.messages import Reply, Request
from yggdrasil.errors import ConfigError, ModelTransientError

T = TypeVar("T")

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0


def wait_before_retry(attempt: int, retry_after: float | None, chance: float) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1); `chance` is in [0, 1).

    At least what the provider asked for, plus up to a tenth so that clients do not return in step; otherwise
    doubling from half a second, of which between half and all is waited ("equal jitter").
    """
    if retry_after is not None:
        return retry_after + 0.1 * chance * max(retry_after, FIRST_WAIT)
    full = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempt - 1))
    return full * (0.5 + 0.5 * chance)


async def retried(
    perform: Callable[[], Awaitable[T]], *, attempts: int, seconds: float, again: Callable[[], None] | None = None
) -> T:
    """What `perform` gives, tried again after transient errors; `again` is called before each further attempt.

    At most `attempts` times; a wait that would not fit into `seconds` from the first is not begun.
    """
    began = time.monotonic()
    attempt = 0
    while True:
        attempt += 1
        try:
            return await perform()
        except ModelTransientError as error:
            wait = wait_before_retry(attempt, error.retry_after, random.random())
            if attempt >= attempts or time.monotonic() - began + wait > seconds:
                raise
        await anyio.sleep(wait)
        if again is not None:
            again()


class Retrying(ModelAround):
    """`model`, asked again after transient errors: at most `attempts` times and `seconds` from the first.

    A wait that would not fit into `seconds` is not begun: the error is raised at once, with its `retry_after`.
    A stream that breaks is asked for again as a whole; `delta("restart", "")` tells that the pieces so far are void.
    """

    def __init__(self, model: Model, *, attempts: int = 3, seconds: float = 120.0) -> None:
        if attempts < 1:
            raise ConfigError(f"attempts is {attempts}; at least one is needed", hint="attempts=3")
        self.model = model
        self.attempts = attempts
        self.seconds = seconds

    def __repr__(self) -> str:
        return f"Retrying({self.model!r}, attempts={self.attempts}, seconds={self.seconds:g})"

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        """The first answer that succeeds; the last error otherwise."""
        told = Told(delta)

        async def ask() -> Reply:
            return await self.model.reply(request, key=key, delta=told.listen)

        return await retried(ask, attempts=self.attempts, seconds=self.seconds, again=told.restart)


class Told:
    """Remembers whether a listener has heard pieces of an answer; `restart` says to it that they are void."""

    def __init__(self, delta: Delta | None) -> None:
        self._delta = delta
        self._heard = False
        self.listen: Delta | None = None if delta is None else self._tell

    def _tell(self, part: str, text: str) -> None:
        self._heard = True
        if self._delta is not None:
            self._delta(part, text)

    def restart(self) -> None:
        """Void what was heard, if anything was."""
        if self._heard:
            self._tell("restart", "")
            self._heard = False
