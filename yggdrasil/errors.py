"""Every error that Yggdrasil raises, arranged by what the caller can do about it.

::

    YggdrasilError
    ├── SpecError             mend the code or the file: it can never run as it is
    │   ├── ConfigError           a config, a YAML file or a checkpoint is malformed
    │   ├── SecretError           a config carries a secret (never shown)
    │   ├── UnknownTypeError      no such block type, template, agent, tool or world
    │   ├── ValidationError       a graph, pipeline, stage or world is wrongly wired
    │   └── PortError             a value does not fit its port
    ├── RunError              what ran failed; the path says where
    │   ├── BlockError            a block raised
    │   ├── RunTimeoutError       a run or a node took longer than it may
    │   ├── BudgetError           a budget refused before spending
    │   ├── ToolServerError       a server of tools (MCP) cannot be reached, was lost, or refused
    │   ├── SuspendedError        tool calls wait for a person's approval; answer, and run the same line again
    │   └── AgentError            an agent loop cannot go on; carries the transcript
    │       ├── StepLimitError        max_steps model turns were not enough
    │       ├── ToolRetryError        one tool failed more than max_retries times
    │       └── OutputError           the model never gave a valid typed output
    ├── ModelError            a provider failed
    │   ├── ModelTransientError   wait and try again (the retry policy does): 408, 409, 429, 5xx, disconnects
    │   │   ├── RateLimitError        429; `retry_after` says how long
    │   │   └── StreamError           the stream broke, stalled or ended early
    │   ├── ModelRequestError     the request is wrong: 400, 404, 413
    │   │   └── ContextTooLongError   more than the model can read: fewer or shorter messages are needed
    │   ├── ModelAuthError        401, 403, or the key is not in the environment
    │   ├── ModelReplyError       the reply cannot be understood
    │   └── RefusalError          the model refused
    ├── StoreError            the store refused or failed; nothing acknowledged is lost
    │   ├── StoreFullError        no space left
    │   ├── ConflictError         somebody else wrote first
    │   ├── LeaseError            another process holds the stream, or took it over
    │   ├── CorruptError          a record or blob is not what was written
    │   └── FormatError           written by a newer version, or not a store
    └── WorldError            a world cannot go on
        ├── ParkedError           a stage failed; the world waits for a person
        ├── EndWorldError         an End World refuses every write
        ├── PatchError            a patch does not apply to the content
        ├── EffectMismatchError   a replayed effect is not the recorded one
        ├── EffectUnknownError    an effect was in flight at a crash and must not be repeated
        └── ReplayError           a tick that is executed again does not end as it was recorded

A message names both sides, says what was available, and gives the line to write instead (`hint`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One complaint as data: where, what, and the line to write instead.

    `level` is "error" or "warning".
    """

    path: str
    sentence: str
    hint: str = ""
    level: str = "error"

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.sentence}" + (f"\n  try: {self.hint}" if self.hint else "")


def close_names(name: str, available: Iterable[str]) -> str:
    """A sentence that offers the names nearest to `name`, or lists what there is."""
    names = sorted(set(available))
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        # names that begin alike are close, all of them: only those about as close as the closest are worth a word
        near = {n: SequenceMatcher(None, name, n).ratio() for n in close}
        close = [n for n in close if near[n] > near[close[0]] - 0.15]
        return "did you mean " + " or ".join(repr(n) for n in close) + "?"
    if not names:
        return "nothing is available"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"available: {shown}"


def closest(name: str, available: Iterable[str]) -> str:
    """The name nearest to `name`; "" when none is near."""
    return next(iter(get_close_matches(name, sorted(set(available)), n=1, cutoff=0.5)), "")


class YggdrasilError(Exception):
    """The root of the tree. `path` says where, `hint` what to write instead."""

    def __init__(self, sentence: str, *, path: str = "", hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.path = path
        self.hint = hint

    def __str__(self) -> str:
        return str(Problem(self.path, self.sentence, self.hint))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(kind: type[YggdrasilError], args: tuple[Any, ...], state: dict[str, Any]) -> YggdrasilError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class SpecError(YggdrasilError):
    """Mend the code or the file: it can never run as it is."""


class ConfigError(SpecError):
    """A config, a YAML file or a checkpoint is malformed."""


class SecretError(ConfigError):
    """A config carries a secret; the message never shows it."""


class UnknownTypeError(SpecError):
    """No such block type, template, agent, tool or world; close names are offered."""


class PortError(SpecError):
    """A value does not fit its port, or a port is missing or unknown."""


class ValidationError(SpecError):
    """A level is wrongly wired; `problems` lists everything found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class RunError(YggdrasilError):
    """What ran failed; `path` says where (`world midgard / stage author / node llm`)."""


class BlockError(RunError):
    """A block raised; the original is `__cause__`."""


class RunTimeoutError(RunError):
    """A run or a node took longer than it may."""


class BudgetError(RunError):
    """A budget refused before spending."""


class ToolServerError(RunError):
    """A server of tools (MCP) cannot be reached, was lost, or refused; it is started anew by the next call.

    `lost`: it went away while it was asked, so that nobody knows whether it did what it was asked.
    """

    def __init__(self, sentence: str, *, lost: bool = False, path: str = "", hint: str = "") -> None:
        super().__init__(sentence, path=path, hint=hint)
        self.lost = lost


class SuspendedError(RunError):
    """Tool calls wait for a person's approval; `pending` lists them (`core.approval.Approval`)."""

    def __init__(self, sentence: str, *, pending: Sequence[Any] = (), path: str = "", hint: str = "") -> None:
        super().__init__(sentence, path=path, hint=hint)
        self.pending = tuple(pending)


class AgentError(RunError):
    """An agent loop cannot go on; `transcript` holds its messages so far."""

    def __init__(self, sentence: str, *, transcript: Sequence[Any] = (), path: str = "", hint: str = "") -> None:
        super().__init__(sentence, path=path, hint=hint)
        self.transcript = transcript


class StepLimitError(AgentError):
    """`max_steps` model turns were not enough."""


class ToolRetryError(AgentError):
    """One tool failed more than `max_retries` times."""


class OutputError(AgentError):
    """The model never gave a valid typed output."""


class ModelError(YggdrasilError):
    """A provider failed."""


class ModelTransientError(ModelError):
    """Wait and try again: 408, 409, 5xx, a disconnect. `retry_after` in seconds where the provider said so."""

    def __init__(self, sentence: str, *, retry_after: float | None = None, path: str = "", hint: str = "") -> None:
        super().__init__(sentence, path=path, hint=hint)
        self.retry_after = retry_after


class RateLimitError(ModelTransientError):
    """429: too many requests or tokens."""


class StreamError(ModelTransientError):
    """The stream broke, stalled, or ended without a finish reason."""


class ModelRequestError(ModelError):
    """The request is wrong and will stay wrong: 400, 404, 413, a part that the model cannot be sent."""


class ContextTooLongError(ModelRequestError):
    """The messages are longer than the model can read: send fewer or shorter ones."""


class ModelAuthError(ModelError):
    """401 or 403, or the key is not in the environment."""


class ModelReplyError(ModelError):
    """The reply cannot be understood."""


class RefusalError(ModelError):
    """The model refused."""


class StoreError(YggdrasilError):
    """The store refused or failed; nothing acknowledged is lost."""


class StoreFullError(StoreError):
    """No space left; free some and start again."""


class ConflictError(StoreError):
    """Somebody else wrote first: the stream is not where the writer thought."""


class LeaseError(StoreError):
    """Another process holds the stream, or took it over; `holder` names it."""

    def __init__(self, sentence: str, *, holder: str = "", path: str = "", hint: str = "") -> None:
        super().__init__(sentence, path=path, hint=hint)
        self.holder = holder


class CorruptError(StoreError):
    """A record or blob is not what was written."""


class FormatError(StoreError):
    """Written by a newer version, or not a store at all."""


class WorldError(YggdrasilError):
    """A world cannot go on."""


class ParkedError(WorldError):
    """A stage failed; the world waits for a person. Nothing written is lost."""


class EndWorldError(WorldError):
    """An End World refuses every write."""


class PatchError(WorldError):
    """A patch does not apply to the content."""


class EffectMismatchError(WorldError):
    """A replayed effect is not the recorded one: the request changed."""


class EffectUnknownError(WorldError):
    """An effect was in flight at a crash and is declared `idempotent=False`: a person must say what happened."""


class ReplayError(WorldError):
    """A tick that is executed again gives or asks for something else than was recorded; `tick` is its number."""

    def __init__(self, sentence: str, *, tick: int = 0, path: str = "", hint: str = "") -> None:
        super().__init__(sentence, path=path, hint=hint)
        self.tick = tick
