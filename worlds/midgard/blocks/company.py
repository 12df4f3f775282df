"""Company: visits, trade, tales, games, help and small griefs between people."""

from __future__ import annotations

from .plan import Plan, View, happening, health, store, tie


def _short(view: View) -> float:
    """How much help is wanted: a settlement that starves beside one that does not."""
    facts = view.facts
    days = sorted(facts.days_of_food(s) for s in facts.inhabited())
    return 4.0 if len(days) > 1 and days[0] < 8 and days[-1] > 20 else 0.0


@happening("aid", always=1, need=_short)
def aid(view: View) -> Plan | None:
    """The fullest barn helps the emptiest, and is owed for it."""
    facts = view.facts
    places = sorted(facts.inhabited(), key=lambda s: (facts.days_of_food(s), s))
    fit = [s for s in places if facts.hands(s)]
    if len(fit) < 2:
        return None
    poor, rich = fit[0], fit[-1]
    giver, taker = view.person(facts.hands(rich)), view.person(facts.hands(poor))
    if giver is None or taker is None or facts.stores[rich]["food"] < 20:
        return None
    load = min(facts.stores[rich]["food"] // 3, 90)
    return view.plan(
        "aid",
        [giver, taker],
        poor,
        f"carried food from {facts.places[rich]['name']} to {facts.places[poor]['name']}",
        effects=[store(rich, "food", -load), store(poor, "food", load), *tie(taker, giver, 2)],
        causes=[f"/stores/{poor}/food", f"/stores/{rich}/food"],
        catch=load,
        from_=facts.places[rich]["name"],
        to=facts.places[poor]["name"],
    )


@happening("trade", always=1.1)
def trade(view: View) -> Plan | None:
    """Wood against food, between who has much of the one and little of the other."""
    facts = view.facts
    fit = [s for s in facts.settlements if facts.hands(s)]
    if len(fit) < 2:
        return None
    woody = max(fit, key=lambda s: (facts.stores[s]["wood"], s))
    fed = max((s for s in fit if s != woody), key=lambda s: (facts.stores[s]["food"], s))
    a, b = view.person(facts.hands(woody)), view.person(facts.hands(fed))
    logs, food = min(40, facts.stores[woody]["wood"] // 3), min(30, facts.stores[fed]["food"] // 4)
    if a is None or b is None or logs < 8 or food < 8:
        return None
    return view.plan(
        "trade",
        [a, b],
        fed,
        f"traded {logs} loads of wood for {food} days' food",
        hours=(9, 15),
        effects=[
            store(woody, "wood", -logs),
            store(fed, "wood", logs),
            store(fed, "food", -food),
            store(woody, "food", food),
            *tie(a, b, 1),
        ],
        causes=[f"/stores/{woody}/wood", f"/stores/{fed}/food"],
        catch=logs,
        price=food,
        from_=facts.places[woody]["name"],
        to=facts.places[fed]["name"],
    )


TALES = (
    "of the winter the fjord froze to its mouth",
    "of Asmund's horse that came home without him",
    "of the woman who sold the wind in three knots",
    "of the night the beacon burned for raiders",
    "of how Ulfskard got its name",
    "of a bear that was somebody's uncle",
    "of Thor and the fishing line",
    "of the two brothers and the one boat",
    "of the giant's ford and why elk still use it",
    "of the bride who came over the pass on a door",
    "of the year without a summer, and what was eaten",
    "of the ship that was rowed by one man and his shadow",
    "of how Odin lost a wager to a widow",
    "of the seal's skin behind the loom",
    "of the thrall who knew the law better",
    "of Skalli, who dug for silver and found his grandfather",
    "of the cow that swam to the Orkneys",
    "of the man who would not come in",
)


@happening("tale", spring=0.8, summer=0.5, autumn=1.3, winter=2.4)
def tale(view: View) -> Plan | None:
    """Somebody tells, somebody listens, and remembers it otherwise."""
    facts = view.facts
    place = view.settlement()
    if place is None:
        return None
    home = [w for w in facts.of(place) if facts.age(w) >= 5]
    tellers = [w for w in facts.grown if facts.people[w]["trade"] == "skald" or facts.age(w) >= 55]
    teller = view.person(tellers) or view.person(facts.hands(place))
    listeners = view.persons([w for w in home if w != teller], 2)
    if teller is None or not listeners:
        return None
    return view.plan(
        "tale",
        [teller, *listeners],
        place,
        "told a tale",
        hours=(17, 22),
        effects=tie(teller, listeners[0], 1),
        causes=[f"/characters/{teller}/trade"],
        tale=view.dice.pick(TALES),
    )


@happening("visit", spring=1.2, summer=1.2, autumn=0.9, winter=0.7)
def visit(view: View) -> Plan | None:
    """A road, a door, a bench by the fire."""
    facts = view.facts
    guest = view.person(facts.able)
    if guest is None:
        return None
    hosts = [
        w for w in facts.able if facts.people[w]["home"] != facts.people[guest]["home"] and facts.tie(guest, w) >= 0
    ]
    fond = [w for w in hosts if facts.tie(guest, w) > 0 or w in view.wanted]
    host = view.person(fond or hosts)
    if host is None:
        return None
    where = facts.people[host]["home"]
    why = view.dice.pick(
        (
            "a borrowed kettle",
            "news of the pass",
            "no reason that was given",
            "an old promise",
            "a sick ewe",
            "a word about the spring",
            "a length of wadmal",
        )
    )
    return view.plan(
        "visit",
        [guest, host],
        where,
        "came on a visit",
        hours=(11, 20),
        effects=tie(guest, host, 1),
        causes=[f"/characters/{guest}/ties/{host}"],
        thing=why,
        home=facts.places[facts.people[guest]["home"]]["name"],
    )


@happening("quarrel", always=0.5, winter=0.9)
def quarrel(view: View) -> Plan | None:
    """Hard words over a small thing."""
    facts = view.facts
    a = view.person(facts.able)
    if a is None:
        return None
    b = view.person([w for w in facts.able if w != a and facts.tie(a, w) <= 0 and facts.spouse(a) != w])
    if b is None:
        return None
    thing = view.dice.pick(
        (
            "a strayed ram",
            "a fence moved in the night",
            "a net cut in the dark",
            "a debt of two winters",
            "an old slight to a father",
            "driftwood with two owners",
        )
    )
    return view.plan(
        "quarrel",
        [a, b],
        facts.people[b]["home"],
        f"had hard words over {thing}",
        effects=tie(a, b, -2),
        causes=[f"/characters/{a}/ties/{b}"],
        thing=thing,
    )


@happening("game", summer=0.9, winter=0.8, spring=0.4)
def game(view: View) -> Plan | None:
    """Wrestling, skating, swimming; someone loses."""
    facts = view.facts
    young = [w for w in facts.able if facts.age(w) <= 40]
    who = view.persons(young, 2)
    if len(who) < 2:
        return None
    sport = (
        "a race on bone skates"
        if view.season == "winter"
        else view.dice.pick(("wrestling", "a swimming match", "stone-lifting"))
    )
    return view.plan(
        "game",
        who,
        facts.people[who[1]]["home"],
        f"won at {sport}",
        hours=(10, 18),
        effects=tie(who[0], who[1], 1),
        causes=[f"/characters/{who[0]}/ties/{who[1]}"],
        thing=sport,
    )


@happening(
    "nursing", always=1, need=lambda v: 2.5 if any(v.facts.people[w]["health"] <= 5 for w in v.facts.present) else 0
)
def nursing(view: View) -> Plan | None:
    """Whoever knows herbs sits with whoever is worst."""
    facts = view.facts
    sick = [w for w in facts.present if facts.people[w]["health"] <= 5]
    if not sick:
        return None
    patient = min(sick, key=lambda w: (w not in view.wanted, facts.people[w]["health"], w))
    able = [w for w in facts.able if w != patient and facts.people[w]["health"] > 5]
    healers = [w for w in able if facts.people[w]["trade"] == "healer"]
    healer = view.person([w for w in able if w in view.wanted] or healers or able)
    if healer is None:
        return None
    return view.plan(
        "nursing",
        [healer, patient],
        facts.people[patient]["home"],
        f"sat up with {facts.name(patient)}",
        hours=(19, 23),
        effects=[health(patient, 3), *tie(patient, healer, 2)],
        causes=[f"/characters/{patient}/health"],
    )


@happening("teaching", always=0.7)
def teaching(view: View) -> Plan | None:
    """A craft goes from one pair of hands to a smaller pair."""
    facts = view.facts
    child = view.person([w for w in facts.present if 6 <= facts.age(w) < facts.rules["adult"]])
    if child is None:
        return None
    elder = view.person([w for w in facts.able if facts.people[w]["home"] == facts.people[child]["home"]])
    if elder is None:
        return None
    craft = view.dice.pick(
        (
            "to tie a bowline",
            "the names of the winds",
            "to set a snare",
            "three lines of the law",
            "to bank a fire",
            "to card wool",
            "to tell ice that bears from ice that does not",
        )
    )
    return view.plan(
        "teaching",
        [elder, child],
        facts.people[child]["home"],
        f"taught {facts.name(child)} {craft}",
        effects=tie(elder, child, 1),
        causes=[f"/characters/{child}/born"],
        thing=craft,
    )


@happening("storm-damage", always=1, need=lambda v: 5 if v.weather["kind"] == "storm" else 0)
def storm_damage(view: View) -> Plan | None:
    """The storm takes something."""
    facts = view.facts
    place = view.settlement()
    if place is None:
        return None
    who = view.persons(facts.hands(place), 2)
    loss = min(facts.stores[place]["wood"], view.dice.between(8, 25))
    thing = view.dice.pick(("half a roof", "the drying racks", "the gable of the barn", "the woodshed"))
    return view.plan(
        "storm-damage",
        who,
        place,
        f"saved what could be saved when the storm took {thing}",
        hours=(1, 20),
        effects=[store(place, "wood", -loss)],
        causes=["/weather/kind", "/weather/wind"],
        thing=thing,
        catch=loss,
    )


@happening("omen", always=0.45)
def omen(view: View) -> Plan | None:
    """A sign, and somebody who reads it."""
    facts = view.facts
    who = view.persons(facts.able, 2)
    if len(who) < 2:
        return None
    sign = view.dice.pick(
        (
            "two ravens on one post",
            "a seal with a man's eyes",
            "rings round the moon",
            "a white elk at the ford",
            "a tern far up the valley",
            "a light where no house is",
            "a hare that cast no shadow",
        )
    )
    return view.plan(
        "omen",
        who,
        view.dice.pick(("haug", "varden", "elgford", "ulfskard", "tingvoll")),
        f"saw {sign}",
        hours=(3, 22),
        effects=tie(who[0], who[1], 1),
        causes=["/calendar/season"],
        thing=sign,
    )


@happening("beacon", always=0.35)
def beacon(view: View) -> Plan | None:
    """The beacon is tended, or lit."""
    facts = view.facts
    keepers = (
        [w for w in facts.able if facts.people[w]["trade"] == "beacon-keeper"] or facts.hands("skarvik") or facts.able
    )
    keeper = view.person([w for w in facts.able if w in view.wanted] or keepers)
    if keeper is None:
        return None
    home = facts.people[keeper]["home"]
    burnt = min(6, facts.stores[home]["wood"])
    return view.plan(
        "beacon",
        [keeper],
        "varden",
        "lit the beacon on Varden",
        hours=(18, 23),
        effects=[store(home, "wood", -burnt)],
        causes=["/places/varden/look/beacon", f"/stores/{home}/wood"],
        catch=burnt,
    )
