"""The budgets of a world's run; those of a day know from the journal what was spent before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yggdrasil.core.budget import Budget
from yggdrasil.core.facts import Spent
from yggdrasil.core.frozen import freeze
from yggdrasil.core.messages import Usage, usage_to_json

if TYPE_CHECKING:
    from yggdrasil.levels.loop import WorldLoop


def open_budget(loop: WorldLoop) -> None:
    """The budgets of this run: the world's own, above it the caller's. Of a day: with what was spent on it."""
    budget = loop._caller.budget
    loop._budget = budget if loop.budget is None else loop.budget.under(budget)
    spent = loop.status.spent
    for each in _daily(loop):
        if spent is not None:
            each.take_up(spent["day"], Usage(**spent["usage"]))
        for moment, usage in loop._unspent:
            each.refill(moment, above=False)
            each.spent = each.spent + usage


def note_spent(loop: WorldLoop) -> None:
    """Where a budget is of a day: what was spent on it so far, with what happened in the stage."""
    today = next(iter(_daily(loop)), None)
    if today is not None and today.day is not None:
        spent = {"day": today.day, "usage": usage_to_json(today.spent)}
        if loop.status.spent != spent:
            loop._note(Spent(today.day, freeze(spent["usage"])))
        loop._unspent.clear()


def _daily(loop: WorldLoop) -> list[Budget]:
    """The budgets of this run that are of a day, its own first."""
    return [each for each in (loop._budget.chain() if loop._budget is not None else ()) if each.per is not None]
