"""The Philosopher of the text overlay: what the text artifact shows, found by reading it."""

from __future__ import annotations

import re
from typing import Any

from yggdrasil import block

from .words import NUMBERS

LIGHT = (("night", "night"), ("first light", "dawn"), ("evening light", "dusk"), ("daylight", "day"))
SEASON = (("old snow", "spring"), ("snow on the ground", "winter"), ("rust", "autumn"), ("deep green", "summer"))
WEATHER = (
    ("storm", "storm"),
    ("falling snow", "snow"),
    ("rain", "rain"),
    ("fog", "fog"),
    ("overcast", "overcast"),
    ("fair sky", "fair"),
    ("clear sky", "clear"),
)
COLOURS = {
    "spring": ["pale green", "white"],
    "summer": ["green", "blue"],
    "autumn": ["rust", "grey"],
    "winter": ["white", "grey"],
}
COUNTED = re.compile(r"(\w+) (people|person|houses|fires)")


def _first(text: str, signs: tuple[tuple[str, str], ...]) -> str:
    return next((meaning for sign, meaning in signs if sign in text), "")


@block("midgard/listener", outputs={"description": dict})
def listener(artifacts: dict[str, Any]) -> dict[str, Any]:
    """Block 4: light, season, weather and counts as the words of the artifact give them."""
    texts = [t.get("payload") for t in artifacts.get("texts") or () if isinstance(t, dict)]
    text = " ".join(t for t in texts if isinstance(t, str))
    counts = {what: NUMBERS.index(n) for n, what in COUNTED.findall(text) if n in NUMBERS}
    light, season, weather = _first(text, LIGHT), _first(text, SEASON), _first(text, WEATHER)
    return {
        "words": text or "The artifacts hold nothing that can be read.",
        "light": light,
        "season": season,
        "weather": weather,
        "figures": counts.get("people", counts.get("person", 0)),
        "buildings": counts.get("houses", 0),
        "fires": counts.get("fires", 0),
        "colours": COLOURS.get(season, []),
    }
