"""Threads of the house: courtship, fever, building, the hungry time."""

from __future__ import annotations

from typing import Any

from .plan import Plan, View, happening, health, store, tie
from .threads import beats, closed, free, opened, raised, room


def _pairs(view: View) -> list[tuple[str, str]]:
    facts = view.facts
    single = [w for w in free(view, facts.able) if not facts.spouse(w) and 17 <= facts.age(w) <= 48]
    men = [w for w in single if facts.people[w]["sex"] == "m"]
    return [
        (m, f)
        for m in men
        for f in single
        if facts.people[f]["sex"] == "f"
        and abs(facts.age(m) - facts.age(f)) <= 16
        and facts.tie(m, f) >= -1
        and not facts.kin(m, f)
    ]


@happening("courtship", spring=3.2, summer=3.5, autumn=2, winter=2, need=lambda v: room(v, "courtship", 2))
def courtship(view: View) -> Plan | None:
    """Somebody begins to have errands at another farm."""
    pairs = _pairs(view)
    if not pairs:
        return None
    a, b = view.dice.pick([p for p in pairs if p[0] in view.wanted or p[1] in view.wanted] or pairs)
    if view.dice.chance(0.5):
        a, b = b, a
    facts = view.facts
    return view.plan(
        "courtship",
        [a, b],
        facts.people[b]["home"],
        f"began to have errands where {facts.name(b)} was",
        effects=tie(a, b, 2),
        threads=[
            opened(
                view,
                "courtship",
                f"what there was between {facts.name(a)} and {facts.name(b)}",
                [a, b],
                facts.people[b]["home"],
                (8, 25),
            )
        ],
        causes=[f"/characters/{a}/kin/spouse", f"/characters/{b}/kin/spouse"],
    )


@beats("courtship")
def courtship_on(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """A gift; then a wedding, or not."""
    facts, dice = view.facts, view.dice
    a, b = thread["who"]
    causes = [f"/threads/open/{name}", f"/characters/{a}/ties/{b}"]
    if facts.spouse(a) or facts.spouse(b) or facts.tie(a, b) < -1:
        return None
    if thread["stage"] == 0:
        thing = dice.pick(
            (
                "a comb of elk horn",
                "a knife with a birch handle",
                "a belt with nine knots",
                "a song nobody had heard",
                "a pair of skates",
                "a bowl with two ravens on it",
            )
        )
        return view.plan(
            "courtship-gift",
            [a, b],
            facts.people[b]["home"],
            f"gave {facts.name(b)} {thing}",
            effects=tie(a, b, 2),
            threads=[raised(view, name, thread, (10, 28))],
            causes=causes,
            thing=thing,
        )
    if dice.chance(0.15):
        return view.plan(
            "courtship-cools",
            [a, b],
            facts.people[b]["home"],
            f"gave up the errands to {facts.name(b)}",
            effects=tie(a, b, -2),
            threads=[closed(name, "cooled")],
            causes=causes,
        )
    homes = sorted({facts.people[a]["home"], facts.people[b]["home"]}, key=lambda s: (len(facts.of(s)), s))
    home = homes[0]
    feast = min(20, facts.stores[home]["food"] // 5)
    guests = view.persons([w for w in facts.able if w not in (a, b)], 3)
    return view.plan(
        "wedding",
        [a, b, *guests],
        home,
        f"married {facts.name(b)}",
        hours=(12, 20),
        effects=[{"do": "wed", "a": a, "b": b, "home": home}, store(home, "food", -feast), *tie(a, b, 2)],
        threads=[closed(name, "married")],
        causes=causes,
        catch=feast,
        home=facts.places[home]["name"],
    )


@happening("fever", winter=1.3, spring=0.8, autumn=0.6, summer=0.4, need=lambda v: room(v, "fever"))
def fever(view: View) -> Plan | None:
    """Somebody does not get up."""
    facts = view.facts
    sick = view.person(free(view, [w for w in facts.present if facts.people[w]["health"] >= 5]))
    if sick is None:
        return None
    home = facts.people[sick]["home"]
    nurse = view.person([w for w in facts.hands(home) if w != sick])
    return view.plan(
        "fever",
        [sick] + ([nurse] if nurse else []),
        home,
        "lay down with a fever",
        hours=(0, 23),
        effects=[health(sick, -4)],
        threads=[opened(view, "fever", f"the fever of {facts.name(sick)}", [sick], home, (3, 7))],
        causes=[f"/characters/{sick}/health", "/calendar/season"],
    )


@beats("fever")
def fever_on(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """A vigil; then the fever breaks, or does not."""
    facts, dice = view.facts, view.dice
    sick = thread["who"][0]
    healer = view.person(
        [w for w in facts.able if w != sick and facts.people[w]["trade"] == "healer"]
        or [w for w in facts.able if w != sick]
    )
    if healer is None:
        return None
    home, causes = facts.people[sick]["home"], [f"/threads/open/{name}", f"/characters/{sick}/health"]
    if thread["stage"] == 0:
        return view.plan(
            "fever-vigil",
            [healer, sick],
            home,
            f"watched over {facts.name(sick)}",
            hours=(0, 5),
            effects=[health(sick, dice.pick((-1, 0, 1))), *tie(sick, healer, 2)],
            threads=[raised(view, name, thread, (2, 6))],
            causes=causes,
        )
    weak = facts.age(sick) > 60 or facts.people[sick]["health"] <= 2
    if dice.chance(0.3 if weak else 0.06):
        return view.plan(
            "fever-death",
            [sick, healer],
            home,
            "died of the fever",
            hours=(1, 6),
            effects=[{"do": "die", "who": sick, "cause": "died of a fever"}],
            threads=[closed(name, "death")],
            causes=causes,
            age=facts.age(sick),
        )
    return view.plan(
        "fever-over",
        [sick, healer],
        home,
        "got up and asked for food",
        hours=(7, 12),
        effects=[health(sick, 5)],
        threads=[closed(name, "recovery")],
        causes=causes,
    )


def _boatless(view: View) -> float:
    """Without a boat there is little fish: one is wanted before anything else."""
    return 1.0 if view.facts.stores.get("skarvik", {}).get("boats", 1) else 4.0


@happening("build", spring=1.3, summer=1.3, autumn=0.8, winter=0.4, need=lambda v: room(v, "build") * _boatless(v))
def build(view: View) -> Plan | None:
    """Timber is laid out, and people begin to have opinions."""
    facts = view.facts
    rich = [s for s in facts.settlements if facts.stores[s]["wood"] >= 50]
    place = view.settlement(["skarvik"] if _boatless(view) > 1 and "skarvik" in rich else rich)
    if place is None:
        return None
    boat = place == "skarvik" and facts.stores[place]["boats"] < facts.rules["boats"]
    matter = (
        "a six-oared boat"
        if boat
        else view.dice.pick(("a new barn", "a bath-house", "a bridge of three logs", "a carved door", "a weaving-room"))
    )
    who = view.persons(free(view, facts.hands(place)) or facts.hands(place), 2)
    title = f"{matter.replace('a ', 'the ', 1)} at {facts.places[place]['name']}"
    return view.plan(
        "build",
        who,
        place,
        f"began {matter}",
        effects=[store(place, "wood", -12)],
        threads=[opened(view, "build", title, who, place, (14, 40), matter=matter)],
        causes=[f"/stores/{place}/wood"],
        matter=matter,
    )


@beats("build")
def build_on(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """Work; then it stands, or swims."""
    where, who, matter = thread["where"], list(thread["who"]), thread["data"]["matter"]
    causes = [f"/threads/open/{name}", f"/stores/{where}/wood"]
    if thread["stage"] == 0:
        return view.plan(
            "build-work",
            who,
            where,
            f"worked on {matter}",
            effects=[store(where, "wood", -10)],
            threads=[raised(view, name, thread, (14, 40))],
            causes=causes,
            matter=matter,
        )
    boat = "boat" in matter
    return view.plan(
        "build-launch" if boat else "build-done",
        who,
        where,
        f"finished {matter}",
        hours=(10, 18),
        effects=([store(where, "boats", 1)] if boat else [store(where, "food", 5)])
        + (tie(who[0], who[1], 2) if len(who) > 1 else []),
        threads=[closed(name, "finished")],
        causes=causes,
        matter=matter,
    )


def starving(view: View) -> str | None:
    """The settlement that should have a hungry-time thread and has none."""
    facts = view.facts
    named = {facts.threads[t]["where"] for t in view.open("lean")}
    fit = [s for s in facts.inhabited() if s not in named and facts.days_of_food(s) < 5 and facts.hands(s)]
    return min(fit, key=lambda s: (facts.days_of_food(s), s)) if fit else None


@happening("lean")
def lean(view: View) -> Plan | None:
    """The bottom of the barrel."""
    facts, place = view.facts, starving(view)
    if place is None:
        return None
    who = view.persons(facts.hands(place), 2)
    title = f"the hungry time at {facts.places[place]['name']}"
    return view.plan(
        "lean",
        who,
        place,
        "counted what was left in the barrels",
        hours=(7, 20),
        threads=[opened(view, "lean", title, who[:1], place, (5, 9))],
        causes=[f"/stores/{place}/food"],
        catch=facts.stores[place]["food"],
    )


@beats("lean")
def lean_on(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """It goes on until the barn is filled again."""
    facts, where = view.facts, thread["where"]
    who = [thread["who"][0], *view.persons([w for w in facts.hands(where) if w != thread["who"][0]], 1)]
    causes = [f"/threads/open/{name}", f"/stores/{where}/food"]
    if facts.days_of_food(where) >= 12 or thread["stage"] >= 6:
        return view.plan(
            "lean-ends",
            who,
            where,
            "ate until nobody spoke",
            hours=(16, 20),
            causes=causes,
            threads=[closed(name, "the barns were filled again")],
        )
    if facts.stores[where]["sheep"] > 0:
        count = min(2, facts.stores[where]["sheep"])
        return view.plan(
            "lean-slaughter",
            who,
            where,
            "slaughtered beasts that should have lived",
            causes=causes,
            hours=(8, 15),
            effects=[store(where, "sheep", -count), store(where, "food", count * 9)],
            threads=[raised(view, name, thread, (8, 14))],
            catch=count,
        )
    return view.plan(
        "lean-worse",
        who,
        where,
        "went to bed hungry",
        hours=(16, 21),
        causes=causes,
        threads=[raised(view, name, thread, (8, 14))],
        effects=[store(where, "food", 6 * len(facts.hands(where)))],
    )
