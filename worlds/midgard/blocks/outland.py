"""What takes days or crosses a fence: journeys over the pass, boats that are lost, flocks that stray."""

from __future__ import annotations

from typing import Any

from .plan import Plan, View, happening, health, store, tie
from .threads import beats, closed, free, opened, raised, room

GOODS = ("a sack of salt", "two good axes", "a kettle with one leg", "flax and a mirror", "iron and a new song")


@happening("journey", spring=1.1, summer=1.3, autumn=1.0, winter=0.4, need=lambda v: room(v, "journey"))
def journey(view: View) -> Plan | None:
    """One goes over the pass with something to sell, and is nowhere else until the way is done."""
    facts = view.facts
    fit = [w for w in free(view, facts.able) if 17 <= facts.age(w) <= 60 and facts.people[w]["health"] > 5]
    if view.weather["kind"] == "storm" or len(facts.able) < 8:
        return None
    one = view.person(fit)
    if one is None:
        return None
    home = facts.people[one]["home"]
    other = view.person([w for w in facts.hands(home) if w != one])
    sheep = 2 if facts.stores[home]["sheep"] >= 8 else 0
    to = view.dice.pick(("Sogn", "the market at Kaupang", "the iron-bogs", "Valdres", "the Gula thing"))
    effects: list[dict[str, Any]] = [{"do": "away", "who": one}]
    title = f"{facts.name(one)}'s journey to {to}"
    return view.plan(
        "journey",
        [one] + ([other] if other else []),
        home,
        f"set out for {to}",
        hours=(4, 8),
        effects=effects + ([store(home, "sheep", -sheep)] if sheep else []),
        threads=[opened(view, "journey", title, [one], home, (5, 11), to=to, sheep=sheep)],
        causes=[f"/stores/{home}/sheep", "/calendar/season"],
        to=to,
        load="two sheep to sell" if sheep else "a pack of wadmal",
    )


@beats("journey", away=True)
def journey_on(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """News from the way, then home: with goods, or with frost in the feet."""
    facts, dice = view.facts, view.dice
    one, to = thread["who"][0], thread["data"]["to"]
    if one not in facts.people:
        return None
    home, causes = facts.people[one]["home"], [f"/threads/open/{name}"]
    watcher = view.person(facts.hands(home) or facts.able)
    if watcher is None:
        return None
    if thread["stage"] == 0 and dice.chance(0.6):
        return view.plan(
            "journey-news",
            [watcher],
            dice.pick(("elgford", "ulfskard", home)),
            f"had word of {facts.name(one)} from the road",
            threads=[raised(view, name, thread, (4, 9))],
            causes=causes,
            lost=facts.name(one),
            to=to,
        )
    back: list[dict[str, Any]] = [{"do": "return", "who": one}]
    if dice.chance(0.4 if view.season == "winter" else 0.1):
        return view.plan(
            "journey-hurt",
            [one, watcher],
            home,
            f"came home from {to} on hands and knees",
            hours=(15, 22),
            effects=[*back, health(one, -4), *tie(one, watcher, 2)],
            threads=[closed(name, "came home hurt")],
            causes=causes,
            to=to,
        )
    thing = dice.pick(GOODS)
    won = dice.between(12, 24) + 9 * int(thread["data"]["sheep"])
    return view.plan(
        "journey-home",
        [one, watcher],
        home,
        f"came home from {to} with {thing}",
        hours=(10, 20),
        effects=[*back, store(home, "food", won), *tie(one, watcher, 1)],
        threads=[closed(name, "came home")],
        causes=causes,
        to=to,
        thing=thing,
    )


@happening("boat-wreck", always=1, need=lambda v: 2.0 if v.weather["kind"] == "storm" and _boats(v) else 0)
def boat_wreck(view: View) -> Plan | None:
    """The sea takes a boat, and there is less fish until another is built."""
    who = view.persons(view.facts.hands("skarvik"), 2)
    if not who or not _boats(view):
        return None
    left = _boats(view) - 1
    return view.plan(
        "boat-wreck",
        who,
        "skarvik",
        "lost a boat to the storm",
        hours=(1, 22),
        effects=[store("skarvik", "boats", -1)],
        causes=["/weather/kind", "/stores/skarvik/boats"],
        left="none was left" if not left else "one was left" if left == 1 else f"{left} were left",
    )


def _boats(view: View) -> int:
    return int(view.facts.stores.get("skarvik", {}).get("boats", 0))


@happening("strayed", spring=0.7, summer=1.2, autumn=1.0)
def strayed(view: View) -> Plan | None:
    """Sheep go where the grass is; whose they are then depends on who finds them."""
    facts = view.facts
    place = view.settlement([s for s in facts.settlements if facts.stores[s]["sheep"] >= 8])
    other = view.settlement([s for s in facts.settlements if s != place])
    if place is None or other is None:
        return None
    owner, finder = view.person(facts.hands(place)), view.person(facts.hands(other))
    if owner is None or finder is None:
        return None
    count, honest = view.dice.between(2, 4), facts.tie(finder, owner) >= 0 and view.dice.chance(0.65)
    moved = [store(place, "sheep", -count), store(other, "sheep", count)]
    return view.plan(
        "strayed" if honest else "strayed-kept",
        [finder, owner] if honest else [owner, finder],
        other,
        f"drove {facts.name(owner)}'s sheep home" if honest else f"missed {count} sheep and knew where they were",
        effects=tie(owner, finder, 2) if honest else [*moved, *tie(owner, finder, -3)],
        causes=[f"/stores/{place}/sheep", f"/characters/{finder}/ties/{owner}"],
        catch=count,
        from_=facts.places[place]["name"],
        to=facts.places[other]["name"],
    )
