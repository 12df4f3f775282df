"""Scenes as midgard's Architect plans them, over all places, happenings, seasons and weathers, and their pictures."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from yggdrasil.abc.context import Run, RunContext

from ..architect import architect
from ..scenes import SCENES
from ..weather import WIND, settled
from .scene import LIGHTS, SEASONS, SKIES

SIZE = (96, 72)
PAINTED = (384, 288)
"""The painter paints four times as large, and every sixteen pixels are averaged: what is small stays soft."""


def scenes(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Random blueprints, the same for the same seed."""
    content = Path(__file__).parents[2] / "content"
    world: dict[str, Any] = {p.stem: yaml.safe_load(p.read_text(encoding="utf-8")) for p in content.glob("*.yaml")}
    chance = random.Random(seed)
    afloat = [kind for kind, scene in SCENES.items() if scene.afloat]
    ashore = sorted(set(SCENES) - set(afloat))
    people, places = sorted(world["characters"]), sorted(world["places"])
    for _ in range(count):
        season, where = chance.choice(SEASONS), chance.choice(places)
        sky = settled(chance.choice(SKIES), season)
        at_sea = world["places"][where]["look"]["land"] == "sea"
        intent = {
            "kind": chance.choice(afloat if at_sea else ashore),
            "where": where,
            "who": chance.sample(people, chance.randint(1, 5)),
            "when": {"season": season, "light": chance.choice(LIGHTS), "hour": 12},
            "weather": {"kind": sky, "wind": chance.randint(*WIND[sky]), "snow": chance.choice([0, 0, 4])},
        }
        here = RunContext(Run(seed=chance.randint(0, 2**31), scope="sample"), "samples")
        yield architect(intent, world, ctx=here)


def painted(blueprint: dict[str, Any]) -> NDArray[np.uint8]:
    """The painter's picture at `SIZE`, 72 x 96 x 3."""
    from ..painting.picture import paint

    large = paint({**blueprint, "size": PAINTED}).astype(np.uint16)
    across, down = PAINTED[0] // SIZE[0], PAINTED[1] // SIZE[1]
    return large.reshape(SIZE[1], down, SIZE[0], across, 3).mean(axis=(1, 3)).round().astype(np.uint8)
