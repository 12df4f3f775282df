"""Everything that can happen to a world, as a closed list of frozen records: what its journal is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from yggdrasil.core.frozen import freeze
from yggdrasil.core.value import Value
from yggdrasil.errors import CorruptError


class Fact(Value):
    """What all facts have: the name of their kind in the journal."""

    kind: ClassVar[str] = ""

    def to_json(self) -> dict[str, Any]:
        """The record's data; fields that say nothing are left out."""
        return {name: value for name, value in self.values().items() if value is not None}


class Opened(Fact):
    """The first record: the world's name and seed, and its sections by digest (each a blob of canonical JSON)."""

    kind: ClassVar[str] = "opened"
    name: str
    seed: int
    sections: Mapping[str, str]
    content_hash: str
    format: int = 1


class Remembered(Fact):
    """One entry was added to the history."""

    kind: ClassVar[str] = "history"
    tick: int
    entry: Any = None


class ActionTaken(Fact):
    """A user's action was taken from the inbox, or given with the run."""

    kind: ClassVar[str] = "action"
    text: str


class TickBegun(Fact):
    """A tick begins: with the action that development will see, and the state handed in, if any."""

    kind: ClassVar[str] = "tick"
    tick: int
    action: str | None = None
    state: Mapping[str, Any] | None = None


class StateDroppedOut(Fact):
    """A partial state was dropped; development sees it as a proposal."""

    kind: ClassVar[str] = "dropped"
    filled: tuple[str, ...]
    state: Mapping[str, Any]


class StageSkippedOver(Fact):
    """A stage was skipped."""

    kind: ClassVar[str] = "skipped"
    stage: str
    reason: str


class StageDone(Fact):
    """A stage filled its block; blobs by reference."""

    kind: ClassVar[str] = "stage"
    stage: str
    block: str
    output: Any = None


class Updated(Fact):
    """World update changed the sections by `patch`; `state` is the full state that did it, saved with it."""

    kind: ClassVar[str] = "updated"
    tick: int
    patch: tuple[Mapping[str, Any], ...]
    state: Mapping[str, Any]
    content_hash: str


class Finished(Fact):
    """A tick ended: the hash of the content, of the state, and of the chain so far."""

    kind: ClassVar[str] = "finished"
    tick: int
    content_hash: str
    state_hash: str
    tick_hash: str


class Pruned(Fact):
    """The past up to the end of `tick`, which is record `upto`, was pruned: only what was to be kept of it is there."""

    kind: ClassVar[str] = "pruned"
    tick: int = 0
    upto: int = 0


class Parked(Fact):
    """A stage failed: where, with what, and the digest of its inputs."""

    kind: ClassVar[str] = "parked"
    tick: int
    stage: str
    path: str
    error: str
    error_type: str
    inputs: str


class Retried(Fact):
    """A parked world goes on with the stage that failed."""

    kind: ClassVar[str] = "retried"
    stage: str


class Paused(Fact):
    """The world rests."""

    kind: ClassVar[str] = "paused"


class Resumed(Fact):
    """The world goes on."""

    kind: ClassVar[str] = "resumed"


class Stopped(Fact):
    """The loop was stopped, at a safe point."""

    kind: ClassVar[str] = "stopped"
    reason: str


class EffectBegun(Fact):
    """An effect that must not be repeated by itself is about to be performed."""

    kind: ClassVar[str] = "effect_begun"
    scope: str
    path: str
    ordinal: int
    request: str
    key: str
    what: str


class EffectDone(Fact):
    """An effect's result. `request` is the digest of what was asked, `failed` what failed before at this place."""

    kind: ClassVar[str] = "effect"
    scope: str
    path: str
    ordinal: int
    request: str
    what: str
    result: Any = None
    failed: tuple[Mapping[str, Any], ...] | None = None


class ToolAsked(Fact):
    """A tool call waits for a person's approval."""

    kind: ClassVar[str] = "approval_asked"
    scope: str
    path: str
    approval: str
    tool: str
    arguments: Mapping[str, Any]


class ToolAnswered(Fact):
    """A person answered: the call `approval` may run, or not; with other arguments if there are any."""

    kind: ClassVar[str] = "approval_given"
    approval: str
    approved: bool
    note: str = ""
    arguments: Mapping[str, Any] | None = None


class EffectsAbandoned(Fact):
    """What was recorded at and under `path` in this tick no longer counts: the stage begins anew.

    With `ordinal` it is that one effect at `path` alone.
    """

    kind: ClassVar[str] = "effects_abandoned"
    scope: str
    path: str
    ordinal: int | None = None


OF_EFFECTS = (EffectBegun, EffectDone, EffectsAbandoned, ToolAsked, ToolAnswered)
"""What the effects of a run are restored from."""

KINDS: dict[str, type[Fact]] = {
    kind.kind: kind
    for kind in (
        Opened, Remembered, ActionTaken, TickBegun, StateDroppedOut, StageSkippedOver, StageDone, Updated, Finished,
        Pruned, Parked, Retried, Paused, Resumed, Stopped, EffectBegun, EffectDone, EffectsAbandoned,
        ToolAsked, ToolAnswered,
    )
}  # fmt: skip
"""Every kind of fact by its name in the journal."""


def fact_of(kind: str, data: Any, path: str = "") -> Fact:
    """A fact from its record; CorruptError when it is none."""
    made = KINDS.get(kind)
    if made is None:
        raise CorruptError(f"{kind!r} is no kind of record of a world", path=path)
    try:
        return made(**freeze(data))
    except (TypeError, ValueError) as error:
        raise CorruptError(f"the record does not say what a {kind!r} record says: {error}", path=path) from error
