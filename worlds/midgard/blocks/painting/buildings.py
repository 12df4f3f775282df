"""What people have built: turf houses, boathouses, fences, the beacon, standing stones, mounds. All of it stays put."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .brush import Brush
from .noise import scatter
from .palette import ROCK, SNOW, TURF, WOOD, Colour, dim, mix

PANE: Colour = (248, 184, 96)
OAK: Colour = (128, 98, 68)


def by_distance(houses: Any) -> list[dict[str, Any]]:
    """The farther ones first."""
    return sorted(houses, key=lambda house: (house["y"], house["x"]))


def draw_houses(brush: Brush, scene: dict[str, Any]) -> list[tuple[float, float]]:
    """Turf-roofed longhouses; where smoke leaves their roofs, in pixels."""
    vents = []
    for number, house in enumerate(by_distance(scene["houses"])):
        vent = _house(brush, house, scene, scene["seed"] * 7 + number)
        if house["smoke"]:
            vents.append(vent)
    return vents


def _house(brush: Brush, house: dict[str, Any], scene: dict[str, Any], seed: int) -> tuple[float, float]:
    x, y, width = house["x"] * brush.width, house["y"] * brush.height, house["width"] * brush.width
    wall, roof, season = width * 0.165, width * (0.27 if house["hall"] else 0.235), scene["season"]
    gable = 1 if house["x"] < 0.5 else -1
    """The end that looks into the picture."""

    def at(along: float, up: float) -> tuple[float, float]:
        return (x + gable * (along - 0.5) * width, y - up)

    long_lit = 1.0 if brush.lit_from != gable else 0.80
    end_lit = 1.0 if brush.lit_from == gable else 0.76
    brush.polygon([at(0, -1), at(1, 2), at(1, 4), at(0, 2)], ROCK, by=0.62)
    brush.polygon([at(0, 0), at(0.74, 0), at(0.74, wall), at(0, wall)], WOOD, by=0.90 * long_lit)
    for i in range(1, 13):
        brush.stroke([at(0.74 * i / 13, 0), at(0.74 * i / 13, wall)], WOOD, 0.5, by=0.62 * long_lit)
    brush.polygon(
        [at(0.74, 0), at(1, -1.5), at(1, wall * 0.95), at(0.87, wall + roof * 0.93), at(0.74, wall)],
        WOOD,
        by=0.98 * end_lit,
    )
    for i in range(1, 5):
        t = 0.74 + 0.26 * i / 5
        high = wall + roof * 0.93 * (1 - abs(i / 5 - 0.5) * 2)
        brush.stroke([at(t, -0.5), at(t, high)], WOOD, 0.5, by=0.66 * end_lit)
    _roof(brush, at, width, wall, roof, TURF[season], long_lit, seed, season)
    brush.polygon([at(0.81, -1), at(0.91, -1), at(0.905, wall * 0.88), at(0.815, wall * 0.90)], WOOD, by=0.34)
    if house["lit"]:
        brush.polygon(
            [at(0.825, -1), at(0.895, -1), at(0.89, wall * 0.80), at(0.83, wall * 0.82)], PANE, by=0.92, glowing=True
        )
    for spot in (0.16, 0.50):
        pane = [
            at(spot, wall * 0.40),
            at(spot + 0.055, wall * 0.40),
            at(spot + 0.055, wall * 0.76),
            at(spot, wall * 0.76),
        ]
        brush.polygon(pane, PANE if house["lit"] else WOOD, by=1.0 if house["lit"] else 0.32, glowing=house["lit"])
    for lean in (-1, 1):
        brush.stroke(
            [at(0.87, wall + roof * 0.90), at(0.87 + lean * 0.025, wall + roof * (1.16 if house["hall"] else 1.08))],
            OAK,
            max(0.9, width * 0.014),
        )
        brush.stroke(
            [at(0.87, wall + roof * 0.95), at(0.87 + lean * 0.145, wall * 0.92)], OAK, max(0.9, width * 0.016), by=0.86
        )
    return at(0.34, wall + roof - 2)


def _roof(
    brush: Brush, at: Any, width: float, wall: float, roof: float, turf: Colour, lit: float, seed: int, season: str
) -> None:
    """Turf: a body, a lit ridge, tufts along eaves and ridge."""
    brush.polygon(
        [at(-0.03, wall * 0.86), at(0.77, wall * 0.86), at(0.875, wall + roof), at(0.08, wall + roof * 0.98)],
        turf,
        by=0.86 * lit,
    )
    brush.polygon(
        [at(-0.03, wall * 0.86), at(0.77, wall * 0.86), at(0.80, wall + roof * 0.30), at(0.0, wall + roof * 0.28)],
        turf,
        by=0.72 * lit,
    )
    brush.polygon(
        [
            at(0.05, wall + roof * 0.78),
            at(0.85, wall + roof * 0.80),
            at(0.875, wall + roof),
            at(0.08, wall + roof * 0.98),
        ],
        turf,
        by=1.02 * lit,
    )
    tall = max(1.4, width * 0.020)
    for a, b, c in scatter(int(30 + width * 0.3), seed, 3).tolist():
        up = wall * 0.9 + roof * b
        brush.stroke(
            [at(-0.01 + 0.10 * b + 0.76 * a, up), at(-0.01 + 0.10 * b + 0.76 * a + 0.004, up + tall * (0.5 + c))],
            turf,
            0.6,
            by=(0.72 + 0.42 * c) * lit,
        )
    if season == "winter":
        brush.stroke([at(-0.02, wall * 0.88), at(0.76, wall * 0.88)], SNOW, max(1.0, width * 0.016), by=0.9)
    else:
        brush.stroke([at(-0.03, wall * 0.86), at(0.77, wall * 0.86)], WOOD, 0.9, by=0.5)


def draw_naust(brush: Brush, season: str) -> None:
    """A boathouse open to the water."""
    x, y, w = 0.545 * brush.width, 0.765 * brush.height, 58.0
    brush.polygon(
        [
            (x - w * 0.5, y),
            (x + w * 0.5, y),
            (x + w * 0.5, y - w * 0.30),
            (x, y - w * 0.74),
            (x - w * 0.5, y - w * 0.30),
        ],
        WOOD,
        by=0.80,
    )
    for i in range(1, 10):
        up = w * (0.30 + 0.44 * (1 - abs(i / 5 - 1)))
        brush.stroke([(x - w * 0.5 + w * i / 10, y), (x - w * 0.5 + w * i / 10, y - up)], WOOD, 0.6, by=0.6)
    brush.polygon(
        [
            (x - w * 0.34, y),
            (x + w * 0.34, y),
            (x + w * 0.34, y - w * 0.26),
            (x, y - w * 0.54),
            (x - w * 0.34, y - w * 0.26),
        ],
        WOOD,
        by=0.28,
    )
    brush.polygon(
        [
            (x - w * 0.22, y),
            (x + w * 0.22, y),
            (x + w * 0.13, y - w * 0.13),
            (x, y - w * 0.34),
            (x - w * 0.13, y - w * 0.13),
        ],
        WOOD,
        by=0.66,
    )
    for side, by in ((-1, 0.98), (1, 0.78)):
        brush.polygon(
            [
                (x + side * w * 0.60, y - w * 0.23),
                (x, y - w * 0.82),
                (x, y - w * 0.70),
                (x + side * w * 0.53, y - w * 0.17),
            ],
            TURF[season],
            by=by,
        )


def draw_fence(brush: Brush, scene: dict[str, Any], edge: NDArray[np.float32]) -> None:
    """A rail fence between the yard and the pasture, where there is a farm."""
    if scene["land"] not in ("farm", "upland") or not scene["houses"]:
        return
    posts = [
        (t, 0.722 + 0.03 * (t - 0.5) * (t - 0.5) * 4 + 0.006 * ((int(t * 40) * 7) % 3 - 1))
        for t in [i / 16 for i in range(17)]
    ]
    start, end = (0, 7) if scene["field"] else (5, 17)
    cap = SNOW if scene["season"] == "winter" else OAK
    for i in range(start, end):
        x, y = posts[i][0] * brush.width, posts[i][1] * brush.height
        brush.stroke([(x, y), (x + 1, y - 13)], OAK, 1.9, by=0.72)
        if i + 1 < end:
            nx, ny = posts[i + 1][0] * brush.width, posts[i + 1][1] * brush.height
            for up, by in ((4.5, 0.72), (9.5, 0.9)):
                brush.stroke([(x - 2, y - up), (nx + 2, ny - up - 0.8)], OAK, 1.3, by=by)
            if cap is SNOW:
                brush.stroke([(x, y - 10.5), (nx, ny - 11.2)], SNOW, 0.9)


def draw_beacon(brush: Brush, season: str) -> None:
    """A stack of logs crosswise on the headland."""
    x, y = 0.72 * brush.width, 0.612 * brush.height
    for i in range(6):
        half = 21 - 2.6 * i
        brush.polygon(
            [
                (x - half, y - 6 * i),
                (x + half, y - 6 * i),
                (x + half - 1, y - 6 * i - 5.4),
                (x - half + 1, y - 6 * i - 5.4),
            ],
            WOOD,
            by=0.66 + 0.22 * (i % 2),
        )
        for j in range(3):
            brush.disc(x + (j - 1) * half * 0.72, y - 6 * i - 2.7, 2.4, 2.4, OAK, by=0.9 if i % 2 else 0.6)
    if season == "winter":
        brush.stroke([(x - 7, y - 36), (x + 7, y - 36)], SNOW, 2.2)


def draw_stones(brush: Brush, scene: dict[str, Any]) -> None:
    """Standing stones in a ring that lies flat on the ground; the far half first."""
    count = int(scene["stones"])
    winter = scene["season"] == "winter"
    few = count < 5
    for i in sorted(range(count), key=lambda i: _ring(i, count, few)[1]):
        fx, fy = _ring(i, count, few)
        x, y = fx * brush.width, fy * brush.height
        tall = (30 + (i * 37 + scene["seed"]) % 17) * (0.62 + (fy - 0.66) * 4.2)
        half, lean = tall * (0.17 + 0.03 * (i % 3)), tall * 0.05 * ((i * 5) % 3 - 1)
        shape = [
            (x - half, y),
            (x - half * 0.9 + lean, y - tall * 0.82),
            (x - half * 0.2 + lean, y - tall),
            (x + half * 0.6 + lean, y - tall * 0.88),
            (x + half, y),
        ]
        brush.polygon(shape, ROCK, by=1.12 if brush.lit_from < 0 else 0.74)
        brush.polygon(
            [(x + half * 0.1, y), (x + half * 0.05 + lean, y - tall * 0.96), *shape[3:]],
            ROCK,
            by=0.74 if brush.lit_from < 0 else 1.12,
        )
        for j in range(4):
            brush.stroke(
                [
                    (x - half * 0.5 + j * half * 0.25, y - tall * (0.25 + 0.15 * j)),
                    (x - half * 0.4 + j * half * 0.25, y - tall * (0.31 + 0.15 * j)),
                ],
                ROCK,
                0.7,
                by=0.6,
            )
        if winter:
            brush.polygon(
                [shape[1], (x - half * 0.2 + lean, y - tall - 2.5), shape[3], (x + lean, y - tall * 0.88)], SNOW
            )


def _ring(i: int, count: int, few: bool) -> tuple[float, float]:
    """Points on a flat ring; a few stones are a cairn's row on the height."""
    if few:
        return (0.22 + 0.22 * i, 0.665 + 0.015 * (i % 2))
    t = (i + 0.5) / count
    across = 1 - abs(4 * t - 2) if t < 0.5 else abs(4 * t - 2) - 1
    down = -(1 - across * across) if t >= 0.5 else (1 - across * across)
    return (0.5 + 0.40 * across, 0.712 + 0.036 * down)


def draw_mounds(brush: Brush, scene: dict[str, Any]) -> None:
    """Grave mounds under their grass, a stone on each; the far ones first."""
    turf = TURF[scene["season"]]
    for i in range(int(scene["mounds"])):
        x, y, w = (
            (0.23, 0.52, 0.82)[i % 3] * brush.width,
            (0.700, 0.672, 0.692)[i % 3] * brush.height,
            (92.0, 62.0, 80.0)[i % 3],
        )
        arc = [
            (x + w * t, y + 5 - w * 0.44 * (1 - t * t) ** 0.5 * (1 - 0.10 * t)) for t in [k / 10 - 1 for k in range(21)]
        ]
        brush.polygon(arc, turf, by=0.88)
        dark = [p for p in arc if (p[0] - x) * brush.lit_from <= -w * 0.25]
        foot = (x - brush.lit_from * w * 0.55, y + 5)
        brush.polygon([*dark, foot], turf, by=0.72)
        for a, b, c in scatter(40, scene["seed"] + i, 3).tolist():
            t = a * 1.8 - 0.9
            base = y + 5 - w * 0.42 * (1 - t * t) ** 0.5 * b
            brush.stroke([(x + w * t, base), (x + w * t + 1, base - 2 - 3 * c)], turf, 0.7, by=0.66 + 0.5 * c)
        top = y + 5 - w * 0.43
        brush.polygon(
            [(x - 6, top + 4), (x - 5, top - 17), (x, top - 23), (x + 5, top - 18), (x + 6, top + 4)], ROCK, by=0.98
        )
        brush.polygon([(x + 1, top + 4), (x + 1, top - 22), (x + 5, top - 18), (x + 6, top + 4)], ROCK, by=0.72)
        if scene["season"] == "winter":
            brush.polygon(
                [(x - 5, top - 16), (x, top - 25), (x + 5, top - 17), (x, top - 19)], mix(SNOW, dim(SNOW, 0.9), 0.5)
            )
