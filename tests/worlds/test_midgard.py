"""Midgard as a world: it lives, the same way for the same seed, and its facts stay consistent."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from yggdrasil import World
from yggdrasil.core.blob import references


@pytest.mark.anyio
async def test_five_ticks_paint_five_pictures_and_the_same_again() -> None:
    async def live() -> tuple[str, list[str]]:
        pictures = []
        async with World.open("midgard", seed=11) as world:
            for _ in range(5):
                await world.run(ticks=1)
                picture = next(references(world.state["artifacts"]["images"]))
                assert (await world.blob(picture["$blob"])).startswith(b"\x89PNG")
                pictures.append(picture["$blob"])
            return world.tick_hash, pictures

    first, second = await live(), await live()
    assert first == second
    assert len(set(first[1])) == 5


@pytest.mark.anyio
async def test_an_action_becomes_a_happening() -> None:
    async with World.open("midgard", seed=1, overlay="text") as world:
        await world.run(ticks=1)
        await world.run(ticks=1, action="Kara lights the beacon")
        intent = world.state["intent"]
        assert (intent["kind"], intent["who"], intent["where"]) == ("beacon", ["kara"], "varden")
        wood = world.content["stores"]["skarvik"]["wood"]
        await world.run(ticks=1)
        told = (await world.history())[-1]
        assert "beacon" in told["text"].lower() or "Varden" in told["text"]
        assert world.content["stores"]["skarvik"]["wood"] != wood
        assert any("beacon" in memory["text"] for memory in world.content["characters"]["kara"]["memories"])


@pytest.mark.anyio
async def test_the_text_overlay_paints_nothing() -> None:
    async with World.open("midgard", seed=1, overlay="text") as world:
        await world.run(ticks=2)
        assert list(world.state["artifacts"]) == ["texts"]
        assert list(references(world.state)) == []


@pytest.mark.anyio
async def test_content_stays_bounded() -> None:
    async with World.open("midgard", seed=5, overlay="text") as world:
        await world.run(ticks=250)
        early = len(str(world.content))
        await world.run(ticks=250)
        assert len(str(world.content)) < max(early, 30_000) * 1.3
        rules = world.content["rules"]["people"]
        assert rules["fewest"] - 6 <= len(world.content["characters"]) <= rules["most"] + 2


def test_no_picture_library_is_needed_for_the_text_overlay() -> None:
    import subprocess

    script = (
        "import sys\nfrom yggdrasil import World\nimport anyio\n"
        "async def live():\n"
        "    async with World.open('midgard', overlay='text') as world:\n"
        "        await world.run(ticks=2)\n"
        "anyio.run(live)\nassert not {'numpy', 'PIL'} & set(sys.modules)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
