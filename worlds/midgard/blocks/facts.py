"""The world's own facts, asked in the words of the rules; nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .almanac import YEAR

AWAY = "abroad"


class Facts:
    """A reading of the content at one day. Always in order of ids, never in order of insertion."""

    def __init__(self, world: dict[str, Any], day: int | None = None) -> None:
        self.world = world
        self.rules = world["rules"]
        self.today = int(world["calendar"]["day"])
        self.day = self.today if day is None else day
        self.people: dict[str, dict[str, Any]] = world["characters"]
        self.places: dict[str, dict[str, Any]] = world["places"]
        self.stores: dict[str, dict[str, int]] = world["stores"]
        self.threads: dict[str, dict[str, Any]] = world["threads"]["open"]
        self.ids = sorted(self.people)
        self.settlements = sorted(self.stores)
        adult = self.rules["adult"]
        self.present = [who for who in self.ids if self.people[who]["at"] != AWAY]
        self.grown = [who for who in self.present if self.age(who) >= adult]
        self.able = [who for who in self.grown if self.people[who]["health"] >= 3]

    def age(self, who: str) -> int:
        """Whole years."""
        return int((self.day - self.people[who]["born"]) // YEAR)

    def name(self, who: str) -> str:
        """What the person is called, or what is left of a name when nobody bears it."""
        person = self.people.get(who)
        return person["name"] if person else who.partition("-")[0].capitalize()

    def living(self, ids: Iterable[str]) -> list[str]:
        """Those of `ids` who live in the valley and are in it now."""
        return [who for who in ids if who in self.people and self.people[who]["at"] != AWAY]

    def of(self, settlement: str) -> list[str]:
        """Everyone at home there, children too."""
        return [who for who in self.present if self.people[who]["home"] == settlement]

    def hands(self, settlement: str) -> list[str]:
        """The grown and well who live there and are not yet old; the old, where there are no others."""
        able = [who for who in self.able if self.people[who]["home"] == settlement]
        return [who for who in able if self.age(who) < self.rules["old"]] or able

    def spouse(self, who: str) -> str | None:
        """The living spouse."""
        found = self.people[who]["kin"].get("spouse")
        return found if found in self.people else None

    def kin(self, one: str, other: str) -> bool:
        """Whether two people are too near to marry: parent, child, sibling or half-sibling."""
        a, b = self.people[one]["kin"], self.people[other]["kin"]
        parents = {a.get("mother"), a.get("father")} - {None}
        others = {b.get("mother"), b.get("father")} - {None}
        return bool(parents & others) or one in others or other in parents

    def children(self, who: str) -> list[str]:
        """The living children."""
        return [
            c for c in self.ids if who in (self.people[c]["kin"].get("mother"), self.people[c]["kin"].get("father"))
        ]

    def tie(self, one: str, other: str) -> int:
        """How `one` feels about `other`, -5 to 5."""
        return int(self.people[one]["ties"].get(other, 0))

    def eaters(self, settlement: str) -> int:
        """Mouths, a child counted as half, rounded up."""
        adult = self.rules["adult"]
        return (sum(2 if self.age(who) >= adult else 1 for who in self.of(settlement)) + 1) // 2

    def days_of_food(self, settlement: str) -> int:
        """How long the food would last if nobody worked."""
        return self.stores[settlement]["food"] // max(1, self.eaters(settlement))

    def inhabited(self) -> list[str]:
        """Settlements where somebody grown is at home."""
        return [place for place in self.settlements if any(self.people[w]["home"] == place for w in self.grown)]

    def recent(self) -> list[dict[str, Any]]:
        """The newest entries of the history, the newest last."""
        history = self.world.get("history") or {}
        return list(history.get("recent") or [])
