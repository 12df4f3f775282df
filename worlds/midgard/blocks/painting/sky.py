"""The sky: gradient, sun or moon, stars, northern lights, clouds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .noise import ease, line, plane, scatter
from .palette import Light

Picture = NDArray[np.float32]
CLOUDS = {"clear": 0.0, "fair": 0.45, "overcast": 0.8, "rain": 0.85, "fog": 0.12, "snow": 0.7, "storm": 1.0}


def sun_of(blueprint: dict[str, Any]) -> tuple[float, float] | None:
    """Where the sun stands, as fractions: left in the morning, right in the evening; None at night."""
    return {"day": (0.30, 0.16), "dawn": (0.17, 0.44), "dusk": (0.83, 0.45)}.get(blueprint["light"])


def moon_of(blueprint: dict[str, Any]) -> tuple[float, float] | None:
    """Where the moon stands; None but at night."""
    if blueprint["light"] != "night":
        return None
    return 0.2 + 0.6 * (blueprint["texture"] % 97) / 97, 0.13 + 0.08 * (blueprint["texture"] % 31) / 31


def paint_sky(blueprint: dict[str, Any], light: Light, height: int, width: int) -> Picture:
    """The sky as height x width x 3, 0 to 255."""
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] / np.float32(0.62)
    upper, lower = np.clip(rows * 2, 0, 1), np.clip(rows * 2 - 1, 0, 1)
    top, middle, low = (np.array(c, np.float32) for c in (light.top, light.middle, light.low))
    sky = np.repeat((top + (middle - top) * upper) + (low - middle) * ease(lower), width, axis=1)
    weather = blueprint["weather"]
    thick = CLOUDS.get(weather, 0.0)
    sun = sun_of(blueprint)
    if sun and thick < 0.6:
        _shine(sky, sun, blueprint["light"], 1.0 - 0.6 * thick)
    if blueprint["light"] == "night" and thick < 0.6:
        _stars(sky, blueprint)
        if blueprint["season"] in ("winter", "autumn") and weather in ("clear", "fair"):
            _northern_lights(sky, blueprint["texture"])
        _moon(sky, *(moon_of(blueprint) or (0.5, 0.15)))
    if thick:
        _clouds(sky, blueprint, light, thick)
    return sky


def _distance(sky: Picture, x: float, y: float) -> Picture:
    height, width = sky.shape[:2]
    dy = (np.arange(height, dtype=np.float32)[:, None] - np.float32(y * height)) / np.float32(width)
    dx = (np.arange(width, dtype=np.float32)[None, :] - np.float32(x * width)) / np.float32(width)
    return dx * dx + dy * dy


def _shine(sky: Picture, sun: tuple[float, float], hour: str, strength: float) -> None:
    away = _distance(sky, *sun)
    tint = np.array({"day": (255, 250, 226), "dawn": (255, 226, 190), "dusk": (255, 186, 96)}[hour], np.float32)
    wide = np.float32(0.55 * strength) / (1 + away * np.float32(60 if hour == "day" else 26))
    sky += (tint - sky) * wide[..., None]
    disc = np.clip((np.float32(0.00052) - away) * np.float32(5200), 0, 1)[..., None] * np.float32(strength * strength)
    sky += (np.array((255, 252, 236) if hour == "day" else (255, 232, 190), np.float32) - sky) * disc


def _moon(sky: Picture, x: float, y: float) -> None:
    away = _distance(sky, x, y)
    sky += (np.array((150, 166, 200), np.float32) - sky) * (np.float32(0.35) / (1 + away * 300))[..., None]
    disc = np.clip((np.float32(0.0008) - away) * 8000, 0, 1)
    bite = np.clip((np.float32(0.0007) - _distance(sky, x + 0.014, y - 0.006)) * 8000, 0, 1)
    sky += (np.array((236, 236, 220), np.float32) - sky) * (disc * (1 - bite))[..., None]


def _stars(sky: Picture, blueprint: dict[str, Any]) -> None:
    height, width = sky.shape[:2]
    for x, y, bright in scatter(170, blueprint["texture"] + 5, 3).tolist():
        sky[int(y * y * height * 0.55), int(x * width)] += np.float32(70 + 150 * bright)


def _northern_lights(sky: Picture, texture: int) -> None:
    """Green curtains whose lower edge wanders; each ray fades upwards."""
    height, width = sky.shape[:2]
    rows = np.arange(height, dtype=np.float32)[:, None] / np.float32(height)
    for band in range(2):
        edge = 0.20 + 0.12 * band + 0.16 * line(width, texture + band * 7, width / 2.5, 3)
        rays = 0.35 + 0.65 * line(width, texture + 50 + band, 26, 3)
        up = np.clip((edge[None, :] - rows) / np.float32(0.26), 0, 1)
        glow = (
            np.where(rows <= edge[None, :], (1 - up) * (1 - up), np.clip(1 - (rows - edge[None, :]) * 26, 0, 1))
            * rays[None, :]
        )
        sky += glow[..., None] * np.array((26, 120, 84) if band == 0 else (58, 86, 104), np.float32)


def _clouds(sky: Picture, blueprint: dict[str, Any], light: Light, thick: float) -> None:
    height, width = sky.shape[:2]
    shape = plane(height, width, blueprint["texture"] + 11, (height / 9, width / 3.2), 4)
    cover = np.clip((shape - np.float32(0.62 - 0.34 * thick)) * np.float32(4.5), 0, 1)
    fade = np.clip(1.25 - np.arange(height, dtype=np.float32)[:, None] / np.float32(height * 0.62), 0, 1)
    tone = np.array(light.low, np.float32) * np.float32(0.55 + 0.5 * (1 - thick)) + np.array(
        light.top, np.float32
    ) * np.float32(0.4)
    if thick > 0.6:
        tone = tone * np.float32(0.35) + np.float32(tone.mean()) * np.array((0.63, 0.65, 0.68), np.float32)
    if blueprint["light"] == "day" and thick < 0.6:
        tone = np.array((246, 246, 244), np.float32)
    lit = tone + (shape[..., None] - np.float32(0.5)) * np.float32(60 if blueprint["light"] != "night" else 24)
    sky += (np.clip(lit, 0, 255) - sky) * (cover * fade * np.float32(0.85))[..., None]
