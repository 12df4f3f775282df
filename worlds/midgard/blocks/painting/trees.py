"""Spruces, birches and ashes: at the upper edge of the ground, and one near enough to frame the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .brush import Brush
from .noise import scatter
from .palette import LEAF, SNOW, SPRUCE, WOOD, Colour, dim, mix


def draw_trees(brush: Brush, scene: dict[str, Any], edge: NDArray[np.float32]) -> None:
    """The farther ones first; a wood is dense, elsewhere they leave the middle free."""
    count = int(scene["trees"])
    if not count or edge[0] > brush.height:
        return
    dense = count > 20
    for x, depth, size, kind in sorted(
        scatter(count, scene["seed"] + 61, 4).tolist(), key=lambda spot: (spot[1], spot[0])
    ):
        if scene["land"] == "shore":
            x *= 0.5
        if scene["land"] == "headland":
            x = 0.80 + 0.18 * x
        across = x if dense else x * 0.34 if x < 0.5 else 1 - (1 - x) * 0.34
        column = min(brush.width - 1, int(across * brush.width))
        foot = float(edge[column]) + (depth * (34 if dense else 20) - 1)
        tall = (44 + 34 * size) * (0.60 + 0.62 * depth) * (1.2 if dense else 1.0)
        if kind < (0.78 if dense else 0.5):
            spruce(brush, column, foot, tall, scene["season"], int(x * 9973))
        else:
            birch(brush, column, foot, tall * 0.92, scene["season"], int(x * 9973))


def draw_frame_tree(brush: Brush, scene: dict[str, Any]) -> None:
    """A near tree at the edge of the picture, on the side away from the water, where there are trees at all."""
    if scene["land"] in ("sea", "headland", "shore", "upland") or int(scene["trees"]) < 5:
        return
    left = scene["seed"] % 2 == 0
    x = brush.width * (0.035 if left else 0.965)
    grow = spruce if scene["land"] == "wood" else birch
    grow(
        brush,
        x,
        brush.height * 0.955,
        brush.height * (0.66 if grow is spruce else 0.60),
        scene["season"],
        scene["seed"],
    )


def spruce(brush: Brush, x: float, foot: float, tall: float, season: str, seed: int) -> None:
    """Ragged tiers that hang; snow lies on each in winter."""
    green = mix(SPRUCE, (30, 44, 40), 0.3)
    brush.stroke([(x, foot), (x, foot - tall * 0.25)], dim(WOOD, 0.7), max(1.0, tall * 0.035))
    tiers = 5 if tall < 90 else 9
    wobble = scatter(tiers * 2, seed + 5, 2).tolist()
    for step in range(tiers):
        t = step / tiers
        base, tip = foot - tall * (0.09 + 0.80 * t), foot - tall * min(1.0, 0.09 + 0.80 * t + 1.35 / tiers)
        half = tall * 0.215 * (1 - t) ** 0.85 + 1.0
        (a, b), (c, d) = wobble[step * 2], wobble[step * 2 + 1]
        left, right = x - half * (0.82 + 0.34 * a), x + half * (0.82 + 0.34 * b)
        rim = [
            (left, base + half * 0.10),
            (x - half * 0.52, base - half * 0.14),
            (x - half * 0.22, base + half * 0.06 * c),
            (x + half * 0.18, base - half * 0.10),
            (x + half * 0.55, base + half * 0.08 * d),
            (right, base),
        ]
        brush.polygon([(x, tip), *rim], green, by=0.80 + 0.05 * min(step, 5))
        lit = (
            [(x, tip), (x + brush.lit_from * half * 0.12, base - half * 0.02), (left, base + half * 0.10)]
            if brush.lit_from < 0
            else [(x, tip), (x + half * 0.12, base - half * 0.02), (right, base)]
        )
        brush.polygon(lit, green, by=1.06 + 0.05 * min(step, 5))
        if season == "winter":
            brush.polygon(
                [
                    (x, tip),
                    (x - half * 0.30, base - half * 0.62),
                    (left + half * 0.10, base + half * 0.02),
                    (x - half * 0.45, base - half * 0.26),
                    (x - half * 0.10, base - half * 0.42),
                    (x + half * 0.42, base - half * 0.14),
                    (x + half * 0.30, base - half * 0.66),
                ],
                SNOW,
                by=0.98 if step % 2 else 0.92,
            )


def birch(brush: Brush, x: float, foot: float, tall: float, season: str, seed: int) -> None:
    """A white trunk with dark marks, twigs, and leaves in clusters of three tones."""
    bark: Colour = (212, 206, 196)
    lean = 0.05 if seed % 2 else -0.04
    top = (x + tall * lean, foot - tall * 0.80)
    brush.stroke([(x, foot), (x + tall * lean * 0.4, foot - tall * 0.40), top], bark, max(1.0, tall * 0.030))
    brush.stroke(
        [(x + tall * 0.008, foot), (x + tall * (lean * 0.4 + 0.008), foot - tall * 0.4)],
        bark,
        max(0.6, tall * 0.012),
        by=0.7,
    )
    twigs = scatter(9, seed + 3, 3).tolist()
    for a, b, c in twigs:
        up = 0.30 + 0.48 * a
        side = 1 if b < 0.5 else -1
        sx = x + tall * lean * up * 1.2
        brush.stroke(
            [(sx, foot - tall * up), (sx + side * tall * (0.07 + 0.09 * c), foot - tall * (up + 0.13 + 0.07 * c))],
            dim(bark, 0.5),
            max(0.7, tall * 0.010),
        )
    for i in range(int(tall // 9)):
        y = foot - tall * 0.05 - i * 7.0
        if y > foot - tall * 0.6:
            brush.stroke(
                [(x + lean * (foot - y) - tall * 0.010, y), (x + lean * (foot - y) + tall * 0.006, y)],
                (66, 58, 54),
                0.8,
            )
    if season == "winter":
        return
    near = tall > 110
    leaf, many = LEAF[season], 150 if near else 15
    for a, b, c in sorted(scatter(many, seed + 17, 3).tolist(), key=lambda spot: spot[2]):
        up, out = 0.40 + 0.60 * a, (b - 0.5) * 2
        wide = tall * 0.22 * (1.15 - abs(a - 0.40) * 1.2)
        r = tall * (0.050 + 0.040 * c) * (0.75 if season == "spring" else 1.0) * (0.36 if near else 1.0)
        light = 0.74 + 0.26 * c + 0.12 * a + 0.10 * out * brush.lit_from
        brush.disc(x + tall * lean + out * wide, foot - tall * up, r, r * 0.78, leaf, by=light)
