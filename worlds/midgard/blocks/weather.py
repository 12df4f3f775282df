"""How the weather goes on: a step a day, by season, from what it was."""

from __future__ import annotations

from typing import Any

from .almanac import season
from .dice import Dice

ODDS: dict[str, tuple[tuple[float, str], ...]] = {
    "spring": ((4, "clear"), (5, "fair"), (4, "overcast"), (4, "rain"), (2, "fog"), (1, "snow"), (1, "storm")),
    "summer": ((6, "clear"), (6, "fair"), (3, "overcast"), (3, "rain"), (2, "fog"), (0.5, "storm")),
    "autumn": ((3, "clear"), (4, "fair"), (5, "overcast"), (5, "rain"), (3, "fog"), (1, "snow"), (2, "storm")),
    "winter": ((5, "clear"), (3, "fair"), (4, "overcast"), (1, "fog"), (6, "snow"), (2.5, "storm")),
}
WIND = {
    "clear": (0, 3),
    "fair": (1, 4),
    "overcast": (1, 4),
    "rain": (2, 6),
    "fog": (0, 1),
    "snow": (1, 5),
    "storm": (7, 9),
}
FALL = {"snow": 3, "storm": 2}
FOUL = frozenset({"rain", "snow", "storm", "fog"})


def settled(kind: str, of_season: str) -> str:
    """The kind as this season can have it: no rain in deep winter, no snow in summer."""
    if kind == "snow" and of_season == "summer":
        return "rain"
    return "snow" if kind == "rain" and of_season == "winter" else kind


def later(weather: dict[str, Any], day: int, until: int, dice: Dice, wanted: str | None = None) -> dict[str, Any]:
    """The weather of day `until`, from that of `day`; `wanted` is the kind the last day shall have."""
    kind, snow = weather.get("kind", "fair"), int(weather.get("snow", 0))
    for present in range(day + 1, until + 1):
        now = season(present)
        if not dice.chance(0.4):
            kind = dice.weighted(ODDS[now])
        if present == until and wanted:
            kind = wanted
        kind = settled(kind, now)
        if now == "winter" or (kind == "snow" and now != "summer"):
            snow = min(9, snow + FALL.get(kind, 0)) if kind in FALL else max(snow - dice.between(0, 1), 2)
        else:
            snow = max(0, snow - dice.between(1, 3))
    return {"kind": kind, "wind": dice.between(*WIND[kind]), "snow": snow}
