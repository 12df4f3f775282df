"""What a language model says has changed, in the words of the rules; and why the rules refuse it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from .almanac import YEAR
from .changes import Change, apply, weave
from .facts import Facts
from .life import fresh_id, patronymic
from .plan import tie
from .reading import someone, somewhere
from .upkeep import live


class Effect(TypedDict):
    """One change. Which fields it needs depends on `do`; leave the others out, or null."""

    do: Literal["store", "tie", "health", "born", "die", "leave", "wed", "settle", "away", "return", "trade"]
    who: NotRequired[str | None]
    other: NotRequired[str | None]
    place: NotRequired[str | None]
    what: NotRequired[Literal["food", "wood", "sheep", "boats"] | None]
    by: NotRequired[int | None]
    cause: NotRequired[str | None]
    trade: NotRequired[str | None]
    byname: NotRequired[str | None]
    name: NotRequired[str | None]
    sex: NotRequired[Literal["f", "m"] | None]
    age: NotRequired[int | None]
    mother: NotRequired[str | None]


class Thread(TypedDict):
    """A story over many days: opened, raised or closed."""

    op: Literal["open", "raise", "close"]
    id: NotRequired[str | None]
    kind: NotRequired[str | None]
    title: NotRequired[str | None]
    who: NotRequired[list[str] | None]
    where: NotRequired[str | None]
    days: NotRequired[int | None]
    end: NotRequired[str | None]


NEEDS = {
    "store": ("place", "what", "by"),
    "tie": ("who", "other", "by"),
    "health": ("who", "by"),
    "born": ("name", "sex"),
    "die": ("who", "cause"),
    "leave": ("who", "cause"),
    "wed": ("who", "other", "place"),
    "settle": ("who", "place"),
    "away": ("who",),
    "return": ("who",),
    "trade": ("who", "trade"),
}
LIMITS = {"food": 80, "wood": 80, "sheep": 12, "boats": 1, "tie": 3, "health": 5}
"""How much one day may give or take."""


class Claims:
    """The facts of a day on which claims are tried, one upon the other; `refused` says what cannot be, and why."""

    def __init__(self, world: dict[str, Any], day: int, weather: str) -> None:
        self.facts = Facts(world, day)
        self.change = Change(world, day)
        live(self.change, day, weather)
        self.effects: list[dict[str, Any]] = []
        self.threads: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.back: set[str] = set()

    def take(self, effects: Iterable[Mapping[str, Any]], threads: Iterable[Mapping[str, Any]]) -> None:
        """Try all of them, in order; `settle` says what was refused."""
        for number, said in enumerate(effects):
            self._try(f"effects.{number} ({said['do']})", self._effect, _given(said))
        for number, said in enumerate(threads):
            self._try(f"threads.{number} ({said['op']})", self._thread, _given(said))

    def settle(self) -> None:
        """ValueError when something was refused."""
        if self.refused:
            raise ValueError("; ".join(self.refused))

    def company(self, who: Iterable[str], most: int = 5) -> list[str]:
        """The ids of those who act: alive, in the valley, each once. What is wrong is refused."""
        found: list[str] = []
        for number, said in enumerate(who):
            try:
                name = someone(self.facts, said)
                if self.facts.people[name]["at"] == "abroad" and name not in self.back:
                    raise ValueError(f"{name} is abroad; only an effect `return` brings them home")
                if name not in found:
                    found.append(name)
            except ValueError as error:
                self.refused.append(f"who.{number}: {error}")
        if len(found) > most:
            self.refused.append(f"who: {len(found)} are too many, at most {most}")
        return found

    def where(self, said: str, field: str = "where") -> str:
        """The id of a place. What is wrong is refused."""
        try:
            return somewhere(self.facts, said)
        except ValueError as error:
            self.refused.append(f"{field}: {error}")
            return min(self.facts.places)

    def _try(self, place: str, attempt: Callable[[dict[str, Any]], None], said: dict[str, Any]) -> None:
        try:
            attempt(said)
        except ValueError as error:
            self.refused.append(f"{place}: {error}")

    def _effect(self, said: dict[str, Any]) -> None:
        missing = [field for field in NEEDS[said["do"]] if field not in said]
        if missing:
            raise ValueError(f"it needs {', '.join(missing)}")
        for effect in self._translated(said):
            if not apply(self.change, effect):
                raise ValueError(self._why(effect))
            self.effects.append(effect)

    def _translated(self, said: dict[str, Any]) -> list[dict[str, Any]]:
        """An effect in the words of the rules."""
        do, facts = said["do"], self.facts
        _within(said)
        if do == "store":
            place = somewhere(facts, said["place"])
            if place not in facts.stores:
                raise ValueError(f"{place} has no stores; settlements are {', '.join(facts.settlements)}")
            if self.change.stores[place][said["what"]] + said["by"] < 0:
                raise ValueError(f"{place} has only {self.change.stores[place][said['what']]} of {said['what']}")
            return [{"do": do, "place": place, "what": said["what"], "by": said["by"]}]
        if do == "born":
            return [self._newcomer(said)]
        who = self._living(said["who"])
        if do == "tie":
            return tie(who, self._living(said["other"]), said["by"])
        if do == "wed":
            return [{"do": do, "a": who, "b": self._living(said["other"]), "home": self._home(said["place"])}]
        if do == "settle":
            return [{"do": do, "who": who, "home": self._home(said["place"])}]
        if do == "return":
            self.back.add(who)
        more: dict[str, Any] = {field: said[field] for field in ("by", "cause", "trade", "byname") if field in said}
        return [{"do": do, "who": who, **more}]

    def _living(self, said: str) -> str:
        who = someone(self.facts, said)
        if who not in self.change.people:
            raise ValueError(f"{who} is dead or gone by then")
        return who

    def _home(self, said: str) -> str:
        home = somewhere(self.facts, said)
        if home not in self.facts.stores:
            raise ValueError(f"nobody can live at {home}; settlements are {', '.join(self.facts.settlements)}")
        return home

    def _newcomer(self, said: dict[str, Any]) -> dict[str, Any]:
        """A child of a living mother, or a grown stranger who comes to stay."""
        facts, most = self.facts, int(self.change.rules["people"]["most"])
        if len(self.change.people) >= most:
            raise ValueError(f"the valley feeds no more than {most}")
        if not re.fullmatch(r"[A-Z][a-z]{1,14}", said["name"]):
            raise ValueError(f"{said['name']!r} is no first name: letters from A to z, the first one large")
        mother = self._living(said["mother"]) if "mother" in said else None
        if mother is not None and facts.people[mother]["sex"] != "f":
            raise ValueError(f"{mother} is no woman")
        father = facts.spouse(mother) if mother is not None else None
        age = 0 if mother is not None else max(16, min(60, int(said.get("age", 24))))
        home = facts.people[mother]["home"] if mother is not None else self._home(said.get("place", "skarvik"))
        parent = facts.people[father or mother]["name"] if mother is not None else "Hall"
        taken = sum(effect["do"] == "born" for effect in self.effects)
        record = {
            "name": said["name"], "full": f"{said['name']} {patronymic(parent, said['sex'])}",
            "byname": said.get("byname"), "sex": said["sex"], "born": facts.day - age * YEAR,
            "trade": "child" if mother is not None else said.get("trade", "farmer"), "home": home, "at": home,
            "health": 8, "kin": {"mother": mother, "father": father, "spouse": None}, "ties": {}, "memories": [],
        }  # fmt: skip
        return {"do": "born", "id": fresh_id(facts, said["name"], taken), "person": record}

    def _why(self, effect: Mapping[str, Any]) -> str:
        """What the rule that refused an effect holds against it."""
        people = self.change.people
        if effect["do"] == "wed":
            married = [w for w in (effect["a"], effect["b"]) if people[w]["kin"].get("spouse")]
            return f"{', '.join(married)} married already" if married else "these two cannot marry"
        if effect["do"] == "return":
            return f"{effect['who']} is not abroad"
        return "the rules of this world forbid it"

    def _thread(self, said: dict[str, Any]) -> None:
        op, day = said["op"], self.facts.day
        days = max(2, min(60, int(said.get("days", 12))))
        if op == "open":
            operation = self._opened(said, day + days)
        else:
            name = str(said.get("id", ""))
            thread = self.change.open.get(name)
            if thread is None:
                known = ", ".join(sorted(self.change.open)) or "none"
                raise ValueError(f"no thread {name!r} is open; open are {known}")
            if op == "close":
                operation = {"op": "close", "id": name, "end": str(said.get("end", "ended"))[:120]}
            else:
                operation = {"op": "raise", "id": name, "stage": int(thread["stage"]) + 1, "due": day + days}
        if not weave(self.change, operation):
            raise ValueError("the rules of this world forbid it")
        self.threads.append(operation)

    def _opened(self, said: dict[str, Any], due: int) -> dict[str, Any]:
        missing = [field for field in ("kind", "title", "who", "where") if field not in said]
        if missing:
            raise ValueError(f"it needs {', '.join(missing)}")
        most = int(self.change.rules["open_threads"])
        if len(self.change.open) >= most:
            raise ValueError(f"{most} threads are open, which is all that people can follow: raise or close one")
        kind = re.sub(r"[^a-z]+", "-", said["kind"].lower()).strip("-") or "story"
        return {
            "op": "open", "id": f"{kind}-{self.change.count['thread']}", "kind": kind, "title": said["title"][:80],
            "who": [self._living(name) for name in said["who"][:5]], "where": somewhere(self.facts, said["where"]),
            "due": due, "data": {},
        }  # fmt: skip


def _given(said: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say something."""
    return {key: value for key, value in said.items() if value is not None and value != ""}


def _within(said: Mapping[str, Any]) -> None:
    """ValueError when a day would give or take more than one day can."""
    kind = said["what"] if said["do"] == "store" else said["do"]
    most = LIMITS.get(kind)
    if most is not None and not -most <= said["by"] <= most:
        raise ValueError(f"by is {said['by']}; one day changes {kind} by {most} at most")
