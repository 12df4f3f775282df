"""Switching on what is told of every run: traces for OpenTelemetry, log lines for structlog. Off unless asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yggdrasil.abc.hook import Observer
from yggdrasil.errors import ConfigError
from yggdrasil.runtime.logs import Level, Logs
from yggdrasil.runtime.traces import Traces
from yggdrasil.runtime.watching import switch_off, switch_on

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider


class Observing:
    """What `observe` switched on. `close()`, or the end of `with observe(...):`, switches it off."""

    def __init__(self, observers: tuple[Observer, ...]) -> None:
        self.observers = observers
        for observer in observers:
            switch_on(observer)

    def close(self) -> None:
        """Switch it off; runs under way are told to their end. Twice does no harm."""
        for observer in self.observers:
            switch_off(observer)

    def __enter__(self) -> Observing:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def observe(
    *,
    traces: bool = True,
    logs: bool = True,
    contents: bool = False,
    provider: TracerProvider | None = None,
    logger: Any = None,
    level: Level = "info",
) -> Observing:
    """From now on tell of every run that begins in this process; the handle that is returned switches it off.

    traces     spans to `provider`, or to the tracer provider that the program has set up: one tree for each run.
               Nothing is exported by itself, and no variable of the environment is read for it
    logs       lines to `logger`, or to the program's structlog, or to stderr where structlog is not configured,
               from `level` on
    contents   what was asked and answered too, without what looks like a key
    """
    if not traces and not logs:
        raise ConfigError("observe was asked for nothing", hint="observe(traces=True, logs=True)")
    chosen: list[Observer] = []
    if traces:
        chosen.append(Traces(contents=contents, provider=provider))
    if logs:
        chosen.append(Logs(contents=contents, logger=logger, level=level))
    return Observing(tuple(chosen))
