"""A world's model is distilled into a small local module from what it has lived."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.levels.toy_world import toy
from yggdrasil import ConfigError, Graph, ReplayError, ScriptedModel, Stage, World, block, fit
from yggdrasil.blocks.neural import NeuralBlock
from yggdrasil.core.messages import Request
from yggdrasil.levels.overhearing import Heard
from yggdrasil.models.block import ScriptedBlock
from yggdrasil.training.journal import journal_rows

pytestmark = pytest.mark.anyio

MOODS = ["calm", "stormy"]


def oracle(request: Request) -> str:
    """What the far model would say: it looks at the luck of the day."""
    return MOODS[int(request.messages[-1].text.split()[-1]) >= 500]


@block
def question(intent: dict[str, Any]) -> str:
    return f"how is the sea at {intent['luck']}"


@block
def plan(mood: str) -> dict[str, Any]:
    return {"scene": f"a {mood} sea"}


def world(model: ScriptedModel) -> World:
    graph = Graph("draft")
    graph.add("question", question)
    graph.add("llm", ScriptedBlock(model))
    graph.add("plan", plan)
    graph.add_edge("question", "llm.prompt")
    graph.add_edge("llm.text", "plan")
    graph.expose_input("question", "intent", "intent")
    graph.expose_output("plan", "output", "blueprint")
    stage = Stage("architect")
    stage.add("draft", graph)
    return toy(architect=stage)


async def lived(store: str, ticks: int) -> None:
    async with World.open(world(ScriptedModel(oracle)), store=store, seed=7) as live:
        await live.run(ticks=ticks)


async def test_a_role_is_distilled_from_the_journal(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'world.db'}"
    await lived(store, 40)
    silent = ScriptedModel([])  # whoever asks it fails
    rows = await journal_rows(world(silent), store, "architect/**/llm")
    assert silent.calls == 0
    assert [row.tick for row in rows] == list(range(1, 41))
    assert {row.path for row in rows} == {"architect/draft/llm"}
    assert all(row.outputs["text"] == MOODS[int(row.inputs["prompt"].split()[-1]) >= 500] for row in rows)

    def numbers(row: Heard) -> dict[str, Any]:
        luck = int(row.inputs["prompt"].split()[-1])
        return {"input": torch.tensor([luck / 1000]), "target": MOODS.index(row.outputs["text"])}

    torch.manual_seed(0)
    local = NeuralBlock(torch.nn.Linear(1, 2))
    data = [numbers(row) for row in rows]
    fitted = await fit(
        local, data, losses={"output": ("cross_entropy", "target")}, lr=0.3, steps=150, batch_size=40,
    )  # fmt: skip
    assert fitted.loss < 0.3
    told = (await local.run(torch.tensor([[0.1], [0.3], [0.7], [0.9]]))).output.argmax(1)
    assert told.tolist() == [0, 0, 1, 1]


async def test_stages_and_spans_of_ticks(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'world.db'}"
    await lived(store, 5)
    rows = await journal_rows(world(ScriptedModel([])), store, "architect", first=2, last=4)
    assert [row.tick for row in rows] == [2, 3, 4]
    assert rows[0].inputs.keys() == {"intent"}
    assert rows[0].outputs["blueprint"]["scene"] in {"a calm sea", "a stormy sea"}
    with pytest.raises(ConfigError, match=r"no node matches 'architect/\*\*/vlm'"):
        await journal_rows(world(ScriptedModel([])), store, "architect/**/vlm")


async def test_another_world_than_the_one_that_lived_is_refused(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'world.db'}"
    await lived(store, 3)

    @block
    def another(intent: dict[str, Any]) -> str:
        return "what is the time"

    other = world(ScriptedModel([]))
    graph = other.nodes["architect"].block.nodes["draft"].block  # type: ignore[attr-defined]
    graph.nodes["question"].block = another
    graph._changed()
    with pytest.raises(ReplayError, match="tick 1"):
        await journal_rows(other, store, "architect/**/llm")
