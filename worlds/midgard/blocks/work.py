"""Work: what people do for food, wood and wool, season by season."""

from __future__ import annotations

from .plan import Plan, View, happening, health, store, tie

FISH = {"spring": "cod", "summer": "mackerel", "autumn": "herring", "winter": "ling"}


def _hungry(view: View) -> float:
    """More wanted where somebody's barn is low."""
    facts = view.facts
    least = min((facts.days_of_food(s) for s in facts.inhabited()), default=99)
    return 2.5 if least < 12 else 1.5 if least < 25 else 1.0


def _cold(view: View) -> float:
    facts = view.facts
    return 2.0 if min((facts.stores[s]["wood"] for s in facts.inhabited()), default=99) < 30 else 1.0


def _neediest(view: View) -> str | None:
    """The wanted settlement, or mostly the one with the least food."""
    facts = view.facts
    if view.wanted_place or view.wanted or view.dice.chance(0.4):
        return view.settlement()
    fit = [s for s in facts.settlements if facts.hands(s)]
    return min(fit, key=lambda s: (facts.days_of_food(s), s)) if fit else None


@happening("fishing", spring=3, summer=2.5, autumn=3, winter=1.6, need=_hungry)
def fishing(view: View) -> Plan | None:
    """A boat goes out from Skarvik; the catch is shared with whoever sent hands."""
    facts = view.facts
    if view.weather["kind"] == "storm" or not facts.stores.get("skarvik", {}).get("boats"):
        return None
    crew = view.persons(facts.hands("skarvik"), 2)
    if not crew:
        return None
    home = "skarvik"
    if len(crew) == 1:
        helper = view.person([w for w in facts.able if w not in crew])
        if helper:
            crew.append(helper)
            home = facts.people[helper]["home"]
    catch = view.dice.between(22, 60) if view.weather["kind"] != "fog" else view.dice.between(8, 25)
    effects = [store("skarvik", "food", catch)]
    if home != "skarvik":
        effects = [store("skarvik", "food", catch - catch // 3), store(home, "food", catch // 3)]
    if len(crew) == 2:
        effects += tie(crew[0], crew[1], 1)
    return view.plan(
        "fishing",
        crew,
        "skarnfjord",
        f"rowed out for {FISH[view.season]} and came home with {catch} days' food",
        hours=(4, 16),
        effects=effects,
        causes=["/stores/skarvik/food", "/stores/skarvik/boats", "/weather/kind"],
        fish=FISH[view.season],
        catch=catch,
    )


@happening("harvest", need=lambda v: 6.0 if v.month in (4, 5) else 0.0, summer=1, autumn=1)
def harvest(view: View) -> Plan | None:
    """The barley is cut; foul weather takes a third of it."""
    place = view.settlement([s for s in view.facts.settlements if s in ("hrafnstad", "eskilund", "skarvik")])
    if place is None:
        return None
    who = view.persons(view.facts.hands(place), 3)
    sheaves = view.dice.between(55, 95) * len(who) // 2
    if view.weather["kind"] in ("rain", "storm"):
        sheaves -= sheaves // 3
    return view.plan(
        "harvest",
        who,
        place,
        f"cut the barley, {sheaves} days' bread of it",
        hours=(7, 19),
        effects=[store(place, "food", sheaves)],
        causes=["/calendar/month", f"/stores/{place}/food"],
        catch=sheaves,
    )


@happening("haymaking", need=lambda v: 3.5 if v.month in (2, 3) else 0.0, summer=1)
def haymaking(view: View) -> Plan | None:
    """Hay for the beasts, which is milk and wool by and by."""
    place = view.settlement()
    if place is None or view.weather["kind"] in ("storm", "rain"):
        return None
    who = view.persons(view.facts.hands(place), 3)
    return view.plan(
        "haymaking",
        who,
        place,
        "made hay until the light went",
        hours=(6, 21),
        effects=[store(place, "food", 18)],
        causes=["/calendar/month", f"/stores/{place}/sheep"],
    )


@happening("sowing", need=lambda v: 4.0 if v.month in (0, 11) else 0.0, spring=1)
def sowing(view: View) -> Plan | None:
    """The seed goes into the ground: food given up now."""
    place = view.settlement(["eskilund", "hrafnstad", "skarvik"])
    if place is None:
        return None
    seed = min(15, view.facts.stores[place]["food"] // 4)
    return view.plan(
        "sowing",
        view.persons(view.facts.hands(place), 2),
        place,
        "sowed the field",
        hours=(6, 18),
        effects=[store(place, "food", -seed)],
        causes=["/calendar/month", f"/stores/{place}/food"],
        catch=seed,
    )


@happening("lambing", need=lambda v: 3.5 if v.month in (11, 0, 1) else 0.0, spring=1)
def lambing(view: View) -> Plan | None:
    """Lambs, and a night without sleep."""
    facts = view.facts
    place = view.settlement([s for s in facts.settlements if facts.stores[s]["sheep"] >= 2])
    if place is None:
        return None
    lambs = max(2, facts.stores[place]["sheep"] * view.dice.between(15, 45) // 100)
    return view.plan(
        "lambing",
        view.persons(facts.hands(place), 2),
        place,
        f"sat up with the ewes and had {lambs} lambs by morning",
        hours=(2, 7),
        effects=[store(place, "sheep", lambs)],
        causes=[f"/stores/{place}/sheep"],
        catch=lambs,
    )


@happening(
    "slaughter", need=lambda v: 4.0 if v.month == 6 else 0.5 if v.season == "winter" else 0.0, autumn=1, winter=1
)
def slaughter(view: View) -> Plan | None:
    """Beasts that cannot be fed through the winter become food for it."""
    facts = view.facts
    place = view.settlement([s for s in facts.settlements if facts.stores[s]["sheep"] >= 6])
    if place is None:
        return None
    count = max(2, facts.stores[place]["sheep"] // 4)
    return view.plan(
        "slaughter",
        view.persons(facts.hands(place), 2),
        place,
        f"slaughtered {count} sheep for the winter barrel",
        effects=[store(place, "sheep", -count), store(place, "food", count * 9)],
        causes=["/calendar/month", f"/stores/{place}/sheep", f"/stores/{place}/food"],
        catch=count,
    )


@happening("woodcutting", spring=1, summer=0.8, autumn=2.2, winter=1.8, need=_cold)
def woodcutting(view: View) -> Plan | None:
    """Firewood out of Myrkskog, for the settlement that has least."""
    facts = view.facts
    fit = [s for s in facts.settlements if facts.hands(s)]
    if not fit:
        return None
    place = (
        view.settlement() if view.wanted or view.wanted_place else min(fit, key=lambda s: (facts.stores[s]["wood"], s))
    )
    assert place is not None
    who = view.persons(facts.hands(place), 2)
    logs = view.dice.between(22, 48)
    effects = [store(place, "wood", logs)]
    hurt = view.dice.chance(0.07)
    if hurt:
        effects.append(health(who[0], -3))
    return view.plan(
        "woodcutting-hurt" if hurt else "woodcutting",
        who,
        "myrkskog",
        f"felled wood in Myrkskog, {logs} days of it",
        hours=(9, 16),
        effects=effects,
        causes=[f"/stores/{place}/wood"],
        catch=logs,
        home=facts.places[place]["name"],
    )


@happening("hunting", spring=0.8, summer=0.7, autumn=1.6, winter=1.6, need=_hungry)
def hunting(view: View) -> Plan | None:
    """Meat on four legs, or a long walk."""
    facts = view.facts
    place = _neediest(view)
    if place is None:
        return None
    hunters = [w for w in facts.hands(place) if facts.people[w]["trade"] == "hunter"]
    who = view.persons(facts.hands(place), 1)
    if hunters and hunters[0] not in who:
        who.append(hunters[0])
    game = view.dice.pick(("an elk", "two hares", "a young reindeer", "nothing", "a brace of grouse", "a stag"))
    catch = {"an elk": 55, "a young reindeer": 35, "a stag": 45, "nothing": 0}.get(game, 6)
    return view.plan(
        "hunting" if catch else "hunting-empty",
        who,
        view.dice.pick(("myrkskog", "ulfskard", "elgford")),
        f"hunted and brought home {game}",
        hours=(9, 15),
        effects=[store(place, "food", catch)] if catch else [],
        causes=[f"/stores/{place}/food", f"/characters/{who[0]}/trade"],
        game=game,
        home=facts.places[place]["name"],
    )


@happening("smithing", always=0.9)
def smithing(view: View) -> Plan | None:
    """Iron for somebody of another farm, paid in food or wool."""
    facts = view.facts
    smith = view.person([w for w in facts.able if facts.people[w]["trade"] == "smith"])
    if smith is None:
        return None
    buyer = view.person([w for w in facts.able if facts.people[w]["home"] != facts.people[smith]["home"]])
    if buyer is None:
        return None
    home, from_ = facts.people[smith]["home"], facts.people[buyer]["home"]
    price = min(8, facts.stores[from_]["food"] // 10)
    thing = view.dice.pick(
        ("an axe", "a set of rivets", "a ploughshare", "a door-hinge", "a fish-spear", "a pair of shears")
    )
    return view.plan(
        "smithing",
        [smith, buyer],
        home,
        f"forged {thing}",
        hours=(8, 18),
        effects=[store(from_, "food", -price), store(home, "food", price), *tie(smith, buyer, 1)],
        causes=[f"/characters/{smith}/trade"],
        thing=thing,
    )


@happening("shearing", need=lambda v: 2.0 if v.month in (1, 2) else 0.0, spring=1, summer=1)
def shearing(view: View) -> Plan | None:
    """Wool, and what it buys."""
    facts = view.facts
    place = view.settlement([s for s in facts.settlements if facts.stores[s]["sheep"] >= 4])
    if place is None:
        return None
    return view.plan(
        "shearing",
        view.persons(facts.hands(place), 2),
        place,
        "sheared the flock",
        hours=(7, 18),
        effects=[store(place, "food", facts.stores[place]["sheep"] // 2)],
        causes=[f"/stores/{place}/sheep"],
    )


@happening("mending", always=0.7)
def mending(view: View) -> Plan | None:
    """Nets, roofs, fences: what nobody thanks anybody for."""
    facts = view.facts
    place = view.settlement()
    if place is None:
        return None
    thing = view.dice.pick(
        ("the nets", "the hull of the old boat", "the smoke-house")
        if place == "skarvik"
        else ("the turf on the roof", "the sheepfold wall", "the barn door", "the loom")
    )
    effects = [store(place, "wood", -4)] if facts.stores[place]["wood"] > 20 else []
    return view.plan(
        "mending",
        view.persons(facts.hands(place), 2),
        place,
        f"mended {thing}",
        effects=effects,
        causes=["/weather/wind", f"/stores/{place}/wood"],
        thing=thing,
    )


@happening(
    "gathering", need=lambda v: 2.0 if v.month in (4, 5) else 0.6 if v.season == "summer" else 0.0, summer=1, autumn=1
)
def gathering(view: View) -> Plan | None:
    """Berries and herbs; the children are good for this."""
    facts = view.facts
    place = view.settlement()
    if place is None:
        return None
    children = [w for w in facts.of(place) if 5 <= facts.age(w) < facts.rules["adult"]]
    who = view.persons(facts.hands(place), 1) + view.persons(children, 1)
    thing = view.dice.pick(("cloudberries", "bilberries", "angelica", "hazelnuts", "crowberries"))
    return view.plan(
        "gathering",
        who,
        view.dice.pick(("myrkskog", "elgford", "ulfskard")),
        f"gathered {thing}",
        hours=(8, 18),
        effects=[store(place, "food", view.dice.between(5, 14))],
        causes=[f"/stores/{place}/food"],
        thing=thing,
    )
