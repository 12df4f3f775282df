"""Graphs that look at a picture: `Graph.from_template("classify", model="hf://org/name")`."""

from __future__ import annotations

from typing import Any

from yggdrasil.abc.runnable import Runnable
from yggdrasil.errors import ConfigError
from yggdrasil.levels.graph import Graph
from yggdrasil.levels.templates import register_template

_ASKED = "Describe the picture in one sentence."


@register_template("graph", "classify")
def classify(model: Any, top_k: int = 5, **options: Any) -> Graph:
    """What a picture is of: `image` -> `label`, `classes`. `model` is a ref, or (module, image processor).

    Options (revision, dtype, share) go to the `classifier/transformers`.
    """
    from yggdrasil.blocks.vision.classifier import Classifier

    return _looking("classify", "classifier", Classifier(model, top_k, **options), ("label", "labels", "classes"))


@register_template("graph", "detect")
def detect(model: Any, threshold: float = 0.5, **options: Any) -> Graph:
    """What is where on a picture: `image` -> `things`, `boxes`. Options go to the `detector/transformers`."""
    from yggdrasil.blocks.vision.detector import Detector

    return _looking("detect", "detector", Detector(model, threshold, **options), ("things", "boxes"))


@register_template("graph", "caption")
def caption(model: Any, prompt: str | None = None, **options: Any) -> Graph:
    """What a picture shows, in words: `image` -> `text`.

    model   a ref of a captioning model; or a `vlm/...` block, here or behind an API, which is then asked `prompt`,
            whose places (`{language}`) are inputs too
    Options (max_tokens, beams, revision, dtype, share) go to the `caption/transformers`.
    """
    if not isinstance(model, Runnable):
        from yggdrasil.blocks.vision.captioner import Captioner

        if prompt is not None:
            hint = 'caption(LocalSeeing("hf://org/name"), prompt=...)'
            raise ConfigError("a captioning model is asked nothing: leave prompt out", hint=hint)
        return _looking("caption", "captioner", Captioner(model, **options), ("text",))
    from yggdrasil.blocks.prompt import Prompt

    missing = [n for n in ("image", "prompt") if n not in model.spec.inputs] + ["text"] * (
        "text" not in model.spec.outputs
    )
    if missing or options:
        said = f"has no port {missing[0]!r}" if missing else f"has its own options: {', '.join(options)}"
        raise ConfigError(f"{model.label} {said}", hint="a ref, or a vlm/local or vlm/api block")
    graph = Graph("caption")
    question = Prompt(prompt or _ASKED)
    graph.add_node("question", question)
    graph.add_node("vlm", model)
    graph.add_edge("question.prompt", "vlm.prompt")
    graph.expose_input("vlm.image", name="image")
    for place in question.spec.inputs:
        graph.expose_input(f"question.{place}", name=place)
    graph.expose_output("vlm.text", name="text")
    return graph


def _looking(name: str, role: str, block: Runnable, outputs: tuple[str, ...]) -> Graph:
    graph = Graph(name)
    graph.add_node(role, block)
    graph.expose_input(f"{role}.image", name="image")
    for output in outputs:
        graph.expose_output(f"{role}.{output}", name=output)
    return graph
