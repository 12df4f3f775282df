"""The stock agents, offline: their files, and the game master at its table with a scripted model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from yggdrasil import Graph, ToolCall, World
from yggdrasil.abc.catalog import find
from yggdrasil.core.messages import Request
from yggdrasil.runtime.registry import active_registry
from yggdrasil.storage.files import read_config
from yggdrasil.testing import ScriptedModel

pytestmark = pytest.mark.anyio
TABLE = Path(__file__).parents[2] / "agents" / "game_master" / "table.yaml"


@pytest.fixture
async def world() -> dict[str, Any]:
    async with World.open("midgard", seed=3, overlay="text") as living:
        await living.run(ticks=3)
        return {**living.content, "history": {"recent": await living.history()}}


async def test_it_rolls_and_tells() -> None:
    model = ScriptedModel([ToolCall("1", "dice", {"notation": "2d6"}), "The ice holds. [2d6] What do you do?"])
    with find("game_master", "agent").scope():
        master = active_registry().build("agent/game_master", {"model": model})
        told = await master.run("I cross the ford", seed=4)
    assert told["response"].startswith("The ice holds")
    rolled = [p for m in told["messages"] for p in m.parts if getattr(p, "name", "") == "dice"]
    assert any("total" in str(getattr(part, "content", "")) for part in rolled)
    assert "game master" in str(model.requests[0].messages[0])


async def test_at_the_table_it_reads_the_world_and_never_writes_it(world: dict[str, Any]) -> None:
    asked: list[Request] = []

    def say(request: Request) -> Any:
        asked.append(request)
        if len(asked) == 1:
            return ToolCall("1", "world_reader", {"look": "people", "about": "lawspeaker"})
        found = json.loads(request.messages[-1].parts[0].content)  # type: ignore[union-attr]
        return f"{found['found'][0]['full']} looks up. What do you say?"

    before = json.dumps(world, default=dict)
    with find(TABLE, "graph").scope():
        document = read_config(TABLE)
        document["nodes"]["master"]["model"] = ScriptedModel(say)
        told = await Graph.from_config(document).run(prompt="I look for the law", world=world, seed=1)
    assert told["response"].startswith("Gunnhild Hallvardsdottir")
    tools = {spec.name: spec for spec in asked[0].tools}
    assert set(tools) == {"dice", "world_reader"}
    assert "world" not in tools["world_reader"].parameters["properties"]
    assert json.dumps(world, default=dict) == before
