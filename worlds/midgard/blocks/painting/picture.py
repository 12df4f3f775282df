"""A picture: the layers of a scene, from the sky to the rain, laid over one another."""

from __future__ import annotations

from typing import Any

import numpy as np

from .air import paint_fires, paint_smoke, paint_weather
from .brush import Brush
from .land import ground_line, paint_ground, paint_ridges, paint_water
from .palette import light_of
from .people import draw_person
from .sky import paint_sky
from .things import draw_beacon, draw_beast, draw_boat, draw_houses, draw_naust, draw_oars, draw_stones, draw_trees

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
    sails = Brush(width, height, light.shine)
    for boat in scene["boats"]:
        if boat["sail"]:
            draw_boat(sails, boat)
    if scene["boats"]:
        sails.lay_over(picture, light.haze, 0.25)
    paint_ground(picture, scene, light)
    edge = ground_line(scene, height, width)
    brush = Brush(width, height, light.shine)
    draw_trees(brush, scene, edge)
    draw_stones(brush, scene, edge)
    vents = draw_houses(brush, scene)
    if scene["naust"]:
        draw_naust(brush, scene["season"])
    if scene["beacon"]:
        draw_beacon(brush)
    brush.lay_over(picture, light.haze, 0.14)
    paint_smoke(picture, vents, scene, light)
    _company(picture, scene, Brush(width, height, light.shine))
    paint_fires(picture, scene)
    paint_weather(picture, scene, light)
    picture *= _frame(height, width)
    pixels: np.ndarray[Any, np.dtype[np.uint8]] = np.clip(picture + np.float32(0.5), 0, 255).astype(np.uint8)
    return pixels


def _company(picture: Any, scene: dict[str, Any], brush: Brush) -> None:
    """Beasts, boats at hand and people: what is nearest, without haze."""
    for beast in scene["animals"]:
        draw_beast(brush, beast)
    crewed = [boat for boat in scene["boats"] if boat["crew"]]
    for boat in scene["boats"]:
        if not boat["sail"] and not boat["crew"]:
            draw_boat(brush, boat)
    for number, figure in enumerate(sorted(scene["figures"], key=lambda f: (f["y"], f["x"]))):
        draw_person(brush, figure, mirrored=number % 2 == 1)
    for boat in crewed:
        draw_boat(brush, boat)
        draw_oars(brush, boat)
    brush.lay_over(picture)


def _frame(height: int, width: int) -> Any:
    """A slight darkening towards the corners."""
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    away = x * x + y * y
    return np.float32(1) - np.float32(0.07) * away * away
