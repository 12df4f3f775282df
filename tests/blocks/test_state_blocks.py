"""Prompts out of state, artifacts in slots, patches out of what a model says."""

from __future__ import annotations

from typing import Any

import pytest

from yggdrasil import Blob, ConfigError, PortError
from yggdrasil.blocks.prompt import Prompt
from yggdrasil.blocks.state import Changes, Slot
from yggdrasil.core.content import apply, content_of
from yggdrasil.runtime.registry import active_registry

pytestmark = pytest.mark.anyio

WORLD = {"style": {"voice": "dry"}, "places": {"ford": {"depth": 1}}}


async def test_a_prompt_is_filled() -> None:
    prompt = Prompt("Tell of {intent} in a {world.style.voice} voice. {action?}{world.none.there?}{world.places}")
    assert {name: port.optional for name, port in prompt.spec.inputs.items()} == {
        "intent": False, "world": False, "action": True
    }  # fmt: skip
    text = (await prompt.run(intent="a feast", world=WORLD)).output
    assert text == 'Tell of a feast in a dry voice. {"ford": {"depth": 1}}'
    with pytest.raises(PortError, match="'intent'"):
        await prompt.run(world=WORLD)


async def test_long_values_are_cut() -> None:
    text = (await Prompt("[{a}]", limit=10).run(a="x" * 100)).output
    assert text == "[xxxxx [..]]"


async def test_media_follow_the_text_or_are_named() -> None:
    picture, note = Blob(b"png", "image/png"), Blob(b"a note", "text/plain")
    artifacts = {"images": [picture], "texts": [note]}
    found = (await Prompt("See {artifacts}", media=True).run(artifacts=artifacts)).output
    assert found == ['See {"images": ["(image/png, number 1)"], "texts": ["a note"]}', picture]
    assert isinstance((await Prompt("See {artifacts}").run(artifacts=artifacts)).output, str)


def test_bad_configs() -> None:
    for wrong in (
        lambda: Prompt(""),
        lambda: Prompt("{a}", limit=0),
        lambda: Slot(""),
        lambda: Changes("places"),
        lambda: Changes(["history"]),
    ):
        with pytest.raises(ConfigError):
            wrong()
    made = active_registry().build("text/prompt", {"template": "{a}", "limit": 7})
    assert made.config == {"template": "{a}", "limit": 7}  # type: ignore[attr-defined]
    assert active_registry().build("state/changes", {"sections": ["places"]}).config == {  # type: ignore[attr-defined]
        "sections": ["places"]
    }


async def test_slots() -> None:
    assert (await Slot().run("a text"))["artifacts"] == {"texts": ["a text"]}
    from PIL import Image

    made = (await Slot("images").run([Image.new("RGB", (2, 2)), Blob(b"x", "image/png")]))["artifacts"]
    assert [blob.media_type for blob in made["images"]] == ["image/png", "image/png"]
    import numpy

    with pytest.raises(PortError, match="ndarray is no artifact"):
        await Slot("images").run(numpy.zeros((2, 2)))


async def test_changes_become_a_patch_that_applies() -> None:
    places = {"ford": "high", "a/b~c": "odd"}
    changes: dict[str, Any] = {"characters": {"Kara": "tired"}, "places": places, "rules": {"x": 1}}
    patch = (
        await Changes().run(changes=changes, chronicle="It rained.", intent="rain", world=WORLD)
    ).output
    applied = apply(content_of(WORLD)[0], patch)
    assert applied.content.sections == {
        "style": {"voice": "dry"}, "places": {"ford": "high", "a/b~c": "odd"}, "characters": {"Kara": "tired"}
    }  # fmt: skip
    assert applied.entries == ({"chronicle": "It rained.", "intent": "rain"},)
    only = (await Changes().run(chronicle="Nothing.", world=WORLD)).output
    assert [operation["path"] for operation in only] == ["/history/-"]
