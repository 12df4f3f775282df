"""Patches of one telling colour, counted: fires, people's cloaks and faces, roofs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from ..painting.palette import DYES, SNOW, WOOD, Colour, times

Mask = NDArray[np.bool_]
REACH = {"madder": 0.13, "woad": 0.13, "weld": 0.09, "plum": 0.13, "white": 0.03}
"""How far from its hue a dye is still taken for itself."""
LIT = {"madder": 1.7, "woad": 1.6, "weld": 1.4, "plum": 1.7, "white": 1.4}
"""How much brighter than by day a fire or a haze may make it."""


def patches(mask: Mask) -> list[tuple[int, int, int, int, int]]:
    """Connected patches of a mask: (pixels, top, bottom, left, right), by runs of rows joined where they touch."""
    parent: list[int] = []
    boxes: list[list[int]] = []

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    above: list[tuple[int, int, int]] = []
    for y in np.flatnonzero(mask.any(axis=1)).tolist():
        edges = np.flatnonzero(np.diff(np.concatenate(([False], mask[y], [False])).astype(np.int8))).tolist()
        row = []
        for left, right in zip(edges[::2], edges[1::2], strict=True):
            touching = sorted({root(i) for a, b, i in above if a <= right and b >= left and boxes[i][5] >= y - 1})
            if touching:
                label = touching[0]
                for other in touching[1:]:
                    parent[other] = label
                    _merge(boxes[label], boxes[other])
            else:
                label = len(parent)
                parent.append(label)
                boxes.append([0, y, y, left, right, y])
            _merge(boxes[label], [right - left, y, y, left, right, y])
            row.append((left, right, label))
        for i in {root(label) for _, _, label in row}:
            boxes[i][5] = y
        above = [(a, b, root(i)) for a, b, i in row]
    return [(b[0], b[1], b[2], b[3], b[4]) for i, b in enumerate(boxes) if parent[i] == i]


def _merge(into: list[int], other: list[int]) -> None:
    into[0] += other[0]
    into[1], into[2] = min(into[1], other[1]), max(into[2], other[2])
    into[3], into[4] = min(into[3], other[3]), max(into[4], other[4])
    into[5] = max(into[5], other[5])


def _grown(mask: Mask, rows: int, columns: int) -> Mask:
    """The mask with every spot widened, so that a belt, a door or a streak of rain cuts nothing in two."""
    grown = mask.copy()
    for _ in range(rows):
        grown[1:] |= grown[:-1].copy()
        grown[:-1] |= grown[1:].copy()
    for _ in range(columns):
        grown[:, 1:] |= grown[:, :-1].copy()
        grown[:, :-1] |= grown[:, 1:].copy()
    return grown


def calm(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture without rain, flakes, stars and stalks: each spot is the middle one of the nine around it."""
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.MedianFilter(3)))


def find_fires(pixels: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Where flames burn, (down, across): orange without and yellow within; a window has no rim and a leaf no heart."""
    r, g, b = (pixels[..., i].astype(np.int32) for i in range(3))
    rim = (r > 215) & (g > 84) & (g < 180) & (b < 84) & (r - g > 56)
    heart = (r > 236) & (g > 176) & (g < 246) & (b > 70) & (b < 200) & (r - b > 60)
    height, width = pixels.shape[:2]
    flame = rim | heart
    flame[: int(height * 0.36)] = False
    found = []
    for size, top, bottom, left, right in patches(_grown(flame, 1, 1)):
        box = (slice(top, bottom + 1), slice(left, right))
        hot, bright = int((rim & flame)[box].sum()), int((heart & flame)[box].sum())
        fits = bottom - top >= 10 and width * 0.012 < right - left < width / 7 and bottom - top > (right - left) * 0.6
        if fits and size > 60 and hot > 20 and bright > 0.16 * hot:
            found.append(((top + bottom) // 2, (left + right) // 2))
    return found


def count_figures(pixels: NDArray[np.uint8], shine: Colour, fires: list[tuple[int, int]], *, wintry: bool) -> int:
    """People: cloaks of dyed or white wool, as tall as a person's, in front of the hills.

    `shine` is the light that the eye has recognised: divided by it, a dye has the hue it has by day.
    """
    height = pixels.shape[0]
    top, bottom = int(height * 0.60), int(height * 0.95)
    zone = pixels[top:bottom].astype(np.float32) / np.array(shine, np.float32)
    total = zone.sum(axis=2) + np.float32(6)
    hue = zone / total[..., None]
    ground = np.median(hue[bottom - top - 60 :: 2, ::2].reshape(-1, 3), axis=0)
    apart = np.abs(hue - ground).sum(axis=2) > np.float32(0.055)
    dyed = np.zeros(total.shape, bool)
    for name, dye in DYES.items():
        near = _from(hue, dye) < REACH[name]
        near &= (total > np.float32(0.36 * sum(dye))) & (total < np.float32(LIT[name] * sum(dye)))
        if name == "white":
            undyed = near & (total > np.float32(430)) & (_from(hue, dye) < _from(hue, SNOW) * np.float32(0.7))
        else:
            dyed |= near & apart
    found = _people(dyed, pixels.shape, fires, top, 1.9)
    return found if wintry else found + _people(undyed & ~dyed, pixels.shape, fires, top, 0.85)


def _from(hue: NDArray[np.float32], colour: Colour) -> NDArray[np.float32]:
    """How far hues are from a colour's."""
    away: NDArray[np.float32] = np.abs(hue - np.array(colour, np.float32) / np.float32(sum(colour) + 6)).sum(axis=2)
    return away


def _people(worn: Mask, shape: tuple[int, ...], fires: list[tuple[int, int]], top: int, broad: float) -> int:
    """Patches as tall as people and not broader than `broad` of that: old snow and moonlit water lie flat."""
    height, width = shape[:2]
    found = 0
    for size, y0, y1, x0, x1 in patches(_grown(worn, 2, 1)):
        tall, wide = y1 - y0 + 1, x1 - x0
        if any(y0 <= y - top <= y1 and x0 <= x <= x1 for y, x in fires):
            continue  # the glow around a fire
        upright = 0.057 * height <= tall <= 0.24 * height and 0.2 * tall <= wide <= 0.29 * width
        if upright and wide <= broad * tall and size >= 0.42 * tall * wide and size >= 0.0009 * height * width:
            found += max(1, round(wide / (0.14 * height)))
    return found


def count_roofs(pixels: NDArray[np.uint8], shine: Colour) -> int:
    """Houses: dark plank walls under a long roof, wider than tall, at the foot of the hills."""
    height, width = pixels.shape[:2]
    top, bottom = int(height * 0.57), int(height * 0.70)
    zone = pixels[top:bottom].astype(np.float32)
    total = zone.sum(axis=2) + np.float32(6)
    wood = np.array(times(WOOD, shine), np.float32)
    hue = np.abs(zone / total[..., None] - wood / (wood.sum() + np.float32(6))).sum(axis=2)
    wall = (hue < 0.10) & (total < wood.sum() * np.float32(1.25) + 30)
    return sum(
        1
        for _, y0, y1, x0, x1 in patches(_grown(wall, 1, 3))
        if width * 0.05 < x1 - x0 < width * 0.34 and (x1 - x0) > 2 * (y1 - y0) and y1 - y0 >= 7
    )
