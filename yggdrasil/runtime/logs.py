"""Log lines of a run through structlog: one for each event worth a line, with its path and the run's id."""

from __future__ import annotations

import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

from yggdrasil.abc.hook import Observer
from yggdrasil.core import events as told
from yggdrasil.core.events import Event
from yggdrasil.errors import ConfigError
from yggdrasil.runtime.shown import sentence, shown
from yggdrasil.runtime.watching import Bystander

Level = Literal["debug", "info", "warning", "error"]

LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")

_DEBUG = (
    told.NodeStarted, told.NodeFinished, told.NodeSkipped, told.LoopIterated, told.Progress, told.ModelCalled,
    told.ToolCalled, told.StageStarted,
)  # fmt: skip
_WARNING = (told.Warned, told.NodeRetried)
_ERROR = (told.RunFailed, told.NodeFailed, told.ModelFailed, told.WorldParked)
_KINDS: Mapping[type[Event], Level] = {
    **dict.fromkeys(_DEBUG, "debug"),
    **dict.fromkeys(_WARNING, "warning"),
    **dict.fromkeys(_ERROR, "error"),
}


class Logs(Observer):
    """Log lines of runs: `run(..., hooks=[Logs()])`, or of every run by `yggdrasil.observe(logs=True)`.

    contents   show what was said too: arguments and results of tools, notes, what a world's stages gave; without
               what looks like a key
    logger     the structlog logger to use; by default the program's own when structlog is configured, and lines
               on stderr when it is not
    level      the least that gets a line: debug, info, warning or error
    """

    def __init__(self, *, contents: bool = False, logger: Any = None, level: Level = "info") -> None:
        if level not in LEVELS:
            raise ConfigError(f"level is {level!r}; there are {', '.join(LEVELS)}", hint='Logs(level="info")')
        self.contents, self.logger, self.level = contents, logger, level

    def watch(self, run: str) -> Log:
        """The hook for one run."""
        logger = _logger() if self.logger is None else self.logger
        return Log(logger.bind(run=run), LEVELS.index(self.level), contents=self.contents)


class Log(Bystander):
    """The lines of one run."""

    def __init__(self, logger: Any, least: int, *, contents: bool) -> None:
        self._logger, self._least, self._contents = logger, least, contents
        self._under_way: dict[str, float] = {}

    def hear(self, event: Event) -> None:
        """Write its line."""
        if isinstance(event, told.Token):
            return
        values: dict[str, Any] = {"path": event.path}
        if event.tick is not None:
            values["tick"] = event.tick
        if isinstance(event, told.RunStarted):
            self._under_way[event.path] = event.time
        elif isinstance(event, told.RunFinished | told.RunFailed):
            values |= self._spent(event)
        level = _level(event)
        if LEVELS.index(level) >= self._least:
            getattr(self._logger, level)(_name(event), **values, **shown(event, contents=self._contents))

    def _spent(self, event: told.RunFinished | told.RunFailed) -> dict[str, Any]:
        """How many seconds a run took, and the tokens and US dollars that it cost."""
        found: dict[str, Any] = {"seconds": round(event.time - self._under_way.pop(event.path, event.time), 6)}
        usage = getattr(getattr(event, "result", None), "usage", None)
        if usage is not None and usage.requests:
            found |= {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
            if usage.cost is not None:
                found["cost"] = usage.cost
        return found

    def close(self, error: BaseException, time: float) -> None:
        """Tell what no event told: that the run was cancelled, or took too long."""
        if self._under_way:
            path, began = next(iter(self._under_way.items()))
            self._under_way.clear()
            seconds = round(time - began, 6)
            if isinstance(error, Exception):
                values = {"error": sentence(str(error)), "error_type": type(error).__name__}
                self._logger.error("run_failed", path=path, seconds=seconds, **values)
            elif self._least <= LEVELS.index("warning"):
                self._logger.warning("run_cancelled", path=path, seconds=seconds)


def _waits(event: Event) -> bool:
    """Whether it ended to wait for a person: nothing is wrong then."""
    return isinstance(event, told.RunFailed | told.NodeFailed) and event.error_type == "SuspendedError"


def _name(event: Event) -> str:
    return event.kind.replace("failed", "suspended") if _waits(event) else event.kind


def _level(event: Event) -> Level:
    if isinstance(event, told.ToolReturned) and event.failed:
        return "warning"
    if _waits(event):
        return "info"
    return _KINDS.get(type(event), "info")


def _logger() -> Any:
    """The program's logger, or a plain one on stderr when the program has set up none."""
    import structlog

    if structlog.is_configured():
        return structlog.get_logger("yggdrasil")
    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            _line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        context_class=dict,
    )


def _line(_logger: Any, _method: str, values: MutableMapping[str, Any]) -> str:
    """`12:00:01 info    model_replied path=agent run=3f2a91c0 ...`: control characters are shown, not sent."""
    time, level, event = (values.pop(name) for name in ("timestamp", "level", "event"))
    fields = " ".join(f"{name}={_value(value)}" for name, value in values.items())
    return f"{time} {level:<7} {event} {fields}"


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    plain = text.isprintable() and text and not any(mark in text for mark in " \"'=")
    return text if plain or not isinstance(value, str) else repr(value)
