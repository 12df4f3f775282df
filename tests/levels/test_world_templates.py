"""The world templates live, with scripted models, and survive their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from yggdrasil import Blob, ConfigError, ScriptedModel, UnknownTypeError, World, block
from yggdrasil.core.blob import references
from yggdrasil.core.messages import Request

pytestmark = pytest.mark.anyio


def teller(request: Request) -> str:
    """A model that answers by what it is asked."""
    asked = request.messages[-1].text
    if request.output is not None:
        return json.dumps({"characters": {"Kara": "is tired"}, "places": {"the/ford": "is high"}, "threads": {}})
    for word, answer in (
        ("Read this as a stranger", "A woman at a ford."),
        ("chronicle, what really", "Kara crossed the ford."),
        ("what happens next", "Kara crosses. " + ("(beacon)" if "lights the beacon" in asked else "")),
        ("Plan a passage", "Ten lines, in the rain."),
        ("Plan one picture", "a ford in the rain"),
        ("Write a passage by", "It rained, and Kara crossed."),
        ("Describe what you see", f"A picture; parts: {len(request.messages[-1].parts)}"),
    ):
        if word in asked:
            return answer
    raise AssertionError(asked)


async def test_storytelling_tells() -> None:
    model = ScriptedModel(teller)
    world = World.from_template("storytelling", model=model, title="The ford", premise="A ford by a hill.")
    assert [p for p in world.validate() if p.level == "error"] == []
    async with World.open(world) as live:
        await live.run(ticks=3, action="Kara lights the beacon")
        assert live.state["intent"].startswith("Kara crosses.")
        assert live.state["blueprint"] == "Ten lines, in the rain."
        assert live.state["artifacts"] == {"texts": ["It rained, and Kara crossed."]}
        assert live.content["characters"] == {"Kara": "is tired"}
        assert live.content["places"] == {"the/ford": "is high"}
        history = await live.history()
        assert [entry["chronicle"] for entry in history] == ["Kara crossed the ford."] * 2
        assert ["(beacon)" in entry["intent"] for entry in history] == [True, False]
    assert model.calls == 3 * 3 + 2 * 3


async def test_storytelling_works_without_any_model() -> None:
    world = World.from_template("storytelling")
    sizes = []
    async with World.open(world) as live:
        for _ in range(8):
            await live.run(ticks=1)
            sizes.append(len(json.dumps(dict(live.state))))
    assert max(sizes) < 40_000, "an echo does not grow for ever"


async def test_a_template_survives_its_file(tmp_path: Path) -> None:
    world = World.from_template("storytelling", model="scripted:echo", name="ford")
    world.save(tmp_path / "world.yaml")
    again = World.load(tmp_path / "world.yaml")
    assert again.to_config() == world.to_config()
    async with World.open(world) as one, World.open(again) as two:
        await one.run(ticks=3)
        await two.run(ticks=3)
        assert one.tick_hash == two.tick_hash


@block("image/test_canvas")
def canvas(prompt: str) -> Any:
    from PIL import Image

    return Image.new("RGB", (8, 8), (len(prompt) % 256, 0, 0))


@pytest.mark.parametrize("image", [canvas, "image/test_canvas", {"type": "image/test_canvas"}])
async def test_art_generation_paints(image: Any) -> None:
    world = World.from_template("art_generation", image=image, model=ScriptedModel(teller))
    async with World.open(world) as live:
        await live.run(ticks=2)
        reference = next(references(live.state["artifacts"]))
        assert (await live.blob(reference["$blob"])).startswith(b"\x89PNG")
        saved = (await live.store.read(live.stream_name, kinds=("updated",)))[0].data["state"]
        assert saved["description"] == "A picture; parts: 2", "the Philosopher is shown the picture itself"


def test_art_generation_says_what_does_not_fit() -> None:
    @block
    def no_painter(text: str) -> str:
        return text

    with pytest.raises(ConfigError, match="does not turn 'prompt' into one picture"):
        World.from_template("art_generation", image=no_painter)
    with pytest.raises(ConfigError, match="image"):
        World.from_template("art_generation")
    with pytest.raises(UnknownTypeError, match="did you mean 'storytelling'"):
        World.from_template("storyteling")


async def test_canon_is_a_bare_skeleton() -> None:
    @block
    def same(intent: Any = None, blueprint: Any = None, description: Any = None, artifacts: Any = None) -> str:
        return "x"

    @block
    def nothing(chronicle: str) -> list[dict[str, Any]]:
        return []

    @block
    def image(blueprint: str) -> dict[str, Any]:
        return {"images": [Blob(b"x", "image/png")]}

    stages = {"philosopher": same, "author": same, "update": nothing, "development": same, "architect": same}
    with pytest.raises(ConfigError, match="stage 'creator' is missing"):
        World.from_template("canon", stages=stages)
    with pytest.raises(ConfigError, match="did you mean 'creator'"):
        World.from_template("canon", stages={**stages, "creatr": image})
    world = World.from_template("canon", stages={**stages, "creator": image}, name="bare", seed=3)
    async with World.open(world) as live:
        await live.run(ticks=2)
        assert (live.seed, live.label, live.tick) == (3, "bare", 2)

