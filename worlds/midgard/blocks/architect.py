"""The Architect: a scene to be made, from what is supposed to happen and the places as they are now."""

from __future__ import annotations

from typing import Any

from yggdrasil import RunContext, block

from .dice import Dice, dice_of
from .scenes import GESTURES, SCENES, Scene

SIZE = (512, 384)
INLAND_SPOTS = ((0.155, 0.672, 0.235), (0.845, 0.664, 0.20), (0.345, 0.642, 0.135), (0.685, 0.640, 0.125))
SHORE_SPOTS = ((0.115, 0.672, 0.22), (0.325, 0.690, 0.155), (0.245, 0.634, 0.105))
"""Where houses stand: (across, down, width)."""
TALL = 0.205
"""A grown person's height, of the picture, at the lower edge of the company."""
RING = ((-0.125, 0.0), (0.125, 0.002), (-0.225, 0.024), (0.225, 0.026), (0.052, -0.034))
ROUND = ((-0.10, 0.0), (0.045, 0.012), (0.135, -0.006), (0.215, 0.018), (0.29, -0.010))
PAIR = ((-0.062, 0.0), (0.062, 0.0), (-0.235, -0.028), (0.235, -0.030), (0.315, -0.012))
WORK = ((-0.16, 0.012), (0.02, -0.022), (0.18, 0.016), (-0.29, -0.026), (0.30, -0.03))
ROW = ((-0.11, 0.0), (0.0, 0.018), (0.11, -0.008), (0.215, 0.012), (-0.215, 0.014))
GROUPS = {"ring": RING, "round": ROUND, "pair": PAIR, "work": WORK, "row": ROW}
"""Where people stand about the middle of a company, in the order of the company: (across, down)."""
STAND: dict[str, tuple[float, float]] = {"headland": (0.56, 0.855), "river": (0.47, 0.905), "shore": (0.42, 0.875)}
"""The middle of a company by the lie of the land, where it is not (0.47, 0.865)."""


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
        "animals": _animals(scene, look, world, where, figures, dice),
        "figures": figures,
        "texture": dice.between(0, 9999),
    }


def _figures(
    who: list[str], world: dict[str, Any], scene: Scene, kind: str, land: str, dice: Dice
) -> list[dict[str, Any]]:
    """A company grouped as the scene wants it, the nearer the larger; the dead and the absent are not in it."""
    people = world["characters"]
    living = [name for name in dict.fromkeys(who) if name in people and people[name]["at"] != "abroad"][:5]
    sway, (middle, down) = 0.03 * dice.roll() - 0.015, STAND.get(land, (0.47, 0.865))
    if len(living) == 1:
        middle -= 0.02
    figures = []
    for i, name in enumerate(living):
        gesture = scene.gestures[i % len(scene.gestures)] if scene.gestures else dice.pick(GESTURES)
        if scene.afloat:
            gesture = ("row", "haul", "row", "steer")[i % 4] if land == "sea" else "stand"
        dx, dy = _spot(i, len(living), scene, land)
        x, y = middle + sway + dx, down + dy
        if land == "sea":
            x, y = 0.5 + dx, 0.757
        size = TALL * ((y - 0.58) / 0.285 if land != "sea" else 0.98)
        figures.append(_figure(name, world, round(x, 4), round(y, 4), size, gesture, _facing(i, dx, scene)))
    return figures


def _spot(number: int, count: int, scene: Scene, land: str) -> tuple[float, float]:
    if land == "sea":
        return ((number - (count - 1) / 2) * min(0.105, 0.30 / max(1, count - 1)), 0.0)
    if count == 1 and scene.group != "ring":
        return (0.0, 0.0)
    dx, dy = GROUPS[scene.group][number]
    if scene.group == "pair" and scene.gestures[:1] == ("wrestle",) and number < 2:
        dx *= 0.72
    return (dx, dy)


def _facing(number: int, dx: float, scene: Scene) -> int:
    """Towards the middle, towards the speaker, or the way the row goes: 1 is right, -1 left."""
    if scene.afloat or scene.group == "row":
        return 1
    if scene.group == "round":
        return 1 if number == 0 else -1
    if scene.group == "work":
        return (1, -1, 1, -1, 1)[number % 5]
    return 1 if dx < 0 else -1


def _figure(
    name: str, world: dict[str, Any], x: float, y: float, size: float, gesture: str, facing: int
) -> dict[str, Any]:
    """One of the company, as old and as clothed as they are."""
    person = world["characters"][name]
    age = (int(world["calendar"]["day"]) - person["born"]) // 360
    grown = 0.58 if age < 9 else 0.76 if age < 14 else 1.0
    return {
        "x": x,
        "y": y,
        "height": round(size * grown * (0.96 if person["sex"] == "f" else 1.0), 4),
        "gesture": gesture,
        "facing": facing,
        "cloak": _dye(name),
        "dress": person["sex"] == "f",
        "beard": person["sex"] == "m" and age >= 20,
        "hair": "grey" if age >= 58 else ("fair", "red", "brown")[sum(map(ord, name)) % 3],
    }


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
                "y": round(y + 0.005 * ((look["seed"] + i) % 3), 4),
                "width": round(width * (1.28 if hall else 1.0), 4),
                "hall": hall,
                "lit": dark and inhabited,
                "smoke": inhabited and (season != "summer" or i == 0),
            }
        )
    return houses


def _boats(land: str, scene: Scene, world: dict[str, Any], where: str) -> list[dict[str, Any]]:
    boats = []
    if land == "sea":
        boats.append({"x": 0.5, "y": 0.79, "width": 0.50, "sail": False, "crew": True})
    if scene.sails and land in ("shore", "headland", "sea"):
        middle = 0.62 if land == "shore" else 0.24
        boats += [
            {"x": middle + 0.17 * i, "y": 0.645 - 0.02 * i, "width": 0.15 - 0.03 * i, "sail": True, "crew": False}
            for i in range(scene.sails)
        ]
    if land == "shore":
        count = int(world["stores"].get(where, {}).get("boats", 1))
        boats += [
            {"x": 0.715 + 0.19 * i, "y": 0.828 + 0.022 * i, "width": 0.19, "sail": False, "crew": False}
            for i in range(min(2, count))
        ]
    return boats


def _fires(
    scene: Scene, look: dict[str, Any], dark: bool, figures: list[dict[str, Any]], weather: str
) -> list[dict[str, Any]]:
    """Fires that belong to the happening, and the beacon when it is lit."""
    if scene.fire == "beacon" and look.get("beacon"):
        return [{"x": 0.72, "y": 0.535, "size": 0.15}]
    warm = dark and scene.warm and weather not in ("rain", "storm")
    if look["land"] == "sea" or not (scene.fire or warm):
        return []
    size = 0.105 if scene.fire in ("great", "beacon", "house") else 0.066
    middle, down = STAND.get(look["land"], (0.47, 0.865))
    if scene.group == "ring":
        return [{"x": middle, "y": round(down + 0.022, 4), "size": size}]
    edge = min((figure["x"] for figure in figures), default=0.5)
    return [{"x": round(max(0.08, edge - 0.13), 4), "y": round(down + 0.012, 4), "size": size}]


def _animals(
    scene: Scene, look: dict[str, Any], world: dict[str, Any], where: str, figures: list[dict[str, Any]], dice: Dice
) -> list[dict[str, Any]]:
    """The beasts of the happening on the right, those of the place farther off, birds over the water."""
    land, stores = look["land"], world["stores"].get(where, {})
    dog, bird = dice.chance(0.4), dice.roll()
    animals: list[dict[str, Any]] = []
    if land in ("sea", "shore", "headland"):
        animals += [
            {"kind": "gull", "x": round(0.24 + 0.5 * bird + 0.07 * i, 4), "y": round(0.30 + 0.05 * i, 4), "facing": 1}
            for i in range(3)
        ]
    if land == "sea":
        return animals
    right = max((figure["x"] for figure in figures), default=0.5)
    free = min(0.86, max(0.70, right + 0.12))
    if scene.animal == "raven":
        animals += [{"kind": "raven", "x": 0.58 + 0.11 * i, "y": 0.33 - 0.05 * i, "facing": -1} for i in range(2)]
    elif scene.animal and scene.animal != "sheep":
        animals.append(
            {
                "kind": scene.animal,
                "x": round(free, 4),
                "y": 0.80 if land not in ("river", "shore") else 0.875,
                "facing": -1,
            }
        )
    grazing = land == "upland" and stores.get("sheep", 0) and not scene.animal
    if grazing or scene.animal == "sheep":
        flock = ((0.60, 0.745), (0.68, 0.765), (0.77, 0.748), (0.73, 0.792), (0.86, 0.775))
        lift = 0.11 if land in ("river", "shore", "headland") else 0.0
        animals += [
            {"kind": "sheep", "x": x, "y": round(min(0.90, y + lift), 4), "facing": 1 if i % 2 else -1}
            for i, (x, y) in enumerate(flock)
        ]
    if scene.animal == "sheep" and figures and figures[0]["gesture"] == "kneel":
        near = figures[0]
        animals.append(
            {
                "kind": "sheep",
                "x": round(near["x"] + 0.085 * near["facing"], 4),
                "y": near["y"],
                "facing": near["facing"],
            }
        )
    if land == "farm":
        animals.append({"kind": "horse", "x": 0.105, "y": 0.785, "facing": 1})
    if dog and figures and look.get("houses"):
        animals.append({"kind": "dog", "x": round(min(0.93, right + 0.10), 4), "y": 0.885, "facing": -1})
    return animals
