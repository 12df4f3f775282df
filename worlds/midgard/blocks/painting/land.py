"""The land: ridges one behind the other, water that mirrors them, and the ground in front."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .noise import Plane, ease, line, plane, scatter
from .palette import BARLEY, GROUND, HILL, ROCK, SNOW, SPRUCE, Colour, Light, mix, times
from .sky import moon_of, sun_of

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


def paint_ridges(picture: Picture, scene: dict[str, Any], light: Light) -> None:
    """Four ridges; the farthest are the haziest and the highest, with snow on them, the nearest is wooded."""
    height, width = picture.shape[:2]
    season, seed, tall = scene["season"], scene["seed"], scene["hills"]
    sun = sun_of(scene)
    side = np.float32(1.0 if sun and sun[0] > 0.5 else -1.0)
    fog = {"fog": 0.45, "snow": 0.22, "rain": 0.18, "storm": 0.2}.get(scene["weather"], 0.0)
    foot = int(height * 0.68)
    haze_colour = np.array(light.haze, np.float32)
    for depth in range(4):
        near = depth / 3
        crest = _crest(width, height, seed, depth, tall)
        wooded = depth == 3 and scene["trees"] > 3
        if wooded or depth == 2:
            crest = crest - _treetops(width, seed + depth, 6.5 if wooded else 2.5)
        top = max(0, int(crest.min()) - 1)
        rows = np.arange(top, foot, dtype=np.float32)[:, None]
        down = rows - crest[None, :]
        faces = _faces(down, seed * 11 + depth, 44 - 9 * depth, side)
        body = (
            mix(HILL[season], ROCK, 0.50 * (1 - near))
            if depth < 3
            else mix(HILL[season], SPRUCE, 0.35 if wooded else 0.0)
        )
        colour = np.array(times(body, light.shine), np.float32)
        below = down / np.float32(height)
        tone = (
            colour
            * (
                np.float32(0.99)
                + (faces - np.float32(0.5)) * np.float32((0.62, 0.5, 0.34, 0.22)[depth])
                - np.clip(below, 0, 0.2) * np.float32(0.7)
            )[..., None]
        )
        tone = _capped(tone, rows, below, faces, scene, depth, light, seed)
        if wooded or depth == 2:
            bark = plane(foot - top, width, seed * 7 + depth, (7.0, 2.6), 2)
            tone *= (np.float32(0.80) + bark * np.float32(0.40 if wooded else 0.28))[..., None]
        haze = np.float32(min(0.92, 0.60 * (1 - near) + 0.12 + fog * (1.2 - near)))
        veil = np.clip(np.float32(0.72) + np.clip(below, 0, 0.3) * np.float32(1.3), 0, 1.15)[..., None]
        tone += (haze_colour - tone) * np.clip(haze * veil, 0, 0.95)
        cover = np.clip(down + 1, 0, 1)[..., None]
        part = picture[top:foot]
        part += (tone - part) * cover
        picture[foot:] = part[-1]


def _crest(width: int, height: int, seed: int, depth: int, tall: float) -> Line:
    """The line of a ridge: sharp far away, rounded near."""
    near = depth / 3
    rise = (0.50 - 0.32 * near) * (0.40 + 0.72 * tall)
    noise = line(width, seed * 5 + depth * 13, width / (1.7 + 1.5 * depth), 5, 0.52)
    if depth < 2:
        peaks = 1 - np.abs(line(width, seed * 3 + depth * 7 + 1, width / (2.1 + 1.2 * depth), 4, 0.46) * 2 - 1)
        noise = noise * np.float32(0.45) + peaks * peaks * np.float32(0.62) - np.float32(0.08)
    crest: Line = height * (0.62 - rise * (np.float32(0.12) + noise) + 0.01 * near)
    return crest


def _treetops(width: int, seed: int, tall: float) -> Line:
    """Pointed tops of a wood, in pixels above its ground."""
    x = np.arange(width, dtype=np.float32)
    tops = np.zeros(width, np.float32)
    for period, shift in ((5.0, 0.0), (7.3, 2.1)):
        cell = ((x + shift) / period).astype(np.int64)
        size = scatter(int(cell[-1]) + 2, seed * 61 + int(period), 1)[:, 0][cell]
        middle = np.abs(((x + np.float32(shift)) / np.float32(period)) % 1 - np.float32(0.5)) * 2
        tops = np.maximum(tops, (1 - middle) * (np.float32(0.35) + size * np.float32(0.85)))
    return tops * np.float32(tall)


def _faces(down: Line, seed: int, period: float, side: np.float32) -> Plane:
    """Lit and shaded faces of rock, 0 to 1: two slanting rills of noise that cross, as spurs run down a mountain."""
    height, width = down.shape
    margin = height + 8
    first, second = (line(width + 2 * margin, seed + k, period * (1 + 0.35 * k), 4, 0.6) for k in (0, 1))
    across = np.arange(width)[None, :] + margin
    lean = np.clip(down, 0, margin - 4) * np.float32(0.62)
    a = first[(across + lean).astype(np.int64)]
    b = second[(across - lean).astype(np.int64)]
    return ease(np.clip((a - b) * np.float32(1.9) * side + np.float32(0.5), 0, 1))


def _capped(
    tone: Picture, rows: Line, below: Line, faces: Plane, scene: dict[str, Any], depth: int, light: Light, seed: int
) -> Picture:
    """Snow on the heights, longest in the gullies: how far down it comes is a matter of season."""
    reach = {"winter": 0.30, "spring": 0.17, "autumn": 0.10, "summer": 0.05}[scene["season"]] * (1, 0.55, 0.15, 0)[
        depth
    ]
    if depth > 2 or (scene["season"] == "winter" and depth == 2):
        return tone
    ragged = np.float32(reach) * (
        np.float32(0.15) + line(tone.shape[1], seed + 77 + depth, 22, 3)[None, :] + faces * np.float32(0.75)
    )
    height = scene["size"][1]
    high = np.clip((np.float32(0.60) - rows / np.float32(height)) * np.float32(5), 0, 1)
    snow = np.clip((ragged * high - below) * 70, 0, 1)[..., None] * np.float32(0.92)
    white = np.array(times(SNOW, light.shine), np.float32) * (np.float32(0.80) + np.float32(0.24) * faces)[..., None]
    tone += (white - tone) * snow
    return tone


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
    _glitter(water, blueprint, light, ripple)
    picture[top:] = water
    picture[top : top + 1] += np.float32(14) * np.array(light.shine, np.float32)


def _glitter(water: Picture, scene: dict[str, Any], light: Light, ripple: Plane) -> None:
    """The path of sun or moon on the water, broken by ripples; none under a closed sky."""
    shining = sun_of(scene) or moon_of(scene)
    if shining is None or scene["weather"] not in ("clear", "fair"):
        return
    deep, width = water.shape[:2]
    down = np.arange(deep, dtype=np.float32)[:, None] / np.float32(deep)
    half = np.float32(width) * (np.float32(0.02) + down * np.float32(0.10))
    away = np.abs(np.arange(width, dtype=np.float32)[None, :] - np.float32(shining[0] * width)) / half
    path = np.clip(1 - away * away * np.float32(0.25), 0, 1) * np.clip(np.float32(0.5) + ripple * np.float32(5.0), 0, 1)
    tint = {"night": (206, 216, 226), "dusk": (255, 190, 110), "dawn": (255, 226, 190)}.get(
        scene["light"], (246, 248, 240)
    )
    strength = np.float32({"night": 0.38, "day": 0.30}.get(scene["light"], 0.62))
    water += (np.array(tint, np.float32) - water) * (path * strength)[..., None]


def mirror(picture: Picture, x: float, y: float, half: float, tall: float) -> None:
    """What stands in a box on the water, upside down in it and fainter: (x, y) is the middle of its waterline."""
    height, width = picture.shape[:2]
    left, right, line_ = max(0, int(x - half)), min(width, int(x + half)), int(y)
    deep = min(int(tall * 0.75), height - line_, line_)
    if right <= left or deep <= 0:
        return
    k = np.arange(deep)
    sway = ((k * 7 // 3) % 3 - 1) * np.minimum(k // 4, 4)
    columns = np.clip(np.arange(left, right)[None, :] + sway[:, None], left, right - 1)
    image = picture[np.maximum(0, line_ - 1 - (k / 0.75).astype(np.int64))[:, None], columns]
    part = picture[line_ : line_ + deep, left:right]
    inside = np.clip(np.minimum(np.arange(left, right) - left, right - 1 - np.arange(left, right)) / 10, 0, 1)
    strength = (np.float32(0.62) * (1 - k / deep).astype(np.float32))[:, None] * inside[None, :].astype(np.float32)
    part += (image * np.float32(0.82) - part) * strength[..., None]


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
    _path(tone, blueprint, light)
    if blueprint["field"]:
        _field(tone, blueprint, light)
    if season == "winter":
        drifts = plane(height, width, seed + 57, (16, 90), 3)
        tone += ((drifts - np.float32(0.5)) * np.float32(0.34))[..., None] * np.array(
            times((150, 168, 196), light.shine), np.float32
        )
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


def _path(tone: Picture, scene: dict[str, Any], light: Light) -> None:
    """A trodden way from the far ground to the eye, wider as it comes near."""
    if scene["land"] in ("headland", "river") or (scene["land"] == "wood" and not scene["houses"]):
        return
    height, width = tone.shape[:2]
    down = np.clip(
        (np.arange(height, dtype=np.float32) / np.float32(height) - np.float32(0.62)) / np.float32(0.38), 0, 1
    )
    start, bend = {"shore": (0.30, 0.10), "upland": (0.62, -0.16), "wood": (0.46, 0.16)}.get(
        scene["land"], (0.34, 0.12)
    )
    wave = (line(height, scene["seed"] + 93, 46, 2) - np.float32(0.5)) * np.float32(0.05)
    middle = np.float32(width) * (
        np.float32(start) + bend * ease(down) * np.float32(2) - np.float32(bend) * down + wave
    )
    half = np.float32(width) * (np.float32(0.006) + np.float32(0.052) * down * down)
    away = np.abs(np.arange(width, dtype=np.float32)[None, :] - middle[:, None]) / half[:, None]
    edge = plane(height, width, scene["seed"] + 95, (5, 9), 2) * np.float32(0.7)
    cover = np.clip((1 - away + edge - np.float32(0.35)) * 3, 0, 1) * np.clip(down * 12, 0, 1)[:, None]
    bare = mix(GROUND[scene["season"]], (146, 124, 94) if scene["season"] != "winter" else (186, 194, 208), 0.62)
    colour = np.array(times(bare, light.shine), np.float32) * (np.float32(0.84) + edge * np.float32(0.3))[..., None]
    tone += (colour - tone) * (cover * np.float32(0.8))[..., None]


def _patches(tone: Picture, coarse: Line, blueprint: dict[str, Any], light: Light) -> None:
    """Old snow in spring, and new snow where it has fallen."""
    depth = min(1.0, blueprint["snow"] / 9)
    amount = depth * 0.50 + (0.05 if blueprint["season"] == "spring" else 0.0)
    if amount <= 0:
        return
    snow = np.clip((np.float32(amount + 0.16) - coarse) * 12, 0, 1)[..., None] * np.float32(0.8)
    tone += (np.array(times(SNOW, light.shine), np.float32) - tone) * snow


def _field(tone: Picture, blueprint: dict[str, Any], light: Light) -> None:
    height, width = tone.shape[:2]
    top, bottom = int(height * 0.660), int(height * 0.80)
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
    half = height * (0.030 + 0.014 * line(width, blueprint["seed"] + 43, 60, 2))
    rows = np.arange(height, dtype=np.float32)[:, None]
    cover = np.clip(half[None, :] - np.abs(rows - middle[None, :]) + 1, 0, 1)
    ripple = plane(height, width, blueprint["texture"] + 47, (2.5, 26), 2) - np.float32(0.5)
    sky = np.array(mix(times((70, 104, 118), light.shine), light.middle, 0.42), np.float32)
    water = sky + ripple[..., None] * np.float32(46) * np.array(light.shine, np.float32)
    picture += (water - picture) * ease(cover)[..., None]
