"""Noise from whole-number hashing, and smooth curves from + - * / alone: the same pixels on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


def _hash(values: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Whole numbers to [0, 1) (a finaliser after Murmur3)."""
    h = values.astype(np.uint32)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return (h >> np.uint32(8)).astype(np.float32) * np.float32(1.0 / 16777216.0)


def scatter(count: int, seed: int, lanes: int) -> NDArray[np.float32]:
    """`count` x `lanes` numbers in [0, 1)."""
    grid = np.arange(count * lanes, dtype=np.uint32) + np.uint32((seed * 0x9E3779B1 + 0x7F4A7C15) & 0xFFFFFFFF)
    return _hash(grid).reshape(count, lanes)


def ease(t: Plane) -> Plane:
    """Smoothstep on [0, 1]."""
    return t * t * (np.float32(3) - np.float32(2) * t)


def line(width: int, seed: int, period: float, octaves: int = 4, rough: float = 0.5) -> Plane:
    """One row of fractal value noise, 0 to about 1; `period` in pixels."""
    total, weight, sum_ = np.zeros(width, np.float32), 1.0, 0.0
    for octave in range(octaves):
        x = np.arange(width, dtype=np.float32) / np.float32(max(period, 1.0))
        cell = x.astype(np.int64)
        knots = scatter(int(cell[-1]) + 2, seed * 131 + octave * 17, 1)[:, 0]
        t = ease(x - cell.astype(np.float32))
        total += np.float32(weight) * (knots[cell] * (1 - t) + knots[cell + 1] * t)
        sum_, weight, period = sum_ + weight, weight * rough, period / 2
    return total / np.float32(sum_)


def plane(height: int, width: int, seed: int, period: tuple[float, float], octaves: int = 3) -> Plane:
    """Fractal value noise, 0 to 1; `period` is (down, across) in pixels."""
    total, weight, sum_ = np.zeros((height, width), np.float32), 1.0, 0.0
    down, across = period
    for octave in range(octaves):
        y = np.arange(height, dtype=np.float32) / np.float32(max(down, 1.0))
        x = np.arange(width, dtype=np.float32) / np.float32(max(across, 1.0))
        cy, cx = y.astype(np.int64), x.astype(np.int64)
        ty, tx = ease(y - cy.astype(np.float32))[:, None], ease(x - cx.astype(np.float32))
        knots = scatter(int(cy[-1]) + 2, seed * 197 + octave * 29, int(cx[-1]) + 2)
        rows = knots[:, cx] * (1 - tx) + knots[:, cx + 1] * tx
        total += np.float32(weight) * (rows[cy] * (1 - ty) + rows[cy + 1] * ty)
        sum_, weight, down, across = sum_ + weight, weight * 0.5, down / 2, across / 2
    return total / np.float32(sum_)
