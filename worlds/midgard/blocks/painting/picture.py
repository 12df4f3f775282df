"""A picture: the layers of a scene, from the sky to the rain, laid over one another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from .air import paint_fires, paint_smoke, paint_weather
from .beasts import draw_beast
from .boats import draw_boat, draw_oars
from .brush import Brush
from .buildings import draw_beacon, draw_fence, draw_houses, draw_mounds, draw_naust, draw_stones
from .growth import draw_foreground, draw_growth
from .land import ground_line, mirror, paint_ground, paint_ridges, paint_water
from .palette import Light, light_of
from .people import draw_person
from .sky import moon_of, paint_sky, sun_of
from .trees import draw_frame_tree, draw_trees

Picture = NDArray[np.float32]

DEFAULTS: dict[str, Any] = {
    "size": (512, 384),
    "land": "meadow",
    "seed": 1,
    "season": "summer",
    "light": "day",
    "weather": "fair",
    "wind": 2,
    "snow": 0,
    "hills": 0.5,
    "trees": 6,
    "houses": (),
    "field": False,
    "stones": 0,
    "mounds": 0,
    "beacon": False,
    "naust": False,
    "boats": (),
    "fires": (),
    "animals": (),
    "figures": (),
    "texture": 0,
    "name": "a valley",
}


def paint(blueprint: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The scene as height x width x 3, 8 bits a channel."""
    scene = {**DEFAULTS, **{key: value for key, value in blueprint.items() if value is not None}}
    width, height = scene["size"]
    light = light_of(scene["light"], scene["weather"], scene["season"])
    picture = paint_sky(scene, light, height, width)
    paint_ridges(picture, scene, light)
    paint_water(picture, scene, light)
    shining = sun_of(scene) or moon_of(scene) or (0.0, 0.0)
    side = 1 if shining[0] > 0.5 else -1

    def brush() -> Brush:
        return Brush(width, height, light.shine, side)

    _sails(picture, scene, light, brush())
    paint_ground(picture, scene, light)
    edge = ground_line(scene, height, width)
    vents = _place(picture, scene, light, brush(), edge)
    paint_smoke(picture, vents, scene, light)
    _shadows(picture, scene, side)
    _company(picture, scene, brush, edge)
    nearest = brush()
    draw_frame_tree(nearest, scene)
    draw_foreground(nearest, scene)
    nearest.lay_over(picture)
    paint_weather(picture, scene, light)
    picture *= _frame(height, width)
    # even values alone: the eye does not see it, and a file is a quarter smaller
    pixels: np.ndarray[Any, np.dtype[np.uint8]] = np.clip(picture + np.float32(1), 0, 255).astype(np.uint8) & np.uint8(
        254
    )
    return pixels


def _sails(picture: Picture, scene: dict[str, Any], light: Light, brush: Brush) -> None:
    """Boats far out, and their images in the water."""
    far = [boat for boat in scene["boats"] if boat["sail"]]
    if not far:
        return
    for boat in far:
        draw_boat(brush, boat)
    brush.lay_over(picture, light.haze, 0.25)
    for boat in far:
        reach = boat["width"] * brush.width
        mirror(picture, boat["x"] * brush.width, boat["y"] * brush.height, reach * 0.6, reach)


def _place(picture: Picture, scene: dict[str, Any], light: Light, brush: Brush, edge: Any) -> list[tuple[float, float]]:
    """What always stands here, a little hazy; where smoke rises."""
    draw_growth(brush, scene, edge)
    draw_trees(brush, scene, edge)
    draw_mounds(brush, scene)
    draw_stones(brush, scene)
    vents = draw_houses(brush, scene)
    draw_fence(brush, scene, edge)
    if scene["naust"]:
        draw_naust(brush, scene["season"])
    if scene["beacon"]:
        draw_beacon(brush, scene["season"])
    brush.lay_over(picture, light.haze, 0.12)
    return vents


def depth_scale(y: float) -> float:
    """How large a thing is that stands at `y`, beside one at the lower edge of the company."""
    return max(0.12, (y - 0.58) / 0.28)


def _shadows(picture: Picture, scene: dict[str, Any], side: int) -> None:
    """Soft shadows under what stands; they fall away from the light."""
    if scene["land"] == "sea":
        return
    height, width = picture.shape[:2]
    sheet = Image.new("L", (width, height), 0)
    pencil = ImageDraw.Draw(sheet)
    strong = scene["weather"] in ("clear", "fair") and scene["light"] != "night"
    long = (2.6 if scene["light"] in ("dawn", "dusk") else 1.3) if strong else 0.7
    casts = [(f["x"], f["y"], f["height"] * 0.42) for f in scene["figures"]]
    casts += [
        (b["x"], b["y"], 0.05 * depth_scale(b["y"])) for b in scene["animals"] if b["kind"] not in ("raven", "gull")
    ]
    casts += [(b["x"], b["y"], b["width"] * 0.5) for b in scene["boats"] if not b["sail"] and not b["crew"]]
    for fx, fy, size in casts:
        x, y, reach = fx * width, fy * height, size * height
        away = -side * reach * long * 0.5
        box = [
            min(x - reach * 0.45, x + away - reach * 0.3),
            y - reach * 0.10,
            max(x + reach * 0.45, x + away + reach * 0.3),
            y + reach * 0.14,
        ]
        pencil.ellipse([round(v) for v in box], fill=150)
    dark = np.asarray(sheet.filter(ImageFilter.BoxBlur(2)), np.float32)[..., None] * np.float32(
        (0.42 if strong else 0.30) / 150
    )
    picture *= 1 - dark


def _company(picture: Picture, scene: dict[str, Any], brush: Callable[[], Brush], edge: Any) -> None:
    """Beasts, boats at hand, people: those behind the fires, the fires, those before them."""
    line = max((fire["y"] for fire in scene["fires"]), default=1.1)
    behind, before = brush(), brush()
    for y, kind, thing in _standing(scene):
        sheet = behind if y <= line else before
        if kind == 0:
            draw_boat(sheet, thing)
        elif kind == 1:
            draw_beast(sheet, thing, scale=depth_scale(thing["y"]))
        else:
            draw_person(sheet, thing)
    for boat in scene["boats"]:
        if boat["crew"]:
            draw_boat(behind, boat)
            draw_oars(behind, boat, [f["x"] * behind.width for f in scene["figures"] if f["gesture"] == "row"])
    behind.lay_over(picture)
    for boat in scene["boats"]:
        if boat["crew"]:
            reach = boat["width"] * behind.width
            mirror(picture, boat["x"] * behind.width, boat["y"] * behind.height, reach * 0.62, reach * 0.36)
    paint_fires(picture, scene)
    if any(y > line for y, _, _ in _standing(scene)):
        before.lay_over(picture)


def _standing(scene: dict[str, Any]) -> list[tuple[float, int, dict[str, Any]]]:
    """Boats on land, beasts and people, the farther ones first."""
    things = [(boat["y"], 0, boat) for boat in scene["boats"] if not boat["sail"] and not boat["crew"]]
    things += [(beast["y"], 1, beast) for beast in scene["animals"]]
    things += [(figure["y"], 2, figure) for figure in scene["figures"]]
    return sorted(things, key=lambda thing: (thing[0], thing[1], thing[2]["x"]))


def _frame(height: int, width: int) -> Any:
    """A slight darkening towards the corners."""
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    away = x * x + y * y
    return np.float32(1) - np.float32(0.07) * away * away
