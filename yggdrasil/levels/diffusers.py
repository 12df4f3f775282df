"""Graphs from pipelines of diffusers: what its `__call__` does, as nodes and edges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from yggdrasil.errors import ConfigError

if TYPE_CHECKING:
    from yggdrasil.blocks.diffusers.source import Source
    from yggdrasil.levels.graph import Graph


def open_pipeline(what: Any, revision: str = "", dtype: str = "") -> Source:
    """The parts of a pipeline, from a ref or from one that is given; nothing is loaded yet."""
    from yggdrasil.blocks.diffusers.source import Source

    if isinstance(what, str | Path):
        return Source(str(what), revision, dtype)
    if hasattr(what, "components") and hasattr(what, "scheduler"):
        return Source(dtype=dtype, pipeline=what)
    hint = 'Graph.from_diffusers("hf://org/name"), a folder, or a DiffusionPipeline'
    raise ConfigError(f"{type(what).__name__} is no pipeline of diffusers", hint=hint)


def graph_of(
    what: Any, *, kind: str, revision: str, dtype: str, solver: Any, steps: int | None, fill: Graph
) -> Graph:
    """Fill a graph; see `Graph.from_diffusers`."""
    from yggdrasil.blocks.backbone.diffusers import Backbone
    from yggdrasil.blocks.diffusers.parts import Decode, Prompt, Start
    from yggdrasil.blocks.guidance.cfg import Guidance
    from yggdrasil.blocks.solver.diffusers import Solver

    source = open_pipeline(what, revision, dtype)
    options: dict[str, Any] = {"revision": revision, "dtype": dtype, "kind": kind, "source": source}
    step = (
        solver if isinstance(solver, Solver) else Solver(solver) if solver else Solver.of(source.require("scheduler"))
    )
    prompt = Prompt(source.ref, **options)
    family = prompt.family
    start = Start(source.ref, solver=step.kind, options=step.options, steps=steps, **options)
    fill.add_node("prompt", prompt)
    fill.add_node("start", start)
    fill.add_node("solver", step)
    fill.add_node("decode", Decode(source.ref, **options))
    fill.add_node("guidance", Guidance(scale=family.scale))
    backbone = Backbone.of(source, family.backbone)
    calls = {"backbone": ("embedding", "pred_cond"), "backbone_uncond": ("negative", "pred_uncond")}
    if not family.two_calls:
        calls = {"backbone": ("embedding", "pred")}
    for node, (condition, pred) in calls.items():
        fill.add_node(node, backbone)
        fill.add_edge(f"prompt.{condition}", f"{node}.condition")
        fill.add_edge("start.extra", f"{node}.extra")
        fill.add_edge("start.concat", f"{node}.concat")
        for port in ("input", "timestep"):
            into = "latent" if port == "input" else port
            fill.add_edge(f"start.{port}", f"{node}.{into}")
            fill.add_edge(f"solver.next_{port}", f"{node}.{into}")
        fill.add_edge(f"{node}.pred", f"guidance.{pred}")
    if family.adapter:
        _ADAPTERS[family.adapter](fill, source)
    fill.add_edge("prompt.embedding", "start.embedding")
    fill.add_edge("prompt.extra", "start.extra")
    fill.add_edge("prompt.scale", "guidance.scale")
    fill.add_edge("guidance.pred_guided", "solver.pred")
    for port in ("latent", "timestep", "state"):
        fill.add_edge(f"start.{port}", f"solver.{port}")
        fill.add_edge(f"solver.next_{port}", f"solver.{port}")
    fill.add_edge("solver.next_latent", "decode.latent")
    fill.until = "solver.done"
    _expose(fill, [p.name for p in family.inputs], family.output)
    return fill


def _add_controlnet(fill: Graph, source: Source) -> None:
    from yggdrasil.blocks.adapter.controlnet import ControlNet

    fill.add_node("controlnet", ControlNet(source.ref, revision=source.revision, dtype=source.dtype, source=source))
    for port, into in {"input": "latent", "timestep": "timestep"}.items():
        fill.add_edge(f"start.{port}", f"controlnet.{into}")
        fill.add_edge(f"solver.next_{port}", f"controlnet.{into}")
    fill.add_edge("prompt.embedding", "controlnet.condition")
    fill.add_edge("start.hint", "controlnet.hint")
    fill.add_edge("controlnet.adapted", "backbone.adapter_features")


def _add_t2i(fill: Graph, source: Source) -> None:
    from yggdrasil.blocks.adapter.t2i import T2IAdapter

    fill.add_node("adapter", T2IAdapter(source.ref, revision=source.revision, dtype=source.dtype, source=source))
    fill.add_edge("start.hint", "adapter.hint")
    fill.add_edge("prompt.embedding", "adapter.condition")
    fill.add_edge("adapter.adapted", "backbone.adapter_features")


_ADAPTERS = {"controlnet": _add_controlnet, "adapter": _add_t2i}


def _expose(fill: Graph, more: list[str], output: str) -> None:
    for port, nodes in {
        "prompt": ("prompt", "start"),
        "negative_prompt": ("prompt",),
        "steps": ("start",),
        "guidance_scale": ("prompt",),
        "height": ("prompt", "start", "decode"),
        "width": ("prompt", "start", "decode"),
        **dict.fromkeys(more, ("start",)),
    }.items():
        for node in nodes:
            fill.expose_input(node, port, port)
    fill.expose_output("decode", output, output)
