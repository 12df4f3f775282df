"""A world of many people, each an agent: they see their place only, remember, and talk with whom they meet.

    python -m tests.worlds.crowd [PEOPLE] [TICKS]

lets it live and prints its history.
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import anyio

from yggdrasil import Agent, Graph, Memory, ScriptedModel, ToolCall, World, block, tool
from yggdrasil.core.messages import Reply, Request, assistant

CROWDED = 4  # people to a place, on average: what one sees does not grow with the world
HEARD = 6


@dataclass
class Act:
    """What somebody does in a tick."""

    do: Literal["say", "go", "wait"]
    what: str = ""


def content(people: int) -> dict[str, Any]:
    """So many people, over a ring of places."""
    places = max(2, people // CROWDED)
    return {
        "people": {f"p{n}": {"place": f"place{n % places}", "met": {}} for n in range(people)},
        "places": {
            f"place{n}": {"ways": [f"place{(n + step) % places}" for step in (1, places - 1)], "heard": []}
            for n in range(places)
        },
    }


def scene(world: Mapping[str, Any], name: str) -> str:
    """What one of them sees and hears: the place, who is there, what was said there."""
    place = world["people"][name]["place"]
    there = world["places"][place]
    others = [other for other, p in world["people"].items() if p["place"] == place and other != name]
    ways, here = ", ".join(there["ways"]), ", ".join(others) or "nobody"
    lines = [f"Day {world['history']['length']}. You are {name}, at {place}. Ways: {ways}. Here: {here}."]
    lines += [f"{line['who']} said: {line['words']}" for line in there["heard"]]
    return "\n".join(lines)


@tool
def think(about: str) -> str:
    """Think something over."""
    return f"{about}: it is as it is"


def mind(request: Request) -> Reply | str:
    """A model: it thinks once about what it sees, then speaks to whom it sees, or goes on."""
    asked = [message for message in request.messages if message.role == "user"][-1].text
    if request.messages[-1].role == "user":
        return Reply(assistant(ToolCall("1", "think", {"about": asked.partition(". ")[2]})), finish="tool_calls")
    found = re.search(r"You are (\w+), at (\w+)\. Ways: (\w+), (\w+)\. Here: ([^.]*)", asked)
    assert found is not None
    me, place, *ways, here = found.groups()
    number = zlib.crc32(asked.encode())
    if here != "nobody" and number % 3:
        others = here.split(", ")
        return f'{{"do": "say", "what": "{others[number % len(others)]}, this is {me} at {place}."}}'
    return f'{{"do": "go", "what": "{ways[number % 2]}"}}'


def looking(name: str) -> Any:
    @block
    def look(world: dict[str, Any]) -> str:
        return scene(world, name)

    return look


@block(many={"acts": "dict"})
def gather(acts: dict[str, Act]) -> dict[str, Any]:
    return {source.partition(".")[0]: {"do": act.do, "what": act.what} for source, act in acts.items()}


def patch(world: Mapping[str, Any], intent: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the acts of a tick change."""
    people, changes = world["people"], []
    said: dict[str, list[dict[str, str]]] = {}
    for name, act in intent.items():
        place = people[name]["place"]
        if act["do"] == "go" and act["what"] in world["places"][place]["ways"]:
            changes.append({"op": "replace", "path": f"/people/{name}/place", "value": act["what"]})
        elif act["do"] == "say":
            said.setdefault(place, []).append({"who": name, "words": act["what"]})
            other = act["what"].partition(",")[0]
            if other in people and people[other]["place"] == place:
                met = people[name]["met"].get(other, 0)
                changes.append({"op": "add", "path": f"/people/{name}/met/{other}", "value": met + 1})
    for place, there in world["places"].items():
        heard = said.get(place, [])[-HEARD:]
        if heard or there["heard"]:
            changes.append({"op": "replace", "path": f"/places/{place}/heard", "value": heard})
    return changes


@block
def update(chronicle: str, intent: dict[str, Any], world: dict[str, Any]) -> list[dict[str, Any]]:
    return [*patch(world, intent), {"op": "add", "path": "/history/-", "value": chronicle}]


@block
def author(intent: dict[str, Any], description: str) -> str:
    spoke = sum(act["do"] == "say" for act in intent.values())
    went = sum(act["do"] == "go" for act in intent.values())
    return f"{spoke} spoke, {went} went on. {description}"


@block
def architect(intent: dict[str, Any]) -> dict[str, Any]:
    return {"people": len(intent), "moving": sorted(name for name, act in intent.items() if act["do"] == "go")}


@block
def creator(blueprint: dict[str, Any]) -> dict[str, Any]:
    return {"texts": [f"{len(blueprint['moving'])} on the road"]}


@block
def philosopher(artifacts: dict[str, Any]) -> str:
    return f"Seen: {artifacts['texts'][0]}."


def own_memory() -> Memory:
    """A dialogue that is cut down to some days, and what went before in a sentence."""
    return Memory(budget=300, summarise=ScriptedModel(lambda request: "Days went by.", keep=0))


def crowd(
    people: int,
    model: Callable[[Request], Any] = mind,
    memory: Callable[[], Memory | None] = own_memory,
) -> World:
    """The world. `model` is asked for each of them; `memory` makes one for each."""
    development = Graph("development")
    development.add("gather", gather)
    for name in content(people)["people"]:
        development.add(f"look_{name}", looking(name))
        kept = memory()
        agent = Agent(ScriptedModel(model, keep=0), name=name, tools=[think], output=Act, memory=kept, max_retries=0)
        development.add(name, agent)
        development.add_edge(f"look_{name}.output", f"{name}.prompt")
        development.add_edge(f"{name}.response", "gather.acts")
        development.expose_input(f"look_{name}.world", name="world")
    development.expose_output("gather.output", name="intent")
    world = World("crowd")
    for stage, made in {
        "philosopher": philosopher, "author": author, "environment/update": update,
        "environment/development": development, "architect": architect, "creator": creator,
    }.items():  # fmt: skip
        world.add_stage(stage, made)
    world.set_initial_world(content(people))
    return world


async def main(people: int = 12, ticks: int = 20) -> None:
    """Live, and print the history."""
    async with World.open(crowd(people), store="memory://", seed=1) as world:
        await world.run(ticks=ticks)
        for line in await world.history():
            print(line)


if __name__ == "__main__":
    anyio.run(main, *map(int, sys.argv[1:]))
