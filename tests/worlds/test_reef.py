"""The reef: a world of another kind in under 150 lines. It lives, it is measured from pixels, and it never runs out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from yggdrasil import World
from yggdrasil.abc.catalog import find
from yggdrasil.core.blob import references
from yggdrasil.runtime.registry import active_registry

FOLDER = Path(__file__).parents[2] / "worlds" / "reef"


@pytest.fixture
def blocks() -> Iterator[Mapping[str, Any]]:
    with find("reef", "world").scope():
        yield {name: active_registry().build(f"reef/{name}", {}) for name in ("growth", "lens", "eye", "log")}


def wrong(content: Mapping[str, Any]) -> list[str]:
    """What breaks the reef's own rules; the checker of this world."""
    rows = enumerate(content["reef"])
    found = [f"row {y} has {row!r}" for y, row in rows if len(row) != 32 or set(row) - set("sba.")]
    if not 2 <= content["sea"]["fish"] <= 20 or not -6 <= content["sea"]["warmth"] <= 16:
        found.append(f"the sea is {content['sea']}")
    if not any("s" in row or "b" in row for row in content["reef"]):
        found.append("no coral is left")
    if not 97 <= sum(content["census"].values()) <= 103 and content["sea"]["moon"] > 0:
        found.append(f"the census is {content['census']}")
    return found


def test_it_is_small() -> None:
    lines = sum(len(path.read_text().splitlines()) for path in FOLDER.rglob("*") if path.suffix in (".py", ".yaml"))
    assert lines < 150


async def live(ticks: int, seed: int) -> tuple[str, list[int], set[str]]:
    sizes: list[int] = []
    async with World.open("reef", seed=seed) as world:
        for _ in range(0, ticks, 10):
            await world.run(ticks=10)
            assert wrong(world.content) == []
            sizes.append(len(str(world.content)))
        kinds = {entry["text"] for entry in await world.history()}
        return world.tick_hash, sizes, kinds


@pytest.mark.anyio
async def test_sixty_moons_and_the_same_again() -> None:
    first, second = await live(60, 2), await live(60, 2)
    assert first == second
    assert first[0] != (await live(60, 3))[0]
    assert len(first[2]) > 20, "the log repeats itself"


@pytest.mark.anyio
@pytest.mark.long
async def test_two_thousand_moons_do_not_wear_it_out() -> None:
    _, sizes, _ = await live(2000, 1)
    assert max(sizes[100:]) < 1.1 * max(sizes[10:100])


@pytest.mark.anyio
async def test_an_action_is_answered_and_what_happened_is_what_was_measured() -> None:
    async with World.open("reef", seed=1) as world:
        await world.run(ticks=1, action="A cyclone comes")
        assert world.state["intent"]["kind"] == "cyclone"
        assert len(list(references(world.state["artifacts"]))) == 1
        before = world.content
        await world.run(ticks=1)
        assert sum(row.count("s") for row in world.content["reef"]) < sum(row.count("s") for row in before["reef"])
        assert "murky" in (await world.history())[-1]["text"]
        assert world.content["census"]["sand"] > before["census"]["sand"]


@pytest.mark.anyio
@pytest.mark.parametrize("cell", ["s", "b", "a", "."])
async def test_the_eye_measures_what_the_lens_drew(blocks: Mapping[str, Any], cell: str) -> None:
    names = {"s": "staghorn", "b": "brain coral", "a": "weed", ".": "sand"}
    for fish in (2, 9, 20):
        blueprint = {"rows": [cell * 32] * 8, "fish": fish, "guest": cell == "b", "at": 3, "murk": 0.7}
        artifacts = (await blocks["lens"].run(blueprint=blueprint))["artifacts"]
        seen = (await blocks["eye"].run(artifacts=artifacts))["description"]
        assert max(seen["cover"], key=seen["cover"].get) == names[cell]
        assert (seen["fish"], seen["guest"], seen["water"]) == (fish, cell == "b", "murky")


@pytest.mark.anyio
async def test_the_log_believes_the_eye_and_not_the_plan(blocks: Mapping[str, Any]) -> None:
    world: dict[str, Any] = {
        "census": {"staghorn": 30, "brain coral": 15, "weed": 7, "sand": 48},
        "style": {"recent": []},
    }
    seen = {"cover": {**world["census"], "staghorn": 12, "sand": 66}, "fish": 7, "water": "hazy"}
    told = await blocks["log"].run(intent={"kind": "calm", "moon": 4}, description=seen, world=world)
    assert "Less staghorn: 12 %" in told["chronicle"]["text"]
    assert "7 fish" in told["chronicle"]["text"]
    assert told["chronicle"]["census"] == seen["cover"]


def test_the_checker_can_fail() -> None:
    bad = {"reef": ["x" * 32, "."], "sea": {"fish": 99, "warmth": 0, "moon": 3}, "census": {"sand": 10}}
    assert len(wrong(bad)) == 5
