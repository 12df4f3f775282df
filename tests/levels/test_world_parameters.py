"""What a world's file leaves open: parameters, texts of files in configs, several overlays; and a budget in a world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from yggdrasil import Budget, BudgetError, ConfigError, ScriptedModel, World

STAGE = """
kind: stage
version: 1
name: development
reads: []
fills: intent
nodes:
  prompt: {type: text/prompt, template: {ref: ../prompts/day.md}}
  agent: {type: agent/llm, model: {parameter: model}, params: {stop: [{parameter: word}]}}
edges: [prompt.prompt -> agent.prompt]
inputs: {action: prompt.action}
outputs: {intent: agent.response}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "stages").mkdir()
    (tmp_path / "prompts").mkdir()
    (tmp_path / "stages" / "development.yaml").write_text(STAGE)
    (tmp_path / "prompts" / "day.md").write_text("What happens when {action?} is done?\n")
    (tmp_path / "world.yaml").write_text(
        "kind: world\nversion: 1\nname: small\nparameters: {model: 'scripted:echo', word: end}\n"
        "execution:\n  cycle: [development]\n  stages:\n"
        "    environment: {development: {ref: stages/development.yaml}}\n"
        "content: {calendar: {day: 1}}\n"
    )
    (tmp_path / "one.yaml").write_text("parameters: {word: one}\ndescription: first\n")
    (tmp_path / "two.yaml").write_text("parameters: {word: two}\n")
    return tmp_path / "world.yaml"


def agent(world: World) -> Any:
    return next(node.block for path, node in world.walk() if path.endswith("agent"))


def test_a_parameter_stands_for_its_value_at_any_depth(file: Path) -> None:
    assert agent(World.load(file)).config == {"model": "scripted:echo", "params": {"stop": ["end"]}}
    given = agent(World.load(file, parameters={"word": "stop"}))
    assert given.params == {"stop": ["stop"]}


def test_overlays_are_laid_in_order(file: Path) -> None:
    world = World.load(file, overlay="one,two")
    assert (world.parameters["word"], world.description) == ("two", "first")
    assert World.load(file, overlay="two, one").parameters["word"] == "one"
    assert world.to_config(refs=True)["parameters"] == world.parameters


def test_what_is_no_parameter_is_told_with_its_place(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"no parameter 'modl'; did you mean 'model'"):
        World.load(file, parameters={"modl": "x"})
    stage = file.parent / "stages" / "development.yaml"
    stage.write_text(STAGE.replace("parameter: word", "parameter: wrd"))
    with pytest.raises(ConfigError, match=r"no parameter 'wrd'") as caught:
        World.load(file)
    assert "development.yaml: nodes/agent/params/stop/0" in caught.value.path


@pytest.mark.anyio
async def test_a_model_from_python_and_a_text_from_a_file(file: Path) -> None:
    model = ScriptedModel(["a ford is crossed"])
    async with World.open(file, model=model) as world:
        await world.run(ticks=1, action="rowing")
        assert world.state["intent"] == "a ford is crossed"
    assert model.requests[0].messages[-1].text == "What happens when rowing is done?"


@pytest.mark.anyio
async def test_a_spent_budget_stops_a_world_and_parks_nothing(file: Path) -> None:
    model = ScriptedModel(["one", "two"])
    async with World.open(file, model=model) as world:
        with pytest.raises(BudgetError, match="1 steps is spent"):
            await world.run(ticks=2, budget=Budget(steps=1))
        assert world.parked is None
        assert world.tick == 1
        await world.run(ticks=1)
        assert world.state["intent"] == "two"
