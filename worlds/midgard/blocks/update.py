"""World update: the patch that turns what really happened, and the days that passed, into the world's facts."""

from __future__ import annotations

from typing import Any

from yggdrasil import block

from .almanac import in_words
from .changes import Change, apply, weave
from .upkeep import forget, go_home, live

FRAMES_KEPT = 24
"""For how many ticks used sentence frames are remembered."""

FORGOTTEN = frozenset(
    {
        "mending",
        "smithing",
        "gathering",
        "woodcutting",
        "sowing",
        "haymaking",
        "tale",
        "hunting-empty",
        "shearing",
        "trade",
        "visit",
        "teaching",
        "harvest",
        "silence",
        "fade",
        "rumour",
        "fishing",
        "hearsay",
        "journey-news",
        "build",
        "slaughter",
        "build-work",
    }
)
"""Everyday kinds, which nobody keeps a memory of."""

MUTUAL = frozenset({"quarrel", "feud", "feud-blow", "feud-peace"})
"""Kinds that the second did as much as the first."""

Patch = list[dict[str, Any]]


@block("midgard/update", outputs={"patch": list})
def update(
    intent: dict[str, Any],
    blueprint: dict[str, Any],
    artifacts: dict[str, Any],
    description: dict[str, Any],
    chronicle: dict[str, Any],
    world: dict[str, Any],
) -> list[dict[str, Any]]:
    """RFC 6902 operations over the content; an effect that the rules forbid is left out, and the history says so."""
    today = int(world["calendar"]["day"])
    day = max(today, _day(chronicle, intent, today))
    weather = intent.get("weather") if isinstance(intent.get("weather"), dict) else None
    change = Change(world, day)
    live(change, day, str((weather or world["weather"]).get("kind", "fair")))
    events = [event for event in chronicle.get("events") or () if isinstance(event, dict)]
    told, refused = _carry_out(change, events, intent)
    who = [name for name in _company(chronicle, intent) if name in world["characters"]]
    where = str(chronicle.get("where") or intent.get("where") or "")
    go_home(change, who, where)
    forget(change)
    gist = str(intent.get("gist") or "").strip()
    memorable = bool(gist) and intent.get("kind") not in FORGOTTEN
    for name in who:
        if memorable and name in change.people:
            change.remember(name, _memory(world, name, who, gist, str(intent.get("kind"))))
    patch = _calendar(world, day, weather) + _difference(change, world) + _style(world, chronicle)
    entry = {
        "day": day,
        "kind": str(intent.get("kind") or "told"),
        "text": str(chronicle.get("text") or ""),
        "who": who,
        "where": where,
        "place": _household_of(change, where, who),
        "events": told,
    }
    if refused:
        entry["refused"] = refused
    return [*patch, {"op": "add", "path": "/history/-", "value": entry}]


def _day(chronicle: dict[str, Any], intent: dict[str, Any], today: int) -> int:
    when = intent.get("when")
    for value in (chronicle.get("day"), when.get("day") if isinstance(when, dict) else None):
        if isinstance(value, int) and not isinstance(value, bool):
            return min(value, today + 30)
    return today + 1


def _company(chronicle: dict[str, Any], intent: dict[str, Any]) -> list[str]:
    who = chronicle.get("who") or intent.get("who") or ()
    return [name for name in who if isinstance(name, str)]


def _carry_out(change: Change, events: Patch, intent: dict[str, Any]) -> tuple[Patch, Patch]:
    """The events that came to pass, and those the rules refused."""
    told: Patch = []
    refused: Patch = []
    for event in events:
        if "do" in event:
            (told if apply(change, event) else refused).append(event)
        elif "op" in event:
            (told if weave(change, event) else refused).append(event)
        else:
            told.append(event)
    return told, refused


def _memory(world: dict[str, Any], name: str, who: list[str], gist: str, kind: str) -> str:
    if name == who[0]:
        return gist
    if name == who[1] and kind in MUTUAL:
        return f"{gist} with {world['characters'][who[0]]['name']}"[:160]
    return f"was there when {world['characters'][who[0]]['name']} {gist}"[:160]


def _household_of(change: Change, where: str, who: list[str]) -> str:
    """The settlement the day belongs to: where it was, or the home of the first of the company."""
    if where in change.stores:
        return where
    return str(change.people[who[0]]["home"]) if who and who[0] in change.people else where


def _calendar(world: dict[str, Any], day: int, weather: dict[str, Any] | None) -> Patch:
    patch = []
    for key, value in in_words(day, int(world["setting"]["first_year"])).items():
        if world["calendar"].get(key) != value:
            patch.append({"op": "replace", "path": f"/calendar/{key}", "value": value})
    for key, value in (weather or {}).items():
        if key in ("kind", "wind", "snow") and world["weather"].get(key) != value:
            patch.append({"op": "replace", "path": f"/weather/{key}", "value": value})
    return patch


def _difference(change: Change, world: dict[str, Any]) -> Patch:
    """What changed, one operation for the smallest part that did."""
    patch: Patch = []
    before, after = world["characters"], change.people
    for who in sorted(before.keys() | after.keys()):
        if who not in after:
            patch.append({"op": "remove", "path": f"/characters/{who}"})
        elif who not in before:
            patch.append({"op": "add", "path": f"/characters/{who}", "value": after[who]})
        elif after[who] is not before[who]:
            _person(patch, f"/characters/{who}", before[who], after[who])
    for place in sorted(change.stores):
        for what in sorted(change.stores[place]):
            if change.stores[place][what] != world["stores"][place][what]:
                patch.append({"op": "replace", "path": f"/stores/{place}/{what}", "value": change.stores[place][what]})
    threads = world["threads"]["open"]
    for name in sorted(threads.keys() | change.open.keys()):
        if name not in change.open:
            patch.append({"op": "remove", "path": f"/threads/open/{name}"})
        elif change.open[name] is not threads.get(name):
            patch.append({"op": "add", "path": f"/threads/open/{name}", "value": change.open[name]})
    _list(patch, "/threads/closed", world["threads"]["closed"], change.closed)
    _list(patch, "/graves", world["graves"], change.graves)
    for what in sorted(change.count):
        if change.count[what] != world["count"][what]:
            patch.append({"op": "replace", "path": f"/count/{what}", "value": change.count[what]})
    return patch


def _person(patch: Patch, path: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    for key in sorted(after):
        if key in ("kin", "ties"):
            for name in sorted(before[key].keys() | after[key].keys()):
                if name not in after[key]:
                    patch.append({"op": "remove", "path": f"{path}/{key}/{name}"})
                elif name not in before[key] or before[key][name] != after[key][name]:
                    patch.append({"op": "add", "path": f"{path}/{key}/{name}", "value": after[key][name]})
        elif key == "memories":
            _list(patch, f"{path}/memories", before[key], after[key])
        elif key not in before:
            patch.append({"op": "add", "path": f"{path}/{key}", "value": after[key]})
        elif before[key] != after[key]:
            patch.append({"op": "replace", "path": f"{path}/{key}", "value": after[key]})


def _list(patch: Patch, path: str, before: list[Any], after: list[Any]) -> None:
    """A list that only grows at its end and loses at its head."""
    if before == after:
        return
    lost = 0
    while lost < len(before) and before[lost:] != after[: len(before) - lost]:
        lost += 1
    patch += [{"op": "remove", "path": f"{path}/0"}] * lost
    patch += [{"op": "add", "path": f"{path}/-", "value": item} for item in after[len(before) - lost :]]


def _style(world: dict[str, Any], chronicle: dict[str, Any]) -> Patch:
    frames = [str(frame)[:40] for frame in chronicle.get("frames") or ()][:9]
    used = world.get("style", {}).get("recent")
    if used is None or not frames:
        return []
    patch: Patch = []
    _list(patch, "/style/recent", used, [*used, " ".join(frames)][-FRAMES_KEPT:])
    return patch
