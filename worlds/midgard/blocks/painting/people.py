"""People: bones placed by a pose, clothed in the light of the scene. Lengths are parts of a person's height."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

from .brush import Brush
from .palette import DYES, HAIR, SKIN, WOOD, Colour, dim, mix
from .poses import POSES, Point, Pose
from .tools import draw_tool

At = Callable[[float, float], Point]
HOSE: Colour = (70, 60, 54)
BOOT: Colour = (52, 40, 34)


def draw_person(brush: Brush, figure: dict[str, Any]) -> None:
    """One figure, feet at (x, y), facing right or (facing -1) left."""
    x, y, tall = figure["x"] * brush.width, figure["y"] * brush.height, figure["height"] * brush.height
    pose = POSES.get(str(figure.get("gesture")), POSES["stand"])
    side = -1 if int(figure.get("facing", 1)) < 0 else 1

    def at(forwards: float, up: float) -> Point:
        return (x + side * forwards * tall, y - up * tall)

    shade = (0.74, 1.0) if brush.lit_from * side > 0 else (1.0, 0.74)
    cloth = DYES.get(str(figure.get("cloak")), DYES["white"])
    if pose is POSES["lie"]:
        _lying(brush, at, tall, cloth, figure)
        return
    if pose.tool == "seat":
        brush.stroke([at(-0.14, 0.06), at(0.14, 0.06)], WOOD, tall * 0.13, by=0.7)
    _limb(brush, at, _shoulder(pose, -0.02), pose.hands[0], 0.20, -1, dim(cloth, 0.68), tall)
    draw_tool(brush, pose.tool, at, tall, side, behind=True)
    _legs(brush, at, pose, tall, dress=bool(figure.get("dress")), cloth=cloth)
    _body(brush, at, pose, cloth, shade, dress=bool(figure.get("dress")))
    _head(brush, at, pose, figure, tall, side)
    draw_tool(brush, pose.tool, at, tall, side, behind=False)
    _limb(brush, at, _shoulder(pose, 0.02), pose.hands[1], 0.20, -1, dim(cloth, 0.86), tall)


def _shoulder(pose: Pose, shift: float) -> Point:
    return (pose.neck[0] + shift, pose.neck[1] - 0.055)


def _joint(a: Point, b: Point, length: float, bend: float) -> tuple[Point, Point]:
    """Where knee or elbow is between `a` and `b`, and where the far end can reach."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    away = max(1e-6, sqrt(dx * dx + dy * dy))
    if away > 2 * length:
        dx, dy, away = dx * 2 * length / away, dy * 2 * length / away, 2 * length
    out = sqrt(max(0.0, length * length - away * away / 4)) * bend
    end = (a[0] + dx, a[1] + dy)
    return (a[0] + dx / 2 - dy / away * out, a[1] + dy / 2 + dx / away * out), end


def _limb(
    brush: Brush, at: At, start: Point, end: Point, length: float, bend: float, cloth: Colour, tall: float
) -> None:
    """A sleeve and a hand."""
    joint, reached = _joint(start, end, length, bend)
    brush.stroke([at(*start), at(*joint), at(*reached)], cloth, tall * 0.066)
    hand = at(*reached)
    brush.disc(hand[0], hand[1], tall * 0.030, tall * 0.030, SKIN)


def _legs(brush: Brush, at: At, pose: Pose, tall: float, *, dress: bool, cloth: Colour) -> None:
    for foot, by in zip(pose.feet, (0.74, 1.0), strict=True):
        knee, reached = _joint(pose.hip, (foot[0], foot[1] + 0.03), 0.235, 1)
        if not dress or pose.hip[1] < 0.30:
            brush.stroke(
                [at(*pose.hip), at(*knee), at(*reached)], dim(cloth, 0.6) if dress else HOSE, tall * 0.08, by=by
            )
        toe = at(reached[0] + 0.05, foot[1] + 0.008)
        brush.stroke([at(*reached), toe], BOOT, tall * 0.055, by=by)


def _body(brush: Brush, at: At, pose: Pose, cloth: Colour, shade: tuple[float, float], *, dress: bool) -> None:
    """A tunic to above the knee, or a gown to the ankles; one side in the light."""
    (hx, hy), (nx, ny) = pose.hip, pose.neck
    low = hy < 0.30
    hem = max(0.03, hy - (0.12 if low else 0.40 if dress else 0.17))
    spread = 0.19 if dress and not low else 0.145
    mx = hx + (pose.feet[0][0] + pose.feet[1][0]) / 2 * (0.5 if not low else 0.0)
    back, front = (mx - spread, hem), (mx + spread, hem)
    nape, throat = (nx - 0.085, ny - 0.015), (nx + 0.085, ny - 0.015)
    middle = [(mx - 0.01, hem), (hx + 0.012, hy), (nx, ny)]
    brush.polygon(
        [
            at(*back),
            at(hx - 0.105, hy + 0.02),
            at(nx - 0.112, ny - 0.07),
            at(*nape),
            at(nx, ny + 0.02),
            *(at(*p) for p in reversed(middle)),
        ],
        cloth,
        by=shade[0],
    )
    brush.polygon(
        [
            at(*front),
            at(hx + 0.105, hy + 0.02),
            at(nx + 0.112, ny - 0.07),
            at(*throat),
            at(nx, ny + 0.02),
            *(at(*p) for p in reversed(middle)),
        ],
        cloth,
        by=shade[1],
    )
    brush.stroke([at(hx - 0.105, hy + 0.03), at(hx + 0.105, hy + 0.03)], dim(WOOD, 0.62), 1.0)
    brush.stroke([at(*back), at(*front)], mix(cloth, (236, 214, 160), 0.55), 0.8, by=0.9)


def _head(brush: Brush, at: At, pose: Pose, figure: dict[str, Any], tall: float, side: int) -> None:
    hair = HAIR.get(str(figure.get("hair")), HAIR["brown"])
    cx, cy = at(pose.neck[0] + pose.bow, pose.neck[1] + 0.085 - abs(pose.bow) * 0.5)
    size = tall * (0.074 if figure["height"] > 0.1 else 0.086)
    brush.stroke([at(pose.neck[0], pose.neck[1] - 0.02), (cx, cy)], SKIN, tall * 0.06, by=0.85)
    if figure.get("dress"):
        brush.disc(cx - side * size * 0.35, cy + size * 0.55, size * 0.75, size * 1.25, hair, by=0.85)
    brush.disc(cx - side * size * 0.12, cy - size * 0.15, size * 1.05, size * 1.08, hair, by=0.95)
    brush.disc(cx + side * size * 0.28, cy + size * 0.12, size * 0.74, size * 0.86, SKIN)
    if figure.get("beard"):
        brush.polygon(
            [
                (cx - side * size * 0.25, cy + size * 0.25),
                (cx + side * size * 1.0, cy + size * 0.3),
                (cx + side * size * 0.75, cy + size * 1.35),
                (cx + side * size * 0.05, cy + size * 1.0),
            ],
            hair,
            by=0.88,
        )


def _lying(brush: Brush, at: At, tall: float, cloth: Colour, figure: dict[str, Any]) -> None:
    """Somebody on the ground under a blanket of their own colour."""
    brush.polygon(
        [at(-0.30, 0.0), at(-0.30, 0.15), at(-0.05, 0.19), at(0.30, 0.13), at(0.45, 0.12), at(0.46, 0.0)], cloth, by=0.9
    )
    brush.polygon([at(-0.30, 0.0), at(-0.28, 0.07), at(0.46, 0.05), at(0.46, 0.0)], cloth, by=0.66)
    cx, cy = at(-0.40, 0.10)
    brush.disc(cx, cy, tall * 0.085, tall * 0.075, HAIR.get(str(figure.get("hair")), HAIR["brown"]))
    brush.disc(cx, cy - tall * 0.015, tall * 0.058, tall * 0.06, SKIN)
