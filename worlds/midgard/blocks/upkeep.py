"""What happens by itself while days pass: people eat, burn wood and work; hunger and cold tell; wounds heal."""

from __future__ import annotations

from .almanac import YEAR, season
from .changes import Change
from .facts import AWAY

STORM_WORK = {"storm": 40, "snow": 75, "rain": 85, "fog": 90}
"""Per cent of a day's work that gets done in foul weather."""
BELIEVED = 75
"""Days until hearsay is forgotten."""


def live(change: Change, until: int, weather: str) -> None:
    """From the content's day to day `until`, under one weather."""
    since = int(change.world["calendar"]["day"])
    days = max(0, until - since)
    if not days:
        return
    homes: dict[str, list[str]] = {name: [] for name in sorted(change.stores)}
    for who in sorted(change.people):
        person = change.people[who]
        if person["at"] != AWAY:
            homes.setdefault(person["home"], []).append(who)
    for place, folk in homes.items():
        if place in change.stores:
            _household(change, place, folk, days, until, weather)


def _household(change: Change, place: str, folk: list[str], days: int, until: int, weather: str) -> None:
    rules, shelf, now = change.rules, change.stores[place], season(until)
    grown = [who for who in folk if until - change.people[who]["born"] >= rules["adult"] * YEAR]
    able = [
        w for w in grown if change.people[w]["health"] >= 2 and until - change.people[w]["born"] < rules["old"] * YEAR
    ]
    half = sum(11 * YEAR <= until - change.people[w]["born"] < rules["adult"] * YEAR for w in folk)
    labour = (2 * len(able) + half) * days * STORM_WORK.get(weather, 100) // 2
    eaten, mouths = (len(folk) + len(grown)) * days // 2, max(1, (len(folk) + len(grown)) // 2)
    to_food, to_wood = _shares(shelf["food"] // mouths, shelf["wood"])
    food = shelf["food"] + labour * rules["work"]["food"][now] * to_food // 1000000 - eaten
    hearths = (1 + len(folk) // 4) * bool(folk)
    wood = shelf["wood"] + labour * rules["work"]["wood"][now] * to_wood // 1000000
    wood -= hearths * days * rules["hearth"][now] // 100
    shelf["food"] = max(0, min(rules["barn"]["food"], food))
    shelf["wood"] = max(0, min(rules["barn"]["wood"], wood))
    if folk and until // YEAR > (until - days) // YEAR:
        # With the year the flock grows, where nothing took it; an empty fold is given two ewes by the neighbours.
        shelf["sheep"] = min(rules["herd"], shelf["sheep"] + shelf["sheep"] // 4 + 2)
    _bodies(change, folk, until, hunger=(1 + (days >= 4)) * (food < 0), cold=wood < 0 and now == "winter")


def _shares(days_of_food: int, wood: int) -> tuple[int, int]:
    """Per cent of the usual work for food and for wood: people do what is wanted most."""
    if days_of_food < 10:
        return 135, 70
    return (80, 185) if wood < 40 else (100, 100)


def _bodies(change: Change, folk: list[str], until: int, *, hunger: int, cold: bool) -> None:
    """Hunger weakens all and can kill the weakest; cold weakens; who has enough gets better."""
    people = change.people
    weakest = min(folk, key=lambda w: (people[w]["health"], people[w]["born"], w), default="")
    for who in folk:
        health = people[who]["health"]
        best = 8 if until - people[who]["born"] >= change.rules["old"] * YEAR else 10
        if hunger:
            then = max(0 if who == weakest else min(health, 2), health - hunger)
        elif cold:
            then = max(min(health, 4), health - 1)
        else:
            then = min(best, health + 1) if health < best else health
        person = change.person(who) if then != health else None
        if person is not None:
            person["health"] = then


def go_home(change: Change, company: list[str], where: str) -> None:
    """Everyone in the valley is at home, but the company of the day, which is where the day was."""
    for who in sorted(change.people):
        at = change.people[who]["at"]
        if at == AWAY:
            continue
        wanted = where if who in company and where in change.world["places"] else change.people[who]["home"]
        if at != wanted:
            person = change.person(who)
            assert person is not None
            person["at"] = wanted


def forget(change: Change) -> None:
    """Hearsay that is old is no longer believed by anyone."""
    for who in sorted(change.people):
        kept = change.people[who].get("heard")
        if kept and any(change.day - belief["day"] > BELIEVED for belief in kept):
            person = change.person(who)
            assert person is not None
            person["heard"] = [belief for belief in kept if change.day - belief["day"] <= BELIEVED]
