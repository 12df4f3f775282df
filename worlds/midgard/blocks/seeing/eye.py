"""The eye: a few measures of a picture, and how this land is known to look by each light, season and weather."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..painting.palette import GROUND, HILL, LIGHTS, ROCK, VEIL, light_of, mix, times

SEASONS = ("spring", "summer", "autumn", "winter")


@dataclass(frozen=True, slots=True)
class Measure:
    """Median colours of zones, 0 to 255, and measures relative to the brightness of the sky.

    spread: between the channels of the sky; drift: along its rows; speckle and streak: sharp spots in it, alone or in
    a row; contrast: of the edges of the hills.
    """

    Triple = tuple[float, float, float]
    sky: Triple
    low_left: Triple
    low_right: Triple
    hill: Triple
    ground: Triple
    spread: float
    drift: float
    speckle: float
    streak: float
    contrast: float


def _median(zone: NDArray[np.uint8]) -> tuple[float, float, float]:
    r, g, b = np.median(zone.reshape(-1, 3), axis=0).tolist()
    return (r, g, b)


def measure(pixels: NDArray[np.uint8]) -> Measure:
    """Measures of a picture of any size."""
    height, width = pixels.shape[:2]

    def zone(top: float, bottom: float, left: float = 0.0, right: float = 1.0) -> NDArray[np.uint8]:
        return pixels[int(top * height) : int(bottom * height) : 2, int(left * width) : int(right * width) : 2]

    grey = pixels[: int(height * 0.33)].astype(np.int32).sum(axis=2)
    beside = grey[1:-1, 1:-1] * 2 - grey[1:-1, :-2] - grey[1:-1, 2:]
    level = float(np.median(grey)) + 40
    sharp = beside > 0.10 * level
    upright = sharp[1:] & sharp[:-1]
    tilted = sharp[1:, :-1] & sharp[:-1, 1:]
    area = sharp.size / 1000
    top = zone(0.02, 0.30).astype(np.float32)
    band = zone(0.44, 0.64).astype(np.float32).mean(axis=2)
    rows = top.mean(axis=2)
    calm = np.median(rows, axis=1, keepdims=True)
    return Measure(
        sky=_median(zone(0.02, 0.16)),
        low_left=_median(zone(0.30, 0.40, 0.0, 0.4)),
        low_right=_median(zone(0.30, 0.40, 0.6, 1.0)),
        hill=_median(zone(0.50, 0.57)),
        ground=_median(zone(0.90, 0.99)),
        spread=float((top.max(axis=2) - top.min(axis=2)).mean() / (level / 3)),
        drift=float(np.abs(rows - calm).mean() / (level / 3)),
        speckle=float(sharp.sum() / area),
        streak=float((upright.sum() + tilted.sum()) / area),
        contrast=float(np.percentile(np.abs(band[1:] - band[:-1]), 98) / (level / 3)),
    )


@cache
def _known() -> tuple[list[tuple[str, str, str]], NDArray[np.float64]]:
    """How sky, horizon, hills and ground look by each light, weather and season, land and sea."""
    names, rows = [], []
    for hour, weather, season in product(LIGHTS, VEIL, SEASONS):
        light = light_of(hour, weather, season)
        hill = mix(times(mix(HILL[season], ROCK, 0.1), light.shine), light.haze, 0.35)
        sky = [*mix(light.top, light.middle, 0.25), *mix(light.middle, light.low, 0.4)]
        sea = mix(times((38, 66, 82), light.shine), light.middle, 0.3)
        for ground in (times(GROUND[season], light.shine), sea):
            names.append((hour, season, weather))
            rows.append([*sky, *hill, *(channel * 0.82 for channel in ground)])
    return names, np.array(rows, np.float64)


def _features(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Brightness by its root, and hue apart from brightness, so that night is judged as closely as day."""
    parts = rows.reshape(*rows.shape[:-1], 4, 3)
    sums = parts.sum(axis=-1, keepdims=True) + 12
    hue = parts / sums
    return np.concatenate([np.sqrt(sums[..., 0]) / 28, hue.reshape(*rows.shape[:-1], 12) * WEIGHT], axis=-1)


WEIGHT = np.array([3.0] * 6 + [4.0] * 3 + [8.0] * 3)


def recognise(seen: Measure) -> tuple[str, str, str]:
    """Light, season and weather."""
    names, rows = _known()
    low = tuple((a + b) / 2 for a, b in zip(seen.low_left, seen.low_right, strict=True))
    here = np.array([*seen.sky, *low, *seen.hill, *seen.ground], np.float64)
    away = ((_features(rows) - _features(here)) ** 2).sum(axis=-1)
    light, season, guess = names[int(np.argmin(away))]
    return light, season, _weather(seen, light, season, guess)


def _weather(seen: Measure, light: str, season: str, guess: str) -> str:
    """Streaks are rain, specks are snow, hills without edges are fog; then it is a matter of clouds."""
    if seen.streak > 12:
        return "storm" if seen.streak > 45 else "rain"
    if seen.contrast < 0.12:
        return "fog"
    veiled = seen.spread < 0.45 if light == "night" else guess not in ("clear", "fair")
    if veiled:  # specks under an open sky are flowers and stars, and no snow falls in summer
        return "snow" if seen.speckle > 2 and season != "summer" else "overcast"
    return "fair" if seen.drift > (0.072 if light != "night" else 0.131) else "clear"
