"""What hands hold: tools, arms, burdens. Coordinates are (forwards, up) in parts of the bearer's height."""

from __future__ import annotations

from collections.abc import Callable

from .brush import Brush
from .palette import WOOD, Colour, dim

At = Callable[[float, float], tuple[float, float]]
IRON: Colour = (172, 176, 184)
STRAW: Colour = (206, 176, 92)
SACK: Colour = (158, 128, 84)
OAK: Colour = (124, 92, 62)

STICKS: dict[str, tuple[tuple[tuple[float, float], ...], Colour, float]] = {
    "staff": (((0.22, 0.0), (0.19, 0.98)), OAK, 0.028),
    "axe": (((-0.04, 0.98), (0.30, 1.26)), OAK, 0.032),
    "hammer": (((0.02, 1.00), (0.24, 1.20)), OAK, 0.032),
    "rake": (((0.02, 0.80), (0.68, 0.03)), OAK, 0.024),
    "sword": (((-0.06, 0.98), (0.16, 1.36)), IRON, 0.036),
    "spear": (((-0.42, 0.50), (0.62, 0.80)), OAK, 0.026),
    "bow": (((0.30, 1.08), (0.43, 0.90), (0.43, 0.62), (0.30, 0.44)), OAK, 0.030),
    "torch": (((0.22, 0.90), (0.30, 1.10)), OAK, 0.034),
}
BEHIND = frozenset({"staff", "sword", "sack", "spear"})


def draw_tool(brush: Brush, tool: str, at: At, tall: float, side: int, *, behind: bool) -> None:
    """The tool, in its turn: some are behind the body, some before it."""
    if not tool or (tool in BEHIND) != behind:
        return
    if tool in STICKS:
        points, colour, width = STICKS[tool]
        brush.stroke([at(*p) for p in points], colour, max(0.8, width * tall))
    more = MORE.get(tool)
    if more:
        more(brush, at, tall, side)


def _axe(brush: Brush, at: At, tall: float, side: int) -> None:
    brush.polygon([at(0.22, 1.22), at(0.26, 1.33), at(0.40, 1.28), at(0.36, 1.13)], IRON)
    brush.polygon([at(0.30, 0.0), at(0.32, 0.17), at(0.54, 0.17), at(0.56, 0.0)], OAK, by=0.8)
    x, y = at(0.43, 0.17)
    brush.disc(x, y, tall * 0.11, tall * 0.03, (196, 164, 116))


def _hammer(brush: Brush, at: At, tall: float, side: int) -> None:
    brush.polygon([at(0.17, 1.20), at(0.24, 1.27), at(0.32, 1.19), at(0.25, 1.12)], IRON, by=0.8)
    brush.polygon([at(0.27, 0.0), at(0.29, 0.30), at(0.49, 0.30), at(0.51, 0.0)], OAK, by=0.7)
    brush.polygon([at(0.22, 0.40), at(0.58, 0.40), at(0.50, 0.30), at(0.30, 0.30)], IRON, by=0.6)


def _bow(brush: Brush, at: At, tall: float, side: int) -> None:
    brush.stroke([at(0.30, 1.08), at(-0.02, 0.77), at(0.30, 0.44)], (214, 208, 196), 0.6)
    brush.stroke([at(-0.02, 0.77), at(0.56, 0.77)], (214, 208, 196), 0.8)


def _sack(brush: Brush, at: At, tall: float, side: int) -> None:
    x, y = at(-0.10, 0.86)
    brush.disc(x, y, tall * 0.17, tall * 0.15, SACK, by=0.92)
    brush.disc(x - tall * 0.03, y - tall * 0.03, tall * 0.11, tall * 0.09, SACK, by=1.08)


def _sickle(brush: Brush, at: At, tall: float, side: int) -> None:
    brush.stroke([at(0.40, 0.27), at(0.50, 0.20), at(0.53, 0.10), at(0.47, 0.05)], IRON, max(0.8, tall * 0.025))
    for i in range(7):
        brush.stroke([at(0.48 + 0.03 * i, 0.0), at(0.50 + 0.035 * i, 0.17 + 0.02 * (i % 3))], STRAW, 1.0, by=0.85)


def _rake(brush: Brush, at: At, tall: float, side: int) -> None:
    brush.stroke([at(0.60, 0.03), at(0.78, 0.03)], OAK, max(0.8, tall * 0.022))
    x, y = at(0.86, 0.03)
    brush.disc(x, y, tall * 0.20, tall * 0.10, STRAW, by=0.86)
    brush.disc(x - tall * 0.02, y - tall * 0.05, tall * 0.12, tall * 0.06, STRAW, by=1.0)


def _basket(brush: Brush, at: At, tall: float, side: int) -> None:
    brush.polygon([at(0.02, 0.55), at(0.24, 0.55), at(0.20, 0.40), at(0.06, 0.40)], SACK, by=0.8)
    for i in range(6):
        x, y = at(0.40 + 0.045 * i, 0.56 - 0.014 * i * i - 0.02 * (i % 2))
        brush.disc(x, y, 0.8, 0.8, STRAW)


def _bucket(brush: Brush, at: At, tall: float, side: int) -> None:
    brush.polygon([at(0.09, 0.36), at(0.27, 0.36), at(0.25, 0.20), at(0.11, 0.20)], OAK)
    brush.stroke([at(0.10, 0.36), at(0.17, 0.44), at(0.26, 0.36)], dim(WOOD, 0.7), 0.8)


def _horn(brush: Brush, at: At, tall: float, side: int) -> None:
    brush.polygon([at(0.12, 1.12), at(0.22, 1.16), at(0.30, 1.06), at(0.25, 1.05), at(0.20, 1.08)], (226, 210, 170))


def _torch(brush: Brush, at: At, tall: float, side: int) -> None:
    brush.polygon([at(0.27, 1.09), at(0.35, 1.10), at(0.36, 1.17), at(0.33, 1.27), at(0.28, 1.17)], (255, 176, 60),
                  glowing=True)  # fmt: skip


def _shield(brush: Brush, at: At, tall: float, side: int) -> None:
    x, y = at(0.29, 0.58)
    brush.disc(x, y, tall * 0.105, tall * 0.17, OAK, by=0.72)
    brush.disc(x, y, tall * 0.085, tall * 0.145, (176, 150, 110))
    brush.disc(x, y, tall * 0.03, tall * 0.04, IRON)


def _spear(brush: Brush, at: At, tall: float, side: int) -> None:
    brush.polygon([at(0.60, 0.82), at(0.76, 0.84), at(0.61, 0.77)], IRON)


def _gift(brush: Brush, at: At, tall: float, side: int) -> None:
    brush.disc(*at(0.34, 0.66), tall * 0.055, tall * 0.045, (236, 196, 92))


def _babe(brush: Brush, at: At, tall: float, side: int) -> None:
    brush.disc(*at(0.13, 0.63), tall * 0.12, tall * 0.07, (228, 220, 204))
    brush.disc(*at(0.21, 0.67), tall * 0.04, tall * 0.04, (222, 178, 148))


def _net(brush: Brush, at: At, tall: float, side: int) -> None:
    for i in range(5):
        brush.stroke([at(0.29 + 0.01 * i, 0.30), at(0.30 + 0.07 * i, -0.10)], (190, 180, 160), 0.6)
        brush.stroke([at(0.30, 0.26 - 0.07 * i), at(0.33 + 0.06 * i, 0.20 - 0.06 * i)], (190, 180, 160), 0.6)


MORE: dict[str, Callable[[Brush, At, float, int], None]] = {
    "axe": _axe, "hammer": _hammer, "bow": _bow, "sack": _sack, "sickle": _sickle, "rake": _rake, "basket": _basket,
    "bucket": _bucket, "horn": _horn, "torch": _torch, "sword": _shield, "spear": _spear, "gift": _gift,
    "babe": _babe, "net": _net,
}  # fmt: skip
