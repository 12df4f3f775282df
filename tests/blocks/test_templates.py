"""The templates that draw and speak: what they take and give, and which models they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.blocks.test_diffusers import CASES, anyio_backend, one_thread, ours, theirs
from tests.blocks.tiny_pipelines import pipeline, saved
from yggdrasil import ConfigError, Graph
from yggdrasil.runtime.function import FunctionBlock

__all__ = ["anyio_backend", "one_thread"]
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),
]

MODELS = {
    "text_to_image": "sd",
    "image_to_image": "img2img",
    "inpaint": "inpaint",
    "upscale": "upscale",
    "image_to_video": "wan_i2v",
}


@pytest.mark.parametrize(("template", "name"), MODELS.items())
async def test_it_draws_what_the_pipeline_draws(template: str, name: str) -> None:
    graph = Graph.from_template(template, model=pipeline(name), steps=3)
    given = {"prompt": "a house", "guidance_scale": 4.0, **CASES[name]}
    found = np.asarray((await graph.run(given, seed=7)).output)
    assert np.array_equal(found, theirs(name, steps=3, **given))


async def test_a_model_of_text_begins_as_a_picture(tmp_path: Path) -> None:
    folder = saved("sd", tmp_path / "sd")
    graph = Graph.from_template("image_to_image", model=str(folder), steps=6)
    given = {"prompt": "a house", "guidance_scale": 4.0, **CASES["img2img"]}
    assert (await ours(graph, **given)).shape == (1, 32, 32, 3)
    graph.save(tmp_path / "graph.yaml")
    again = Graph.load(tmp_path / "graph.yaml")
    assert np.array_equal(await ours(again, **given), await ours(graph, **given))


@pytest.mark.parametrize(
    ("template", "given", "said"),
    [
        ("text_to_image", {"model": "img2img"}, "StableDiffusionImg2ImgPipeline is nothing for text_to_image"),
        ("image_to_image", {"model": "upscale"}, "nothing for image_to_image"),
        ("upscale", {"model": "img2img"}, "nothing for upscale"),
        ("image_to_video", {"model": "wan"}, "nothing for image_to_video"),
        ("text_to_image", {"model": "sd", "steps": 0}, "steps is 0"),
        ("text_to_image", {"model": "sd", "size": 3}, "unexpected keyword argument 'size'"),
    ],
)
def test_what_cannot_be(template: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Graph.from_template(template, **{**given, "model": pipeline(given["model"])})


async def test_text_to_speech_by_any_block_that_speaks() -> None:
    def speak(prompt: str) -> str:
        return f"<{prompt}>"

    voice = FunctionBlock(speak, outputs={"audio": str})
    graph = Graph.from_template("text_to_speech", model=voice)
    assert (await graph.run(text="hail"))["audio"] == "<hail>"
    with pytest.raises(ConfigError, match="does not speak"):
        Graph.from_template("text_to_speech", model=FunctionBlock(lambda x: x))
