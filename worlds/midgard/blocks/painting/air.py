"""Fire, smoke, fog, rain and snow: what is between the eye and the land."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .noise import line, plane, scatter
from .palette import Light

Picture = NDArray[np.float32]


def paint_smoke(picture: Picture, vents: list[tuple[float, float]], blueprint: dict[str, Any], light: Light) -> None:
    """A thread of smoke from each roof, carried off by the wind."""
    width = picture.shape[1]
    tone = np.array(light.haze, np.float32) * np.float32(0.7) + np.float32(52) * np.array(light.shine, np.float32)
    for number, (x, y) in enumerate(vents):
        top = max(0, int(y) - 78)
        rows = np.arange(top, max(top + 1, int(y)))
        age = (np.float32(y) - rows.astype(np.float32)) / 78
        drift = np.float32(x) + age * age * (6 + 9 * min(9, blueprint["wind"]))
        drift = drift + (line(len(rows), blueprint["texture"] + number * 7, 24, 2) - np.float32(0.5)) * 14 * age
        half = 1.6 + 8 * age
        away = np.abs(np.arange(width, dtype=np.float32)[None, :] - drift[:, None]) / half[:, None]
        cover = np.clip(1 - away * away, 0, 1) * ((1 - age) * np.float32(0.62))[:, None]
        picture[rows] += (tone - picture[rows]) * cover[..., None]


def paint_fires(picture: Picture, blueprint: dict[str, Any]) -> None:
    """Flames, and their glow on whatever is near."""
    height, width = picture.shape[:2]
    dark = {"night": 1.0, "dusk": 0.7, "dawn": 0.5, "day": 0.25}.get(blueprint["light"], 0.5)
    ys, xs = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None, :]
    for number, fire in enumerate(blueprint["fires"]):
        x, y, tall = fire["x"] * width, fire["y"] * height, fire["size"] * height * 1.25
        dx, dy = (xs - np.float32(x)) / np.float32(tall), (ys - np.float32(y - tall * 0.3)) / np.float32(tall)
        glow = np.float32(dark) / (1 + (dx * dx + dy * dy * 1.6) * np.float32(0.9))
        glow = glow * glow * np.float32(0.9)
        picture += glow[..., None] * (np.array((118, 62, 18), np.float32) + picture * np.float32(0.35))
        up = np.clip((np.float32(y) - ys) / np.float32(tall), 0, 1)
        waver = (
            (line(height, blueprint["texture"] + number * 19, tall / 3, 2)[:, None] - np.float32(0.5))
            * np.float32(0.5)
            * up
        )
        half = np.float32(0.30) * (1 - up) * (np.float32(0.55) + up * np.float32(1.25))
        inside = np.clip((half - np.abs(dx - waver)) * 9, 0, 1) * (ys <= y) * (up < 1)
        core = np.clip((half * np.float32(0.52) - np.abs(dx - waver)) * 9, 0, 1) * (ys <= y) * (up < 0.7)
        picture += (np.array((255, 132, 22), np.float32) - picture) * inside[..., None]
        picture += (np.array((255, 226, 120), np.float32) - picture) * core[..., None]


def paint_weather(picture: Picture, blueprint: dict[str, Any], light: Light) -> None:
    """Fog in banks, rain in streaks, snow in flakes."""
    weather = blueprint["weather"]
    if weather == "fog":
        _fog(picture, blueprint, light)
    elif weather in ("rain", "storm"):
        _streaks(picture, blueprint, light, 520 if weather == "rain" else 900, 0.18 if weather == "rain" else 0.75)
    elif weather == "snow":
        _flakes(picture, blueprint, light, 620)
    if weather == "storm" and blueprint["season"] == "winter":
        _flakes(picture, blueprint, light, 420)


def _fog(picture: Picture, blueprint: dict[str, Any], light: Light) -> None:
    height, width = picture.shape[:2]
    banks = plane(height, width, blueprint["texture"] + 71, (height / 7, width / 1.8), 3)
    rows = np.arange(height, dtype=np.float32)[:, None] / np.float32(height)
    thick = np.clip(np.float32(1.05) - np.abs(rows - np.float32(0.52)) * np.float32(2.1), 0, 1) * (
        np.float32(0.42) + banks * np.float32(0.75)
    )
    picture += (np.array(light.haze, np.float32) - picture) * np.clip(thick, 0, 0.86)[..., None]


def _streaks(picture: Picture, blueprint: dict[str, Any], light: Light, count: int, slant: float) -> None:
    height, width = picture.shape[:2]
    tone = np.array(light.haze, np.float32) * np.float32(1.12) + np.float32(16)
    drops = scatter(count, blueprint["texture"] + 83, 3)
    length = 15
    steps = np.arange(length)
    y = (drops[:, 1] * height).astype(np.int64)[:, None] + steps[None, :]
    x = (drops[:, 0] * width).astype(np.int64)[:, None] - (steps[None, :] * np.float32(slant)).astype(np.int64)
    inside = (y < height) & (x >= 0)
    y, x = y[inside], x[inside]
    strength = np.broadcast_to(np.float32(0.20) + drops[:, 2:3] * np.float32(0.28), inside.shape)[inside][:, None]
    picture[y, x] += (tone - picture[y, x]) * strength


def _flakes(picture: Picture, blueprint: dict[str, Any], light: Light, count: int) -> None:
    height, width = picture.shape[:2]
    tone = np.array((250, 251, 255), np.float32) * np.float32(0.35 + 0.65 * max(light.shine))
    for x, y, size in scatter(count, blueprint["texture"] + 91, 3).tolist():
        row, column, reach = int(y * height), int(x * width), 1 if size < 0.72 else 2
        patch = picture[row : row + reach, column : column + reach]
        patch += (tone - patch) * np.float32(0.85)
