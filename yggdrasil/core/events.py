"""The closed vocabulary of events. Streaming, hooks, logs, traces and the terminal read the same records.

Every event has `path` (where, as `midgard/author/draft/llm`), `time` (seconds since the epoch, of the
run's clock), `sequence` (counted within one run) and, inside a world, `tick`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from yggdrasil.core.value import Value


class Event(Value):
    """What all events have. `ASIDE` names fields that only hooks see: they are in no JSON and are not shown."""

    ASIDE: ClassVar[frozenset[str]] = frozenset()

    path: str = ""
    time: float = 0.0
    sequence: int = 0
    tick: int | None = None

    @property
    def kind(self) -> str:
        """The event's name in JSON: `NodeStarted` is `node_started`."""
        return kind_of(type(self))

    def __repr__(self) -> str:
        shown = ", ".join(f"{n}={v!r}" for n, v in self.values().items() if n not in self.ASIDE)
        return f"{type(self).__name__}({shown})"


# --- a run, on any level


class RunStarted(Event):
    """`run` or `stream` has begun, of something of type `block`; `thread` is the durable run that it goes on with."""

    block: str = ""
    thread: str = ""


class RunFinished(Event):
    """The last event of a run that succeeded; `result` is what `run` returns."""

    result: Any = None


class RunFailed(Event):
    """The last event of a run that failed; `error_type` is the error's class."""

    error: str = ""
    error_type: str = ""


class NodeStarted(Event):
    """A node's block is called."""

    block: str = ""


class NodeFinished(Event):
    """A node's block returned; `outputs` names the ports it filled."""

    outputs: tuple[str, ...] = ()


class NodeSkipped(Event):
    """A node was not run: its gate was shut, or what it needs never came."""

    reason: str = ""


class NodeFailed(Event):
    """A node's block raised."""

    error: str = ""
    error_type: str = ""


class NodeRetried(Event):
    """A node failed and is tried again; `attempt` is the one that failed, `wait` the seconds until the next."""

    attempt: int = 0
    wait: float = 0.0
    error: str = ""
    error_type: str = ""


class LoopIterated(Event):
    """A loop begins iteration `iteration` (from 0) of `total` (None: until a condition holds)."""

    iteration: int = 0
    total: int | None = None


class Progress(Event):
    """A block says how far it is."""

    done: float = 0.0
    total: float | None = None
    note: str = ""


class Warned(Event):
    """Something is odd and the run goes on."""

    sentence: str = ""


# --- models and tools


class Token(Event):
    """A piece of a model's answer; `part` is text, thinking or arguments ("restart": the pieces so far are void)."""

    text: str = ""
    part: str = "text"


class ModelCalled(Event):
    """A model call begins; `request` is what the model is asked."""

    ASIDE: ClassVar[frozenset[str]] = frozenset({"request"})

    model: str = ""
    request: Any = None


class ModelReplied(Event):
    """A model answered; tokens as the provider counts them. `reply` is the id that the provider gave the answer.

    `message` is what it said.
    """

    ASIDE: ClassVar[frozenset[str]] = frozenset({"message"})

    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    finish: str = ""
    reply: str = ""
    message: Any = None


class ModelFailed(Event):
    """A model call failed, and nothing more was tried."""

    model: str = ""
    error: str = ""
    error_type: str = ""


class ToolCalled(Event):
    """An agent calls a tool; `block` is its type when there is such a tool."""

    tool: str = ""
    call: str = ""
    arguments: Any = None
    block: str = ""


class ToolReturned(Event):
    """A tool gave its result; `failed` when the text is an error."""

    tool: str = ""
    call: str = ""
    content: str = ""
    failed: bool = False


class ApprovalAsked(Event):
    """A tool call waits for a person; `approval` is the id to answer to."""

    approval: str = ""
    tool: str = ""
    call: str = ""
    arguments: Any = None


class ApprovalGiven(Event):
    """A person answered; `note` is what they said."""

    approval: str = ""
    tool: str = ""
    approved: bool = False
    note: str = ""


class HandedOff(Event):
    """An agent handed the talk over to another."""

    agent: str = ""
    reason: str = ""


class MemoryCompacted(Event):
    """An agent's memory was brought under its budget of tokens; `messages` were replaced by a summary."""

    messages: int = 0
    before: int = 0
    after: int = 0


# --- a world


class WorldOpened(Event):
    """A world was opened at `tick`: the last finished one, or when it is `under_way` the one that goes on now."""

    store: str = ""
    resumed: bool = False
    under_way: bool = False


class ActionReceived(Event):
    """A user's action waits for the next development."""

    action: str = ""


class TickStarted(Event):
    """A pass through the five stages begins."""

    action: str | None = None


class TicksMissed(Event):
    """So many ticks were due by the timers while nobody lived the world, or a tick took too long: one makes up."""

    missed: int = 0


class StateDropped(Event):
    """A partial state was dropped; development saw it as a proposal."""

    filled: tuple[str, ...] = ()


class StageStarted(Event):
    """A stage runs."""

    stage: str = ""


class StageSkipped(Event):
    """A stage was skipped; `reason` says why."""

    stage: str = ""
    reason: str = ""


class StageFinished(Event):
    """A stage filled its block; `output` is the block's value (blobs by reference)."""

    stage: str = ""
    block: str = ""
    output: Any = None


class WorldUpdated(Event):
    """World update changed the content by `patch` (RFC 6902)."""

    patch: tuple[Mapping[str, Any], ...] = ()
    content_hash: str = ""


class TickFinished(Event):
    """A pass ended, and is durable; `state` holds the five blocks."""

    state: Any = None
    content_hash: str = ""
    state_hash: str = ""
    tick_hash: str = ""


class WorldParked(Event):
    """A stage failed: the world waits for a person."""

    stage: str = ""
    error: str = ""
    error_type: str = ""


class WorldMended(Event):
    """A person said how the parked world goes on: `how` is skip, edit, migrate or abandon (a retry is a resume)."""

    stage: str = ""
    how: str = ""


class WorldPaused(Event):
    """The world rests until it is resumed."""


class WorldResumed(Event):
    """The world goes on."""


class WorldStopped(Event):
    """The world's loop ended at a safe point."""

    reason: str = ""


class EventsMissed(Event):
    """A subscriber was too slow: so many events went by. The journal has them: records of `stream` after `after`."""

    missed: int = 0
    stream: str = ""
    after: int = 0


@cache
def kind_of(event: type[Event]) -> str:
    """`NodeStarted` -> `node_started`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", event.__name__).lower()


EVENTS: dict[str, type[Event]] = {
    kind_of(e): e for e in list(globals().values()) if isinstance(e, type) and issubclass(e, Event) and e is not Event
}
"""Every kind of event by its name in JSON."""


def event_to_json(event: Event) -> dict[str, Any]:
    """An event as JSON: its kind under `event`, then its fields; a result and what lies `ASIDE` are left out."""
    data: dict[str, Any] = {"event": event.kind}
    for name, value in event.values().items():
        if name != "result" and name not in event.ASIDE:
            data[name] = list(value) if isinstance(value, tuple) else value
    return data
