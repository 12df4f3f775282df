"""What people do in their first half hour, who come from another framework."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from yggdrasil import Agent, ConfigError, Graph, RunContext, ScriptedModel, Stage, ToolCall, World, block, tool


class Service:
    """An application with a world in it: opened when it starts, closed when it ends, asked and acted upon between."""

    world: Any

    @asynccontextmanager
    async def lifespan(self, store: str) -> AsyncIterator[Service]:
        async with World.open("tiny", store=store) as self.world:
            life = asyncio.create_task(self.world.run(ticks=100_000))
            yield self
            self.world.stop("the application ends")
            await life

    async def where(self) -> dict[str, Any]:
        return {"tick": self.world.tick, "days": self.world.content["days"]["count"]}


def test_a_world_inside_an_application(tiny: Path) -> None:
    async def main() -> None:
        for _ in range(2):
            async with Service().lifespan("sqlite:///app.db") as service:
                before = await service.where()
                await service.world.act("a storm")
                while (await service.where())["tick"] < before["tick"] + 4:  # noqa: ASYNC110 - an application asks again
                    await asyncio.sleep(0.005)
        async with World.open("tiny", store="sqlite:///app.db", read_only=True) as world:
            told = [entry for entry in await world.history() if "a storm" in entry]
            assert len(told) == 2, "an action was lost, or taken twice"

    asyncio.run(main())


@block
def split(text: str) -> list[str]:
    return text.split()


@block
def longest(words: list[str]) -> str:
    return max(words, key=len)


def longest_word() -> Graph:
    graph = Graph("longest_word")
    graph.add_node("split", split)
    graph.add_node("longest", longest)
    graph.add_edge("split", "longest")
    return graph


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["a function that runs it", "with the context handed on", "the graph itself"])
async def test_a_graph_called_from_a_tool(way: str, anyio_backend: str) -> None:
    graph = longest_word()

    @tool
    async def plain(text: str) -> str:
        """Find the longest word."""
        return str((await graph.run(text=text)).output)

    @tool
    async def handing_on(text: str, ctx: RunContext) -> str:
        """Find the longest word."""
        return str((await graph.run(text=text, context=ctx)).output)

    chosen: Any = {"a function that runs it": plain, "with the context handed on": handing_on}.get(way, graph)
    call = ToolCall("1", chosen.label, {"text": "a longhouse in snow"})
    agent = Agent(ScriptedModel([call, "A longhouse."]), tools=[chosen])
    answer = await agent.run("Which?")
    assert answer.output == "A longhouse."
    assert "longhouse" in answer["messages"][2].parts[0].content


@pytest.mark.anyio
async def test_a_method_is_a_tool(anyio_backend: str) -> None:
    class Purse:
        def __init__(self) -> None:
            self.silver = 10

        @tool
        def spend(self, silver: int) -> int:
            """Spend silver; what is left."""
            self.silver -= silver
            return self.silver

    purse, other = Purse(), Purse()
    agent = Agent(ScriptedModel([ToolCall("1", "spend", {"silver": 3}), "Spent."]), tools=[purse.spend])
    assert (await agent.run("Buy bread.")).output == "Spent."
    assert (purse.silver, other.silver) == (7, 10)
    assert other.spend(4) == 6


def test_an_agent_inside_a_stage_of_a_world(tmp_path: Path) -> None:
    rolls: list[int] = []

    @tool
    def roll(sides: int) -> int:
        """Roll a die."""
        rolls.append(sides)
        return sides - 1

    def asks(name: str, agent: Agent, reads: str, fills: str) -> Stage:
        stage = Stage(name)
        stage.add_node("ask", agent)
        stage.expose_input("ask.prompt", name=reads)
        stage.expose_output("ask.response", name=fills)
        stage.set_state_contract(reads=[reads], fills=fills)
        return stage

    @block
    def development(world: dict[str, Any], action: str | None = None) -> str:
        return action or "a day"

    @block
    def architect(intent: str) -> str:
        return f"a verse about {intent}"

    @block
    def philosopher(artifacts: str) -> str:
        return f"It says: {artifacts}"

    @block
    def update(chronicle: str) -> list[dict[str, Any]]:
        return [{"op": "add", "path": "/history/-", "value": chronicle}]

    def world() -> World:
        made = World("told")
        author = Agent(ScriptedModel([ToolCall("1", "roll", {"sides": 6}), "A five was rolled."] * 9), tools=[roll])
        made.add_stage("philosopher", philosopher)
        made.add_stage("author", asks("author", author, "description", "chronicle"))
        made.add_stage("environment", {"update": update, "development": development})
        made.add_stage("architect", architect)
        made.add_stage("creator", asks("creator", Agent(ScriptedModel(["o snow"] * 9)), "blueprint", "artifacts"))
        return made

    async def live() -> list[Any]:
        async with World.open(world(), store=f"sqlite:///{tmp_path / 'told.db'}") as living:
            await living.run(ticks=3)
            return await living.history()

    assert asyncio.run(live()) == ["A five was rolled."] * 2
    assert rolls == [6, 6]


def test_an_agent_as_a_bare_stage_is_told_what_it_lacks() -> None:
    world = World("w")
    world.add_stage("creator", Agent(ScriptedModel(["x"])))
    said = [problem for problem in world.validate() if problem.path == "creator"]
    assert "nothing of the world reaches it" in said[0].sentence
    assert "expose_input" in said[0].hint


@pytest.mark.anyio
async def test_a_world_that_is_awaited(tiny: Path, anyio_backend: str) -> None:
    with pytest.raises(ConfigError, match=r"async with World\.open"):
        await World.open("tiny")  # type: ignore[misc]
