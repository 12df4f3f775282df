"""A brush over a sheet twice as fine as the picture: polygons in the light of the hour, laid over it when done."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .palette import Colour, times

Points = Sequence[tuple[float, float]]
FINE = 2


class Brush:
    """Draws in pixels of the picture; fractions of a pixel count. `lit_from` is -1 for light from the left, else 1."""

    def __init__(self, width: int, height: int, shine: Colour, lit_from: int = -1) -> None:
        self.width, self.height, self.shine, self.lit_from = width, height, shine, lit_from
        self.sheet = Image.new("RGBA", (width * FINE, height * FINE), (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.sheet)

    def tone(self, colour: Colour, *, by: float = 1.0, glowing: bool = False) -> tuple[int, int, int, int]:
        """The colour in this light (or in its own)."""
        r, g, b = colour if glowing else times(colour, self.shine)
        return (_byte(r * by), _byte(g * by), _byte(b * by), 255)

    def polygon(self, points: Points, colour: Colour, *, by: float = 1.0, glowing: bool = False) -> None:
        """A filled polygon."""
        self.draw.polygon(
            [(round(x * FINE), round(y * FINE)) for x, y in points], fill=self.tone(colour, by=by, glowing=glowing)
        )

    def disc(
        self, x: float, y: float, rx: float, ry: float, colour: Colour, *, by: float = 1.0, glowing: bool = False
    ) -> None:
        """A filled ellipse around (x, y)."""
        box = [round((x - rx) * FINE), round((y - ry) * FINE), round((x + rx) * FINE), round((y + ry) * FINE)]
        self.draw.ellipse(box, fill=self.tone(colour, by=by, glowing=glowing))

    def stroke(self, points: Points, colour: Colour, width: float, *, by: float = 1.0) -> None:
        """A line through points."""
        self.draw.line(
            [(round(x * FINE), round(y * FINE)) for x, y in points],
            fill=self.tone(colour, by=by),
            width=max(1, round(width * FINE)),
            joint="curve",
        )

    def lay_over(self, picture: NDArray[np.float32], haze: Colour | None = None, amount: float = 0.0) -> None:
        """Blend the sheet into the picture, veiled by haze where asked; edges are averaged."""
        small = np.asarray(self.sheet.convert("RGBa").reduce(FINE), np.float32)
        weight, ink = small[..., 3:4] * np.float32(1 / 255), small[..., :3].copy()
        if haze is not None and amount:
            ink += (np.array(haze, np.float32) * weight - ink) * np.float32(amount)
        picture *= 1 - weight
        picture += ink


def _byte(value: float) -> int:
    return max(0, min(255, int(value + 0.5)))
