"""The working view of the rules that choose what happens next, and the shape of what they choose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .almanac import SUN
from .dice import Dice
from .facts import Facts

Plan = dict[str, Any]
Shape = Callable[["View"], "Plan | None"]


class Happening:
    """One kind of happening: how likely by season, under what need, and how it is shaped."""

    __slots__ = ("kind", "need", "shape", "weights")

    def __init__(
        self, kind: str, shape: Shape, weights: dict[str, float], need: Callable[[View], float] | None
    ) -> None:
        self.kind, self.shape, self.weights, self.need = kind, shape, weights, need

    def weight(self, view: View) -> float:
        """How much it wants to happen now."""
        base = self.weights.get(view.season, 0.0)
        return base * (self.need(view) if base and self.need else 1.0)


HAPPENINGS: dict[str, Happening] = {}


def happening(
    kind: str, *, always: float = 0.0, need: Callable[[View], float] | None = None, **seasons: float
) -> Callable[[Shape], Shape]:
    """Register a shape under its kind. `always` is the weight in seasons that are not named."""

    def register(shape: Shape) -> Shape:
        weights = {name: seasons.get(name, always) for name in ("spring", "summer", "autumn", "winter")}
        HAPPENINGS[kind] = Happening(kind, shape, weights, need)
        return shape

    return register


class View:
    """Facts on the day to come, the dice, and whom or what an action would rather see."""

    def __init__(self, facts: Facts, dice: Dice, season: str, month: int, weather: dict[str, Any]) -> None:
        self.facts, self.dice, self.season, self.month, self.weather = facts, dice, season, month, weather
        self.day = facts.day
        self.wanted: list[str] = []
        self.wanted_place: str | None = None
        recent = facts.recent()
        self.last_kinds = [str(entry.get("kind", "")) for entry in recent]
        self.tired = {who: i + 1 for i, entry in enumerate(recent[-5:]) for who in entry.get("who") or ()}
        self.stale = {str(entry.get("place", "")): i + 1 for i, entry in enumerate(recent[-4:])}

    def person(self, ids: Sequence[str]) -> str | None:
        """One of the ids: a wanted one first, then the less lately seen."""
        if not ids:
            return None
        for who in self.wanted:
            if who in ids:
                return who
        return self.dice.weighted([(1.0 / (1 + self.tired.get(who, 0)), who) for who in ids])

    def persons(self, ids: Iterable[str], count: int) -> list[str]:
        """Up to `count` different ones."""
        left = list(ids)
        chosen: list[str] = []
        while left and len(chosen) < count:
            who = self.person(left)
            assert who is not None
            chosen.append(who)
            left.remove(who)
        return chosen

    def settlement(self, among: Sequence[str] | None = None) -> str | None:
        """An inhabited settlement with hands to work: the wanted one first, then one not lately told of."""
        facts = self.facts
        fit = [s for s in (facts.settlements if among is None else among) if facts.hands(s)]
        if not fit:
            return None
        if self.wanted_place in fit:
            return self.wanted_place
        for who in self.wanted:
            home = facts.people[who]["home"]
            if home in fit:
                return str(home)
        return self.dice.weighted([(1.0 / (1 + self.stale.get(s, 0)), s) for s in fit])

    def open(self, kind: str) -> list[str]:
        """The open threads of a kind."""
        return [t for t in sorted(self.facts.threads) if self.facts.threads[t]["kind"] == kind]

    def _daylight(self, early: int, late: int) -> tuple[int, int]:
        """Hours of plain day work, kept to the light of the season; what is meant for the night stays there."""
        if early < 4 or late > 20:
            return early, late
        rise, down = SUN[self.season]
        return max(early, rise - 1), max(max(early, rise - 1), min(late, down + 1))

    def plan(
        self,
        kind: str,
        who: Sequence[str],
        where: str,
        gist: str,
        *,
        hours: tuple[int, int] = (8, 17),
        effects: Sequence[dict[str, Any]] = (),
        threads: Sequence[dict[str, Any]] = (),
        causes: Sequence[str] = (),
        **slots: Any,
    ) -> Plan:
        """What is supposed to happen. `gist` is the happening in one clause without its doer, in the past tense."""
        return {
            "kind": kind,
            "who": list(who),
            "where": where,
            "hour": self.dice.between(*self._daylight(*hours)),
            "gist": gist,
            "effects": [dict(effect) for effect in effects],
            "threads": [dict(thread) for thread in threads],
            "causes": list(causes),
            "slots": slots,
        }


def store(place: str, what: str, by: int) -> dict[str, Any]:
    """An effect: a settlement's store of `what` changes by `by`."""
    return {"do": "store", "place": place, "what": what, "by": by}


def tie(a: str, b: str, by: int) -> list[dict[str, Any]]:
    """Effects: two people think better or worse of each other."""
    return [{"do": "tie", "a": a, "b": b, "by": by}, {"do": "tie", "a": b, "b": a, "by": by}]


def health(who: str, by: int) -> dict[str, Any]:
    """An effect: a person is better or worse."""
    return {"do": "health", "who": who, "by": by}
