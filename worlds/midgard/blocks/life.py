"""Births, deaths, comings and goings. They are called by the facts, not drawn by weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .almanac import YEAR
from .dice import Dice
from .facts import Facts
from .plan import Plan, View, happening, store, tie

AGES = (17, 43)
"""Between which ages a woman may bear, in years."""


def patronymic(parent: str, sex: str) -> str:
    """Leif's daughter is Leifsdottir, Snorri's son Snorrason."""
    stem: str = parent[:-1] + "a" if parent[-1] in "ia" else parent if parent[-1] == "s" else parent + "s"
    return stem + ("dottir" if sex == "f" else "son")


def fresh_name(facts: Facts, sex: str, dice: Dice) -> str:
    """A name nobody living bears; when all are taken, a name is borne twice."""
    taken = {facts.people[w]["name"] for w in facts.ids} | {
        grave["name"].split(" ")[0] for grave in facts.world["graves"]
    }
    pool: list[str] = facts.world["names"][sex]
    return dice.pick([name for name in pool if name not in taken] or pool)


def fresh_id(facts: Facts, name: str, offset: int = 0) -> str:
    """An id that was never used: the name and the running number of people."""
    return f"{name.lower()}-{int(facts.world['count']['person']) + offset}"


def newcomer(facts: Facts, dice: Dice, sex: str, age: int, home: str, offset: int) -> tuple[str, dict[str, Any]]:
    """A grown stranger: id and record."""
    name = fresh_name(facts, sex, dice)
    father = dice.pick(facts.world["names"]["m"])
    trades = ("farmer", "fisher", "herder", "weaver", "smith", "hunter", "shipwright", "healer", "skald", "woodcutter")
    return fresh_id(facts, name, offset), {
        "name": name,
        "full": f"{name} {patronymic(father, sex)}",
        "byname": None,
        "sex": sex,
        "born": facts.day - age * YEAR - dice.between(0, 300),
        "trade": lacking(facts, trades, dice),
        "home": home,
        "at": home,
        "health": 9,
        "kin": {"mother": None, "father": None, "spouse": None},
        "ties": {},
        "memories": [],
    }


def lacking(facts: Facts, trades: Sequence[str], dice: Dice) -> str:
    """A trade that few follow."""
    counts = {trade: sum(facts.people[w]["trade"] == trade for w in facts.ids) for trade in trades}
    least = min(counts.values())
    return dice.pick([trade for trade in trades if counts[trade] == least])


def fertile(facts: Facts) -> list[str]:
    """Wives who could bear a child now."""
    found = []
    for who in facts.able:
        person = facts.people[who]
        if person["sex"] != "f" or not AGES[0] <= facts.age(who) <= AGES[1]:
            continue
        husband = facts.spouse(who)
        if husband is None or facts.people[husband]["at"] == "abroad" or facts.days_of_food(person["home"]) < 8:
            continue
        youngest = max((facts.people[c]["born"] for c in facts.children(who)), default=-99999)
        if facts.day - youngest > 600:
            found.append(who)
    return found


@happening("birth")
def birth(view: View) -> Plan | None:
    """A child, and a name for it."""
    facts, dice = view.facts, view.dice
    mother = view.person(fertile(facts))
    if mother is None:
        return None
    father = facts.spouse(mother)
    assert father is not None
    sex = "f" if dice.chance(0.5) else "m"
    name, home = fresh_name(facts, sex, dice), facts.people[mother]["home"]
    child = {
        "name": name,
        "full": f"{name} {patronymic(facts.people[father]['name'], sex)}",
        "byname": None,
        "sex": sex,
        "born": facts.day,
        "trade": "child",
        "home": home,
        "at": home,
        "health": 8,
        "kin": {"mother": mother, "father": father, "spouse": None},
        "ties": {},
        "memories": [],
    }
    midwife = view.person([w for w in facts.able if w not in (mother, father) and facts.people[w]["sex"] == "f"])
    who = [mother, father] + ([midwife] if midwife else [])
    return view.plan(
        "birth",
        who,
        home,
        f"had a {'daughter' if sex == 'f' else 'son'}, {name}",
        hours=(0, 23),
        effects=[{"do": "born", "id": fresh_id(facts, name), "person": child}, *tie(mother, father, 1)],
        causes=[f"/characters/{mother}/kin/spouse"],
        name=name,
        child="daughter" if sex == "f" else "son",
    )


@happening("settle")
def settle(view: View) -> Plan | None:
    """Somebody moves to where too few are left."""
    facts = view.facts
    counts = {s: len(facts.hands(s)) for s in facts.settlements}
    empty = min(facts.settlements, key=lambda s: (counts[s], s))
    full = max(facts.settlements, key=lambda s: (counts[s], s))
    movers = [w for w in facts.hands(full) if facts.age(w) < 50]
    mover = view.person([w for w in movers if facts.spouse(w)] or movers)
    if mover is None or counts[full] < 3:
        return None
    spouse = facts.spouse(mover)
    family = [mover] + ([spouse] if spouse and facts.people[spouse]["home"] == full else [])
    family += [c for c in facts.children(mover) if facts.age(c) < facts.rules["adult"]]
    load = min(40, facts.stores[full]["food"] // 4)
    return view.plan(
        "settle",
        family,
        empty,
        f"moved from {facts.places[full]['name']} to {facts.places[empty]['name']}",
        effects=[
            *({"do": "settle", "who": w, "home": empty} for w in family),
            store(full, "food", -load),
            store(empty, "food", load),
        ],
        causes=[f"/places/{empty}"],
        from_=facts.places[full]["name"],
        to=facts.places[empty]["name"],
    )


@happening("foster")
def foster(view: View) -> Plan | None:
    """Children who are left alone are taken in."""
    facts = view.facts
    adult = facts.rules["adult"]
    for place in facts.settlements:
        home = facts.of(place)
        if not home or any(facts.age(w) >= adult for w in home):
            continue
        taker = view.person(facts.able)
        if taker is None:
            return None
        to = facts.people[taker]["home"]
        return view.plan(
            "foster",
            [taker, *home],
            to,
            f"took in {facts.name(home[0])}",
            effects=[{"do": "settle", "who": w, "home": to} for w in home] + tie(taker, home[0], 3),
            causes=[f"/characters/{home[0]}/home"],
        )
    return None


@happening("arrival")
def arrival(view: View) -> Plan | None:
    """A ship puts somebody ashore who means to stay."""
    facts, dice = view.facts, view.dice
    host = view.person(facts.hands("skarvik") or facts.able)
    counts = {s: len(facts.of(s)) for s in facts.settlements}
    home = min(facts.settlements, key=lambda s: (counts[s], s))
    single = {
        sex: sum(1 for w in facts.grown if facts.people[w]["sex"] == sex and not facts.spouse(w)) for sex in ("f", "m")
    }
    sex = "f" if single["f"] < single["m"] or (single["f"] == single["m"] and dice.chance(0.5)) else "m"
    first_id, first = newcomer(facts, dice, sex, dice.between(18, 30), home, 0)
    effects: list[dict[str, Any]] = [{"do": "born", "id": first_id, "person": first}]
    names = first["full"]
    if len(facts.ids) + 2 <= facts.rules["people"]["most"] and dice.chance(0.6):
        other = "m" if sex == "f" else "f"
        for _ in range(4):
            second_id, second = newcomer(facts, dice, other, dice.between(18, 32), home, 1)
            if second["name"] != first["name"]:
                first["kin"]["spouse"], second["kin"]["spouse"] = second_id, first_id
                effects.append({"do": "born", "id": second_id, "person": second})
                names += f" and {second['full']}"
                break
    effects.append(store(home, "food", 30))
    return view.plan(
        "arrival",
        [host] if host else [],
        "skarvik",
        f"met the ship that brought {names}",
        hours=(9, 19),
        effects=effects,
        causes=["/rules/people/fewest"],
        name=names,
        to=facts.places[home]["name"],
    )


@happening("leaving")
def leaving(view: View) -> Plan | None:
    """A young one takes ship for good: Iceland, they say."""
    facts = view.facts
    free = [w for w in facts.able if facts.age(w) < 35 and not facts.spouse(w) and not facts.children(w)]
    free = [w for w in free if not any(w in thread["who"] for thread in facts.threads.values())]
    who = view.person(free)
    if who is None:
        return None
    land = view.dice.pick(("Iceland", "the Orkneys", "Nidaros", "the Faroes"))
    return view.plan(
        "leaving",
        [who],
        "skarvik",
        f"sailed for {land} to stay",
        hours=(5, 12),
        effects=[{"do": "leave", "who": who, "cause": f"sailed for {land}"}],
        causes=["/rules/people/most"],
        thing=land,
    )


@happening("of-age")
def of_age(view: View) -> Plan | None:
    """A child is one no longer, and has a trade."""
    facts = view.facts
    child = view.person([w for w in facts.grown if facts.people[w]["trade"] == "child"])
    if child is None:
        return None
    trades = (
        "farmer",
        "fisher",
        "herder",
        "weaver",
        "smith",
        "hunter",
        "shipwright",
        "healer",
        "skald",
        "beacon-keeper",
        "lawspeaker",
        "netmaker",
        "woodcutter",
    )
    trade = lacking(facts, trades, view.dice)
    elder = view.person([w for w in facts.able if w != child and facts.age(w) >= 30])
    byname = view.dice.pick(facts.world["names"]["bynames"]) if view.dice.chance(0.5) else None
    return view.plan(
        "of-age",
        [child] + ([elder] if elder else []),
        facts.people[child]["home"],
        f"was counted among the grown, as a {trade}",
        hours=(10, 18),
        effects=[{"do": "trade", "who": child, "trade": trade, "byname": byname}],
        causes=[f"/characters/{child}/born"],
        trade=trade,
    )


def dying(facts: Facts, dice: Dice) -> tuple[str, str] | None:
    """Who dies by then, and of what: the starved and sick surely, the old by odds (12 % a year at 70, 40 % at 80)."""
    days = max(1, facts.day - facts.today)
    for who in facts.present:
        person, age = facts.people[who], facts.age(who)
        if person["health"] <= 0:
            hungry = facts.days_of_food(person["home"]) < 5
            return who, "hunger" if hungry else "sickness"
        if age > 58 and (age >= 95 or dice.chance(days * (age - 58) ** 2 * 2.4e-6)):
            return who, "age"
    return None


CAUSES = {
    "age": "died old, in bed",
    "sickness": "died of a fever",
    "hunger": "died in the hungry time",
    "drowned": "was taken by the fjord",
    "wound": "died of a wound",
    "lost": "did not come home",
}


def death(view: View, who: str, cause: str) -> Plan:
    """A death and a burial, on the mounds where everybody ends."""
    facts = view.facts
    near = [w for w in facts.able if w != who]
    mourners = [w for w in near if w == facts.spouse(who) or w in facts.children(who) or facts.tie(w, who) >= 2]
    company = (mourners + [w for w in near if w not in mourners])[:3]
    return view.plan(
        f"death-{cause}",
        [who, *company],
        "haug",
        CAUSES[cause],
        hours=(9, 17),
        effects=[{"do": "die", "who": who, "cause": CAUSES[cause]}],
        causes=[f"/characters/{who}/born" if cause == "age" else f"/characters/{who}/health"],
        left=len(company),
        age=facts.age(who),
    )
