"""Things that stand in a scene: trees, houses, boats, stones, mounds, the beacon, beasts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .brush import Brush
from .noise import scatter
from .palette import LEAF, ROCK, SNOW, SPRUCE, TURF, WOOD, Colour, dim, mix

EMBER: Colour = (255, 190, 84)


def draw_trees(brush: Brush, blueprint: dict[str, Any], edge: NDArray[np.float32]) -> None:
    """Spruces and birches at the upper edge of the ground, the farther ones first."""
    count, season = int(blueprint["trees"]), blueprint["season"]
    if not count or edge[0] > brush.height:
        return
    spots = sorted(scatter(count, blueprint["seed"] + 61, 4).tolist(), key=lambda spot: (spot[1], spot[0]))
    dense = count > 20
    for x, depth, size, kind in spots:
        if not dense and 0.30 < x < 0.70:
            x = x * 0.5 if x < 0.5 else 0.5 + x * 0.5
        column = min(brush.width - 1, int(x * brush.width))
        foot = float(edge[column]) + (depth * (46 if dense else 22) - 2)
        tall = (34 + 30 * size) * (0.62 + 0.55 * depth) * (1.15 if dense else 1.0)
        if kind < (0.75 if dense else 0.45):
            _spruce(brush, column, foot, tall, season)
        else:
            _birch(brush, column, foot, tall * 0.92, season)


def _spruce(brush: Brush, x: float, foot: float, tall: float, season: str) -> None:
    green = mix(SPRUCE, (30, 44, 40), 0.3)
    brush.polygon(
        [(x - 1.2, foot), (x + 1.2, foot), (x + 0.8, foot - tall * 0.2), (x - 0.8, foot - tall * 0.2)], WOOD, by=0.7
    )
    for step in range(4):
        base, tip = foot - tall * (0.10 + 0.2 * step), foot - tall * (0.46 + 0.18 * step)
        half = tall * (0.20 - 0.036 * step)
        brush.polygon([(x - half, base), (x, tip), (x + half, base)], green, by=0.9 + 0.08 * step)
        brush.polygon([(x, base - 1), (x, tip), (x + half, base)], green, by=0.78)
        if season == "winter":
            brush.polygon(
                [
                    (x - half * 0.86, base - half * 0.34),
                    (x, tip),
                    (x + half * 0.5, base - half * 0.8),
                    (x - half * 0.1, base - half * 0.55),
                ],
                SNOW,
            )


def _birch(brush: Brush, x: float, foot: float, tall: float, season: str) -> None:
    bark: Colour = (206, 200, 190)
    brush.stroke([(x, foot), (x + tall * 0.03, foot - tall * 0.62)], bark, max(1.0, tall * 0.035))
    for side in (-1, 1):
        brush.stroke(
            [(x + tall * 0.02, foot - tall * 0.42), (x + side * tall * 0.16, foot - tall * 0.78)], dim(bark, 0.62), 0.8
        )
        brush.stroke(
            [(x + tall * 0.02, foot - tall * 0.56), (x + side * tall * 0.09, foot - tall * 0.95)], dim(bark, 0.62), 0.7
        )
    if season == "winter":
        return
    leaf = LEAF[season]
    for dx, dy, r, by in (
        (-0.11, 0.66, 0.15, 0.82),
        (0.13, 0.70, 0.14, 0.9),
        (0.0, 0.86, 0.15, 1.04),
        (0.03, 0.62, 0.13, 0.96),
        (-0.06, 0.78, 0.11, 1.1),
    ):
        brush.disc(x + dx * tall, foot - dy * tall, r * tall, r * tall * 0.8, leaf, by=by)


def draw_houses(brush: Brush, blueprint: dict[str, Any]) -> list[tuple[float, float]]:
    """Turf-roofed longhouses; where smoke leaves their roofs, in pixels."""
    vents = []
    for house in sorted(blueprint["houses"], key=lambda h: (h["y"], h["x"])):
        x, y = house["x"] * brush.width, house["y"] * brush.height
        vents.append(_house(brush, x, y, house["width"] * brush.width, house, blueprint["season"]))
    return [
        vent
        for vent, house in zip(vents, sorted(blueprint["houses"], key=lambda h: (h["y"], h["x"])), strict=True)
        if house["smoke"]
    ]


def _house(brush: Brush, x: float, y: float, width: float, house: dict[str, Any], season: str) -> tuple[float, float]:
    wall, roof = width * 0.15, width * (0.27 if house["hall"] else 0.24)
    left, right, eaves = x - width / 2, x + width / 2, y - wall
    turf, ridge = TURF[season], eaves - roof
    brush.polygon([(left, y), (right, y), (right, eaves - 1), (left, eaves - 1)], WOOD, by=0.86)
    for i in range(1, 9):
        brush.stroke([(left + width * i / 9, y), (left + width * i / 9, eaves)], WOOD, 0.6, by=0.6)
    brush.polygon(
        [(left - 4, eaves + 2), (left + width * 0.10, ridge), (right - width * 0.10, ridge), (right + 4, eaves + 2)],
        turf,
        by=0.92,
    )
    brush.polygon(
        [
            (left - 4, eaves + 2),
            (left + width * 0.05, (eaves + ridge) / 2),
            (right - width * 0.05, (eaves + ridge) / 2),
            (right + 4, eaves + 2),
        ],
        turf,
        by=0.80,
    )
    brush.stroke([(left + width * 0.09, ridge), (right - width * 0.09, ridge)], dim(WOOD, 0.7), 1.4)
    for end, lean in ((left + width * 0.10, -1), (right - width * 0.10, 1)):
        brush.stroke([(end, ridge + 1), (end + lean * 4, ridge - 6)], dim(WOOD, 0.6), 1.3)
    door = left + width * 0.44
    brush.polygon(
        [(door, y), (door + width * 0.08, y), (door + width * 0.08, y - wall * 0.86), (door, y - wall * 0.86)],
        WOOD,
        by=0.34,
    )
    for spot in (0.20, 0.70):
        at = left + width * spot
        box = [
            (at, y - wall * 0.40),
            (at + width * 0.06, y - wall * 0.40),
            (at + width * 0.06, y - wall * 0.74),
            (at, y - wall * 0.74),
        ]
        brush.polygon(
            box, (236, 176, 96) if house["lit"] else WOOD, by=1.0 if house["lit"] else 0.3, glowing=house["lit"]
        )
    return (x + width * 0.12, ridge - 2)


def draw_naust(brush: Brush, season: str) -> None:
    """A boathouse open to the water."""
    x, y, w = 0.545 * brush.width, 0.755 * brush.height, 40
    brush.polygon(
        [(x - w / 2, y), (x + w / 2, y), (x + w / 2, y - 14), (x, y - 34), (x - w / 2, y - 14)], WOOD, by=0.72
    )
    brush.polygon(
        [(x - w / 2 + 5, y), (x + w / 2 - 5, y), (x + w / 2 - 5, y - 12), (x, y - 26), (x - w / 2 + 5, y - 12)],
        WOOD,
        by=0.28,
    )
    brush.polygon([(x - w / 2 - 4, y - 11), (x, y - 38), (x, y - 33), (x - w / 2 - 1, y - 8)], TURF[season], by=0.95)
    brush.polygon([(x + w / 2 + 4, y - 11), (x, y - 38), (x, y - 33), (x + w / 2 + 1, y - 8)], TURF[season], by=0.8)


def draw_boat(brush: Brush, boat: dict[str, Any]) -> None:
    """A clinker boat, high at both ends; under sail when she is out."""
    x, y, w = boat["x"] * brush.width, boat["y"] * brush.height, boat["width"] * brush.width
    hull, sheer = w * 0.11, w * 0.12
    if boat["sail"]:
        mast = y - w * 0.95
        brush.stroke([(x, y - hull), (x, mast)], WOOD, 1.2, by=0.6)
        brush.polygon(
            [
                (x - w * 0.34, mast + 3),
                (x + w * 0.34, mast + 3),
                (x + w * 0.38, y - hull * 2.0),
                (x - w * 0.36, y - hull * 1.8),
            ],
            (206, 194, 170),
        )
        for i in (-1, 1):
            brush.polygon(
                [
                    (x + i * w * 0.2 - w * 0.05, mast + 3),
                    (x + i * w * 0.2 + w * 0.05, mast + 3),
                    (x + i * w * 0.22 + w * 0.05, y - hull * 1.9),
                    (x + i * w * 0.22 - w * 0.05, y - hull * 1.9),
                ],
                (140, 60, 50),
            )
    curve = [
        (x - w * 0.52, y - hull - sheer),
        (x - w * 0.42, y - hull * 0.8),
        (x - w * 0.2, y - hull * 0.45),
        (x + w * 0.2, y - hull * 0.45),
        (x + w * 0.42, y - hull * 0.8),
        (x + w * 0.52, y - hull - sheer),
    ]
    keel = [
        (x + w * 0.38, y + hull * 0.55),
        (x + w * 0.15, y + hull * 0.9),
        (x - w * 0.15, y + hull * 0.9),
        (x - w * 0.38, y + hull * 0.55),
    ]
    brush.polygon([*curve, *keel], WOOD, by=0.74)
    brush.stroke([(px, py + hull * 0.45) for px, py in curve[1:-1]], WOOD, 0.9, by=0.5)
    brush.stroke(curve, WOOD, 1.4, by=1.25)


def draw_oars(brush: Brush, boat: dict[str, Any]) -> None:
    """Two oars on the near side."""
    x, y, w = boat["x"] * brush.width, boat["y"] * brush.height, boat["width"] * brush.width
    for at in (-0.16, 0.12):
        brush.stroke([(x + w * at, y - w * 0.07), (x + w * (at + 0.17), y + w * 0.16)], (176, 146, 104), 1.5)


def draw_stones(brush: Brush, blueprint: dict[str, Any], edge: NDArray[np.float32]) -> None:
    """Standing stones in a half ring, or a cairn's few; mounds under their grass."""
    for i in range(int(blueprint["mounds"])):
        x, w = (0.2 + 0.3 * i) * brush.width, (62 - 12 * (i % 2))
        y = float(edge[min(brush.width - 1, int(x))]) + 8
        colour = TURF[blueprint["season"]]
        brush.polygon(
            [
                (x - w, y + 6),
                (x - w * 0.7, y - w * 0.16),
                (x - w * 0.3, y - w * 0.34),
                (x + w * 0.25, y - w * 0.34),
                (x + w * 0.68, y - w * 0.17),
                (x + w, y + 6),
            ],
            colour,
            by=0.86,
        )
        brush.polygon(
            [
                (x - w * 0.3, y - w * 0.34),
                (x + w * 0.25, y - w * 0.34),
                (x + w * 0.68, y - w * 0.17),
                (x + w, y + 6),
                (x + w * 0.2, y + 6),
            ],
            colour,
            by=0.74,
        )
        brush.polygon(
            [(x - 4, y - w * 0.30), (x - 3, y - w * 0.30 - 16), (x + 2, y - w * 0.30 - 18), (x + 4, y - w * 0.30)],
            ROCK,
            by=0.95,
        )
    count = int(blueprint["stones"])
    for i in range(count):
        t = (i + 0.5) / count
        x = (0.12 + 0.76 * t) * brush.width
        y = 0.70 * brush.height + 22 * (4 * (t - 0.5) * (t - 0.5)) * -1 + 12
        tall, half = 20 + (i * 37 + blueprint["seed"]) % 14, 4 + (i * 11) % 3
        brush.polygon(
            [
                (x - half, y),
                (x - half * 0.8, y - tall * 0.9),
                (x - half * 0.1, y - tall),
                (x + half * 0.7, y - tall * 0.86),
                (x + half, y),
            ],
            ROCK,
            by=1.02,
        )
        brush.polygon(
            [(x + half * 0.1, y), (x + half * 0.1, y - tall * 0.97), (x + half * 0.7, y - tall * 0.86), (x + half, y)],
            ROCK,
            by=0.72,
        )
        if blueprint["season"] == "winter":
            brush.polygon(
                [(x - half * 0.8, y - tall * 0.9), (x - half * 0.1, y - tall - 2), (x + half * 0.7, y - tall * 0.86)],
                SNOW,
            )


def draw_beacon(brush: Brush) -> None:
    """A stack of logs on the headland."""
    x, y = 0.72 * brush.width, 0.605 * brush.height
    for i in range(5):
        half = 13 - 2 * i
        brush.polygon(
            [
                (x - half, y - 5 * i),
                (x + half, y - 5 * i),
                (x + half - 1, y - 5 * i - 5),
                (x - half + 1, y - 5 * i - 5),
            ],
            WOOD,
            by=0.62 + 0.12 * (i % 2),
        )


def draw_beast(brush: Brush, beast: dict[str, Any]) -> None:
    """A sheep, wolf, bear, lynx, stag, or a raven in the air."""
    x, y, kind = beast["x"] * brush.width, beast["y"] * brush.height, beast["kind"]
    if kind == "raven":
        y -= 0.44 * brush.height
        brush.polygon(
            [(x, y), (x - 15, y - 7), (x - 7, y - 1), (x, y + 4), (x + 8, y - 2), (x + 16, y - 8), (x + 4, y + 1)],
            (24, 24, 30),
        )
        return
    body: dict[str, tuple[Colour, float]] = {
        "sheep": ((222, 216, 204), 1.0),
        "wolf": ((84, 84, 90), 1.25),
        "bear": ((72, 52, 40), 1.9),
        "lynx": ((158, 128, 92), 1.0),
        "stag": ((126, 86, 54), 1.6),
    }
    colour, s = body.get(kind, body["sheep"])
    for dx in (-5, -2.5, 3, 5.5):
        brush.stroke([(x + dx * s, y - 4 * s), (x + dx * s, y)], dim(colour, 0.45), 1.1 * s)
    brush.disc(x, y - 6.5 * s, 8 * s, 4.4 * s if kind != "sheep" else 5.2, colour, by=0.96)
    brush.disc(x - 9 * s, y - 9.5 * s, 3.0 * s, 2.5 * s, dim(colour, 0.55) if kind == "sheep" else colour)
    if kind == "stag":
        for lean in (-1, 1):
            brush.stroke(
                [(x - 9 * s, y - 11 * s), (x - (9 - 3 * lean) * s, y - 17 * s), (x - (9 - 5 * lean) * s, y - 20 * s)],
                (206, 190, 160),
                1.2,
            )
