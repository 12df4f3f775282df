"""ReAct: tools for a model that knows no tool calls, and the lenient reading of what it writes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil import Agent, Blob, ConfigError, Graph, OutputError, ScriptedModel, ToolRetryError, tool
from yggdrasil.agent.kinds import ApiAgent, ReactAgent
from yggdrasil.agent.react import ReAct
from yggdrasil.agent.react_text import Scanner, Written
from yggdrasil.core.events import Token
from yggdrasil.core.messages import Reply, Request, Thinking, ToolCall, ToolSpec, assistant, user
from yggdrasil.runtime.providers import resolve
from yggdrasil.runtime.registry import active_registry
from yggdrasil.testing import RUNNABLE_CHECKS, Case, Check

ROLL = ToolSpec("roll", "Roll.", {"type": "object", "properties": {"count": {"type": "integer"}, "sides": {}}})
LOOK = ToolSpec("look", "", {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]})
TOOLS = (ROLL, LOOK)


def read(text: str) -> Written:
    return Scanner(TOOLS).whole(text)


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        ('Thought: t\nAction: roll\nAction Input: {"count": 2}', "roll", {"count": 2}),
        ('Action: roll\nAction Input: {"count": 2}\nObservation: 3\nFinal Answer: 3', "roll", {"count": 2}),
        ('Action: roll\nAction Input: {"count": 2}\nAction: look\nAction Input: ford', "roll", {"count": 2}),
        ('**Thought:** t\n**Action:** `Roll`\n**Action Input:**\n```json\n{"count": 2,}\n```', "roll", {"count": 2}),
        ('Thought 1: t\nAction 1: roll\nAction Input 1: {"count": 2}\nObservation 1: 4', "roll", {"count": 2}),
        ("ACTION: roll\naction_input: {'count': 2}", "roll", {"count": 2}),
        ('Tool: roll\nTool Input: Here it is: {"count": 2}', "roll", {"count": 2}),
        ('Action: roll({"count": 2})', "roll", {"count": 2}),
        ("Action: roll(count=2, sides='six')", "roll", {"count": 2, "sides": "six"}),
        ('Action: roll\n{"count": 2}', "roll", {"count": 2}),
        ('```json\n{"action": "roll", "action_input": {"count": 2}}\n```', "roll", {"count": 2}),
        ('Action:\n```\n{"action": "roll", "action_input": {"count": 2}}\n```\nObservation: 7', "roll", {"count": 2}),
        ('<tool_call>\n{"name": "roll", "arguments": {"count": 2}}\n</tool_call>', "roll", {"count": 2}),
        ('<think>Action: fly</think>\nAction: roll\nAction Input: {"count": 2}', "roll", {"count": 2}),
        ("Action: look\nAction Input: the ford", "look", {"place": "the ford"}),
        ('Action: look\nAction Input: "the ford"', "look", {"place": "the ford"}),
        ("Action: look[the ford]", "look", {"place": "the ford"}),
        ("Action: roll", "roll", {}),
        ("Action: roll\nAction Input: None", "roll", {}),
        ("Action: roll\nI roll now.", "roll", {}),
        ("Action: fly\nAction Input: {}", "fly", {}),  # the agent says that there is none
        ('Action: roll\nAction Input: {"count":', "roll", '{"count":'),  # and what is wrong with this
        ("Action: roll\nAction Input: twice", "roll", "twice"),
    ],
)
def test_actions(text: str, tool: str, arguments: Any) -> None:
    found = read(text)
    assert (found.tool, found.arguments, found.answer) == (tool, arguments, "")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Thought: t\nFinal Answer: seven", "seven"),
        ("**Final Answer:** seven", "seven"),
        ("Final Answer:\nseven\n\nand eight\n", "seven\n\nand eight"),
        ("Final Answer: seven\nAction: as above", "seven\nAction: as above"),
        ("It is seven.", "It is seven."),
        ("Thought: it is seven", "it is seven"),
        ("Action: None\nFinal Answer: seven", "seven"),
        ("Action: Finish[seven]", "seven"),
        ("Action: Final Answer\nAction Input: seven", "seven"),
        ('{"action": "Final Answer", "action_input": "seven"}', "seven"),
        ('{"name": "Kara", "age": 7}', '{"name": "Kara", "age": 7}'),
        ("<think>roll?</think>seven", "seven"),
        ("<think>Final Answer: one</think>\nFinal Answer: seven", "seven"),
        ("<think>cut off in its reason", ""),
        ("", ""),
    ],
)
def test_answers(text: str, answer: str) -> None:
    found = read(text)
    assert (found.tool, found.answer) == ("", answer)


def test_thoughts_are_kept_apart() -> None:
    found = read("Hm.\nThought: one\nThought: two\nFinal Answer: seven")
    assert found == Written("Hm.\none\ntwo", answer="seven")
    assert read("Thought: let me roll.\nAction: roll").thought == "let me roll."


PIECES = st.sampled_from([
    "Thought:", "Action:", "Action Input:", "Final Answer:", "Observation:", "**", "\n", " ", "roll", "look", "[", "]",
    "(", ")", "{", "}", '{"count": 2}', "```", "```json\n", "<think>", "</think>", "<tool_call>", '{"action": "roll"}',
    "Finish", "words", ",", "'", '"', "1", "\t", "\r\n", "=", "count=1",
])  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=25).map("".join)), st.data())
def test_any_text_is_read_and_read_the_same_in_pieces(text: str, data: st.DataObject) -> None:
    whole = read(text)
    assert bool(whole.tool) + bool(whole.answer) <= 1
    assert isinstance(whole.arguments, str) or json.dumps(whole.arguments)
    told: list[tuple[str, str]] = []
    scanner = Scanner(TOOLS, lambda part, piece: told.append((part, piece)))
    rest = text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        scanner.feed(rest[:size])
        rest = rest[size:]
    assert scanner.close() == whole
    # what was told as text is the answer: no more, no less
    assert "".join(piece for part, piece in told if part == "text") == whole.answer


@given(st.lists(PIECES, max_size=12).map("".join), st.sampled_from(["roll", "look"]))
def test_what_we_write_ourselves_is_read_again(noise: str, name: str) -> None:
    arguments = {"place": noise, "count": 1}
    text = f"Thought: go\nAction: {name}\nAction Input: {json.dumps(arguments)}\nObservation: {noise}"
    assert read(text) == Written("go", name, arguments)


@tool
def roll(count: int = 1) -> list[int]:
    """Roll dice with six sides."""
    return [6] * count


pytestmark = pytest.mark.anyio
ACT = 'Thought: dice\nAction: roll\nAction Input: {"count": 2}\nObservation: [1, 1]\nFinal Answer: 2'


async def test_an_agent_with_a_model_that_knows_no_tools() -> None:
    inner = ScriptedModel([ACT, "Thought: I know\nFinal Answer: twelve"])
    result = await Agent(ReAct(inner), tools=[roll], instructions="You lead a game.").run("Roll two.")
    assert result.output == "twelve"
    assert result["messages"][1].tool_calls == (ToolCall("act_2", "roll", {"count": 2}),)
    assert result["messages"][1].parts[0] == Thinking("dice")
    first, second = inner.requests
    assert first.tools == second.tools == ()
    opening = first.messages[0].text
    assert opening.startswith("You lead a game.")
    assert "roll: Roll dice with six sides." in opening
    assert '"count"' in opening
    assert [m.role for m in second.messages] == ["system", "user", "assistant", "user"]
    assert second.messages[2].text == 'Thought: dice\nAction: roll\nAction Input: {"count": 2}'
    assert second.messages[3].text == "Observation: [6, 6]"


async def test_the_model_is_told_what_was_wrong_and_mends_it() -> None:
    inner = ScriptedModel(["Action: rol", "Action: roll\nAction Input: two", "Action: roll(count=1)", "six"])
    assert (await Agent(ReAct(inner), tools=[roll]).run("Roll.")).output == "six"
    assert "it failed: there is no tool 'rol'" in inner.requests[1].messages[-1].text
    assert "count: Input should be a valid integer" in inner.requests[2].messages[-1].text
    with pytest.raises(ToolRetryError):
        await Agent(ReAct(ScriptedModel(lambda r: "Action: roll\nAction Input: {")), tools=[roll]).run("Roll.")


async def test_a_typed_answer() -> None:
    inner = ScriptedModel([ACT, "Thought: I know\nFinal Answer: twelve", 'Final Answer: ```json\n{"result": 12}\n```'])
    assert (await Agent(ReAct(inner), tools=[roll], output=int).run("Roll two.")).output == 12
    assert inner.requests[0].output is None
    assert "Final Answer: nothing but JSON" in inner.requests[0].messages[0].text
    with pytest.raises(OutputError):
        await Agent(ReAct(ScriptedModel(lambda r: "no")), tools=[roll], output=int).run("Roll two.")


async def test_streamed_thoughts_and_answers_without_labels() -> None:
    agent = Agent(ReAct(ScriptedModel([ACT, "Thought: I know\nFinal Answer: it is twelve"])), tools=[roll])
    tokens = [e async for e in agent.stream("Roll two.") if isinstance(e, Token)]
    told = {part: "".join(e.text for e in tokens if e.part == part) for part in ("text", "thinking", "arguments")}
    assert told == {"text": "it is twelve", "thinking": "diceI know", "arguments": '{"count": 2}'}


async def test_without_tools_the_request_is_the_models_own() -> None:
    inner = ScriptedModel(["Final Answer: as it is"])
    request = Request([user("hail")], output={"type": "object"})
    assert (await ReAct(inner).reply(request)).message.text == "Final Answer: as it is"
    assert inner.requests[0] is request


async def test_at_the_limit_it_is_asked_to_answer_without_tools() -> None:
    inner = ScriptedModel([ACT, "Final Answer: no more than that"])
    agent = Agent(ReAct(inner), tools=[roll], max_steps=1, on_limit="answer")
    assert (await agent.run("Roll.")).output == "no more than that"
    assert "No tool can be used any more" in inner.requests[1].messages[0].text


async def test_turns_media_and_reasoning_go_through() -> None:
    picture = Blob(b"png", "image/png")

    @tool
    def show() -> Blob:
        """Show it."""
        return picture

    inner = ScriptedModel([[Thinking("deep", "signed"), "Action: show"], Reply(assistant("seen"), finish="length")])
    result = await Agent(ReAct(inner), tools=[show]).run(messages=[user("one"), user("two")])
    assert result.output == "seen"
    asked = inner.requests[1].messages
    assert [m.role for m in asked] == ["system", "user", "assistant", "user"]
    assert asked[1].text == "one\n\ntwo"
    assert asked[2].parts[0] == Thinking("deep", "signed")
    assert any(getattr(part, "blob", None) == picture for part in asked[3].parts)


async def test_a_model_that_knows_tool_calls_after_all() -> None:
    inner = ScriptedModel([ToolCall("1", "roll", {"count": 1}), "Final Answer: six"])
    assert (await Agent(ReAct(inner), tools=[roll]).run("Roll.")).output == "six"


def test_by_name() -> None:
    assert resolve("react:scripted:echo").name == "react:scripted:echo"
    where = {"endpoint_url": "http://127.0.0.1:1/v1"}
    assert resolve("react:openai:llama3", **where).name == "react:openai:llama3"
    assert resolve({"name": "react:openai:llama3", **where}).name == "react:openai:llama3"
    assert ReAct({"name": "scripted:echo"}).name == "react:scripted:echo"
    with pytest.raises(ConfigError, match=r"openai:llama3.*endpoint_ulr"):
        resolve("react:openai:llama3", endpoint_ulr="http://127.0.0.1:1/v1")


def test_react_agents_say_their_model_in_their_config_as_it_was_given() -> None:
    where = {"name": "openai:llama3", "endpoint_url": "http://127.0.0.1:1/v1"}
    for model in ("scripted:echo", where):
        agent = active_registry().build("agent/react", {"model": model, "max_steps": 3})
        assert isinstance(agent, ReactAgent)
        assert agent.config == {"model": model, "max_steps": 3}
    assert ReactAgent(ScriptedModel(["x"]))._loop.model.name == "react:scripted:script"
    assert ReactAgent("scripted:echo").replace(max_steps=2)._loop.model.name == "react:scripted:echo"


def test_api_agents() -> None:
    where = "http://127.0.0.1:1/v1"
    config = {"provider": "openai", "model_id": "m", "endpoint_url": where, "options": {"attempts": 1}}
    agent = active_registry().build("agent/api", {**config, "backend": "api", "instructions": "Be brief."})
    assert isinstance(agent, ApiAgent)
    assert agent.config == {**config, "instructions": "Be brief."}
    for wrong in ({"backend": "local"}, {"provider": "openai:m"}, {"model_id": ""}, {"model": "scripted:echo"}):
        with pytest.raises(ConfigError):
            active_registry().build("agent/api", {**config, **wrong})


KINDS = {
    "agent/api": {"provider": "scripted", "model_id": "echo"},
    "agent/react": {"model": "scripted:echo"},
}


@pytest.mark.parametrize("check", RUNNABLE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", KINDS)
async def test_contract(kind: str, check: Check) -> None:
    await check(Case(lambda: active_registry().build(kind, KINDS[kind]), {"prompt": "hail"}))


async def test_a_node_of_a_file() -> None:
    graph = Graph.from_config(
        {"kind": "graph", "version": 1, "nodes": {"a": {"type": "agent/react", "model": "scripted:echo"}}}
    )
    assert (await graph.run({"prompt": "hail"}))["response"] == "hail"
