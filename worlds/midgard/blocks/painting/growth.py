"""What grows on the ground in front: tufts, flowers, leaves, and the dark growth and boulders nearest to the eye."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .brush import Brush
from .noise import scatter
from .palette import GROUND, ROCK, SNOW, Colour, dim, mix

DOTS: dict[str, tuple[Colour, ...]] = {
    "spring": ((246, 240, 214), (238, 214, 96), (206, 176, 214)),
    "summer": ((240, 214, 92), (236, 232, 220), (180, 132, 190)),
    "autumn": ((214, 136, 44), (178, 84, 38), (222, 176, 76)),
    "winter": ((180, 168, 140),),
}
STALK: dict[str, Colour] = {
    "spring": (108, 128, 58),
    "summer": (62, 98, 42),
    "autumn": (166, 122, 62),
    "winter": (150, 134, 104),
}


def draw_growth(brush: Brush, scene: dict[str, Any], edge: NDArray[np.float32]) -> None:
    """Tufts all over the ground, smaller with distance, and a sprinkle of what the season has."""
    if edge[0] > brush.height:
        return
    season = scene["season"]
    stalk, bare = STALK[season], season == "winter"
    spots = scatter(150 if bare else 520, scene["seed"] + 29, 4).tolist()
    for x, t, lean, size in spots:
        column = int(x * (brush.width - 1))
        top = float(edge[column])
        y = top + 3 + (brush.height - top) * t * t
        near = (y / brush.height - 0.56) / 0.44
        tall = (2.0 + 7.5 * near * near) * (0.6 + 0.7 * size)
        if _kept_free(scene, column / brush.width, y / brush.height):
            continue
        for k in (-1, 0, 1):
            brush.stroke(
                [
                    (column + k * 1.4, y),
                    (column + k * (1.4 + tall * 0.3) + (lean - 0.5) * 4, y - tall * (1 - 0.2 * abs(k))),
                ],
                stalk,
                0.6 + 0.4 * near,
                by=0.74 + 0.46 * size,
            )
    for number, (x, t, _, size) in enumerate(scatter(26 if bare else 130, scene["seed"] + 47, 4).tolist()):
        column = int(x * (brush.width - 1))
        y = float(edge[column]) + 6 + (brush.height - float(edge[column])) * t * t
        if not _kept_free(scene, column / brush.width, y / brush.height):
            r = 0.5 + 1.1 * (y / brush.height - 0.6) * (0.6 + size)
            brush.disc(column, y - r * 2, r, r * 0.8, DOTS[season][number % len(DOTS[season])], by=0.95)


def _kept_free(scene: dict[str, Any], x: float, y: float) -> bool:
    """Whether there is no grass here: in the field, on the river, on the shingle."""
    if scene["field"] and x > 0.36 and 0.655 < y < 0.80:
        return True
    return bool(scene["land"] == "river" and 0.63 < y < 0.85)


def draw_foreground(brush: Brush, scene: dict[str, Any]) -> None:
    """Dark growth in the lower corners and a boulder or two: the nearest layer."""
    width, height, season = brush.width, brush.height, scene["season"]
    if scene["land"] == "sea":
        return
    body = mix(GROUND[season], ROCK, 0.3) if season != "winter" else (176, 186, 204)
    side = 1 if scene["seed"] % 2 else -1
    for base, big in (((0.5 + side * 0.46), 1.0), ((0.5 - side * 0.43), 0.62), ((0.5 + side * 0.37), 0.45)):
        _boulder(brush, base * width, height + 3, 46 * big, season)
    stalk = mix(STALK[season], (30, 36, 34), 0.42) if season != "winter" else (108, 98, 82)
    many = 74 if season == "winter" else 190
    for a, b, c in scatter(many, scene["seed"] + 71, 3).tolist():
        x = (a * a * 0.42 if b < 0.5 else 1 - a * a * 0.42) * width
        corner = 1 - min(x, width - x) / (0.42 * width)
        tall = 10 + 36 * corner * corner * (0.45 + 0.55 * c)
        bend = (c - 0.45) * 17 + (2 + scene["wind"]) * 0.9
        brush.stroke(
            [(x, height + 2), (x + bend * 0.3, height - tall * 0.6), (x + bend, height - tall)],
            stalk,
            1.0 + 0.9 * c,
            by=0.66 + 0.5 * c,
        )
        if c > 0.84:
            brush.disc(x + bend, height - tall, 2.0, 2.4, DOTS[season][int(a * 99) % len(DOTS[season])], by=0.8)
    if season == "winter":
        for base, big in ((0.02, 1.0), (0.98, 0.8), (0.30, 0.4)):
            brush.disc(base * width, height + 16, 96 * big, 26 * big + 8, dim(body, 1.0), by=1.06)


def _boulder(brush: Brush, x: float, y: float, size: float, season: str) -> None:
    """A stone with a lit and a dark side, moss or snow on it."""
    shape = [(-1.0, 0.0), (-0.86, -0.42), (-0.40, -0.74), (0.18, -0.80), (0.70, -0.50), (1.0, 0.0)]
    points = [(x + px * size, y + py * size * 0.9) for px, py in shape]
    brush.polygon(points, ROCK, by=0.66)
    lit = shape[:4] if brush.lit_from < 0 else shape[2:]
    brush.polygon([(x + px * size, y + py * size * 0.9) for px, py in (*lit, (0.06, -0.30))], ROCK, by=0.92)
    cap = SNOW if season == "winter" else mix(STALK[season], ROCK, 0.3)
    brush.polygon(
        [
            (x + px * size, y + py * size * 0.9)
            for px, py in ((-0.62, -0.56), (-0.40, -0.76), (0.18, -0.83), (0.62, -0.56), (0.2, -0.64), (-0.2, -0.58))
        ],
        cap,
        by=0.9,
    )
