"""Beasts on the ground and birds in the air. Lengths are parts of a beast's own height."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .brush import Brush
from .palette import Colour, dim, mix

At = Callable[[float, float], tuple[float, float]]
COATS: dict[str, Colour] = {
    "sheep": (226, 219, 204),
    "dog": (92, 74, 58),
    "horse": (124, 84, 54),
    "cow": (142, 82, 54),
    "wolf": (96, 96, 102),
    "bear": (78, 58, 44),
    "lynx": (166, 134, 96),
    "stag": (132, 90, 56),
    "goat": (196, 190, 180),
}
BUILD: dict[str, tuple[float, float, float, float, float]] = {
    "sheep": (0.62, 0.36, 0.45, 0.20, 0.42),
    "dog": (0.60, 0.21, 0.58, 0.26, 0.98),
    "horse": (0.62, 0.22, 0.62, 0.34, 0.98),
    "cow": (0.70, 0.26, 0.58, 0.28, 0.72),
    "wolf": (0.74, 0.22, 0.54, 0.28, 0.84),
    "bear": (0.74, 0.36, 0.52, 0.22, 0.66),
    "lynx": (0.58, 0.24, 0.50, 0.20, 0.70),
    "stag": (0.52, 0.20, 0.62, 0.30, 0.98),
    "goat": (0.58, 0.25, 0.52, 0.2, 0.78),
}
"""Half length and half depth of the barrel, its height, reach of the neck, height of the head."""
SIZE = {
    "sheep": 0.055,
    "dog": 0.062,
    "horse": 0.115,
    "cow": 0.095,
    "wolf": 0.07,
    "bear": 0.09,
    "lynx": 0.05,
    "stag": 0.115,
    "goat": 0.06,
}
"""Height at the withers, of the picture, at the depth of 0.86."""


def draw_beast(brush: Brush, beast: dict[str, Any], *, scale: float) -> None:
    """A beast that stands at (x, y) and looks right or (facing -1) left; ravens and gulls fly."""
    x, y, kind = beast["x"] * brush.width, beast["y"] * brush.height, str(beast["kind"])
    side = -1 if int(beast.get("facing", -1)) < 0 else 1
    if kind in ("raven", "gull"):
        _bird(brush, x, y, 9.0 if kind == "raven" else 6.5, side, (26, 26, 32) if kind == "raven" else (236, 238, 240))
        return
    kind = kind if kind in BUILD else "sheep"
    s, (half, deep, up, reach, head) = SIZE[kind] * brush.height * scale, BUILD[kind]
    coat = COATS[kind]

    def at(forwards: float, height: float) -> tuple[float, float]:
        return (x + side * forwards * s, y - height * s)

    leg = dim(coat, 0.42 if kind == "sheep" else 0.62)
    for foot, by in ((-half * 0.82, 0.8), (half * 0.62, 0.8), (-half * 0.62, 1.0), (half * 0.80, 1.0)):
        brush.stroke([at(foot * 0.95, up), at(foot - 0.02, up * 0.5), at(foot, 0.0)], leg, max(0.9, s * 0.10), by=by)
    if kind == "sheep":
        _wool(brush, at, s, half, deep, up, coat)
    else:
        brush.polygon(
            [
                at(-half, up + deep * 0.7),
                at(-half * 0.5, up + deep),
                at(half * 0.4, up + deep * 0.9),
                at(half, up + deep * 1.05),
                at(half * 1.02, up - deep * 0.3),
                at(half * 0.5, up - deep * 0.75),
                at(-half * 0.55, up - deep * 0.55),
                at(-half * 1.02, up - deep * 0.2),
            ],
            coat,
            by=0.95,
        )
        brush.polygon(
            [at(-half, up), at(half, up), at(half * 0.5, up - deep * 0.75), at(-half * 0.55, up - deep * 0.55)],
            coat,
            by=0.74,
        )
        brush.polygon(
            [
                at(half * 0.55, up + deep * 0.8),
                at(half + reach * 0.5, head + 0.04),
                at(half + reach * 0.8, head - 0.10),
                at(half * 1.0, up - deep * 0.2),
            ],
            coat,
            by=0.9,
        )
    _face(brush, at, s, kind, half, reach, head, coat)
    if kind in ("horse", "dog", "wolf", "cow"):
        brush.stroke(
            [
                at(-half, up + deep * 0.6),
                at(-half - 0.14, up * 0.8),
                at(-half - 0.12, up * 0.35 if kind != "dog" else up * 1.3),
            ],
            dim(coat, 0.6),
            max(0.9, s * 0.07),
        )


def _wool(brush: Brush, at: At, s: float, half: float, deep: float, up: float, coat: Colour) -> None:
    for dx, dy, r, by in (
        (-0.36, -0.05, 0.26, 0.78),
        (0.30, -0.05, 0.26, 0.80),
        (0.0, -0.08, 0.30, 0.76),
        (-0.42, 0.10, 0.26, 0.95),
        (-0.10, 0.16, 0.30, 1.0),
        (0.22, 0.14, 0.28, 1.0),
        (0.42, 0.06, 0.22, 0.94),
    ):
        brush.disc(*at(dx * half / 0.62, up + 0.10 + dy), r * s, r * s * 0.92, coat, by=by)


def _face(brush: Brush, at: At, s: float, kind: str, half: float, reach: float, head: float, coat: Colour) -> None:
    tone = (60, 52, 46) if kind == "sheep" else coat
    long = {"horse": 0.20, "cow": 0.19, "stag": 0.17, "bear": 0.20, "sheep": 0.17}.get(kind, 0.15)
    hx = half + reach * 0.6
    brush.polygon(
        [
            at(hx - 0.06, head + 0.09),
            at(hx + 0.05, head + 0.08),
            at(hx + long + 0.05, head - 0.10),
            at(hx + long - 0.02, head - 0.18),
            at(hx - 0.06, head - 0.12),
        ],
        tone,
        by=0.92,
    )
    brush.polygon([at(hx - 0.06, head + 0.06), at(hx - 0.05, head + 0.20), at(hx + 0.03, head + 0.06)], tone, by=0.7)
    if kind == "horse":
        brush.stroke([at(half * 0.6, 0.95), at(hx - 0.08, head + 0.10)], (48, 36, 30), max(1.0, s * 0.08))
    if kind in ("cow", "goat"):
        brush.stroke([at(hx - 0.02, head + 0.08), at(hx + 0.04, head + 0.24)], (224, 214, 190), max(0.8, s * 0.04))
    if kind == "stag":
        for lean in (-0.16, 0.14):
            brush.stroke(
                [at(hx, head + 0.08), at(hx + lean, head + 0.34), at(hx + lean * 0.8, head + 0.56)],
                (206, 190, 160),
                1.1,
            )
            brush.stroke([at(hx + lean, head + 0.34), at(hx + lean + 0.13, head + 0.44)], (206, 190, 160), 0.9)


def _bird(brush: Brush, x: float, y: float, s: float, side: int, colour: Colour) -> None:
    pale = mix(colour, (120, 124, 130), 0.25)
    brush.polygon(
        [
            (x - s * 0.1, y),
            (x - s * 0.8, y - s * 0.55),
            (x - s * 1.7, y - s * 0.25),
            (x - s * 0.75, y - s * 0.2),
            (x, y + s * 0.25),
        ],
        colour,
    )
    brush.polygon(
        [
            (x + s * 0.1, y),
            (x + s * 0.7, y - s * 0.7),
            (x + s * 1.6, y - s * 0.55),
            (x + s * 0.8, y - s * 0.3),
            (x, y + s * 0.25),
        ],
        pale,
    )
    brush.disc(x + side * s * 0.1, y + s * 0.06, s * 0.38, s * 0.18, colour)
