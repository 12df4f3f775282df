"""From facts to events: what listeners are told of what was journaled."""

from __future__ import annotations

from typing import Any

from yggdrasil.core.cycle import Status
from yggdrasil.core.events import (
    ActionReceived,
    Event,
    StageFinished,
    StageSkipped,
    StateDropped,
    TickFinished,
    TickStarted,
    WorldMended,
    WorldParked,
    WorldResumed,
    WorldUpdated,
)
from yggdrasil.core.facts import (
    ActionTaken,
    Fact,
    Finished,
    Mended,
    Parked,
    Resumed,
    Retried,
    StageDone,
    StageSkippedOver,
    StateDroppedOut,
    TickBegun,
    Updated,
)

Told = tuple[type[Event], dict[str, Any]]


def telling(fact: Fact, status: Status) -> Told | None:
    """The event of a fact, `status` being the one after it; None where nobody is told."""
    match fact:
        case TickBegun():
            return TickStarted, {"action": fact.action}
        case ActionTaken():
            return ActionReceived, {"action": fact.text}
        case StateDroppedOut():
            return StateDropped, {"filled": tuple(fact.filled)}
        case StageSkippedOver():
            return StageSkipped, {"stage": fact.stage, "reason": fact.reason}
        case StageDone():
            return StageFinished, {"stage": fact.stage, "block": fact.block, "output": fact.output}
        case Updated():
            return WorldUpdated, {"patch": tuple(fact.patch), "content_hash": fact.content_hash}
        case Finished():
            values = {"content_hash": fact.content_hash, "state_hash": fact.state_hash, "tick_hash": fact.tick_hash}
            return TickFinished, {"state": status.state, **values}
        case Parked():
            error = f"{fact.path}: {fact.error}" if fact.path else fact.error
            return WorldParked, {"stage": fact.stage, "error": error, "error_type": fact.error_type}
        case Mended():
            return WorldMended, {"stage": fact.stage, "how": fact.how}
        case Resumed() | Retried():
            return WorldResumed, {}
    return None

