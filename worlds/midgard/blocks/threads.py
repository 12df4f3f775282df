"""Threads: stories that open, rise and close over weeks. A thread is a small state machine whose beats are plans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .plan import Plan, View, happening, health, store, tie

Beat = Callable[[View, str, dict[str, Any]], "Plan | None"]
BEATS: dict[str, Beat] = {}


def beats(kind: str) -> Callable[[Beat], Beat]:
    """Register how threads of a kind go on when they are due."""

    def register(function: Beat) -> Beat:
        BEATS[kind] = function
        return function

    return register


def opened(
    view: View, kind: str, title: str, who: Sequence[str], where: str, due: tuple[int, int], **data: Any
) -> dict[str, Any]:
    """A thread operation: open a new one."""
    name = f"{kind}-{int(view.facts.world['count']['thread'])}"
    return {"op": "open", "id": name, "kind": kind, "title": title, "who": list(who), "where": where,
            "due": view.day + view.dice.between(*due), "data": data}  # fmt: skip


def raised(view: View, name: str, thread: dict[str, Any], due: tuple[int, int]) -> dict[str, Any]:
    """A thread operation: it goes on, one stage higher."""
    return {"op": "raise", "id": name, "stage": int(thread["stage"]) + 1, "due": view.day + view.dice.between(*due)}


def closed(name: str, end: str) -> dict[str, Any]:
    """A thread operation: it is over."""
    return {"op": "close", "id": name, "end": end}


def room(view: View, kind: str, most: int = 1) -> float:
    """1 when another thread of this kind may open, else 0."""
    full = len(view.facts.threads) >= view.facts.rules["open_threads"]
    return 0.0 if full or len(view.open(kind)) >= most else 1.0


def free(view: View, ids: Sequence[str]) -> list[str]:
    """Those who are in no open thread."""
    busy = {who for thread in view.facts.threads.values() for who in thread["who"]}
    return [who for who in ids if who not in busy]


def go_on(view: View, name: str) -> Plan:
    """The next beat of a thread; one that cannot go on fades."""
    thread = view.facts.threads[name]
    beat = BEATS.get(thread["kind"])
    found = beat(view, name, thread) if beat and len(view.facts.living(thread["who"])) == len(thread["who"]) else None
    return found or _fade(view, name, thread)


def _fade(view: View, name: str, thread: dict[str, Any]) -> Plan:
    who = view.facts.living(thread["who"])[:2] or view.persons(view.facts.able or view.facts.present, 1)
    where = thread["where"] if thread["where"] in view.facts.places else "hrafnstad"
    return view.plan("fade", who, where, f"let {thread['title']} rest", threads=[closed(name, "came to nothing")],
                     causes=[f"/threads/open/{name}"], title=thread["title"])  # fmt: skip


# Feud


@happening("feud", always=1.2, need=lambda v: room(v, "feud"))
def feud(view: View) -> Plan | None:
    """Two who dislike each other find something to fight over."""
    facts = view.facts
    able = free(view, facts.able)
    pairs = [(a, b) for a in able for b in able
             if a != b and facts.tie(a, b) <= -2 and facts.people[a]["home"] != facts.people[b]["home"]]  # fmt: skip
    if not pairs:
        return None
    a, b = view.dice.pick([p for p in pairs if p[0] in view.wanted or p[1] in view.wanted] or pairs)
    matter = view.dice.pick(("the Alder Meadow", "the stranded whale", "the salmon weir", "a mare with two owners",
                             "the boundary stone", "the north pasture", "an unpaid sword"))  # fmt: skip
    return view.plan(
        "feud", [a, b], facts.people[b]["home"], f"fell out over {matter}", effects=tie(a, b, -1),
        threads=[opened(view, "feud", f"the quarrel over {matter}", [a, b], facts.people[b]["home"], (6, 16), matter=matter)],
        causes=[f"/characters/{a}/ties/{b}"], matter=matter,
    )  # fmt: skip


@beats("feud")
def feud_on(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """A blow; then the law, a duel, or a hand held out."""
    facts, dice = view.facts, view.dice
    a, b = thread["who"]
    matter, causes = thread["data"]["matter"], [f"/threads/open/{name}", f"/characters/{a}/ties/{b}"]
    if thread["stage"] == 0:
        return view.plan("feud-blow", [a, b], thread["where"], f"came to blows over {matter}", effects=[health(b, -2), *tie(a, b, -2)],
                         threads=[raised(view, name, thread, (6, 18))], causes=causes, matter=matter)  # fmt: skip
    end = dice.weighted(((6, "law"), (2, "duel"), (2, "peace")))
    judge = view.person([w for w in facts.able if facts.people[w]["trade"] == "lawspeaker" and w not in (a, b)]
                        or [w for w in facts.able if w not in (a, b) and facts.age(w) > 35])  # fmt: skip
    if end == "law" and judge:
        fine = min(30, facts.stores[facts.people[a]["home"]]["food"] // 4)
        return view.plan(
            "feud-law", [judge, a, b], "tingvoll", f"judged {thread['title']}", hours=(10, 16),
            effects=[store(facts.people[a]["home"], "food", -fine), store(facts.people[b]["home"], "food", fine), *tie(a, b, 3)],
            threads=[closed(name, "settled at law")], causes=causes, matter=matter, catch=fine,
        )  # fmt: skip
    if end == "duel":
        winner, loser = (a, b) if dice.chance(0.5) else (b, a)
        return view.plan("feud-duel", [winner, loser], "tingvoll", f"won a holmgang over {matter}", hours=(6, 10),
                         effects=[health(loser, -4), *tie(a, b, 1)], threads=[closed(name, "ended in a holmgang")],
                         causes=causes, matter=matter)  # fmt: skip
    return view.plan("feud-peace", [a, b], facts.people[b]["home"], f"made peace over {matter}", effects=tie(a, b, 5),
                     threads=[closed(name, "made up by hand and cup")], causes=causes, matter=matter)  # fmt: skip


# Courtship


def _pairs(view: View) -> list[tuple[str, str]]:
    facts = view.facts
    single = [w for w in free(view, facts.able) if not facts.spouse(w) and 17 <= facts.age(w) <= 48]
    men = [w for w in single if facts.people[w]["sex"] == "m"]
    return [(m, f) for m in men for f in single
            if facts.people[f]["sex"] == "f" and abs(facts.age(m) - facts.age(f)) <= 16
            and facts.tie(m, f) >= -1 and not facts.kin(m, f)]  # fmt: skip


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
        "courtship", [a, b], facts.people[b]["home"], f"began to have errands where {facts.name(b)} was", effects=tie(a, b, 2),
        threads=[opened(view, "courtship", f"what there was between {facts.name(a)} and {facts.name(b)}", [a, b],
                        facts.people[b]["home"], (8, 25))],
        causes=[f"/characters/{a}/kin/spouse", f"/characters/{b}/kin/spouse"],
    )  # fmt: skip


@beats("courtship")
def courtship_on(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """A gift; then a wedding, or not."""
    facts, dice = view.facts, view.dice
    a, b = thread["who"]
    causes = [f"/threads/open/{name}", f"/characters/{a}/ties/{b}"]
    if facts.spouse(a) or facts.spouse(b) or facts.tie(a, b) < -1:
        return None
    if thread["stage"] == 0:
        thing = dice.pick(("a comb of elk horn", "a knife with a birch handle", "a belt with nine knots", "a song nobody had heard",
                           "a pair of skates", "a bowl with two ravens on it"))  # fmt: skip
        return view.plan("courtship-gift", [a, b], facts.people[b]["home"], f"gave {facts.name(b)} {thing}",
                         effects=tie(a, b, 2), threads=[raised(view, name, thread, (10, 28))], causes=causes, thing=thing)  # fmt: skip
    if dice.chance(0.15):
        return view.plan("courtship-cools", [a, b], facts.people[b]["home"], f"gave up the errands to {facts.name(b)}",
                         effects=tie(a, b, -2), threads=[closed(name, "cooled")], causes=causes)  # fmt: skip
    homes = sorted({facts.people[a]["home"], facts.people[b]["home"]}, key=lambda s: (len(facts.of(s)), s))
    home = homes[0]
    feast = min(20, facts.stores[home]["food"] // 5)
    guests = view.persons([w for w in facts.able if w not in (a, b)], 3)
    return view.plan(
        "wedding", [a, b, *guests], home, f"married {facts.name(b)}", hours=(12, 20),
        effects=[{"do": "wed", "a": a, "b": b, "home": home}, store(home, "food", -feast), *tie(a, b, 2)],
        threads=[closed(name, "married")], causes=causes, catch=feast, home=facts.places[home]["name"],
    )  # fmt: skip


# A beast in the valley


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
        "beast", who, place, f"found {taken} sheep torn and the tracks of a {animal}", hours=(5, 10),
        effects=[store(place, "sheep", -taken)],
        threads=[opened(view, "beast", f"the {animal} above {facts.places[place]['name']}", who, place, (3, 9), animal=animal)],
        causes=[f"/stores/{place}/sheep", "/calendar/season"], animal=animal, catch=taken,
    )  # fmt: skip


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
        return view.plan("beast-watch", [finder, helper], where, f"watched a night for the {animal}", hours=(21, 23),
                         effects=[store(where, "sheep", -taken)] if taken else [], threads=[raised(view, name, thread, (3, 9))],
                         causes=causes, animal=animal, catch=taken)  # fmt: skip
    hunters = [w for w in facts.able if facts.people[w]["trade"] == "hunter" and w != finder]
    helper = view.person(hunters) or helper
    if dice.chance(0.2):
        return view.plan("beast-hurt", [finder, helper], "ulfskard", f"was hurt hunting the {animal}", hours=(8, 16),
                         effects=[health(finder, -4), *tie(finder, helper, 2)], threads=[closed(name, "driven off, at a price")],
                         causes=causes, animal=animal)  # fmt: skip
    return view.plan("beast-killed", [finder, helper], "ulfskard", f"killed the {animal}", hours=(8, 16),
                     effects=tie(finder, helper, 2), threads=[closed(name, "killed")], causes=causes, animal=animal)  # fmt: skip


# A voyage


@happening("voyage", spring=1.4, summer=1.1, need=lambda v: room(v, "voyage") if v.facts.stores.get("skarvik", {}).get("boats", 0) else 0)
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
        "voyage", who, "skarvik", f"sailed for {to}", hours=(4, 10),
        effects=[*({"do": "away", "who": w} for w in who), store("skarvik", "boats", -1), store("skarvik", "food", -load)],
        threads=[opened(view, "voyage", f"the voyage to {to}", who, "skarvik", due, to=to)],
        causes=["/stores/skarvik/boats", "/calendar/season"], to=to,
    )  # fmt: skip


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
        return view.plan("voyage-lost", [alive, watcher], "skarvik", f"came home from {to} without {facts.name(dead)}", effects=[
            {"do": "return", "who": alive}, {"do": "die", "who": dead, "cause": CAUSE_SEA}, health(alive, -3)],
            threads=[closed(name, "one came home")], causes=causes, to=to, lost=facts.people[dead]["full"])  # fmt: skip
    goods = dice.pick(("wheat and two casks of wine", "salt and iron", "a millstone and good cloth", "amber, seed corn and news"))
    return view.plan(
        "voyage-home", [*crew, watcher], "skarvik", f"came home from {to} with {goods}", hours=(8, 20),
        effects=[*home, store("skarvik", "boats", 1), store("skarvik", "food", dice.between(30, 60)), *tie(crew[0], crew[-1], 2)],
        threads=[closed(name, "came home")], causes=causes, to=to, thing=goods,
    )  # fmt: skip


CAUSE_SEA = "was lost at sea"

# Strange sails


@happening("sails", spring=0.9, summer=1.2, autumn=0.5, need=lambda v: room(v, "sails"))
def sails(view: View) -> Plan | None:
    """A sail nobody knows."""
    facts = view.facts
    keepers = [w for w in facts.able if facts.people[w]["trade"] == "beacon-keeper"] or facts.hands("skarvik") or facts.able
    watcher = view.person(keepers)
    if watcher is None:
        return None
    count = view.dice.pick(("one sail", "two sails", "three sails"))
    return view.plan(
        "sails", [watcher], "varden", f"saw {count} that nobody knew", hours=(4, 20),
        threads=[opened(view, "sails", "the strange sails", [watcher], "varden", (1, 3), count=count)],
        causes=["/calendar/season", "/places/varden"], thing=count,
    )  # fmt: skip


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
        return view.plan("sails-traders", who, "skarvik", f"traded for {goods}", hours=(8, 18),
                         effects=[store("skarvik", "food", dice.between(10, 35))], threads=[closed(name, "were traders")],
                         causes=causes, thing=goods)  # fmt: skip
    hurt = who[-1]
    loss = facts.stores["skarvik"]["food"] // 4
    return view.plan("sails-raid", who, "skarvik", "stood against raiders on the shingle", hours=(2, 6),
                     effects=[store("skarvik", "food", -loss), store("skarvik", "sheep", -2), health(hurt, -4), *tie(who[0], hurt, 2)],
                     threads=[closed(name, "were raiders")], causes=causes, catch=loss, hurt=facts.name(hurt))  # fmt: skip


# Fever


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
        "fever", [sick] + ([nurse] if nurse else []), home, "lay down with a fever", hours=(0, 23), effects=[health(sick, -4)],
        threads=[opened(view, "fever", f"the fever of {facts.name(sick)}", [sick], home, (3, 7))],
        causes=[f"/characters/{sick}/health", "/calendar/season"],
    )  # fmt: skip


@beats("fever")
def fever_on(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """A vigil; then the fever breaks, or does not."""
    facts, dice = view.facts, view.dice
    sick = thread["who"][0]
    healer = view.person([w for w in facts.able if w != sick and facts.people[w]["trade"] == "healer"] or [w for w in facts.able if w != sick])
    if healer is None:
        return None
    home, causes = facts.people[sick]["home"], [f"/threads/open/{name}", f"/characters/{sick}/health"]
    if thread["stage"] == 0:
        return view.plan("fever-vigil", [healer, sick], home, f"watched over {facts.name(sick)}", hours=(0, 5),
                         effects=[health(sick, dice.pick((-1, 0, 1))), *tie(sick, healer, 2)],
                         threads=[raised(view, name, thread, (2, 6))], causes=causes)  # fmt: skip
    weak = facts.age(sick) > 60 or facts.people[sick]["health"] <= 2
    if dice.chance(0.3 if weak else 0.06):
        return view.plan("fever-death", [sick, healer], home, "died of the fever", hours=(1, 6),
                         effects=[{"do": "die", "who": sick, "cause": "died of a fever"}], threads=[closed(name, "death")],
                         causes=causes, age=facts.age(sick))  # fmt: skip
    return view.plan("fever-over", [sick, healer], home, "got up and asked for food", hours=(7, 12), effects=[health(sick, 5)],
                     threads=[closed(name, "recovery")], causes=causes)  # fmt: skip


# Something is built


@happening("build", spring=1.3, summer=1.3, autumn=0.8, winter=0.4, need=lambda v: room(v, "build"))
def build(view: View) -> Plan | None:
    """Timber is laid out, and people begin to have opinions."""
    facts = view.facts
    place = view.settlement([s for s in facts.settlements if facts.stores[s]["wood"] >= 50])
    if place is None:
        return None
    boat = place == "skarvik" and facts.stores[place]["boats"] < facts.rules["boats"]
    matter = "a six-oared boat" if boat else view.dice.pick(("a new barn", "a bath-house", "a bridge of three logs", "a carved door",
                                                             "a weaving-room"))  # fmt: skip
    who = view.persons(free(view, facts.hands(place)) or facts.hands(place), 2)
    title = f"{matter.replace('a ', 'the ', 1)} at {facts.places[place]['name']}"
    return view.plan(
        "build", who, place, f"began {matter}", effects=[store(place, "wood", -12)],
        threads=[opened(view, "build", title, who, place, (14, 40), matter=matter)],
        causes=[f"/stores/{place}/wood"], matter=matter,
    )  # fmt: skip


@beats("build")
def build_on(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """Work; then it stands, or swims."""
    facts = view.facts
    where, who, matter = thread["where"], list(thread["who"]), thread["data"]["matter"]
    causes = [f"/threads/open/{name}", f"/stores/{where}/wood"]
    if thread["stage"] == 0:
        return view.plan("build-work", who, where, f"worked on {matter}", effects=[store(where, "wood", -10)],
                         threads=[raised(view, name, thread, (14, 40))], causes=causes, matter=matter)  # fmt: skip
    boat = "boat" in matter
    return view.plan("build-launch" if boat else "build-done", who, where, f"finished {matter}", hours=(10, 18),
                     effects=([store(where, "boats", 1)] if boat else [store(where, "food", 5)]) + (tie(*who, 2) if len(who) > 1 else []),
                     threads=[closed(name, "finished")], causes=causes, matter=matter)  # fmt: skip


# The hungry time


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
    return view.plan("lean", who, place, "counted what was left in the barrels", hours=(7, 20),
                     threads=[opened(view, "lean", title, who[:1], place, (5, 9))], causes=[f"/stores/{place}/food"],
                     catch=facts.stores[place]["food"])  # fmt: skip


@beats("lean")
def lean_on(view: View, name: str, thread: dict[str, Any]) -> Plan | None:
    """It goes on until the barn is filled again."""
    facts, where = view.facts, thread["where"]
    who = [thread["who"][0], *view.persons([w for w in facts.hands(where) if w != thread["who"][0]], 1)]
    causes = [f"/threads/open/{name}", f"/stores/{where}/food"]
    if facts.days_of_food(where) >= 12 or thread["stage"] >= 6:
        return view.plan("lean-ends", who, where, "ate until nobody spoke", hours=(16, 20), causes=causes,
                         threads=[closed(name, "the barns were filled again")])  # fmt: skip
    if facts.stores[where]["sheep"] > 0:
        count = min(2, facts.stores[where]["sheep"])
        return view.plan("lean-slaughter", who, where, "slaughtered beasts that should have lived", causes=causes, hours=(8, 15),
                         effects=[store(where, "sheep", -count), store(where, "food", count * 9)],
                         threads=[raised(view, name, thread, (8, 14))], catch=count)  # fmt: skip
    return view.plan("lean-worse", who, where, "went to bed hungry", hours=(16, 21), causes=causes,
                     threads=[raised(view, name, thread, (8, 14))], effects=[store(where, "food", 6 * len(facts.hands(where)))])  # fmt: skip


# Somebody is missing


@happening("lost", always=0.5, need=lambda v: 3.0 * room(v, "lost") if v.weather["kind"] in ("fog", "snow", "storm") else 0)
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
        "lost", [seeker], home, f"waited for {facts.name(one)}, who did not come home", hours=(17, 22),
        effects=[{"do": "away", "who": one}],
        threads=[opened(view, "lost", f"the search for {facts.name(one)}", [one, seeker], home, (1, 2))],
        causes=["/weather/kind", f"/characters/{one}/home"], lost=facts.people[one]["full"],
    )  # fmt: skip


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
        return view.plan("lost-dead", [seeker, *others], place, f"found {facts.name(one)} too late", hours=(9, 15),
                         effects=[{"do": "die", "who": one, "cause": "went out in bad weather and was found too late"}],
                         threads=[closed(name, "found too late")], causes=causes, lost=facts.people[one]["full"])  # fmt: skip
    return view.plan("lost-found", [one, seeker, *others], place, "was found alive", hours=(8, 16),
                     effects=[{"do": "return", "who": one}, health(one, -2), *tie(one, seeker, 3)],
                     threads=[closed(name, "found alive")], causes=causes)  # fmt: skip


ABROAD = {"voyage": voyage_ends, "lost": lost_ends}
"""Threads whose people are away: their beats ask for themselves who still lives."""


# Lights on the mounds


@happening("lights", autumn=0.9, winter=0.8, spring=0.2, need=lambda v: room(v, "lights"))
def lights(view: View) -> Plan | None:
    """Nobody has to believe it."""
    who = view.persons(free(view, view.facts.able), 1)
    if not who:
        return None
    return view.plan(
        "lights", who, "haug", "saw a fire on the mounds that left no ash", hours=(20, 23),
        threads=[opened(view, "lights", "the fire on the mounds", who, "haug", (5, 14))], causes=["/graves", "/calendar/season"],
    )  # fmt: skip


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
        return view.plan("lights-vigil", [first, helper], "haug", "sat a night on the mounds", hours=(22, 23),
                         effects=tie(first, helper, 1), threads=[raised(view, name, thread, (6, 16))], causes=causes)  # fmt: skip
    grave = max(facts.world["graves"], key=lambda g: (g["died"], g["id"]), default=None)
    if grave is None or view.dice.chance(0.4):
        return view.plan("lights-stranger", [first, helper], "haug", "found out who lit the fire", hours=(4, 9),
                         threads=[closed(name, "a stranger with wet boots")], causes=causes)  # fmt: skip
    return view.plan("lights-stone", [first, helper], "haug", f"raised a stone for {grave['name']}", hours=(9, 16),
                     threads=[closed(name, "a stone was raised")], causes=[*causes, "/graves"], lost=grave["name"])  # fmt: skip


def due(view: View) -> list[str]:
    """The threads whose day has come, the longest overdue first."""
    threads = view.facts.threads
    return sorted((t for t in threads if threads[t]["due"] <= view.day), key=lambda t: (threads[t]["due"], t))


def beat(view: View, name: str) -> Plan:
    """What happens in a thread that is due."""
    thread = view.facts.threads[name]
    ending = ABROAD.get(thread["kind"])
    if ending is None:
        return go_on(view, name)
    found = ending(view, name, thread)
    if found is not None:
        return found
    fading = _fade(view, name, thread)
    # Whoever is away comes home when the thread is dropped.
    fading["effects"] += [{"do": "return", "who": w} for w in thread["who"] if w in view.facts.people]
    return fading
