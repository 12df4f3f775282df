"""People: a cloak, a head, two arms that do something. Lengths are parts of a person's height."""

from __future__ import annotations

from typing import Any

from .brush import Brush
from .palette import DYES, HAIR, SKIN, WOOD, dim

ARMS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "stand": ((-0.15, 0.42), (0.15, 0.42)),
    "walk": ((-0.20, 0.46), (0.20, 0.48)),
    "point": ((-0.13, 0.42), (0.36, 0.76)),
    "carry": ((-0.22, 0.72), (0.22, 0.72)),
    "raise": ((-0.16, 0.44), (0.20, 1.02)),
    "chop": ((0.16, 0.98), (0.22, 0.95)),
    "aim": ((0.34, 0.74), (-0.10, 0.74)),
    "bend": ((0.22, 0.20), (0.30, 0.24)),
    "kneel": ((0.16, 0.30), (0.22, 0.34)),
    "sit": ((0.10, 0.30), (0.16, 0.30)),
    "row": ((0.24, 0.42), (0.28, 0.40)),
    "haul": ((0.22, 0.56), (0.26, 0.50)),
}
"""Where the hands are, from the feet, for a person who faces right."""
LOW = {"kneel": 0.74, "sit": 0.64, "row": 0.70, "haul": 0.86}
"""How much of the full height is left."""


def draw_person(brush: Brush, figure: dict[str, Any], mirrored: bool) -> None:
    """One figure, feet at (x, y)."""
    x, y, tall = figure["x"] * brush.width, figure["y"] * brush.height, figure["height"] * brush.height
    gesture = figure["gesture"] if figure["gesture"] in ARMS else "stand"
    side = -1 if mirrored else 1
    cloth, low = DYES.get(figure["cloak"], DYES["white"]), LOW.get(gesture, 1.0)
    lean = 0.20 if gesture == "bend" else 0.05 if gesture in ("walk", "chop", "aim") else 0.0
    waist, neck = tall * 0.44 * low, tall * 0.80 * low - (tall * 0.12 if gesture == "bend" else 0)

    def at(across: float, up: float) -> tuple[float, float]:
        return (x + side * across * tall, y - up)

    brush.disc(x + tall * 0.03, y, tall * 0.22, tall * 0.035, (40, 46, 44), by=0.9)
    if not figure["dress"] and low > 0.8:
        stride = 0.12 if gesture in ("walk", "chop", "aim") else 0.055
        for leg in (-stride, stride):
            brush.stroke([at(0, waist), at(leg, tall * 0.01)], (62, 52, 46), tall * 0.075)
    hem = tall * (0.02 if figure["dress"] or low < 0.8 else 0.28)
    half = 0.17 if figure["dress"] else 0.145
    brush.polygon([at(-half, hem), at(half, hem), at(lean + 0.105, neck), at(lean - 0.105, neck)], cloth, by=0.97)
    brush.polygon(
        [at(-half, hem), at(-half * 0.25, hem), at(lean - 0.03, neck), at(lean - 0.105, neck)], cloth, by=0.72
    )
    brush.stroke([at(-half * 0.78, waist), at(half * 0.78, waist)], dim(WOOD, 0.6), tall * 0.03)
    head = at(lean * 1.9, neck + tall * 0.09)
    brush.disc(
        head[0], head[1] - tall * 0.022, tall * 0.078, tall * 0.085, HAIR.get(figure["hair"], HAIR["brown"]), by=0.95
    )
    brush.disc(head[0] + side * tall * 0.022, head[1] + tall * 0.006, tall * 0.055, tall * 0.066, SKIN)
    shoulder = at(lean, neck - tall * 0.06)
    for across, up in ARMS[gesture]:
        hand = at(across + lean, up * tall * (low if up < 0.7 else 1.0))
        brush.stroke([shoulder, hand], cloth, tall * 0.07, by=0.84)
        brush.disc(hand[0], hand[1], tall * 0.03, tall * 0.03, SKIN)
    _tool(brush, gesture, at, tall)


def _tool(brush: Brush, gesture: str, at: Any, tall: float) -> None:
    """What the hands hold."""
    if gesture == "carry":
        brush.polygon(
            [at(-0.26, tall * 0.70), at(0.26, tall * 0.70), at(0.24, tall * 0.92), at(-0.22, tall * 0.94)],
            (150, 118, 74),
        )
    elif gesture == "chop":
        brush.stroke([at(0.08, tall * 0.86), at(0.34, tall * 1.14)], WOOD, tall * 0.035)
        brush.polygon([at(0.28, tall * 1.14), at(0.40, tall * 1.18), at(0.42, tall * 1.04)], (168, 172, 180))
    elif gesture == "aim":
        brush.stroke([at(0.36, tall * 1.0), at(0.44, tall * 0.74), at(0.36, tall * 0.48)], WOOD, tall * 0.03)
    elif gesture == "walk":
        brush.stroke([at(0.25, tall * 0.02), at(0.22, tall * 0.86)], WOOD, tall * 0.03)
    elif gesture == "bend":
        brush.stroke([at(0.44, tall * 0.30), at(0.62, tall * 0.04)], WOOD, tall * 0.03)
