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
        top = max(0, int(y) - 96)
        rows = np.arange(top, max(top + 1, int(y)))
        age = (np.float32(y) - rows.astype(np.float32)) / 96
        drift = np.float32(x) + age * age * (6 + 9 * min(9, blueprint["wind"]))
        drift = drift + (line(len(rows), blueprint["texture"] + number * 7, 24, 2) - np.float32(0.5)) * 14 * age
        half = 1.8 + 10 * age
        away = np.abs(np.arange(width, dtype=np.float32)[None, :] - drift[:, None]) / half[:, None]
        cover = np.clip(1 - away * away, 0, 1) * ((1 - age) * np.float32(0.74))[:, None]
        picture[rows] += (tone - picture[rows]) * cover[..., None]


def paint_fires(picture: Picture, blueprint: dict[str, Any]) -> None:
    """Flames on their logs, and their light on whatever is near."""
    height, width = picture.shape[:2]
    dark = {"night": 1.0, "dusk": 0.75, "dawn": 0.5, "day": 0.2}.get(blueprint["light"], 0.5)
    ys, xs = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None, :]
    for number, fire in enumerate(blueprint["fires"]):
        x, y, tall = fire["x"] * width, fire["y"] * height, fire["size"] * height * 1.25
        dx, dy = (xs - np.float32(x)) / np.float32(tall), (ys - np.float32(y - tall * 0.25)) / np.float32(tall)
        glow = np.float32(dark) / (1 + (dx * dx + dy * dy * 2.2) * np.float32(0.55))
        glow = glow * glow
        picture += glow[..., None] * (
            np.array((66, 30, 6), np.float32) + picture * np.array((1.5, 0.90, 0.36), np.float32)
        )
        _logs(picture, x, y, tall)
        _flames(picture, blueprint["texture"] + number * 19, x, y, tall)


def _logs(picture: Picture, x: float, y: float, tall: float) -> None:
    """A ring of stones and two charred logs."""
    height, width = picture.shape[:2]
    top, left = max(0, int(y - tall * 0.2)), max(0, int(x - tall * 0.7))
    part = picture[top : min(height, int(y + tall * 0.18)), left : min(width, int(x + tall * 0.7))]
    ys = (np.arange(part.shape[0], dtype=np.float32)[:, None] + np.float32(top - y)) / np.float32(tall)
    xs = (np.arange(part.shape[1], dtype=np.float32)[None, :] + np.float32(left - x)) / np.float32(tall)
    for k in range(-3, 4):
        away = (xs - np.float32(0.14 * k)) ** 2 / np.float32(0.0052) + (
            ys - np.float32(0.055 - 0.006 * k * k)
        ) ** 2 / np.float32(0.0030)
        stone = np.array((112, 86, 70), np.float32) * (np.float32(0.85) - ys * 4)[..., None]
        part += (stone - part) * np.clip((1 - away) * 3, 0, 1)[..., None]
    for lean in (-1, 1):
        away = np.abs(ys + np.float32(0.02) + xs * np.float32(0.30 * lean)) / np.float32(0.045)
        part += (np.array((58, 32, 20), np.float32) - part) * (np.clip((1 - away) * 3, 0, 1) * (np.abs(xs) < 0.36))[
            ..., None
        ]


def _flames(picture: Picture, seed: int, x: float, y: float, tall: float) -> None:
    """Five tongues about a tall one, each orange without and yellow within; sparks above."""
    height, width = picture.shape[:2]
    top, left = max(0, int(y - tall * 1.05)), max(0, int(x - tall * 0.6))
    part = picture[top : min(height, int(y) + 1), left : min(width, int(x + tall * 0.6))]
    ys = np.arange(part.shape[0], dtype=np.float32)[:, None] + np.float32(top)
    xs = (np.arange(part.shape[1], dtype=np.float32)[None, :] + np.float32(left - x)) / np.float32(tall)
    lift = (np.float32(y) - ys) / np.float32(tall)
    sizes = scatter(5, seed + 3, 2).tolist()
    outer, core = np.zeros(part.shape[:2], np.float32), np.zeros(part.shape[:2], np.float32)
    for k, (a, b) in enumerate(sizes):
        high = (1.0, 0.70, 0.72, 0.48, 0.46)[k] * (0.86 + 0.14 * a)
        foot = (0.0, -0.10, 0.11, -0.20, 0.20)[k]
        up = np.clip(lift / np.float32(high), 0, 1)
        sway = (line(part.shape[0], seed + k * 7, tall / 2.6, 2)[:, None] - np.float32(0.5)) * np.float32(
            0.36
        ) * up + np.float32((b - 0.5) * 0.10) * up
        half = np.float32(0.165) * (1 - up) * (np.float32(0.62) + up * np.float32(1.2))
        away = np.abs(xs - np.float32(foot) * (1 - up * np.float32(0.45)) - sway)
        inside = (lift >= 0) & (up < 1)
        outer = np.maximum(outer, np.clip((half - away) * 14, 0, 1) * inside)
        core = np.maximum(core, np.clip((half * np.float32(0.55) - away) * 14, 0, 1) * (inside & (up < 0.72)))
    part += (np.array((255, 128, 24), np.float32) - part) * outer[..., None]
    part += (np.array((255, 222, 116), np.float32) - part) * core[..., None]
    for a, b, c in scatter(9, seed + 91, 3).tolist():
        row, column = int(y - tall * (0.8 + 0.9 * a)), int(x + tall * (b - 0.5) * (0.4 + 0.5 * a))
        if 0 <= row < height and 0 <= column < width and c > 0.3:
            picture[row, column] = (255, 190, 90)


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
