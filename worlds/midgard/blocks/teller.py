"""The Creator of the text overlay: the scene as plain words instead of a picture."""

from __future__ import annotations

from typing import Any

from yggdrasil import block

from .words import number

SKIES = {
    "clear": "clear sky",
    "fair": "fair sky with clouds",
    "overcast": "grey overcast sky",
    "rain": "rain",
    "fog": "fog",
    "snow": "falling snow",
    "storm": "storm",
}
GROUND = {
    "spring": "fresh green and old snow",
    "summer": "deep green grass",
    "autumn": "rust and ochre slopes",
    "winter": "snow on the ground",
}
LIGHT = {"night": "dark of night", "dawn": "first light", "day": "daylight", "dusk": "evening light"}


@block("midgard/teller", outputs={"artifacts": dict})
def teller(blueprint: dict[str, Any]) -> dict[str, Any]:
    """Block 3: one text that shows the scene."""
    figures, houses = len(blueprint.get("figures") or ()), len(blueprint.get("houses") or ())
    fires = len(blueprint.get("fires") or ())
    sky, ground = (
        SKIES.get(blueprint.get("weather", ""), "open sky"),
        GROUND.get(blueprint.get("season", ""), "bare ground"),
    )
    name, light = blueprint.get("name", "A place"), LIGHT.get(blueprint.get("light", ""), "daylight")
    text = (
        f"{name} in the {light}: {sky}, {ground}. "
        f"{number(figures)} {'person' if figures == 1 else 'people'}, {number(houses)} houses, {number(fires)} fires."
    )
    return {"texts": [{"payload": text, "description": f"{name} in plain words"}]}
