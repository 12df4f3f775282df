"""A world whose stages hand each other models and arrays: kept, reopened, replayed, copied, verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from tests.levels.toy_world import toy
from tests.postgres import postgres
from yggdrasil import ConfigError, ParkedError, RunContext, World, block
from yggdrasil.levels.verify import verify
from yggdrasil.storage.copying import copy_store
from yggdrasil.storage.open import open_store

pytestmark = pytest.mark.anyio


class Scene(BaseModel):
    """What the architect draws."""

    name: str
    weights: list[float]


@block
async def architect(intent: dict[str, Any], *, ctx: RunContext) -> dict[str, Any]:
    async def draw(key: str) -> Scene:
        return Scene(name=intent["what"], weights=[ctx.random().random() for _ in range(3)])

    return {"scene": await ctx.effect("draw", {"what": intent["what"]}, draw)}


@block
def creator(blueprint: dict[str, Any]) -> dict[str, Any]:
    scene = blueprint["scene"]
    assert type(scene) is Scene
    scene.weights.append(1.0)  # its own: the world's is what it was
    return {"texts": [scene.name], "files": [np.outer(scene.weights, scene.weights).astype("f4")]}


@block
def philosopher(artifacts: dict[str, Any]) -> dict[str, Any]:
    (array,) = artifacts["files"]
    assert type(array) is np.ndarray
    return {"seen": [*array.shape, str(array.dtype), round(float(array.sum()), 3)]}


def typed() -> World:
    return toy(architect=architect, creator=creator, philosopher=philosopher)


async def test_it_lives_as_any_other(tmp_path: Path) -> None:
    first, second = f"sqlite:///{tmp_path / 'w.db'}", postgres().create()
    async with open_store(first) as store:
        async with World.open(typed(), store=store, seed=3) as world:
            await world.run(ticks=3)
        async with World.open(typed(), store=store) as world:
            await world.run(ticks=3)
            found = await world.replay()
            assert (found.last, found.effects, found.tick_hash) == (6, 6, world.tick_hash)
            assert "[4, 4, 'float32'" in world.content["history"]["recent"][-1]["text"]
            scene = world.state["blueprint"]["scene"]
            assert (scene["$type"], len(scene["value"]["weights"])) == ("tests.levels.test_world_typed:Scene", 3)
            there = world.tick_hash
        assert (await verify(store, "toy", typed())).whole
        async with open_store(second) as other:
            await copy_store(store, other)
            async with World.open(typed(), store=other) as world:
                assert world.tick_hash == there
                await world.run(ticks=2)
                after = world.tick_hash
    async with open_store(first) as store, World.open(typed(), store=store) as world:
        await world.run(ticks=2)
        assert world.tick_hash == after


async def test_a_type_that_is_gone_parks_the_world_and_says_what_to_import(tmp_path: Path) -> None:
    global Scene
    async with open_store(f"sqlite:///{tmp_path / 'w.db'}") as store:
        async with World.open(typed(), store=store) as world:
            await world.run(ticks=1)
        was, Scene = Scene, None  # type: ignore[misc, assignment]
        try:

            @block
            def reader(blueprint: dict[str, Any], artifacts: dict[str, Any]) -> dict[str, Any]:
                return {"seen": blueprint}

            broken = toy(philosopher=reader, architect=architect, creator=creator)
            async with World.open(broken, store=store) as world:
                with pytest.raises(ParkedError, match="no such type is loaded") as parked:
                    await world.run(ticks=1)
                assert isinstance(parked.value.__cause__, ConfigError)
                assert "import tests.levels.test_world_typed" in str(parked.value)
        finally:
            Scene = was  # type: ignore[misc]
