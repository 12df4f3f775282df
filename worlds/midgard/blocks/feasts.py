"""The feasts of the year; the calendar calls each on its day, whatever else was to happen."""

from __future__ import annotations

from .plan import Plan, View, happening, store, tie

MERRY = {
    "first-summer": ("hrafnstad", "greeted the summer with ale", 8, (9, 18)),
    "midsummer": ("tingvoll", "kept the midsummer fire", 6, (19, 23)),
    "assembly": ("tingvoll", "heard the law spoken", 0, (10, 17)),
    "winter-nights": ("hrafnstad", "gave the blot for the winter", 10, (16, 21)),
    "yule": ("hrafnstad", "drank Yule", 14, (15, 22)),
}
NAMES = {
    "first-summer": "the First Day of Summer",
    "midsummer": "Midsummer",
    "assembly": "the Althing at Tingvoll",
    "winter-nights": "the Winter Nights",
    "yule": "Yule",
}


def _feast(view: View, kind: str) -> Plan | None:
    facts = view.facts
    place, gist, ale, hours = MERRY[kind]
    hosts = facts.hands("hrafnstad") or facts.able
    if kind == "assembly":
        hosts = [w for w in facts.able if facts.people[w]["trade"] == "lawspeaker"] or hosts
    host = view.person(hosts)
    if host is None:
        return None
    guests = view.persons([w for w in facts.able if w != host], 4)
    home = facts.people[host]["home"]
    spent = min(ale, facts.stores[home]["food"] // 5)
    effects = [store(home, "food", -spent)] if spent else []
    for guest in guests:
        effects += tie(host, guest, 1)
    return view.plan(
        kind,
        [host, *guests],
        place,
        gist,
        hours=hours,
        effects=effects,
        causes=["/calendar/day", f"/stores/{home}/food"],
        feast=NAMES[kind],
    )


@happening("first-summer")
def first_summer(view: View) -> Plan | None:
    """The first day of the summer half."""
    return _feast(view, "first-summer")


@happening("midsummer")
def midsummer(view: View) -> Plan | None:
    """The longest day."""
    return _feast(view, "midsummer")


@happening("assembly")
def assembly(view: View) -> Plan | None:
    """The law, spoken from memory."""
    return _feast(view, "assembly")


@happening("winter-nights")
def winter_nights(view: View) -> Plan | None:
    """The first of winter."""
    return _feast(view, "winter-nights")


@happening("yule")
def yule(view: View) -> Plan | None:
    """Midwinter."""
    return _feast(view, "yule")
