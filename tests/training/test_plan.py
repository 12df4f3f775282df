"""What a training would change, before it does."""

from __future__ import annotations

import pytest
import torch

from tests.training.toys import Toy, linear
from yggdrasil import ConfigError, Graph, block, train_plan
from yggdrasil.blocks.neural import NeuralBlock


def test_each_shared_parameter_is_there_once_with_all_who_use_it() -> None:
    plan = train_plan(Toy().level)
    assert [(p.name, p.users) for p in plan.learning] == [
        ("draft/backbone:weight", ("draft/backbone", "polish/backbone")),
        ("draft/backbone:bias", ("draft/backbone", "polish/backbone")),
        ("draft/head:weight", ("draft/head",)),
        ("draft/head:bias", ("draft/head",)),
        ("polish/head:weight", ("polish/head",)),
        ("polish/head:bias", ("polish/head",)),
    ]
    assert str(plan).splitlines() == [
        "train '**': 6 tensors (60 numbers) learn",
        "  as for all",
        "    draft/backbone (shared with polish/backbone): 2 tensors (20 numbers)",
        "    draft/head: 2 tensors (20 numbers)",
        "    polish/head: 2 tensors (20 numbers)",
    ]


def test_a_glob_chooses_blocks_or_levels_and_groups_choose_among_parameters() -> None:
    toy = Toy()
    assert {u for p in train_plan(toy.level, "polish").learning for u in p.users} == {
        "polish/head", "draft/backbone", "polish/backbone",
    }  # fmt: skip
    plan = train_plan(toy.level, "**/head", groups={"**:bias": {"freeze": True}, "polish/*": {"lr": 1e-3}})
    assert [(p.name, p.group) for p in plan.learning] == [("draft/head:weight", -1), ("polish/head:weight", 1)]
    assert {(p.name, p.frozen) for p in plan.frozen} == {
        ("draft/backbone:weight", "not selected by '**/head'"),
        ("draft/backbone:bias", "not selected by '**/head'"),
        ("draft/head:bias", "the group '**:bias' says freeze"),
        ("polish/head:bias", "the group '**:bias' says freeze"),
    }


def test_nodes_and_blocks_keep_themselves_out() -> None:
    toy = Toy()
    toy.level.set_trainable(False)
    with pytest.raises(ConfigError, match="nothing would learn: its node says trainable: false"):
        train_plan(toy.level)
    toy.level.set_trainable(True, "polish/backbone")
    assert {u for p in train_plan(toy.level).learning for u in p.users} == {"draft/backbone", "polish/backbone"}
    toy.level.nodes["draft"].trainable = None
    toy.level.set_trainable(True)
    frozen = NeuralBlock(linear(4, 4, 7))
    frozen.freeze()
    toy.level.add("frozen", frozen)
    assert {p.frozen for p in train_plan(toy.level).frozen} == {"its block froze it (requires_grad is off)"}


def test_a_shared_block_learns_when_one_of_its_chosen_nodes_may() -> None:
    toy = Toy()
    toy.level.set_trainable(False, "draft/backbone")
    assert "draft/backbone:weight" in [p.name for p in train_plan(toy.level).learning]
    toy.level.set_trainable(False, "polish/backbone")
    assert "draft/backbone:weight" in [p.name for p in train_plan(toy.level).frozen]


def test_nothing_matches_or_nothing_would_learn() -> None:
    with pytest.raises(ConfigError, match=r"no block matches '\*\*/unet'[\s\S]*draft/backbone; draft/head"):
        train_plan(Toy().level, "**/unet")
    graph = Graph("plain")
    graph.add("shout", lambda text: text.upper())
    with pytest.raises(ConfigError, match="nothing would learn: no block has parameters"):
        train_plan(graph)
    toy = Toy()
    toy.level.nodes["draft"].block.nodes["head"].cache = True
    with pytest.raises(ConfigError, match="a node that keeps its outputs cannot learn"):
        train_plan(toy.level)


def test_what_runs_elsewhere_stops_the_gradient() -> None:
    graph = Graph("far")
    graph.add("near", linear(4, 4, 1))
    graph.add("far", linear(4, 4, 2))
    graph.add_edge("near", "far")
    graph.add("after", linear(4, 4, 3))
    graph.add_edge("far", "after")
    graph.nodes["far"].endpoint_url = "http://127.0.0.1:1"
    plan = train_plan(graph, losses={"output": ("mse", "target")})
    assert {p.name: p.frozen for p in plan.parameters} == {
        "after:weight": "", "after:bias": "", "near:weight": "no loss reaches it", "near:bias": "no loss reaches it",
        "far:weight": "it runs on http://127.0.0.1:1", "far:bias": "it runs on http://127.0.0.1:1",
    }  # fmt: skip
    assert [(s.path, s.reason) for s in plan.stops] == [("far", "it runs on http://127.0.0.1:1")]


def test_a_block_alone_and_a_function_that_takes_tensors() -> None:
    plan = train_plan(NeuralBlock(linear(4, 2, 1), name="alone"), losses={"output": ("mse", "target")})
    assert [p.name for p in plan.learning] == ["alone:weight", "alone:bias"]

    @block
    def double(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    @block
    def count(text: dict[str, int]) -> list[str]:
        return list(text)

    graph = Graph("functions")
    graph.add("first", linear(4, 4, 1))
    graph.add("double", double)
    graph.add("count", count)
    graph.add_edge("first", "double")
    plan = train_plan(graph, losses={"double.output": ("mse", "target")})
    assert [s.path for s in plan.stops] == ["count"]
    assert len(plan.learning) == 2
