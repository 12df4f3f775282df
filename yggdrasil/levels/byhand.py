"""A tick in which a person helped, executed again: what was given by hand is given, what was skipped is skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.core.cycle import Cycle
from yggdrasil.core.facts import Fact, Mended, Remembered, StageDone, Updated
from yggdrasil.levels.seat import Seat


class ByHand(Seat):
    """A seat whose output a person gave: nothing in it runs."""

    def __init__(self, seat: Seat, value: Any) -> None:
        self.__dict__.update(seat.__dict__)
        self._given = value

    async def run(self, inputs: Mapping[str, Any], ctx: RunContext) -> Any:
        """What was given."""
        return self._given


def helped(facts: Sequence[Fact], seats: Mapping[str, Seat], cycle: Cycle) -> tuple[Mapping[str, Seat], Cycle]:
    """The seats and the cycle of a tick as a person changed them, by the facts of that tick."""
    seats = dict(seats)
    for at, fact in enumerate(facts):
        if isinstance(fact, Mended) and fact.how == "skip":
            cycle = cycle.replace(steps=tuple(
                step.replace(condition=_never) if step.name == fact.stage else step for step in cycle.steps
            ))  # fmt: skip
        elif isinstance(fact, Mended) and fact.how == "edit":
            seats[fact.stage] = ByHand(seats[fact.stage], _given(facts[at + 1 :]))
    return seats, cycle


def _given(facts: Sequence[Fact]) -> Any:
    """The output that follows: a block, or a patch with the entries that it added to the history."""
    entries: list[Any] = []
    for fact in facts:
        match fact:
            case Remembered():
                entries.append(fact.entry)
            case Updated():
                return [*fact.patch, *({"op": "add", "path": "/history/-", "value": entry} for entry in entries)]
            case StageDone():
                return fact.output
    return None


def _never(state: Mapping[str, Any]) -> bool:
    return False
