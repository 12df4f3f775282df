"""Rumours: what somebody believes happened. It goes on when people meet, grows on the way, and is sometimes put right.

A belief is a fact about a person: the kind and day of what it came from, whom it is about, its words, and how far it
has strayed (0: as it was). A step up the ladder of its kind is one more telling.
"""

from __future__ import annotations

from typing import Any

from .plan import Plan, View, happening, store, tie

LADDERS: dict[str, tuple[str, str, str, str]] = {
    "feud-blow": (
        "{a} had struck {b}",
        "{a} had struck {b} with the back of an axe",
        "{b} would never walk again",
        "{b} was dead of it, and {a} had been seen digging",
    ),
    "quarrel": (
        "{a} and {b} had had words",
        "{a} had called {b} a thief before people",
        "{a} had sworn to see {b}'s roof burn",
        "{a} and {b} would settle it with axes, and the day was fixed",
    ),
    "courtship": (
        "{a} had errands where {b} was",
        "{a} and {b} had been seen at the ford after dark",
        "the ale for their wedding was already brewing",
        "{a} and {b} had been married for a month and told nobody",
    ),
    "sails": (
        "there had been sails in the fjord",
        "there had been five sails in the fjord",
        "nine ships lay behind the headland",
        "the king himself was coming for his tax",
    ),
    "sails-raid": (
        "raiders had carried off food",
        "raiders had carried off half of what Skarvik had",
        "Skarvik was burnt to the posts",
        "there was no Skarvik any more, and nobody to say so",
    ),
    "beast": (
        "a {animal} was at the sheep {at}",
        "the {animal} had taken half the flock",
        "what was at the sheep was no {animal} but a man in a pelt",
        "the {animal} could speak, and had asked for {a} by name",
    ),
    "fever": (
        "{a} lay sick",
        "{a} knew nobody any more",
        "{a} had the sickness that emptied Nordfjord",
        "{a} was already in the mound",
    ),
    "lights": (
        "{a} had seen a fire on the mounds",
        "{a} had seen somebody standing in a fire on the mounds",
        "one of the dead had called {a} by name, out of a fire",
        "{a} had gone in under the turf and come out with gold",
    ),
    "omen": (
        "{a} had seen {thing}",
        "{a} had seen {thing} three nights running",
        "{a} had seen a sign, and could not speak for a day",
        "{a} had been told the day of a death, and would not say whose",
    ),
    "voyage": (
        "{a} and {b} had sailed for {to}",
        "{a} and {b} had sailed against all advice",
        "a plank had come ashore from the boat of {a} and {b}",
        "{a} and {b} lay at the bottom, off the skerries",
    ),
    "journey": (
        "{a} had gone over the pass to {to}",
        "{a} had gone over the pass and did not mean to come back",
        "{a} had been seen below the pass, running",
        "there was a new cairn on the pass, and {a} was in it",
    ),
    "hunting": (
        "{a} had brought home {game}",
        "{a} had shot with one arrow what others do not get with ten",
        "{a} had shot a beast with silver on its antlers",
        "{a} had shot nothing, and bought it of a Finn",
    ),
}
"""What is said, as it was and three tellings on."""

DARK = frozenset({"feud-blow", "quarrel", "lights", "omen", "hunting"})
"""Kinds that make people think worse of whoever they are about, when they have strayed far."""
EARNEST = frozenset(
    {
        "hearsay",
        "alarm",
        "birth",
        "lost",
        "lost-found",
        "sails-raid",
        "sails-traders",
        "feud-duel",
        "fever-vigil",
        "fever-over",
        "nursing",
    }
)
"""Kinds at which nobody has an ear for other people's stories."""
ALARMING = frozenset({"sails", "sails-raid", "beast"})

Belief = dict[str, Any]


def says(belief: Belief) -> str:
    """The words of a belief, as they are now."""
    return LADDERS[belief["kind"]][belief["strayed"]].format_map(belief["words"])


def heard(person: dict[str, Any]) -> list[Belief]:
    """What a person believes of others by hearsay."""
    return [belief for belief in person.get("heard") or () if belief.get("kind") in LADDERS]


def spread(view: View, plan: Plan) -> None:
    """What this happening does to belief: it is seen, or told on, or put right; effects and slots go into the plan."""
    if plan["kind"] in EARNEST or any(effect["do"] in ("die", "leave") for effect in plan["effects"]):
        return
    company = [who for who in plan["who"] if who in view.facts.present]
    if plan["kind"] in LADDERS:
        _seen(view, plan, company)
    elif len(company) > 1 and not _mended(view, plan, company):
        _told(view, plan, company)


def _seen(view: View, plan: Plan, company: list[str]) -> None:
    """Somebody who was about saw it, and knows it as it was."""
    facts, where = view.facts, plan["where"]
    about = company[:2] if plan["kind"] not in ("beast", "fever", "hunting", "sails", "lights") else company[:1]
    near = [w for w in facts.able if w not in about and facts.people[w]["home"] == facts.people[company[0]]["home"]]
    witness = view.person([w for w in company if w not in about] or near) if company else None
    if witness is None:
        return
    words = {key: value for key, value in plan["slots"].items() if key in ("thing", "to", "animal", "game")}
    words |= {"a": facts.name(company[0]), "at": facts.places[where]["at"]}
    if len(company) > 1:
        words["b"] = facts.name(company[1])
    belief = {"kind": plan["kind"], "day": view.day, "about": about, "strayed": 0, "words": words}
    try:
        says(belief)
    except KeyError:
        return
    plan["effects"].append({"do": "hear", "who": witness, "belief": belief})


def _mended(view: View, plan: Plan, company: list[str]) -> bool:
    """One of the company believes something of another, who is there to say how it was."""
    for who in company:
        for belief in heard(view.facts.people[who]):
            knows = next((w for w in belief["about"] if w in company and w != who), None)
            if knows and belief["strayed"]:
                plan["effects"].append({"do": "unlearn", "who": who, "kind": belief["kind"], "day": belief["day"]})
                names = {"knower": view.facts.name(knows), "believer": view.facts.name(who)}
                plan["slots"] |= {"mistaken": says(belief), **names}
                return True
    return False


def _told(view: View, plan: Plan, company: list[str]) -> None:
    """One of the company tells another what it has heard, and something is added on the way."""
    people = view.facts.people
    for teller in company:
        for belief in heard(people[teller]):
            roots = {(b["kind"], b["day"]): who for who in company for b in heard(people[who]) if who != teller}
            if (belief["kind"], belief["day"]) in roots or set(belief["about"]) & set(company):
                continue
            hearer = next(who for who in company if who != teller)
            dull = not belief["strayed"] and belief["kind"] in ("hunting", "fever", "journey")
            step = int(dull or view.dice.chance(0.7))
            grown = {**belief, "strayed": min(3, belief["strayed"] + step)}
            plan["effects"].append({"do": "hear", "who": hearer, "belief": grown})
            about = belief["about"][0]
            if grown["strayed"] > 1 and belief["kind"] in DARK and about in people:
                plan["effects"].append({"do": "tie", "a": hearer, "b": about, "by": -1})
            names = {"teller": view.facts.name(teller), "hearer": view.facts.name(hearer)}
            plan["slots"] |= {"rumour": says(grown), **names}
            return


def _believers(view: View, kinds: frozenset[str] | None = None) -> list[tuple[str, Belief]]:
    facts = view.facts
    return [
        (who, belief)
        for who in facts.able
        for belief in heard(facts.people[who])
        if belief["strayed"] > 1 and (kinds is None or belief["kind"] in kinds) and who not in belief["about"]
    ]


@happening("alarm", always=2.2, need=lambda v: float(bool(_believers(v, ALARMING))))
def alarm(view: View) -> Plan | None:
    """Who believes the worst acts on it: the stores are hidden, and some of them spoil."""
    believers = _believers(view, ALARMING)
    if not believers:
        return None
    who, belief = view.dice.pick(believers)
    place = view.facts.people[who]["home"]
    lost = min(view.facts.stores[place]["food"], view.dice.between(4, 14))
    unlearn = {"do": "unlearn", "who": who, "kind": belief["kind"], "day": belief["day"]}
    return view.plan(
        "alarm",
        [who, *view.persons([w for w in view.facts.hands(place) if w != who], 1)],
        place,
        "hid the stores for nothing",
        hours=(16, 21),
        effects=[store(place, "food", -lost), unlearn],
        causes=[f"/characters/{who}/heard"],
        said=says(belief),
        catch=lost,
    )


@happening("hearsay", always=1.1, winter=1.8, need=lambda v: float(bool(_believers(v))))
def hearsay(view: View) -> Plan | None:
    """A story that has come a long way is told aloud, and whom it is about may hear of it."""
    believers = _believers(view)
    if not believers:
        return None
    who, belief = view.dice.pick(believers)
    facts = view.facts
    place = facts.people[who]["home"]
    others = view.persons(
        [w for w in facts.of(place) if w != who and w not in belief["about"] and facts.age(w) >= 12], 2
    )
    if not others:
        return None
    about = next((w for w in belief["about"] if w in facts.people), None)
    spite = tie(others[0], about, -1) if about and about not in others and belief["kind"] in DARK else []
    return view.plan(
        "hearsay",
        [who, *others],
        place,
        "told it as if it had been there",
        hours=(16, 22),
        effects=[*({"do": "hear", "who": w, "belief": belief} for w in others if w not in belief["about"]), *spite],
        causes=[f"/characters/{who}/heard"],
        said=says(belief),
    )
