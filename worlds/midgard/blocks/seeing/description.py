"""A description of pixels: light, season and weather by the eye, patches counted, and the same in words."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..painting.palette import light_of
from ..words import capital, number
from .eye import Measure, measure, recognise
from .hearing import hear
from .patches import calm, count_figures, count_roofs, find_fires

NAMES: tuple[tuple[str, tuple[int, int, int]], ...] = (
    ("black", (14, 16, 22)), ("night blue", (26, 38, 72)), ("slate", (84, 92, 104)), ("grey", (150, 152, 154)),
    ("white", (232, 234, 238)), ("pale blue", (176, 204, 226)), ("blue", (92, 142, 196)), ("green", (62, 104, 50)),
    ("pale green", (132, 150, 84)), ("rust", (158, 104, 58)), ("straw", (206, 184, 110)), ("brown", (92, 70, 56)),
    ("rose", (220, 176, 170)), ("gold", (240, 182, 96)), ("dark green", (30, 48, 34)), ("violet", (110, 84, 110)),
    ("dull red", (120, 66, 54)),
)  # fmt: skip
HOURS = {"night": "by night", "dawn": "at first light", "day": "by day", "dusk": "in the evening"}
SKIES = {
    "clear": "under a clear sky", "fair": "under a few clouds", "overcast": "under a grey sky", "rain": "in rain",
    "fog": "in fog", "snow": "in falling snow", "storm": "in a storm",
}  # fmt: skip


def describe(artifacts: dict[str, Any]) -> dict[str, Any]:
    """What the first picture among the artifacts shows; so much in words when there is none."""
    pixels = pixels_of(artifacts)
    if pixels is None:
        return without_picture()
    seen = measure(pixels)
    light, season, weather = recognise(seen)
    shine = light_of(light, weather, season).shine
    still = calm(pixels)
    fires = find_fires(still)
    figures = count_figures(still, shine, fires, wintry=season == "winter")
    found = {
        "light": light, "season": season, "weather": weather, "fires": len(fires), "figures": figures,
        "buildings": count_roofs(still, shine),
    }  # fmt: skip
    return description_of(artifacts, pixels, seen, found)


def description_of(
    artifacts: dict[str, Any], pixels: NDArray[np.uint8], seen: Measure, found: dict[str, Any]
) -> dict[str, Any]:
    """What was found in a picture, whoever looked; its colours, where the mass lies, what is heard; all in words."""
    named = {key: value for key, value in found.items() if isinstance(value, str)}
    counted = {key: value for key, value in found.items() if key not in named}
    whole = {**named, "colours": [_name(seen.sky), _name(seen.ground)], "mass": _mass(pixels), **counted}
    heard = hear(artifacts)
    if heard is None:
        return {**whole, "words": _words(whole)}
    return {**whole, "sound": heard, "words": f"{_words(whole)} What is heard is {heard['words']}."}


def without_picture() -> dict[str, Any]:
    """The description of artifacts without a picture."""
    words = "There is no picture among the artifacts that can be looked at."
    return {"words": words, "light": "", "season": "", "weather": ""}


def pixels_of(artifacts: dict[str, Any]) -> NDArray[np.uint8] | None:
    """The first picture as height x width x 3; what else a file holds (names, dates, comments) is not read."""
    for image in artifacts.get("images") or ():
        data = getattr(image.get("payload") if isinstance(image, dict) else None, "data", None)
        if not isinstance(data, bytes):
            continue
        try:
            with Image.open(io.BytesIO(data)) as opened:
                return np.asarray(opened.convert("RGB"))
        except (OSError, ValueError):
            continue
    return None


def _name(colour: Measure.Triple) -> str:
    return min(NAMES, key=lambda pair: sum((a - b) ** 2 for a, b in zip(colour, pair[1], strict=True)))[0]


def _mass(pixels: NDArray[np.uint8]) -> str:
    """On which side the dark lies: left, right or in the middle."""
    height, width = pixels.shape[:2]
    band = pixels[height // 4 : height * 3 // 4 : 2, ::2].sum(axis=2, dtype=np.int64)
    weight = (765 - band).sum(axis=0)
    left, right = int(weight[: width // 6].sum()), int(weight[-(width // 6) :].sum())
    if abs(left - right) * 12 < left + right:
        return "middle"
    return "left" if left > right else "right"


def _words(found: dict[str, Any]) -> str:
    """A sentence or two."""
    sky, ground = found["colours"]
    side = {"left": "on the left", "right": "on the right"}.get(found["mass"], "in the middle")
    folk = "Nobody is to be seen" if not found["figures"] else "One person is" if found["figures"] == 1 else (
        f"{capital(number(found['figures']))} people are")  # fmt: skip
    things = [f"{number(n)} {one if n == 1 else many}" for n, one, many in (
        (found["buildings"], "roof", "roofs"), (found["fires"], "fire", "fires")) if n]  # fmt: skip
    beside = f", with {' and '.join(things)}" if things else ""
    who = f"{folk} in front of the hills{beside}." if found["figures"] else f"{folk}{beside}."
    return (
        f"A valley in {found['season']}, {HOURS[found['light']]} {SKIES[found['weather']]}; {sky} above and {ground} "
        f"below, the weight of the land {side}. {who}"
    )
