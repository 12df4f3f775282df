"""Threads of strife: feuds, beasts at the fold, strange sails."""

from __future__ import annotations

from typing import Any

from .plan import Plan, View, happening, health, store, tie
from .threads import beats, closed, free, opened, raised, room


@happening("feud", always=1.2, need=lambda v: room(v, "feud"))
def feud(view: View) -> Plan | None:
    """Two who dislike each other find something to fight over."""
    facts = view.facts
    able = free(view, facts.able)
    pairs = [
        (a, b)
        for a in able
        for b in able
        if a != b and facts.tie(a, b) <= -2 and facts.people[a]["home"] != facts.people[b]["home"]
    ]
    if not pairs:
        return None
    a, b = view.dice.pick([p for p in pairs if p[0] in view.wanted or p[1] in view.wanted] or pairs)
    matter = view.dice.pick(
        (
            "the Alder Meadow",
            "the stranded whale",
            "the salmon weir",
            "a mare with two owners",
            "the boundary stone",
            "the north pasture",
            "an unpaid sword",
        )
    )
    return view.plan(
        "feud",
        [a, b],
        facts.people[b]["home"],
        f"fell out over {matter}",
        effects=tie(a, b, -1),
        threads=[
            opened(view, "feud", f"the quarrel over {matter}", [a, b], facts.people[b]["home"], (6, 16), matter=matter)
        ],
        causes=[f"/characters/{a}/ties/{b}"],
        matter=matter,
    )


@beats("feud")
def feud_on(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """A blow; then the law, a duel, or a hand held out."""
    facts, dice = view.facts, view.dice
    a, b = thread["who"]
    matter, causes = thread["data"]["matter"], [f"/threads/open/{name}", f"/characters/{a}/ties/{b}"]
    if thread["stage"] == 0:
        return view.plan(
            "feud-blow",
            [a, b],
            thread["where"],
            f"came to blows over {matter}",
            effects=[health(b, -2), *tie(a, b, -2)],
            threads=[raised(view, name, thread, (6, 18))],
            causes=causes,
            matter=matter,
        )
    if thread["stage"] == 1 and dice.chance(0.55):
        third = view.person([w for w in facts.able if w not in (a, b)])
        if third:
            with_, against = (a, b) if facts.tie(third, a) >= facts.tie(third, b) else (b, a)
            return view.plan(
                "feud-sides",
                [with_, against, third],
                facts.people[third]["home"],
                f"got {facts.name(third)} to stand with {'him' if facts.people[with_]['sex'] == 'm' else 'her'}",
                effects=[*tie(third, with_, 1), *tie(third, against, -2)],
                threads=[raised(view, name, thread, (8, 20))],
                causes=causes,
                matter=matter,
            )
    end = dice.weighted(((6, "law"), (2, "duel"), (2, "peace")))
    judge = view.person(
        [w for w in facts.able if facts.people[w]["trade"] == "lawspeaker" and w not in (a, b)]
        or [w for w in facts.able if w not in (a, b) and facts.age(w) > 35]
    )
    if end == "law" and judge:
        fine = min(30, facts.stores[facts.people[a]["home"]]["food"] // 4)
        return view.plan(
            "feud-law",
            [judge, a, b],
            "tingvoll",
            f"judged {thread['title']}",
            hours=(10, 16),
            effects=[
                store(facts.people[a]["home"], "food", -fine),
                store(facts.people[b]["home"], "food", fine),
                *tie(a, b, 3),
            ],
            threads=[closed(name, "settled at law")],
            causes=causes,
            matter=matter,
            catch=fine,
        )
    if end == "duel":
        winner, loser = (a, b) if dice.chance(0.5) else (b, a)
        return view.plan(
            "feud-duel",
            [winner, loser],
            "tingvoll",
            f"won a holmgang over {matter}",
            hours=(6, 10),
            effects=[health(loser, -4), *tie(a, b, 1)],
            threads=[closed(name, "ended in a holmgang")],
            causes=causes,
            matter=matter,
        )
    return view.plan(
        "feud-peace",
        [a, b],
        facts.people[b]["home"],
        f"made peace over {matter}",
        effects=tie(a, b, 5),
        threads=[closed(name, "made up by hand and cup")],
        causes=causes,
        matter=matter,
    )


@happening("beast", spring=1.2, autumn=1.2, winter=1.6, summer=0.5, need=lambda v: room(v, "beast"))
def beast(view: View) -> Plan | None:
    """Something has been at the sheep."""
    facts = view.facts
    place = view.settlement([s for s in facts.settlements if facts.stores[s]["sheep"] >= 5])
    if place is None:
        return None
    who = view.persons(free(view, facts.hands(place)) or facts.hands(place), 1)
    animal = "wolf" if view.season == "winter" else view.dice.pick(("wolf", "bear", "lynx"))
    taken = view.dice.between(1, 3)
    return view.plan(
        "beast",
        who,
        place,
        f"found {taken} sheep torn and the tracks of a {animal}",
        hours=(5, 10),
        effects=[store(place, "sheep", -taken)],
        threads=[
            opened(
                view, "beast", f"the {animal} above {facts.places[place]['name']}", who, place, (3, 9), animal=animal
            )
        ],
        causes=[f"/stores/{place}/sheep", "/calendar/season"],
        animal=animal,
        catch=taken,
    )


@beats("beast")
def beast_on(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """A night watch; then a hunt."""
    facts, dice = view.facts, view.dice
    animal, where = thread["data"]["animal"], thread["where"]
    finder = thread["who"][0]
    helper = view.person([w for w in facts.able if w != finder])
    if helper is None or facts.people[finder]["health"] < 3:
        return None
    causes = [f"/threads/open/{name}", f"/stores/{where}/sheep"]
    if thread["stage"] == 0:
        taken = min(facts.stores[where]["sheep"], dice.between(0, 2))
        return view.plan(
            "beast-watch",
            [finder, helper],
            where,
            f"watched a night for the {animal}",
            hours=(21, 23),
            effects=[store(where, "sheep", -taken)] if taken else [],
            threads=[raised(view, name, thread, (3, 9))],
            causes=causes,
            animal=animal,
            catch=taken,
        )
    hunters = [w for w in facts.able if facts.people[w]["trade"] == "hunter" and w != finder]
    helper = view.person(hunters) or helper
    if dice.chance(0.2):
        return view.plan(
            "beast-hurt",
            [finder, helper],
            "ulfskard",
            f"was hurt hunting the {animal}",
            hours=(8, 16),
            effects=[health(finder, -4), *tie(finder, helper, 2)],
            threads=[closed(name, "driven off, at a price")],
            causes=causes,
            animal=animal,
        )
    return view.plan(
        "beast-killed",
        [finder, helper],
        "ulfskard",
        f"killed the {animal}",
        hours=(8, 16),
        effects=tie(finder, helper, 2),
        threads=[closed(name, "killed")],
        causes=causes,
        animal=animal,
    )


@happening("sails", spring=0.9, summer=1.2, autumn=0.5, need=lambda v: room(v, "sails"))
def sails(view: View) -> Plan | None:
    """A sail nobody knows."""
    facts = view.facts
    keepers = (
        [w for w in facts.able if facts.people[w]["trade"] == "beacon-keeper"] or facts.hands("skarvik") or facts.able
    )
    watcher = view.person(keepers)
    if watcher is None:
        return None
    count = view.dice.pick(("one sail", "two sails", "three sails"))
    return view.plan(
        "sails",
        [watcher],
        "varden",
        f"saw {count} that nobody knew",
        hours=(4, 20),
        threads=[opened(view, "sails", "the strange sails", [watcher], "varden", (1, 3), count=count)],
        causes=["/calendar/season", "/places/varden"],
        thing=count,
    )


@beats("sails")
def sails_on(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """Traders, or not."""
    facts, dice = view.facts, view.dice
    hands = facts.hands("skarvik")
    if not hands:
        return None
    watcher, causes = thread["who"][0], [f"/threads/open/{name}"]
    who = [watcher, *view.persons([w for w in facts.able if w != watcher], 3)]
    if dice.chance(0.65):
        goods = dice.pick(("salt", "Frankish blades", "honey and wax", "soapstone pots", "seed corn"))
        return view.plan(
            "sails-traders",
            who,
            "skarvik",
            f"traded for {goods}",
            hours=(8, 18),
            effects=[store("skarvik", "food", dice.between(10, 35))],
            threads=[closed(name, "were traders")],
            causes=causes,
            thing=goods,
        )
    hurt = who[-1]
    loss = facts.stores["skarvik"]["food"] // 4
    return view.plan(
        "sails-raid",
        who,
        "skarvik",
        "stood against raiders on the shingle",
        hours=(2, 6),
        effects=[
            store("skarvik", "food", -loss),
            store("skarvik", "sheep", -2),
            health(hurt, -4),
            *tie(who[0], hurt, 2),
        ],
        threads=[closed(name, "were raiders")],
        causes=causes,
        catch=loss,
        hurt=facts.name(hurt),
    )
