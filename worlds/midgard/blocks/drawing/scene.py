"""A blueprint as things that a network is told of: each one a few words of a fixed list, and where and how large it is.

The first thing is the scene itself: season, light, weather, place. No library is needed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SEASONS = ("spring", "summer", "autumn", "winter")
LIGHTS = ("day", "dawn", "dusk", "night")
SKIES = ("clear", "fair", "overcast", "rain", "fog", "snow", "storm")
PLACES = (
    "skarvik", "hrafnstad", "eskilund", "heidarsel", "skarnfjord", "varden", "tingvoll", "elgford", "myrkskog",
    "ulfskard", "haug",
)  # fmt: skip
LANDS = ("shore", "farm", "wood", "upland", "sea", "headland", "meadow", "river")
GESTURES = (
    "stand", "walk", "point", "carry", "row", "haul", "steer", "bend", "rake", "sow", "kneel", "bucket", "chop", "aim",
    "hammer", "raise", "offer", "speak", "sit", "hold", "wrestle", "leap", "lie", "torch", "dance", "babe", "mourn",
    "fight", "parry",
)  # fmt: skip
CLOAKS = ("madder", "woad", "weld", "white", "plum")
HAIRS = ("grey", "fair", "red", "brown")
BEASTS = ("gull", "raven", "sheep", "horse", "dog", "stag", "wolf", "cow", "bear")
MARKS = (
    "figure", "house", "boat", "fire", "beast", "left", "right", "dress", "beard", "hall", "lit", "smoke", "sail",
    "crew",
)  # fmt: skip

VOCABULARY: dict[str, int] = {
    name: number
    for number, name in enumerate(
        (
            "",
            *(f"season {x}" for x in SEASONS), *(f"light {x}" for x in LIGHTS), *(f"sky {x}" for x in SKIES),
            *(f"place {x}" for x in PLACES), *(f"land {x}" for x in LANDS), *(f"gesture {x}" for x in GESTURES),
            *(f"cloak {x}" for x in CLOAKS), *(f"hair {x}" for x in HAIRS), *(f"beast {x}" for x in BEASTS), *MARKS,
        )
    )
}  # fmt: skip
THINGS, WORDS, NUMBERS = 24, 7, 3
"""How many things a scene has at most, and how many words and numbers each."""

Thing = tuple[list[str], tuple[float, float, float]]


def things_of(blueprint: dict[str, Any]) -> tuple[list[list[int]], list[list[float]]]:
    """Words and numbers of at most `THINGS` things, filled up with nothing. Unknown words mean nothing."""
    words, numbers = [], []
    for names, where in _things(blueprint):
        known = [VOCABULARY[name] for name in names if name in VOCABULARY][:WORDS]
        words.append(known + [0] * (WORDS - len(known)))
        numbers.append(list(where))
    missing = THINGS - len(words)
    return (
        words[:THINGS] + [[0] * WORDS for _ in range(missing)],
        numbers[:THINGS] + [[0.0] * NUMBERS for _ in range(missing)],
    )


def _things(scene: dict[str, Any]) -> Iterator[Thing]:
    """The scene, then what stands in it, people first: they are the last that may be left out."""
    whole = [
        f"season {scene.get('season')}", f"light {scene.get('light')}", f"sky {scene.get('weather')}",
        f"place {scene.get('place')}", f"land {scene.get('land')}",
    ]  # fmt: skip
    yield whole, (scene.get("wind", 2) / 9, scene.get("snow", 0) / 9, float(scene.get("hills", 0.5)))
    for figure in scene.get("figures") or ():
        yield (
            [
                "figure", _side(figure), f"gesture {figure['gesture']}", f"cloak {figure['cloak']}",
                f"hair {figure['hair']}", "dress" if figure["dress"] else "", "beard" if figure["beard"] else "",
            ],
            _where(figure, figure["height"]),
        )  # fmt: skip
    for fire in scene.get("fires") or ():
        yield ["fire"], _where(fire, fire["size"])
    for boat in scene.get("boats") or ():
        yield ["boat", *(mark for mark in ("sail", "crew") if boat.get(mark))], _where(boat, boat["width"])
    for house in scene.get("houses") or ():
        yield ["house", *(mark for mark in ("hall", "lit", "smoke") if house.get(mark))], _where(house, house["width"])
    for beast in scene.get("animals") or ():
        yield ["beast", f"beast {beast['kind']}", _side(beast)], _where(beast, 0.1)


def _side(thing: dict[str, Any]) -> str:
    return "left" if thing.get("facing", 1) < 0 else "right"


def _where(thing: dict[str, Any], size: float) -> tuple[float, float, float]:
    return (thing["x"] * 2 - 1, thing["y"] * 2 - 1, float(size) * 3 - 0.5)
