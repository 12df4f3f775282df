"""Blocks whose weights come from a ref: what was trained is in the checkpoint, and others keep what the ref says."""

from __future__ import annotations

import gc
import json
import weakref
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from tests.blocks.tiny_pipelines import saved
from yggdrasil import Graph, World, run_sync, train_plan
from yggdrasil.blocks.backbone.diffusers import Backbone
from yggdrasil.runtime.pool import POOL

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


def drawn(graph: Graph) -> Any:
    return run_sync(graph, prompt="a house", steps=3, height=32, width=32, guidance_scale=4.0, seed=7)["image"]


def parameters(graph: Graph) -> list[torch.nn.Parameter]:
    blocks: list[Any] = [node.block for _, node in graph.walk() if hasattr(node.block, "modules")]
    modules = [module for block in blocks for module in block.modules().values()]
    return list({id(p): p for module in modules for p in module.parameters()}.values())


def test_a_pipeline_of_diffusers(tmp_path: Path) -> None:
    source = saved("sd", tmp_path / "source")
    graph = Graph.from_diffusers(str(source))
    for parameter in parameters(graph):  # torch computes other bits where memory is not aligned, as in mapped files
        parameter.data = parameter.data.clone()
    before = drawn(graph)
    graph.save(tmp_path / "plain.ygg")
    assert numpy.array_equal(drawn(Graph.load(tmp_path / "plain.ygg")), before)

    kept = [parameter.detach().clone() for parameter in parameters(graph)]
    with torch.no_grad():
        for parameter in parameters(graph):
            parameter.mul_(1.05)
    trained = drawn(graph)
    graph.save(tmp_path / "trained")
    with torch.no_grad():
        for parameter, value in zip(parameters(graph), kept, strict=True):
            parameter.copy_(value)
    assert not numpy.array_equal(trained, before)
    again = Graph.load(tmp_path / "trained")
    assert numpy.array_equal(drawn(again), trained)
    assert numpy.array_equal(drawn(graph), before)
    records = json.loads((tmp_path / "trained" / "checkpoint.json").read_text())["weights"]
    assert {one["origin"]["ref"].rpartition("/")[2] for one in records} == {"unet", "vae", "text_encoder"}


def world_of_six(name: str, ref: str) -> World:
    """A world with six blocks that name one ref."""
    made = World(name)
    for stage in ("architect", "creator"):
        graph = Graph(stage)
        for number in range(3):
            graph.add(f"backbone{number}", Backbone(ref))
        made.add_stage(stage, graph)
    return made


def test_one_ref_in_twelve_nodes_of_two_worlds(tmp_path: Path) -> None:
    source = str(saved("sd", tmp_path / "source"))
    worlds = [world_of_six(name, source) for name in ("one", "other")]
    blocks: list[Any] = [node.block for world in worlds for path, node in world.walk() if "/" in path]
    assert len(blocks) == 12
    (module,) = {id(m): m for block in blocks for m in block.modules().values()}.values()
    key = POOL.key_of(module)
    assert key is not None
    assert POOL.users(key) == 12
    bytes_of_one = sum(p.numel() * p.element_size() for p in module.parameters())
    held = {p.data_ptr(): p for block in blocks for m in block.modules().values() for p in m.parameters()}
    assert sum(p.numel() * p.element_size() for p in held.values()) == bytes_of_one
    for world in worlds:
        plan = train_plan(world)
        assert len(plan.parameters) == len(list(module.parameters()))
        assert {len(p.users) for p in plan.parameters} == {6}
        world.save(tmp_path / world.name)
        (record,) = json.loads((tmp_path / world.name / "checkpoint.json").read_text())["weights"]
        assert len(record["users"]) == 6
    again = World.load(tmp_path / "one")
    paths = [path for path, _ in again.walk() if "/" in path]
    nodes: dict[str, Any] = dict(again.walk())
    assert len({id(nodes[path].block.modules()["unet"]) for path in paths}) == 1
    gone = weakref.ref(module)
    del module, held, plan
    del again, nodes
    for world in worlds:
        world.unload()
    gc.collect()
    assert gone() is None
    assert POOL.users(key) == 0


def test_a_ref_beside_a_type_is_the_blocks_own(tmp_path: Path) -> None:
    source = str(saved("sd", tmp_path / "source"))
    kind = {"type": "backbone/diffusers"}
    nodes = {"one": {**kind, "ref": source}, "two": {**kind, "config": {"ref": source}}}
    graph = Graph.from_config({"kind": "graph", "nodes": nodes})
    blocks: list[Any] = [node.block for _, node in graph.walk()]
    assert [block.ref for block in blocks] == [source, source]
    graph.save(tmp_path / "graph.yaml")
    assert f"ref: {source}" in (tmp_path / "graph.yaml").read_text()
    assert Graph.load(tmp_path / "graph.yaml").to_config() == graph.to_config()
