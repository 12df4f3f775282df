"""The land: ridges one behind the other, water that mirrors them, and the ground in front."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .noise import ease, line, plane
from .palette import BARLEY, GROUND, HILL, ROCK, SNOW, Colour, Light, mix, times
from .sky import sun_of

Picture = NDArray[np.float32]
Line = NDArray[np.float32]

SHORES: dict[str, tuple[tuple[float, float], ...]] = {
    "shore": ((0.0, 0.60), (0.22, 0.625), (0.42, 0.70), (0.60, 0.775), (1.0, 0.80)),
    "headland": ((0.0, 0.86), (0.30, 0.80), (0.55, 0.655), (0.72, 0.60), (0.9, 0.615), (1.0, 0.65)),
    "farm": ((0.0, 0.60), (0.5, 0.635), (1.0, 0.61)),
    "meadow": ((0.0, 0.645), (0.5, 0.63), (1.0, 0.65)),
    "wood": ((0.0, 0.60), (0.5, 0.65), (1.0, 0.60)),
    "upland": ((0.0, 0.66), (0.35, 0.60), (0.7, 0.625), (1.0, 0.57)),
    "river": ((0.0, 0.62), (0.5, 0.64), (1.0, 0.62)),
}
"""Where the ground in front begins, as (across, down) fractions."""
WATER: dict[str, float] = {"shore": 0.565, "headland": 0.565, "sea": 0.56, "farm": 0.585, "meadow": 0.60}
"""Where the fjord begins behind the ground."""


def ground_line(blueprint: dict[str, Any], height: int, width: int) -> Line:
    """The upper edge of the ground in front, in pixels from the top, for each column; below the picture at sea."""
    shore = SHORES.get(blueprint["land"])
    if shore is None:
        return np.full(width, height + 1, np.float32)
    xs, ys = [p[0] for p in shore], [p[1] for p in shore]
    x = np.arange(width, dtype=np.float32) / np.float32(width)
    edge: Line = np.interp(x, xs, ys).astype(np.float32)
    edge += (line(width, blueprint["seed"] + 3, width / 5, 3) - np.float32(0.5)) * np.float32(0.018)
    edge *= np.float32(height)
    return edge


def paint_ridges(picture: Picture, blueprint: dict[str, Any], light: Light) -> None:
    """Three or four ridges; the farthest are the haziest and the highest, with snow on them but in high summer."""
    height, width = picture.shape[:2]
    season, seed, tall = blueprint["season"], blueprint["seed"], blueprint["hills"]
    sun = sun_of(blueprint)
    side = np.float32(1.0 if sun and sun[0] < 0.5 else -1.0)
    rows = np.arange(height, dtype=np.float32)[:, None]
    fog = {"fog": 0.45, "snow": 0.22, "rain": 0.18, "storm": 0.2}.get(blueprint["weather"], 0.0)
    for depth in range(4):
        near = depth / 3
        rise = (0.46 - 0.28 * near) * (0.40 + 0.72 * tall)
        noise = line(width, seed * 5 + depth * 13, width / (1.7 + 1.5 * depth), 5, 0.52)
        crest = height * (0.62 - rise * (np.float32(0.12) + noise) + 0.01 * near)
        slope = np.zeros(width, np.float32)
        slope[8:-8] = (crest[16:] - crest[:-16]) / 9
        body = mix(HILL[season], ROCK, 0.42 * (1 - near))
        colour = np.array(times(body, light.shine), np.float32)
        shade = 1 + np.clip(slope * side * np.float32(0.12), -0.22, 0.22)
        below = (rows - crest[None, :]) / np.float32(height)
        fall = plane(height, width, seed * 7 + depth, (34, 20), 3) - np.float32(0.5)
        relief = (shade[None, :] - 1) * np.clip(1 - below * 5, 0, 1) + fall * np.float32(0.30 - 0.10 * near)
        tone = colour * (np.float32(1.05) + relief - np.clip(below, 0, 0.2))[..., None]
        tone = _capped(tone, crest, rows, below, blueprint, depth, light, seed)
        haze = np.float32(min(0.92, 0.66 * (1 - near) ** 1 + 0.16 + fog * (1.2 - near)))
        tone = tone + (np.array(light.haze, np.float32) - tone) * (
            haze * (np.float32(0.82) + np.clip(below, 0, 0.25)[..., None])
        )
        cover = np.clip(rows - crest[None, :] + 1, 0, 1)[..., None]
        picture += (tone - picture) * cover


def _capped(
    tone: Picture, crest: Line, rows: Line, below: Line, blueprint: dict[str, Any], depth: int, light: Light, seed: int
) -> Picture:
    """Snow on the heights: how far down it comes is a matter of season."""
    reach = {"winter": 0.5, "spring": 0.16, "autumn": 0.09, "summer": 0.045}[blueprint["season"]] * (1, 0.6, 0.2, 0)[
        depth
    ]
    if blueprint["season"] == "winter" or depth > 2:
        return tone
    ragged = reach * (np.float32(0.3) + line(tone.shape[1], seed + 77 + depth, 22, 3))
    high = np.clip((height_at(crest, tone.shape[0]) - np.float32(0.24)) * 7, 0, 1)
    snow = np.clip((ragged * high - below) * 90, 0, 1)[..., None] * np.float32(0.85)
    tone += (np.array(times(SNOW, light.shine), np.float32) - tone) * snow
    return tone


def height_at(crest: Line, height: int) -> Line:
    """How high a crest stands above the lower edge, 0 to 1."""
    return (np.float32(height) - crest) / np.float32(height) - np.float32(0.2)


def paint_water(picture: Picture, blueprint: dict[str, Any], light: Light) -> None:
    """The fjord: what is above it, mirrored, broken by ripples and darkened towards the eye."""
    start = WATER.get(blueprint["land"])
    if start is None:
        return
    height, width = picture.shape[:2]
    top = int(start * height)
    deep = height - top
    wind = min(9, int(blueprint["wind"]))
    rows = np.arange(deep)
    ripple = plane(deep, width, blueprint["texture"] + 23, (3.0, 34.0), 2) - np.float32(0.5)
    strength = np.float32(2.0 + 2.2 * wind) * (np.float32(0.25) + rows[:, None].astype(np.float32) / deep)
    source = np.clip(top - 1 - (rows[:, None] * 0.92 + ripple * strength * 3).astype(np.int64), 0, top - 1)
    mirror = picture[source, np.arange(width)[None, :]]
    far = np.clip(rows.astype(np.float32)[:, None, None] / deep, 0, 1)
    hue = np.array(times((38, 66, 82), light.shine), np.float32)
    water = mirror * np.float32(0.80) + (hue - mirror * np.float32(0.80)) * (np.float32(0.22) + np.float32(0.45) * far)
    water += ripple[..., None] * np.float32(20 + 5 * wind) * np.array(light.shine, np.float32)
    if wind >= 5:
        foam = (
            np.clip((plane(deep, width, blueprint["texture"] + 31, (4.0, 22.0), 2) - np.float32(0.70)) * 9, 0, 1)
            * far[..., 0]
        )
        water += (np.array(times((226, 232, 234), light.shine), np.float32) - water) * foam[..., None]
    picture[top:] = water
    picture[top : top + 1] += np.float32(14) * np.array(light.shine, np.float32)


def paint_ground(picture: Picture, blueprint: dict[str, Any], light: Light) -> None:
    """The ground in front, with grass or snow on it, a field where there is one, a river where one runs."""
    height, width = picture.shape[:2]
    edge = ground_line(blueprint, height, width)
    if edge[0] > height:
        return
    season, seed = blueprint["season"], blueprint["seed"]
    rows = np.arange(height, dtype=np.float32)[:, None]
    base: Colour = GROUND[season]
    if blueprint["land"] == "upland":
        base = mix(base, ROCK, 0.18)
    coarse, fine = plane(height, width, seed + 9, (26, 80), 3), plane(height, width, seed + 19, (3, 7), 2)
    tone = np.array(times(base, light.shine), np.float32) * (np.float32(0.80) + coarse * 0.30 + fine * 0.14)[..., None]
    if season in ("spring", "autumn"):
        _patches(tone, coarse, blueprint, light)
    if blueprint["field"]:
        _field(tone, blueprint, light)
    near = np.clip((rows - edge[None, :]) / np.float32(height * 0.36), 0, 1)
    tone *= (np.float32(1.10) - np.float32(0.26) * near)[..., None]
    haze = np.array(light.haze, np.float32)
    tone += (haze - tone) * (np.float32(0.26) * (1 - near) * (1 - near))[..., None]
    cover = np.clip(rows - edge[None, :] + 1, 0, 1)
    if blueprint["land"] == "shore":
        _strand(tone, rows, edge, light, season)
    picture += (tone - picture) * cover[..., None]
    if blueprint["land"] == "river":
        _river(picture, blueprint, light)


def _patches(tone: Picture, coarse: Line, blueprint: dict[str, Any], light: Light) -> None:
    """Old snow in spring, and new snow where it has fallen."""
    depth = min(1.0, blueprint["snow"] / 9)
    amount = depth * 0.22 + (0.05 if blueprint["season"] == "spring" else 0.0)
    if amount <= 0:
        return
    snow = np.clip((np.float32(amount + 0.16) - coarse) * 12, 0, 1)[..., None] * np.float32(0.8)
    tone += (np.array(times(SNOW, light.shine), np.float32) - tone) * snow


def _field(tone: Picture, blueprint: dict[str, Any], light: Light) -> None:
    height, width = tone.shape[:2]
    top, bottom = int(height * 0.665), int(height * 0.76)
    left, right = int(width * 0.40), int(width * 0.98)
    rows = np.arange(top, bottom)
    columns = np.arange(left, right, dtype=np.float32)[None, :]
    down = (rows[:, None] - top).astype(np.float32) / (bottom - top)
    furrows = np.abs(((columns - 0.75 * width) / (np.float32(0.35) + down) / 6) % 1 - np.float32(0.5))
    colour = np.array(times(BARLEY[blueprint["season"]], light.shine), np.float32)
    paint = colour * (np.float32(0.86) + furrows * np.float32(0.34))[..., None]
    wave = (line(right - left, blueprint["seed"] + 87, 60, 3) - np.float32(0.5))[None, :] * np.float32(0.35)
    inner = np.clip(np.minimum(down + wave, 1 - down + wave) * 6 + np.float32(0.6), 0, 1)
    inner = inner * np.clip((columns - left - 60 * (1 - down)) / 9, 0, 1) * np.clip((right - columns) / 9, 0, 1)
    tone[top:bottom, left:right] += (paint - tone[top:bottom, left:right]) * inner[..., None]


def _strand(tone: Picture, rows: Line, edge: Line, light: Light, season: str) -> None:
    """Shingle along the water."""
    stone = np.array(times((196, 196, 196) if season == "winter" else (148, 138, 122), light.shine), np.float32)
    near = np.clip(1 - (rows - edge[None, :]) / 16, 0, 1) * np.clip((edge - edge[0] - 18) / 20, 0, 1)[None, :]
    tone += (stone - tone) * (near * np.float32(0.9))[..., None]


def _river(picture: Picture, blueprint: dict[str, Any], light: Light) -> None:
    """A band of water across the ground, wider towards the eye."""
    height, width = picture.shape[:2]
    middle = (
        height * (0.70 + 0.06 * (line(width, blueprint["seed"] + 41, width / 2.2, 2) - 0.5))
        + np.arange(width, dtype=np.float32) * 0.05
    )
    half = height * (0.022 + 0.010 * line(width, blueprint["seed"] + 43, 60, 2))
    rows = np.arange(height, dtype=np.float32)[:, None]
    cover = np.clip(half[None, :] - np.abs(rows - middle[None, :]) + 1, 0, 1)
    ripple = plane(height, width, blueprint["texture"] + 47, (2.5, 26), 2) - np.float32(0.5)
    sky = np.array(mix(times((70, 104, 118), light.shine), light.low, 0.42), np.float32)
    water = sky + ripple[..., None] * np.float32(46) * np.array(light.shine, np.float32)
    picture += (water - picture) * ease(cover)[..., None]
