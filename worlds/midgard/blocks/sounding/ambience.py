"""The sound of a scene, four seconds: wind, water, rain, fire, birds, and what people do, from + - * / alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..painting.noise import ease, line, scatter
from .wave import RATE

Sound = NDArray[np.float32]
SECONDS = 4
LENGTH = RATE * SECONDS


def sound_of(scene: dict[str, Any]) -> Sound:
    """Samples of -1 to 1; a blueprint always sounds the same."""
    seed = int(scene.get("texture") or 0) * 3 + int(scene.get("seed") or 0)
    weather, wind, land = str(scene.get("weather")), float(scene.get("wind") or 0), str(scene.get("land"))
    total = _wind(seed, 0.02 + 0.030 * wind, 70 - 5 * min(9.0, wind))
    if land in ("sea", "shore", "headland"):
        total += _surf(seed + 11, 0.10 + 0.035 * wind)
    elif land == "river":
        total += _stream(seed + 13, 0.16)
    if weather in ("rain", "storm"):
        total += _rain(seed + 17, 0.16 if weather == "rain" else 0.26)
    for number, fire in enumerate(scene.get("fires") or ()):
        total += _fire(seed + 23 + number, 2.2 * float(fire["size"]))
    total += _creatures(scene, seed + 31)
    total += _deeds(scene, seed + 37)
    edge = np.clip(np.minimum(np.arange(LENGTH), np.arange(LENGTH)[::-1]) / np.float32(RATE * 0.08), 0, 1)
    total = total * edge.astype(np.float32) * np.float32(2)
    return total / (1 + np.abs(total) * np.float32(0.55))


def _noise(seed: int, period: float, octaves: int = 2) -> Sound:
    """Noise about zero whose waves are about `period` samples long; 1 is hiss."""
    if period <= 1:
        return scatter(LENGTH, seed, 1)[:, 0] * np.float32(2) - np.float32(1)
    return line(LENGTH, seed, period, octaves) * np.float32(2) - np.float32(1)


def _swell(seed: int, seconds: float, least: float) -> Sound:
    """A slow rise and fall between `least` and 1."""
    return np.float32(least) + np.float32(1 - least) * line(LENGTH, seed, RATE * seconds, 2)


def _wind(seed: int, loud: float, period: float) -> Sound:
    return _noise(seed, max(14.0, period), 3) * _swell(seed + 1, 1.3, 0.25) * np.float32(loud * 2.2)


def _surf(seed: int, loud: float) -> Sound:
    """Waves that rise, break and run back."""
    t = (np.arange(LENGTH, dtype=np.float32) / np.float32(RATE * 1.9) + np.float32(seed % 97 / 97)) % 1
    rise, fall = ease(np.clip(t * np.float32(2.6), 0, 1)), ease(np.clip((1 - t) * np.float32(1.6), 0, 1))
    body = _noise(seed, 9, 3) * np.float32(0.9) + _noise(seed + 2, 2.4, 1) * np.float32(0.45) * rise
    surf: Sound = body * (np.float32(0.18) + rise * fall) * np.float32(loud)
    return surf


def _stream(seed: int, loud: float) -> Sound:
    return (
        _noise(seed, 4.5, 2) * _swell(seed + 1, 0.11, 0.3) + _noise(seed + 2, 11, 1) * _swell(seed + 3, 0.06, 0.0)
    ) * np.float32(loud)


def _rain(seed: int, loud: float) -> Sound:
    drops = scatter(LENGTH, seed + 3, 1)[:, 0]
    rush = _noise(seed, 1) * np.float32(0.55) * _swell(seed + 1, 0.7, 0.6)
    return (rush + (drops > 0.9985).astype(np.float32) * np.float32(2.4)) * np.float32(loud)


def _burst(total: Sound, start: int, sound: Sound) -> None:
    end = min(LENGTH, start + len(sound))
    if 0 <= start < end:
        total[start:end] += sound[: end - start]


def _fade(length: int, quick: float) -> Sound:
    """From 1 to nearly nothing, the quicker the larger `quick`."""
    t = np.arange(length, dtype=np.float32) / np.float32(length)
    return (1 - t) / (1 + t * np.float32(quick))


def _fire(seed: int, loud: float) -> Sound:
    """A low roar and crackles."""
    total = _noise(seed, 26, 2) * _swell(seed + 1, 0.25, 0.4) * np.float32(loud * 0.6)
    hiss = scatter(400, seed + 5, 1)[:, 0] * np.float32(2) - np.float32(1)
    for a, b, c in scatter(46, seed + 7, 3).tolist():
        length = int(40 + 220 * b * b)
        _burst(total, int(a * LENGTH), hiss[:length] * _fade(length, 14.0) * np.float32(loud * (0.7 + 3.2 * c * c)))
    return total


def _tone(length: int, start: float, end: float) -> Sound:
    """A soft whistle that glides from `start` to `end` hertz: arches of a parabola, close to a sine."""
    t = np.arange(length, dtype=np.float64) / RATE
    phase = (start * t + (end - start) * t * t * RATE / (2 * length)) % 1
    half = (phase * 2) % 1
    return (4 * half * (1 - half) * np.where(phase < 0.5, 1.0, -1.0)).astype(np.float32)


def _creatures(scene: dict[str, Any], seed: int) -> Sound:
    """Birds of a fair day, an owl at night, gulls over water; bleating sheep."""
    total = np.zeros(LENGTH, np.float32)
    calm = scene.get("weather") in ("clear", "fair", "overcast")
    light, season = scene.get("light"), scene.get("season")
    if calm and light in ("day", "dawn") and season in ("spring", "summer"):
        for a, b, c in scatter(9, seed, 3).tolist():
            for k in range(2 + int(3 * c)):
                length = int(RATE * (0.05 + 0.04 * b))
                chirp = (
                    _tone(length, 2300 + 1100 * b, 2900 + 900 * c) * _fade(length, 1.0) * np.float32(0.09 + 0.06 * c)
                )
                _burst(total, int(a * LENGTH) + int(k * RATE * 0.11), chirp)
    if calm and light == "night" and scene.get("land") in ("wood", "meadow", "farm"):
        for start, seconds in ((0.9, 0.30), (1.5, 0.14), (1.75, 0.55)):
            size = int(RATE * seconds)
            _burst(total, int(RATE * start), _tone(size, 370, 345) * ease(_fade(size, 0.2)) * np.float32(0.15))
    kinds = {str(beast.get("kind")) for beast in scene.get("animals") or ()}
    if "gull" in kinds and light != "night" and scene.get("weather") != "storm":
        for a, b in scatter(3, seed + 3, 2).tolist():
            size = int(RATE * 0.32)
            _burst(total, int(a * LENGTH), _tone(size, 1500 + 300 * b, 900) * _fade(size, 1.5) * np.float32(0.10))
    if "sheep" in kinds:
        size = int(RATE * 0.5)
        shake = np.float32(0.5) + np.float32(0.5) * _tone(size, 11, 9)
        _burst(total, int(RATE * 2.2), _tone(size, 430, 380) * shake * _fade(size, 0.6) * np.float32(0.16))
    return total


def _deeds(scene: dict[str, Any], seed: int) -> Sound:
    """The hammer rings, the axe knocks, oars splash, a drum goes where people dance."""
    total = np.zeros(LENGTH, np.float32)
    gestures = {str(figure.get("gesture")) for figure in scene.get("figures") or ()}
    hiss = scatter(RATE, seed, 1)[:, 0] * np.float32(2) - np.float32(1)
    for beat in range(8):
        at = int(RATE * (0.12 + 0.5 * beat))
        if "hammer" in gestures and beat % 2 == 0:
            ring = _tone(3000, 1900, 1890) * _fade(3000, 9) + _tone(3000, 2730, 2720) * _fade(3000, 12) * np.float32(
                0.6
            )
            _burst(total, at, ring * np.float32(0.26))
        if "chop" in gestures and beat in (1, 4, 7):
            _burst(total, at, (hiss[:500] * np.float32(0.6) + _tone(500, 240, 130)) * _fade(500, 8) * np.float32(0.45))
        if gestures & {"dance", "leap"}:
            _burst(
                total,
                at,
                _tone(1400, 120 if beat % 2 else 90, 60) * _fade(1400, 5) * np.float32(0.50 if beat % 2 == 0 else 0.30),
            )
        if "row" in gestures and beat in (1, 4):
            t = ease(np.clip(np.arange(5000, dtype=np.float32) / np.float32(1800), 0, 1))
            _burst(total, at, hiss[:5000] * t * _fade(5000, 4) * np.float32(0.20))
        if gestures & {"fight", "parry"} and beat in (0, 3, 4, 6):
            _burst(
                total,
                at + 700,
                (_tone(1800, 2310, 2200) + hiss[:1800] * np.float32(0.5)) * _fade(1800, 11) * np.float32(0.34),
            )
    return total
