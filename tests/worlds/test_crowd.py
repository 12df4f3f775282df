"""Many agents in one world: what each sees, that they act at once, and what a tick costs as people and years add up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.worlds.crowd import CROWDED, content, crowd, mind, scene
from yggdrasil import World
from yggdrasil.core.messages import Request
from yggdrasil.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio


def asked(request: Request) -> str:
    return [message for message in request.messages if message.role == "user"][-1].text


async def test_each_sees_its_place_and_no_other() -> None:
    seen: list[tuple[str, str, set[str]]] = []

    def model(request: Request) -> Any:
        found = re.search(r"You are (\w+), at (\w+)\. .*Here: ([^.]*)\.", asked(request))
        assert found is not None
        seen.append((found[1], found[2], set(re.findall(r"\bp\d+\b", found[3]))))
        return mind(request)

    people = 12
    async with World.open(crowd(people, model), store="memory://", seed=1) as world:
        for _ in range(4):
            seen.clear()
            await world.run(ticks=1)
            now = world.content["people"]  # as the update of this tick left it: then they acted
            assert {name for name, _, _ in seen} == set(now)
            for name, place, others in seen:
                assert now[name]["place"] == place
                assert others == {n for n, p in now.items() if p["place"] == place and n != name}


async def test_they_talk_with_whom_they_meet_and_hear_it_the_next_day() -> None:
    async with World.open(crowd(12), store="memory://", seed=1) as world:
        met = heard = 0
        for _ in range(6):
            await world.run(ticks=1)
            now = world.content["people"]
            for name, act in world.state["intent"].items():
                if act["do"] == "say":
                    other = act["what"].partition(",")[0]
                    assert now[other]["place"] == now[name]["place"], "nobody is spoken to from afar"
                    met += 1
        for place, there in world.content["places"].items():
            for line in there["heard"]:
                here = [n for n, p in world.content["people"].items() if p["place"] == place]
                heard += len(here)
                assert all(line["words"] in scene(world.content, name) for name in here)
        assert met > 20
        assert heard > 0
        assert any(person["met"] for person in world.content["people"].values())


async def test_they_act_at_once() -> None:
    people, arrived = 12, 0
    everyone = anyio.Event()

    async def model(request: Request) -> Any:
        nonlocal arrived
        if request.messages[-1].role == "user":
            arrived += 1
            if arrived == people:
                everyone.set()
            await everyone.wait()  # none goes on before all have begun
        return mind(request)

    with anyio.fail_after(20):
        async with World.open(crowd(people, model), store="memory://", seed=1) as world:
            await world.run(ticks=1)
    assert arrived == people


async def grown(people: int, ticks: int) -> list[tuple[int, int]]:
    """Records and bytes that each tick adds to the journal."""
    added, last = [], 0
    async with MemoryStore() as store, World.open(crowd(people), store=store, seed=1) as world:
        for _ in range(ticks):
            await world.run(ticks=1)
            records = await store.read("crowd", after=last)
            last = records[-1].sequence
            added.append((len(records), sum(len(repr(record.data)) for record in records)))
    return added


async def test_a_tick_writes_in_proportion_to_people_and_not_to_age() -> None:
    few, more, many = [await grown(people, 10) for people in (8, 16, 32)]
    for kind in range(2):  # records, bytes
        a, b, c = (sum(tick[kind] for tick in world[2:]) for world in (few, more, many))
        assert 1.8 < (c - b) / (b - a) < 2.2
    old = await grown(2 * CROWDED, 40)
    early, late = sum(size for _, size in old[8:18]), sum(size for _, size in old[-10:])
    assert 0.8 < late / early < 1.2


async def test_two_lives_are_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/crowd.db"
    async with World.open(crowd(8, memory=lambda: None), store=url, seed=1) as world:
        await world.run(ticks=3)
    async with World.open(crowd(8, memory=lambda: None), store=url) as world:
        await world.run(ticks=3)
        two = world.tick_hash
    async with World.open(crowd(8, memory=lambda: None), store="memory://", seed=1) as world:
        await world.run(ticks=6)
        assert world.tick_hash == two


def test_the_content_fits() -> None:
    made = content(40)
    assert {person["place"] for person in made["people"].values()} == set(made["places"])
