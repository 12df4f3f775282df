"""Clinker boats, high at both ends: out under sail, rowed, or drawn up on the shingle."""

from __future__ import annotations

from typing import Any

from .brush import Brush
from .palette import WOOD, Colour, dim

TAR: Colour = (112, 82, 58)
WOOL: Colour = (212, 200, 174)
RED: Colour = (150, 62, 50)


def _sheer(t: float) -> float:
    """How high the gunwale is above the middle, at -1 to 1 along the boat: a curve that rises to the stems."""
    return t * t * t * t * 0.15 + t * t * 0.035


def draw_boat(brush: Brush, boat: dict[str, Any]) -> None:
    """Hull, strakes and stems; mast and sail when she is under sail."""
    x, y, w = boat["x"] * brush.width, boat["y"] * brush.height, boat["width"] * brush.width
    deep = w * 0.092
    steps = [k / 12 - 1 for k in range(25)]
    rim = [(x + t * w * 0.5, y - deep - _sheer(t) * w) for t in steps]
    if boat["sail"]:
        _sail(brush, x, y, w, deep)
    keel = [(x + t * w * 0.46, y - deep * t * t * 0.55) for t in reversed(steps)]
    brush.polygon([*rim, *keel], TAR, by=0.78)
    for strake in (0.30, 0.56, 0.80):
        line = [
            (a[0] + (b[0] - a[0]) * strake, a[1] + (b[1] - a[1]) * strake)
            for a, b in zip(rim, reversed(keel), strict=True)
        ]
        brush.stroke(line[1:-1], TAR, 0.8, by=0.56)
    brush.stroke(rim, TAR, max(1.0, w * 0.013), by=1.22)
    for end in (rim[0], rim[-1]):
        out = -1 if end[0] < x else 1
        brush.stroke(
            [
                (end[0] - out * w * 0.006, end[1] + deep * 0.4),
                end,
                (end[0] + out * w * 0.012, end[1] - w * 0.055),
                (end[0] - out * w * 0.006, end[1] - w * 0.085),
            ],
            TAR,
            max(1.0, w * 0.018),
            by=1.05,
        )


def _sail(brush: Brush, x: float, y: float, w: float, deep: float) -> None:
    mast, foot = y - w * 1.02, y - deep * 2.3
    brush.stroke([(x, y - deep), (x, mast - w * 0.05)], WOOD, max(1.0, w * 0.02), by=0.8)
    left, right, belly = x - w * 0.36, x + w * 0.36, w * 0.07

    def cloth(a: float, b: float) -> list[tuple[float, float]]:
        wide, low = right - left, right - left + belly
        return [
            (left + a * wide, mast),
            (left + b * wide, mast),
            (left + b * low + belly * 0.4, foot),
            (left + a * low + belly * 0.4, foot),
        ]

    brush.polygon(cloth(0, 1), WOOL)
    for i in range(1, 6, 2):
        brush.polygon(cloth(i / 6, (i + 1) / 6), RED)
    brush.polygon(cloth(0.8, 1), dim(WOOL, 0.6), by=1.0)
    brush.stroke([(left - 2, mast), (right + 2, mast)], WOOD, max(0.9, w * 0.02), by=0.7)
    brush.stroke([(x, mast), (x - w * 0.5, y - deep * 2)], WOOD, 0.5, by=0.6)
    brush.stroke([(x, mast), (x + w * 0.5, y - deep * 2)], WOOD, 0.5, by=0.6)


def draw_oars(brush: Brush, boat: dict[str, Any], rowers: list[float]) -> None:
    """An oar for each rower on the near side, its blade in the water; `rowers` are across, in pixels."""
    y, w = boat["y"] * brush.height, boat["width"] * brush.width
    for x in rowers:
        brush.stroke(
            [(x + w * 0.015, y - w * 0.16), (x - w * 0.07, y + w * 0.045)], (182, 150, 108), max(1.0, w * 0.012)
        )
        brush.stroke(
            [(x - w * 0.058, y + w * 0.02), (x - w * 0.082, y + w * 0.07)], (182, 150, 108), max(1.6, w * 0.022)
        )
