"""What events do to the facts, and what the rules forbid them to do; the result is compared with what was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .facts import AWAY

Effect = dict[str, Any]


class Change:
    """A working copy of the parts of the content that a tick may touch; copies are made on first touch."""

    def __init__(self, world: dict[str, Any], day: int) -> None:
        self.world, self.day, self.rules = world, day, world["rules"]
        self.people: dict[str, dict[str, Any]] = dict(world["characters"])
        self.stores: dict[str, dict[str, int]] = {name: dict(shelf) for name, shelf in world["stores"].items()}
        self.open: dict[str, dict[str, Any]] = dict(world["threads"]["open"])
        self.closed: list[dict[str, Any]] = list(world["threads"]["closed"])
        self.graves: list[dict[str, Any]] = list(world["graves"])
        self.count: dict[str, int] = dict(world["count"])
        self._mine: set[str] = set()

    def person(self, who: str) -> dict[str, Any] | None:
        """The record of someone who lives, free to be changed; None for anyone else."""
        found = self.people.get(who)
        if found is None:
            return None
        if who not in self._mine:
            self._mine.add(who)
            found = {
                **found,
                "kin": dict(found["kin"]),
                "ties": dict(found["ties"]),
                "memories": list(found["memories"]),
            }
            self.people[who] = found
        return found

    def remember(self, who: str, text: str) -> None:
        """One more memory; the oldest goes when there are too many."""
        person = self.person(who)
        if person is not None:
            person["memories"] = [*person["memories"], {"day": self.day, "text": text}][-self.rules["memories"] :]

    def gone(self, who: str) -> None:
        """Out of the valley's people for good: no spouse, no tie and no record is left behind."""
        self.people.pop(who, None)
        self._mine.discard(who)
        for other in sorted(self.people):
            record = self.people[other]
            talked = [b for b in record.get("heard") or () if who in b["about"]]
            if record["kin"].get("spouse") != who and who not in record["ties"] and not talked:
                continue
            mine = self.person(other)
            if mine is not None:
                if talked:
                    mine["heard"] = [b for b in mine["heard"] if b not in talked]
                mine["ties"].pop(who, None)
                if mine["kin"].get("spouse") == who:
                    mine["kin"]["spouse"] = None


def _store(change: Change, effect: Effect) -> bool:
    shelf = change.stores.get(effect["place"])
    if shelf is None or effect["what"] not in shelf:
        return False
    most = {**change.rules["barn"], "sheep": change.rules["herd"], "boats": change.rules["boats"]}[effect["what"]]
    shelf[effect["what"]] = max(0, min(most, shelf[effect["what"]] + int(effect["by"])))
    return True


def _tie(change: Change, effect: Effect) -> bool:
    if effect["a"] == effect["b"] or effect["b"] not in change.people:
        return False
    person = change.person(effect["a"])
    if person is None:
        return False
    ties = person["ties"]
    value = max(-5, min(5, ties.get(effect["b"], 0) + int(effect["by"])))
    ties.pop(effect["b"], None)
    if value:
        ties[effect["b"]] = value
    while len(ties) > change.rules["ties"]:
        del ties[min((w for w in ties if w != effect["b"]), key=lambda w: (abs(ties[w]), w))]
    return True


def _health(change: Change, effect: Effect) -> bool:
    person = change.person(effect["who"])
    if person is None:
        return False
    # A blow or a fever leaves a last breath: who dies, dies in a happening of its own.
    person["health"] = max(1, min(10, person["health"] + int(effect["by"])))
    return True


def _born(change: Change, effect: Effect) -> bool:
    if effect["id"] in change.people:
        return False
    person = effect["person"]
    change.people[effect["id"]] = {**person, "kin": dict(person["kin"]), "ties": {}, "memories": []}
    change._mine.add(effect["id"])
    change.count["person"] += 1
    return True


def _die(change: Change, effect: Effect) -> bool:
    person = change.people.get(effect["who"])
    if person is None:
        return False
    age = (change.day - person["born"]) // 360
    change.graves.append(
        {
            "id": effect["who"],
            "name": person["full"],
            "died": change.day,
            "age": age,
            "cause": effect["cause"],
            "home": person["home"],
        }
    )
    change.graves = change.graves[-change.rules["graves"] :]
    change.gone(effect["who"])
    return True


def _leave(change: Change, effect: Effect) -> bool:
    if effect["who"] not in change.people:
        return False
    change.gone(effect["who"])
    return True


def _wed(change: Change, effect: Effect) -> bool:
    a, b = change.person(effect["a"]), change.person(effect["b"])
    if a is None or b is None or a["kin"].get("spouse") or b["kin"].get("spouse"):
        return False
    a["kin"]["spouse"], b["kin"]["spouse"] = effect["b"], effect["a"]
    adult = change.rules["adult"] * 360
    for who in sorted(change.people):
        parents = (change.people[who]["kin"].get("mother"), change.people[who]["kin"].get("father"))
        young = change.day - change.people[who]["born"] < adult
        if who in (effect["a"], effect["b"]) or (young and (effect["a"] in parents or effect["b"] in parents)):
            person = change.person(who)
            assert person is not None
            person["home"] = effect["home"]
    return True


def _settle(change: Change, effect: Effect) -> bool:
    person = change.person(effect["who"])
    if person is None or effect["home"] not in change.stores:
        return False
    person["home"] = effect["home"]
    if person["at"] != AWAY:
        person["at"] = effect["home"]
    return True


def _away(change: Change, effect: Effect) -> bool:
    person = change.person(effect["who"])
    if person is None:
        return False
    person["at"] = AWAY
    return True


def _return(change: Change, effect: Effect) -> bool:
    person = change.person(effect["who"])
    if person is None or person["at"] != AWAY:
        return False
    person["at"] = person["home"]
    return True


def _trade(change: Change, effect: Effect) -> bool:
    person = change.person(effect["who"])
    if person is None:
        return False
    person["trade"] = effect["trade"]
    person["byname"] = effect.get("byname") or person["byname"]
    return True


def _hear(change: Change, effect: Effect) -> bool:
    belief = effect["belief"]
    if effect["who"] in belief["about"] or any(who not in change.people for who in belief["about"]):
        return False
    person = change.person(effect["who"])
    if person is None:
        return False
    others = [b for b in person.get("heard") or () if (b["kind"], b["day"]) != (belief["kind"], belief["day"])]
    person["heard"] = [*others, belief][-change.rules.get("heard", 2) :]
    return True


def _unlearn(change: Change, effect: Effect) -> bool:
    person = change.person(effect["who"])
    if person is None:
        return False
    person["heard"] = [b for b in person.get("heard") or () if (b["kind"], b["day"]) != (effect["kind"], effect["day"])]
    return True


RULES: dict[str, Callable[[Change, Effect], bool]] = {
    "store": _store,
    "tie": _tie,
    "health": _health,
    "born": _born,
    "die": _die,
    "leave": _leave,
    "wed": _wed,
    "settle": _settle,
    "away": _away,
    "return": _return,
    "trade": _trade,
    "hear": _hear,
    "unlearn": _unlearn,
}


def apply(change: Change, effect: Effect) -> bool:
    """Carry one effect out if the rules allow it; False where it is unknown, malformed or forbidden."""
    rule = RULES.get(str(effect.get("do")))
    if rule is None:
        return False
    try:
        return rule(change, effect)
    except (KeyError, TypeError, ValueError):
        return False


def weave(change: Change, operation: dict[str, Any]) -> bool:
    """Carry one thread operation out: open, raise or close."""
    name, what = operation.get("id"), operation.get("op")
    if not isinstance(name, str):
        return False
    if what == "open" and name not in change.open:
        fields: dict[str, Any] = {
            key: operation[key] for key in ("kind", "title", "who", "where", "due", "data") if key in operation
        }
        if len(fields) < 6:
            return False
        change.open[name] = {**fields, "stage": 0, "opened": change.day}
        change.count["thread"] += 1
        return True
    if name not in change.open:
        return False
    if what == "raise":
        change.open[name] = {**change.open[name], "stage": int(operation["stage"]), "due": int(operation["due"])}
        return True
    if what != "close":
        return False
    thread = change.open.pop(name)
    change.closed = [
        *change.closed,
        {
            "id": name,
            "title": thread["title"],
            "opened": thread["opened"],
            "closed": change.day,
            "end": operation.get("end", "ended"),
        },
    ][-change.rules["closed_threads"] :]
    return True
