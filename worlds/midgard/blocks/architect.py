"""The Architect: a scene to be made, from what is supposed to happen and the places as they are now."""

from __future__ import annotations

from typing import Any

from yggdrasil import RunContext, block

from .dice import Dice, dice_of
from .scenes import GESTURES, SCENES, Scene

SIZE = (512, 384)
INLAND_SPOTS = ((0.13, 0.66, 0.16), (0.84, 0.655, 0.15), (0.30, 0.635, 0.11), (0.70, 0.63, 0.105))
SHORE_SPOTS = ((0.10, 0.655, 0.17), (0.30, 0.675, 0.13), (0.22, 0.625, 0.09))
"""Where houses stand: (across, down, width)."""


@block("midgard/architect", outputs={"blueprint": dict})
def architect(intent: dict[str, Any], world: dict[str, Any], *, ctx: RunContext) -> dict[str, Any]:
    """Block 2: place, hour, season, weather, light, and where everything stands, in fractions of the picture."""
    dice = dice_of(ctx)
    places = world["places"]
    where = str(intent.get("where")) if intent.get("where") in places else min(places)
    place, kind = places[where], str(intent.get("kind") or "")
    look = place["look"]
    when, weather = intent.get("when") or {}, intent.get("weather") or world["weather"]
    season, light = when.get("season") or world["calendar"]["season"], when.get("light") or "day"
    scene = SCENES.get(kind) or SCENES.get(kind.partition("-")[0]) or Scene()
    who = [name for name in intent.get("who") or () if isinstance(name, str)]
    figures = _figures(who, world, scene, kind, look["land"], dice)
    dark = light in ("night", "dusk")
    return {
        "size": list(SIZE),
        "place": where,
        "name": place["name"],
        "land": look["land"],
        "seed": look["seed"],
        "season": season,
        "light": light,
        "hour": when.get("hour", 12),
        "weather": weather.get("kind", "fair"),
        "wind": weather.get("wind", 2),
        "snow": weather.get("snow", 0),
        "hills": look["hills"],
        "trees": look["trees"],
        "houses": _houses(look, world, where, dark, season),
        "field": bool(look.get("field")),
        "stones": look.get("stones", 0),
        "mounds": look.get("mounds", 0),
        "beacon": bool(look.get("beacon")),
        "naust": bool(look.get("naust")),
        "boats": _boats(look["land"], scene, world, where),
        "fires": _fires(scene, look, dark, figures, weather.get("kind", "")),
        "animals": _animals(scene, look["land"], world, where),
        "figures": figures,
        "texture": dice.between(0, 9999),
    }


def _figures(
    who: list[str], world: dict[str, Any], scene: Scene, kind: str, land: str, dice: Dice
) -> list[dict[str, Any]]:
    """A company in a loose row; the dead and the absent are not in it."""
    people = world["characters"]
    living = [name for name in who if name in people and people[name]["at"] != "abroad"][:5]
    centre = 0.42 + 0.16 * dice.roll()
    figures = []
    for i, name in enumerate(living):
        person = people[name]
        age = (int(world["calendar"]["day"]) - person["born"]) // 360
        gesture = scene.gestures[i % len(scene.gestures)] if scene.gestures else dice.pick(GESTURES)
        figures.append(
            {
                "x": round(
                    centre + (i - (len(living) - 1) / 2) * (0.085 if not scene.afloat else 0.05) + 0.012 * dice.roll(),
                    4,
                ),
                "y": round(0.86 + 0.035 * ((i * 7) % 3) / 2 if not scene.afloat else 0.74, 4),
                "height": round((0.125 if not scene.afloat else 0.085) * (0.62 if age < 13 else 1.0), 4),
                "gesture": gesture,
                "cloak": _dye(name),
                "dress": person["sex"] == "f",
                "hair": "grey" if age >= 58 else ("fair", "red", "brown")[sum(map(ord, name)) % 3],
            }
        )
    return figures


def _dye(name: str) -> str:
    """A person keeps the colour of their cloak."""
    return ("madder", "woad", "weld", "white", "plum")[sum(map(ord, name)) * 7 % 5]


def _houses(look: dict[str, Any], world: dict[str, Any], where: str, dark: bool, season: str) -> list[dict[str, Any]]:
    """The houses of a place always stand where they stand; their windows and smoke tell whether anybody is in."""
    spots = SHORE_SPOTS if look["land"] == "shore" else INLAND_SPOTS
    inhabited = any(person["home"] == where for person in world["characters"].values())
    shift = (look["seed"] * 37 % 100) / 1000 - 0.05
    houses = []
    for i in range(min(int(look["houses"]), len(spots))):
        x, y, width = spots[i]
        hall = bool(look.get("hall")) and i == 0
        houses.append(
            {
                "x": round(x + shift, 4),
                "y": y + 0.01 * ((look["seed"] + i) % 3),
                "width": width * (1.45 if hall else 1.0),
                "hall": hall,
                "lit": dark and inhabited,
                "smoke": inhabited and (season != "summer" or i == 0),
            }
        )
    return houses


def _boats(land: str, scene: Scene, world: dict[str, Any], where: str) -> list[dict[str, Any]]:
    boats = []
    if scene.afloat and land == "sea":
        boats.append({"x": 0.5, "y": 0.76, "width": 0.34, "sail": False, "crew": True})
    if scene.sails and land in ("shore", "headland", "sea"):
        boats += [
            {"x": 0.30 + 0.2 * i, "y": 0.60 + 0.01 * i, "width": 0.10 - 0.012 * i, "sail": True, "crew": False}
            for i in range(scene.sails)
        ]
    if land == "shore":
        count = int(world["stores"].get(where, {}).get("boats", 1))
        boats += [
            {"x": 0.60 + 0.15 * i, "y": 0.80, "width": 0.13, "sail": False, "crew": False} for i in range(min(2, count))
        ]
    return boats


def _fires(
    scene: Scene, look: dict[str, Any], dark: bool, figures: list[dict[str, Any]], weather: str
) -> list[dict[str, Any]]:
    """Fires that belong to the happening, and the beacon when it is lit."""
    fires = []
    if scene.fire == "beacon" and look.get("beacon"):
        fires.append({"x": 0.72, "y": 0.60, "size": 0.13})
    elif scene.fire or (dark and scene.warm and look["land"] != "sea" and weather not in ("rain", "storm")):
        edge = min((figure["x"] for figure in figures), default=0.5)
        fires.append({"x": round(edge - 0.1, 4), "y": 0.875, "size": 0.075 if scene.fire == "great" else 0.05})
    return fires


def _animals(scene: Scene, land: str, world: dict[str, Any], where: str) -> list[dict[str, Any]]:
    kind = scene.animal or ("sheep" if land == "upland" and world["stores"].get(where, {}).get("sheep", 0) else "")
    if not kind:
        return []
    count = {"sheep": 4, "wolf": 1, "bear": 1, "lynx": 1, "raven": 2, "stag": 1}.get(kind, 1)
    return [
        {"kind": kind, "x": round(0.60 + 0.075 * i, 4), "y": round(0.80 + 0.022 * (i % 2), 4)} for i in range(count)
    ]
