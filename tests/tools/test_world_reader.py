"""The stock tool `world_reader`, over midgard's own content."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from yggdrasil import PortError, World
from yggdrasil.abc.catalog import find
from yggdrasil.runtime.registry import active_registry

pytestmark = pytest.mark.anyio


@pytest.fixture
def reader() -> Iterator[Any]:
    with find("world_reader", "tool").scope():
        yield active_registry().build("tool/world_reader", {})


@pytest.fixture
async def world() -> dict[str, Any]:
    async with World.open("midgard", seed=3, overlay="text") as living:
        await living.run(ticks=6)
        return {**living.content, "history": {"recent": await living.history()}}


async def test_it_finds_people_places_threads_and_what_happened(reader: Any, world: dict[str, Any]) -> None:
    found = (await reader.run(world=world, look="people", about="shipwright KETIL")).output
    assert (found["count"], found["found"][0]["id"]) == (1, "ketil")
    assert (await reader.run(world=world, look="places", about="beacon")).output["count"] >= 1
    threads = (await reader.run(world=world, look="threads")).output["found"]
    assert {t["id"] for t in threads} >= set(world["threads"]["open"])
    told = (await reader.run(world=world, look="history")).output["found"]
    assert [t["day"] for t in told] == sorted((t["day"] for t in told), reverse=True)
    assert told[0]["text"] == world["history"]["recent"][-1]["text"]


async def test_what_is_not_there_is_not_found(reader: Any, world: dict[str, Any]) -> None:
    assert (await reader.run(world=world, look="people", about="Dracula")).output["found"] == []
    assert (await reader.run(world={}, look="threads")).output["count"] == 0
    assert (await reader.run(world={"history": []}, look="history")).output["count"] == 0
    with pytest.raises(PortError):
        await reader.run(world=world, look="secrets")


async def test_an_answer_is_bounded(reader: Any) -> None:
    crowd = {f"p{n:03}": {"name": f"P{n}", "story": "word " * 5000, "trade": "x"} for n in range(500)}
    found = (await reader.run(world={"characters": crowd}, look="people")).output
    assert (found["count"], len(found["found"])) == (500, 12)
    assert found["found"][0]["name"] == "P0"
    assert len(json.dumps(found)) < 12 * 1000
