"""Graphs that draw and speak: `Graph.from_template("text_to_image", model="hf://org/name", steps=30)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from yggdrasil.abc.runnable import Runnable
from yggdrasil.errors import ConfigError
from yggdrasil.levels.graph import Graph
from yggdrasil.levels.templates import register_template


class _Task(NamedTuple):
    """What a pipeline has to do: as what another one may be used, what it is given besides a prompt, what it gives."""

    said: str
    kinds: Mapping[str, str]
    takes: frozenset[str]
    gives: str
    example: str


_PICTURE = "image"
_TASKS = {
    "text_to_image": _Task(
        "A picture of a prompt.",
        {}, frozenset(), _PICTURE, "a StableDiffusionPipeline, XL, 3, or a FluxPipeline",
    ),
    "image_to_image": _Task(
        "A picture of a prompt that begins as another: `image`, and `strength`, how far from it.",
        {"StableDiffusionPipeline": "StableDiffusionImg2ImgPipeline"},
        frozenset({"image"}), _PICTURE, "a StableDiffusionPipeline",
    ),
    "inpaint": _Task(
        "`image`, drawn anew where `mask_image` is white. The model has to be made for it.",
        {"StableDiffusionPipeline": "StableDiffusionInpaintPipeline"},
        frozenset({"image", "mask_image"}), _PICTURE, "a StableDiffusionInpaintPipeline",
    ),
    "upscale": _Task(
        "`image`, four times as wide and as high, with the details that the prompt tells.",
        {}, frozenset({"image"}), _PICTURE, "a StableDiffusionUpscalePipeline",
    ),
    "image_to_video": _Task(
        "`video`, [B, F, H, W, 3], that begins with `image` and goes on as the prompt says; `num_frames` long.",
        {}, frozenset({"image"}), "video", "a WanImageToVideoPipeline",
    ),
}  # fmt: skip


def _drawing(task: str, model: Any, steps: int | None, solver: Any, revision: str, dtype: str) -> Graph:
    from yggdrasil.blocks.diffusers.family import family_of
    from yggdrasil.levels.diffusers import open_pipeline

    wanted = _TASKS[task]
    options = {"revision": revision, "dtype": dtype}
    pipeline_class = open_pipeline(model, **options).pipeline_class
    kind = wanted.kinds.get(pipeline_class, pipeline_class)
    family = family_of(kind)
    required = {port.name for port in family.inputs if port.required}
    fits = required == wanted.takes and family.output == wanted.gives
    if not fits or (task == "upscale") != kind.endswith("UpscalePipeline"):
        raise ConfigError(f"{pipeline_class} is nothing for {task}", path=task, hint=f"model: {wanted.example}")
    changed = "" if kind == pipeline_class else kind
    return Graph.from_diffusers(model, name=task, kind=changed, steps=steps, solver=solver, **options)


def _register(task: str) -> None:
    @register_template("graph", task)
    def template(
        model: Any, steps: int | None = None, solver: Any = "", revision: str = "", dtype: str = ""
    ) -> Graph:
        return _drawing(task, model, steps, solver, revision, dtype)

    template.__doc__ = f"{_TASKS[task].said} The parameters are those of `Graph.from_diffusers`."


for _task in _TASKS:
    _register(_task)


@register_template("graph", "text_to_speech")
def text_to_speech(model: Any, **options: Any) -> Graph:
    """`text`, spoken: `audio`, a WAV file. `model` is a ref, or a `speech/...` block, here or behind an API.

    Options (params, revision, dtype, share) go to the `speech/local`.
    """
    if not isinstance(model, Runnable):
        from yggdrasil.blocks.speech.voice import LocalVoice

        model = LocalVoice(model, **options)
    elif options:
        raise ConfigError(f"{model.label} has its own options: {', '.join(options)}", hint="text_to_speech(block)")
    if "prompt" not in model.spec.inputs or "audio" not in model.spec.outputs:
        raise ConfigError(f"{model.label} does not speak", hint='speech/local, or speech/api with task: "speak"')
    graph = Graph("text_to_speech")
    graph.add_node("voice", model)
    graph.expose_input("voice.prompt", name="text")
    graph.expose_output("voice.audio", name="audio")
    return graph
