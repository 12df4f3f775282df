"""Threads out of sight: voyages, somebody missing, lights on the mounds."""

from __future__ import annotations

from typing import Any

from .plan import Plan, View, happening, health, store, tie
from .threads import beats, closed, free, opened, raised, room


@happening(
    "voyage",
    spring=1.4,
    summer=1.1,
    need=lambda v: room(v, "voyage") if v.facts.stores.get("skarvik", {}).get("boats", 0) else 0,
)
def voyage(view: View) -> Plan | None:
    """A boat goes out of sight."""
    facts = view.facts
    if view.weather["kind"] == "storm":
        return None
    crew = [w for w in free(view, facts.able) if 16 <= facts.age(w) <= 58]
    who = view.persons(crew, 2)
    if len(who) < 2:
        return None
    load = min(20, facts.stores["skarvik"]["food"] // 6)
    to = view.dice.pick(("Nidaros", "Hedeby", "the Lofots", "the Orkneys"))
    due = (18, 50)
    return view.plan(
        "voyage",
        who,
        "skarvik",
        f"sailed for {to}",
        hours=(4, 10),
        effects=[
            *({"do": "away", "who": w} for w in who),
            store("skarvik", "boats", -1),
            store("skarvik", "food", -load),
        ],
        threads=[opened(view, "voyage", f"the voyage to {to}", who, "skarvik", due, to=to)],
        causes=["/stores/skarvik/boats", "/calendar/season"],
        to=to,
    )


@beats("voyage", away=True)
def voyage_ends(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """They come home, with goods, or one of them does."""
    facts, dice = view.facts, view.dice
    crew = [w for w in thread["who"] if w in facts.people]
    watcher = view.person(facts.hands("skarvik") or facts.able)
    if not crew or watcher is None:
        return None
    to, causes = thread["data"]["to"], [f"/threads/open/{name}"]
    home = [{"do": "return", "who": w} for w in crew]
    if len(crew) == 2 and dice.chance(0.08):
        alive, dead = crew
        return view.plan(
            "voyage-lost",
            [alive, watcher],
            "skarvik",
            f"came home from {to} without {facts.name(dead)}",
            effects=[
                {"do": "return", "who": alive},
                {"do": "die", "who": dead, "cause": "was lost at sea"},
                health(alive, -3),
            ],
            threads=[closed(name, "one came home")],
            causes=causes,
            to=to,
            lost=facts.people[dead]["full"],
        )
    goods = dice.pick(
        ("wheat and two casks of wine", "salt and iron", "a millstone and good cloth", "amber, seed corn and news")
    )
    return view.plan(
        "voyage-home",
        [*crew, watcher],
        "skarvik",
        f"came home from {to} with {goods}",
        hours=(8, 20),
        effects=[
            *home,
            store("skarvik", "boats", 1),
            store("skarvik", "food", dice.between(30, 60)),
            *tie(crew[0], crew[-1], 2),
        ],
        threads=[closed(name, "came home")],
        causes=causes,
        to=to,
        thing=goods,
    )


@happening(
    "lost", always=0.5, need=lambda v: 3.0 * room(v, "lost") if v.weather["kind"] in ("fog", "snow", "storm") else 0
)
def lost(view: View) -> Plan | None:
    """One went out and did not come back by dark."""
    facts = view.facts
    one = view.person(free(view, [w for w in facts.present if facts.age(w) >= 7 and facts.people[w]["health"] >= 4]))
    if one is None:
        return None
    home = facts.people[one]["home"]
    seeker = view.person([w for w in facts.hands(home) if w != one] or [w for w in facts.able if w != one])
    if seeker is None:
        return None
    return view.plan(
        "lost",
        [seeker],
        home,
        f"waited for {facts.name(one)}, who did not come home",
        hours=(17, 22),
        effects=[{"do": "away", "who": one}],
        threads=[opened(view, "lost", f"the search for {facts.name(one)}", [one, seeker], home, (1, 2))],
        causes=["/weather/kind", f"/characters/{one}/home"],
        lost=facts.people[one]["full"],
    )


@beats("lost", away=True)
def lost_ends(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """Found; seldom too late."""
    facts = view.facts
    one = thread["who"][0]
    if one not in facts.people:
        return None
    seeker = view.person(facts.living(thread["who"][1:]) or facts.able)
    if seeker is None:
        return None
    others = view.persons([w for w in facts.able if w not in (seeker, one)], 2)
    causes, place = [f"/threads/open/{name}"], view.dice.pick(("ulfskard", "myrkskog", "elgford"))
    if view.dice.chance(0.1):
        return view.plan(
            "lost-dead",
            [seeker, *others],
            place,
            f"found {facts.name(one)} too late",
            hours=(9, 15),
            effects=[{"do": "die", "who": one, "cause": "went out in bad weather and was found too late"}],
            threads=[closed(name, "found too late")],
            causes=causes,
            lost=facts.people[one]["full"],
        )
    return view.plan(
        "lost-found",
        [one, seeker, *others],
        place,
        "was found alive",
        hours=(8, 16),
        effects=[{"do": "return", "who": one}, health(one, -2), *tie(one, seeker, 3)],
        threads=[closed(name, "found alive")],
        causes=causes,
    )


@happening("lights", autumn=0.9, winter=0.8, spring=0.2, need=lambda v: room(v, "lights"))
def lights(view: View) -> Plan | None:
    """Nobody has to believe it."""
    who = view.persons(free(view, view.facts.able), 1)
    if not who:
        return None
    return view.plan(
        "lights",
        who,
        "haug",
        "saw a fire on the mounds that left no ash",
        hours=(20, 23),
        threads=[opened(view, "lights", "the fire on the mounds", who, "haug", (5, 14))],
        causes=["/graves", "/calendar/season"],
    )


@beats("lights")
def lights_on(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """A vigil; then a stone, or a sheep thief."""
    facts = view.facts
    first = thread["who"][0]
    helper = view.person([w for w in facts.able if w != first])
    if helper is None:
        return None
    causes = [f"/threads/open/{name}"]
    if thread["stage"] == 0:
        return view.plan(
            "lights-vigil",
            [first, helper],
            "haug",
            "sat a night on the mounds",
            hours=(22, 23),
            effects=tie(first, helper, 1),
            threads=[raised(view, name, thread, (6, 16))],
            causes=causes,
        )
    graves = facts.world["graves"]
    grave = view.dice.pick(graves) if graves else None
    if grave is None or view.dice.chance(0.4):
        return view.plan(
            "lights-stranger",
            [first, helper],
            "haug",
            "found out who lit the fire",
            hours=(4, 9),
            threads=[closed(name, "a stranger with wet boots")],
            causes=causes,
        )
    return view.plan(
        "lights-stone",
        [first, helper],
        "haug",
        f"raised a stone for {grave['name']}",
        hours=(9, 16),
        threads=[closed(name, "a stone was raised")],
        causes=[*causes, "/graves"],
        lost=grave["name"],
    )
