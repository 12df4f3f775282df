"""Agents as files: the two that people copy, and what a file may say, by the reader and by the schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from yggdrasil import Agent, SuspendedError
from yggdrasil.abc.catalog import find
from yggdrasil.abc.toolset import Toolset
from yggdrasil.cli.agents import load_agent
from yggdrasil.cli.schema import schema_of
from yggdrasil.cli.validate import validate_entry
from yggdrasil.core.messages import ToolCall
from yggdrasil.errors import ConfigError, YggdrasilError
from yggdrasil.testing import ScriptedModel

pytestmark = pytest.mark.anyio
AGENTS = Path(__file__).parents[2] / "agents"
SHIPPED = sorted(file.parent.name for file in AGENTS.glob("*/agent.yaml"))

EVERYTHING = """
kind: agent
version: 1
name: clerk
description: Keeps the books.
model: {name: "openai:gpt-5", endpoint_url: "http://127.0.0.1:9/v1", max_concurrent_requests: 2}
instructions: You keep the books.
tools:
  - dice
  - tool/clock
  - {type: files, root: ., name: look, description: Look around., timeout: 5, limit: 2}
  - {type: file_writer, approval: true, config: {root: .}}
  - {type: agent/chronicler, name: teller, model: "scripted:echo"}
  - {type: calculator, name: fixed, bind: {expression: 1 + 1}}
handoffs: [chronicler, {type: agent/game_master, model: "scripted:echo"}]
output: {paid: bool, sum: float, why: [late, early], names: "list[str]"}
max_steps: 5
max_retries: 0
on_limit: answer
params: {max_tokens: 500}
memory: {budget: 4000, pinned: [The year is 1021.], recalled: 3, long_term: {url: "memory://", namespace: books}}
budget: {tokens: 100000, cost: 0.5, steps: 20, seconds: 60}
parallel: false
max_result: null
"""


def schema() -> Any:
    return jsonschema.Draft202012Validator(schema_of("agent"))


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of("agent"))


@pytest.mark.parametrize("name", SHIPPED)
def test_those_that_ship_fit_the_schema(name: str) -> None:
    schema().validate(yaml.safe_load((AGENTS / name / "agent.yaml").read_text()))


@pytest.mark.parametrize("name", SHIPPED)
async def test_those_that_ship_answer(name: str, in_folder: Path) -> None:
    agent = load_agent(name, "scripted:echo")
    said = await agent.run("Is the ice safe?", approve=lambda approval: False)
    assert said.output == "Is the ice safe?"


async def test_the_assistant_reads_computes_and_remembers(in_folder: Path) -> None:
    (in_folder / "notes").mkdir()
    (in_folder / "notes" / "ship.txt").write_text("She has 24 oars.")
    calls = [
        ToolCall("1", "files", {"do": "read", "path": "ship.txt"}),
        ToolCall("2", "calculator", {"expression": "24 / 2"}),
        "Twelve on each side.",
        "24 in all.",
    ]
    model = ScriptedModel(calls)
    agent = _with("assistant", model)
    assert {t.name for t in model_tools(agent)} == {"web_fetch", "files", "calculator", "clock"}
    assert (await agent.run("How many oars on each side?")).output == "Twelve on each side."
    results = [p.content for m in model.requests[2].messages for p in m.parts if hasattr(p, "failed")]
    assert "24 oars" in results[0]
    assert results[1] == "12.0"
    await agent.run("And in all?")
    assert any("Twelve" in str(m) for m in model.requests[-1].messages), "it remembers the talk"


async def test_the_coder_asks_before_it_writes_or_runs(in_folder: Path) -> None:
    calls = [
        ToolCall("1", "file_writer", {"do": "write", "path": "a.py", "content": "print(6 * 7)"}),
        ToolCall("2", "shell", {"command": "ls; rm a.py"}),
        ToolCall("3", "python", {"code": "print(open('a.py').read())"}),
        "Done.",
    ]
    asked: list[str] = []

    def approve(approval: Any) -> bool:
        asked.append(approval.tool)
        return bool(approval.tool != "shell")

    model = ScriptedModel(calls)
    agent = _with("coder", model)
    assert (await agent.run("Write it", approve=approve)).output == "Done."
    assert asked == ["file_writer", "shell", "python"]
    assert (in_folder / "a.py").read_text() == "print(6 * 7)", "what was refused was not done"
    results = [p.content for p in (m.parts[0] for m in model.requests[3].messages) if hasattr(p, "failed")]
    assert "said no" in results[1]
    assert "print(6 * 7)" in results[2], "it runs where one stands"


async def test_the_coder_waits_in_a_thread(in_folder: Path) -> None:
    model = ScriptedModel([ToolCall("1", "python", {"code": "print(1)"})])
    with pytest.raises(SuspendedError):
        await _with("coder", model).run("Run it", thread="t", store="sqlite:///runs.db")


def test_a_file_may_say_all_that_an_agent_takes(in_folder: Path) -> None:
    (in_folder / "clerk.yaml").write_text(EVERYTHING)
    schema().validate(yaml.safe_load(EVERYTHING))
    agent = load_agent("./clerk.yaml")
    assert (agent.label, agent.parallel, agent.max_result, agent.on_limit) == ("clerk", False, None, "answer")
    assert agent.memory is not None
    assert agent.budget is not None
    assert agent.budget.cost == 0.5
    tools = {spec.name: spec for spec in model_tools(agent)}
    assert {"dice", "clock", "look", "file_writer", "teller", "fixed"} <= set(tools)
    assert tools["look"].description == "Look around."
    assert "expression" not in tools["fixed"].parameters["properties"]
    again = yaml.safe_load(yaml.safe_dump({"kind": "agent", **_plain(agent)}))
    schema().validate(again)


def _plain(agent: Agent[Any]) -> Any:
    with find("./clerk.yaml", "agent").scope():
        return json.loads(json.dumps(agent.config))


def test_an_mcp_server_may_be_a_tool_of_a_file(in_folder: Path) -> None:
    text = 'kind: agent\nmodel: "scripted:echo"\ntools: [{type: mcp/stdio, command: [some-server], prefix: some_}]\n'
    (in_folder / "a.yaml").write_text(text)
    schema().validate(yaml.safe_load(text))
    assert isinstance(load_agent("./a.yaml")._made[0], Toolset)


WRONG = [
    ("modle: x", "modle"),
    ("memory: {bugdet: 1}", "bugdet"),
    ("memory: often", "memory"),
    ("memory: {long_term: {uri: x}}", "uri"),
    ("budget: {coins: 3}", "coins"),
    ("budget: 1000", "budget"),
    ("tools: dice", "tools"),
    ("tools: [{root: .}]", "type"),
    ("tools: [5]", "5"),
    ("handoffs: chronicler", "handoffs"),
    ("output: strr", "strr"),
    ("output: []", "choices"),
    ("max_steps: 0", "max_steps"),
    ("on_limit: stop", "on_limit"),
    ("max_result: 0", "max_result"),
    ("params: hot", "params"),
]


@pytest.mark.parametrize(("line", "named"), WRONG)
def test_what_the_reader_refuses_the_schema_refuses(line: str, named: str, in_folder: Path) -> None:
    text = f'kind: agent\nmodel: "scripted:echo"\n{line}\n'
    (in_folder / "a.yaml").write_text(text)
    with pytest.raises(YggdrasilError) as failed:
        load_agent("./a.yaml")
    assert named in str(failed.value)
    assert list(schema().iter_errors(yaml.safe_load(text))), "the schema takes it"


def test_validate_looks_at_the_handoffs_too(in_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = 'kind: agent\nmodel: "scripted:echo"\nhandoffs: [chroniclr]\n'
    (in_folder / "a.yaml").write_text(text)
    assert validate_entry("./a.yaml", None, False) == 3
    assert "'chronicler'" in capsys.readouterr().err
    (in_folder / "a.yaml").write_text(text.replace("chroniclr", '{type: agent/chronicler, model: "scripted:echo"}'))
    assert validate_entry("./a.yaml", None, False) == 0


def test_without_an_agent_or_a_model_there_is_nothing() -> None:
    with pytest.raises(ConfigError, match="no agent and no model"):
        load_agent(None)
    with pytest.raises(ConfigError, match="endpoint"):
        load_agent("assistant", None, "http://127.0.0.1:9")


def _with(name: str, model: ScriptedModel) -> Agent[Any]:
    return load_agent(name, "scripted:echo").replace(model=model)


def model_tools(agent: Agent[Any]) -> Any:
    return agent._loop.toolbox.specs
