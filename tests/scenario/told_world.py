"""A world whose Author is an agent with a tool, over a scripted model; run as a script, a process that lives it.

    python told_world.py FOLDER TICKS [remembering]

prints a line for each tick. What is done outside, a model's turn or a tool's call, is a line of FOLDER/log.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio

from yggdrasil import Agent, Memory, RunContext, ScriptedModel, Stage, ToolCall, World, block, tool
from yggdrasil.abc.model import Delta, Model
from yggdrasil.core.messages import Reply, Request


def log(folder: Path, **line: Any) -> None:
    """On disk before its result is known to anyone."""
    with open(folder / "log", "a") as file:
        file.write(json.dumps({"pid": os.getpid(), **line}) + "\n")


class Logged(Model):
    """A model that writes down each turn it is asked for."""

    def __init__(self, folder: Path, inner: Model) -> None:
        self.folder, self.inner = folder, inner

    @property
    def name(self) -> str:
        return self.inner.name

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        log(self.folder, kind="model", key=key)
        await anyio.sleep(0.001)
        return await self.inner.reply(request, key=key, delta=delta)


def say(request: Request) -> Any:
    """Two rolls at once, then a sentence about them: a function of the request alone."""
    last = request.messages[-1]
    if last.role == "user":
        sides = 2 + len(last.text) % 19
        return [ToolCall("1", "roll", {"sides": sides}), ToolCall("2", "roll", {"sides": sides + 1})]
    return "The dice said " + " and ".join(str(part.content) for part in last.parts)  # type: ignore[union-attr]


def say_and_count(request: Request) -> Any:
    """The same, with what it was shown: another memory is another answer, and another summary."""
    if not request.tools:  # the summary of its memory is asked for
        return f"They rolled dice, of which {len(request.messages[-1].text)} letters told."
    said = say(request)
    shown = sum(len(message.text) for message in request.messages)
    return f"{said} (of {len(request.messages)} messages, {shown} letters)" if isinstance(said, str) else said


def told_world(folder: Path, *, remembering: bool = False) -> World:
    """The world; its log is in `folder`. `remembering`: the agent has a memory, and says how much it was shown."""

    @tool
    async def roll(sides: int, ctx: RunContext) -> int:
        """Roll a die."""
        log(folder, kind="tool", key=ctx.key)
        await anyio.sleep(0.001)
        return 1 + ctx.random().randrange(sides)

    @block
    def development(world: dict[str, Any], action: str | None = None) -> str:
        return action or f"day {world['days']['count']}, and a wind of {world['days']['count'] ** 2}"

    @block
    def architect(intent: str) -> str:
        return f"a picture of {intent}"

    @block
    def creator(blueprint: str) -> dict[str, Any]:
        return {"texts": [blueprint]}

    @block
    def philosopher(artifacts: dict[str, Any]) -> str:
        return f"One sees {artifacts['texts'][0]}"

    @block
    def update(chronicle: str, world: dict[str, Any]) -> list[dict[str, Any]]:
        days = {"op": "replace", "path": "/days/count", "value": world["days"]["count"] + 1}
        return [days, {"op": "add", "path": "/history/-", "value": chronicle}]

    author = Stage("author")
    model = Logged(folder, ScriptedModel(say_and_count if remembering else say))
    memory = Memory(budget=400) if remembering else None  # so small that it is summarised every few ticks
    author.add_node("teller", Agent(model, tools=[roll], memory=memory))
    author.expose_input("teller.prompt", name="description")
    author.expose_output("teller.response", name="chronicle")
    author.set_state_contract(reads=["description"], fills="chronicle")
    world = World("told")
    for name, stage in (
        ("philosopher", philosopher),
        ("author", author),
        ("architect", architect),
        ("creator", creator),
    ):
        world.add_stage(name, stage)
    world.add_stage("environment", {"update": update, "development": development})
    world.set_initial_world({"days": {"count": 0}})
    return world


async def live(folder: Path, ticks: int, remembering: bool) -> None:
    world_of = told_world(folder, remembering=remembering)
    async with World.open(world_of, store=f"sqlite:///{folder / 'told.db'}", seed=5) as world:
        print("open", world.tick, flush=True)
        while world.tick < ticks:
            await world.run(ticks=1)
            print("tick", world.tick, flush=True)
        print("end", world.content_hash, world.tick_hash, flush=True)


if __name__ == "__main__":
    anyio.run(live, Path(sys.argv[1]), int(sys.argv[2]), "remembering" in sys.argv[3:])
