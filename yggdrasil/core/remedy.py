"""What a person may say about a parked world, and what follows from it: facts, or the reason why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from yggdrasil.core.cycle import DEVELOPMENT, UPDATE, Cycle, Status, Trouble
from yggdrasil.core.facts import (
    EffectsAbandoned,
    EffectsMigrated,
    Fact,
    Mended,
    Retried,
    StageSkippedOver,
    ToolAnswered,
)
from yggdrasil.errors import EffectMismatchError, WorldError, close_names

REMEDIES: Final = ("retry", "skip", "edit", "migrate", "abandon")
"""
retry     the stage runs again; what it has recorded of effects is given back, not repeated
skip      the stage's block stays empty in this tick
edit      a person gives the stage's block
migrate   what was recorded is valid for what is asked now, at the place where the request changed
abandon   what the stage has recorded of effects in this tick is dropped: it begins anew
"""


def remedy(
    cycle: Cycle, status: Status, how: str, reads: Mapping[str, Sequence[str]], path: str = ""
) -> tuple[Fact, ...]:
    """The facts by which a parked world goes on; of `edit` the first, its output follows.

    reads   the blocks that each step's stage cannot do without
    WorldError when the world is not parked, or not so that this helps.
    """
    trouble = status.trouble
    if how not in REMEDIES:
        raise WorldError(f"there is no remedy {how!r}; {close_names(how, REMEDIES)}", path=path)
    if trouble is None:
        raise WorldError("the world is not parked", path=path)
    scope = f"tick:{status.running}"
    match how:
        case "retry":
            return (Retried(trouble.stage),)
        case "skip":
            why = cannot_skip(cycle, trouble.stage, reads)
            if why:
                raise WorldError(why, path=trouble.path, hint="yggdrasil resume WORLD --edit VALUE gives it by hand")
            return Mended(trouble.stage, how), StageSkippedOver(trouble.stage, "a person skipped it")
        case "migrate":
            return Mended(trouble.stage, how), EffectsMigrated(scope, changed_place(trouble))
        case "abandon":
            return Mended(trouble.stage, how), EffectsAbandoned(scope, f"{path}/{trouble.stage}")
    return (Mended(trouble.stage, how),)


def changed_place(trouble: Trouble) -> str:
    """The place whose request is another one than was recorded. WorldError when that is not the trouble."""
    if trouble.error_type != EffectMismatchError.__name__:
        raise WorldError(
            f"no request changed: the world is parked by {trouble.error_type or 'an error'}",
            path=trouble.path,
            hint="yggdrasil resume WORLD --retry",
        )
    return trouble.path


def cannot_skip(cycle: Cycle, stage: str, reads: Mapping[str, Sequence[str]]) -> str:
    """Why a stage cannot be left out of its tick; "" when it can.

    It can when every stage that then lacks its block, until development begins a new state, is skipped for that.
    """
    if stage == DEVELOPMENT:
        return "development cannot be skipped: it begins the new state, and nothing else does"
    if stage == UPDATE:
        return "world update cannot be skipped: an empty patch, [], changes nothing"
    names = [step.name for step in cycle.steps]
    start = names.index(stage)
    empty = {cycle.steps[start].fills}
    for step in (*cycle.steps[start + 1 :], *cycle.steps[:start]):
        if step.name == DEVELOPMENT:
            break
        if empty & set(step.needs):
            empty.add(step.fills)
        elif lacks := sorted(empty & set(reads.get(step.name, ()))):
            return f"{stage} cannot be skipped: {step.name} runs without asking whether {lacks[0]} is there"
    return ""


def answered(effects: Iterable[Fact]) -> frozenset[str]:
    """The approvals that a person has answered."""
    return frozenset(fact.approval for fact in effects if isinstance(fact, ToolAnswered))
