"""Small worlds of function stages, for tests; and, run as a script, a process that lives one of them.

    python toy_world.py STORE TICKS KIND[:DURABILITY] [LOG]

prints `open TICK` when it holds the world, then `tick N HASH` after each tick, and `end HASH TICK_HASH`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio

from yggdrasil import Blob, RunContext, block
from yggdrasil.core.events import TickFinished
from yggdrasil.levels.world import World

CONTENT = {"count": {"n": 0}, "places": {f"place{i}": {"about": "a place " * 5, "visits": 0} for i in range(20)}}


@block
def philosopher(artifacts: dict[str, Any]) -> dict[str, Any]:
    return {"seen": [item if isinstance(item, str) else len(item.data) for item in artifacts["texts"]]}


@block
def author(intent: dict[str, Any], description: dict[str, Any]) -> str:
    return f"It came to pass: {intent['what']} {description['seen']}"


@block
def update(chronicle: str, world: dict[str, Any]) -> list[dict[str, Any]]:
    n = world["count"]["n"] + 1
    return [
        {"op": "replace", "path": "/count/n", "value": n},
        {"op": "replace", "path": f"/places/place{n % 20}/visits", "value": n},
        {"op": "add", "path": "/history/-", "value": {"n": n, "text": chronicle}},
    ]


@block
def development(
    world: dict[str, Any], action: str | None = None, proposal: dict[str, Any] | None = None, *, ctx: RunContext
) -> dict[str, Any]:
    wanted = (proposal or {}).get("intent", {}).get("what")
    luck = ctx.random().randrange(1000)
    return {"what": action or wanted or f"day {world['count']['n']}", "luck": luck}


@block
def architect(intent: dict[str, Any]) -> dict[str, Any]:
    return {"scene": f"{intent['what']} ({intent['luck']})"}


@block
def creator(blueprint: dict[str, Any]) -> dict[str, Any]:
    return {"texts": [blueprint["scene"], Blob(blueprint["scene"].encode() * 10, "text/plain")]}


STAGES: dict[str, Any] = {
    "philosopher": philosopher,
    "author": author,
    "environment/update": update,
    "environment/development": development,
    "architect": architect,
    "creator": creator,
}


def toy(name: str = "toy", **other: Any) -> World:
    """A world of plain functions; `other` replaces stages by name (`update=...`, None leaves one out)."""
    world = World(name)
    for stage, default in STAGES.items():
        chosen = other.get(stage.rpartition("/")[2], default)
        if chosen is not None:
            world.add_stage(stage, chosen)
    world.set_initial_world(CONTENT)
    return world


def slow_toy(pause: float = 0.002) -> World:
    """The same, where some stages take a little time."""

    @block
    async def slow_author(intent: dict[str, Any], description: dict[str, Any]) -> str:
        await anyio.sleep(pause)
        return str(author(intent, description))

    @block
    async def slow_creator(blueprint: dict[str, Any]) -> Any:
        await anyio.sleep(pause)
        return creator(blueprint)

    return toy(author=slow_author, creator=slow_creator)


class Log:
    """What was really done outside: a line for each performed effect, on disk before its result."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, **line: Any) -> None:
        with open(self.path, "a") as file:
            file.write(json.dumps({"pid": os.getpid(), **line}) + "\n")

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []


def effect_world(log: Log, pause: float = 0.001) -> World:
    """Stages that call the outside: two calls at once in the Creator, a chain of two in the Author."""

    async def ask(ctx: RunContext, kind: str, request: str) -> str:
        async def perform(key: str) -> str:
            log.add(key=key, path=ctx.path, kind=kind, request=request)
            await anyio.sleep(pause)
            return f"<{kind} says {request}>"

        return await ctx.effect(kind, request, perform)

    @block
    async def asking_author(intent: dict[str, Any], description: dict[str, Any], *, ctx: RunContext) -> str:
        first = await ask(ctx, "model", f"tell of {intent['what']}")
        return await ask(ctx, "model", f"shorter: {first} {description['seen']}")

    @block
    async def asking_creator(blueprint: dict[str, Any], *, ctx: RunContext) -> dict[str, Any]:
        texts: dict[int, str] = {}

        async def one(number: int) -> None:
            texts[number] = await ask(ctx.child(f"part{number}"), "tool", f"{blueprint['scene']} {number}")

        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(one, number)
        return {"texts": [texts[number] for number in range(3)]}

    return toy(author=asking_author, creator=asking_creator)


async def live(store: str, ticks: int, world: World) -> None:
    async with World.open(world, store=store) as live_world:
        print(f"open {live_world.tick}", flush=True)
        if live_world.tick < ticks:
            async for event in live_world.stream(ticks=ticks - live_world.tick):
                if isinstance(event, TickFinished):
                    print(f"tick {event.tick} {event.tick_hash}", flush=True)
        print(f"end {live_world.content_hash} {live_world.tick_hash}", flush=True)


if __name__ == "__main__":
    where, count, what = sys.argv[1:4]
    what, _, level = what.partition(":")
    chosen = effect_world(Log(Path(sys.argv[4]))) if what == "effects" else slow_toy()
    chosen.set_durability(level or "effect")
    anyio.run(live, where, int(count), chosen)
