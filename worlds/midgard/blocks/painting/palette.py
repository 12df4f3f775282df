"""Colours: what things are by daylight, and what the light of an hour and a weather does to them."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[float, float, float]

GROUND: dict[str, Colour] = {
    "spring": (132, 152, 74),
    "summer": (70, 112, 50),
    "autumn": (172, 122, 58),
    "winter": (228, 233, 238),
}
HILL: dict[str, Colour] = {
    "spring": (112, 128, 84),
    "summer": (62, 96, 62),
    "autumn": (150, 98, 58),
    "winter": (206, 214, 226),
}
LEAF: dict[str, Colour] = {
    "spring": (148, 176, 84),
    "summer": (76, 118, 52),
    "autumn": (206, 128, 40),
    "winter": (120, 112, 108),
}
ROCK: Colour = (112, 108, 108)
SPRUCE: Colour = (44, 70, 54)
SNOW: Colour = (232, 237, 243)
WOOD: Colour = (96, 72, 52)
TURF: dict[str, Colour] = {
    "spring": (116, 130, 70),
    "summer": (88, 118, 58),
    "autumn": (142, 116, 66),
    "winter": (224, 229, 235),
}
DYES: dict[str, Colour] = {
    "madder": (186, 46, 38),
    "woad": (44, 86, 160),
    "weld": (222, 176, 48),
    "white": (232, 226, 212),
    "plum": (122, 48, 104),
}
HAIR: dict[str, Colour] = {
    "grey": (196, 192, 186),
    "fair": (214, 178, 104),
    "red": (170, 84, 40),
    "brown": (86, 58, 38),
}
SKIN: Colour = (222, 178, 148)
BARLEY: dict[str, Colour] = {
    "spring": (120, 96, 66),
    "summer": (206, 180, 84),
    "autumn": (196, 164, 92),
    "winter": (222, 226, 230),
}


@dataclass(frozen=True, slots=True)
class Light:
    """The light of an hour: sky from the top to the horizon, what it multiplies colours by, and the far haze."""

    top: Colour
    middle: Colour
    low: Colour
    shine: Colour
    haze: Colour


LIGHTS: dict[str, Light] = {
    "day": Light((78, 134, 194), (142, 186, 220), (210, 226, 232), (1.0, 1.0, 0.97), (186, 206, 220)),
    "dawn": Light((104, 128, 176), (226, 178, 176), (252, 216, 176), (0.86, 0.74, 0.74), (222, 184, 178)),
    "dusk": Light((52, 58, 104), (178, 96, 92), (246, 150, 70), (0.70, 0.56, 0.54), (178, 116, 106)),
    "night": Light((9, 15, 38), (24, 38, 74), (50, 70, 108), (0.31, 0.37, 0.51), (38, 54, 88)),
}
VEIL = {"clear": 0.0, "fair": 0.1, "overcast": 0.75, "rain": 0.85, "fog": 0.8, "snow": 0.8, "storm": 0.95}
"""How much a weather greys the sky."""
DIM = {"clear": 1.0, "fair": 1.0, "overcast": 0.86, "rain": 0.78, "fog": 0.92, "snow": 0.94, "storm": 0.62}
"""How much light it leaves."""


def mix(a: Colour, b: Colour, t: float) -> Colour:
    """From `a` to `b`."""
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t)


def times(a: Colour, b: Colour) -> Colour:
    """Channel by channel."""
    return (a[0] * b[0], a[1] * b[1], a[2] * b[2])


def dim(a: Colour, by: float) -> Colour:
    """Darker or lighter."""
    return (a[0] * by, a[1] * by, a[2] * by)


def grey(a: Colour) -> Colour:
    """Its grey."""
    value = 0.3 * a[0] + 0.59 * a[1] + 0.11 * a[2]
    return (value, value, value)


def light_of(hour: str, weather: str, season: str) -> Light:
    """The light of an hour under a weather: foul weather pulls it towards its own grey, winter towards pale."""
    base = LIGHTS.get(hour, LIGHTS["day"])
    veil, left = VEIL.get(weather, 0.0), DIM.get(weather, 1.0)
    if hour == "night":
        left = 0.75 + 0.25 * left
    if season == "winter" and hour == "day":
        base = Light(
            mix(base.top, (150, 176, 206), 0.45),
            mix(base.middle, (190, 206, 222), 0.4),
            mix(base.low, (238, 226, 214), 0.5),
            (0.94, 0.96, 1.0),
            (206, 214, 226),
        )

    def veiled(colour: Colour, share: float) -> Colour:
        return dim(mix(colour, mix(grey(colour), colour, 0.25), veil * share), left)

    flat = grey(base.middle)
    return Light(
        veiled(mix(base.top, flat, veil * 0.6), 1.0),
        veiled(mix(base.middle, flat, veil * 0.5), 1.0),
        veiled(base.low, 0.85),
        veiled(base.shine, 0.5),
        veiled(base.haze, 0.9),
    )
