"""One set of bodies for a script, OpenAI's two APIs and Anthropic's; these by two servers that are not ours."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.models.speakers import FAULTS, STREAMED, WHO, Llmock, Script, Speaker, Told, can
from yggdrasil import Agent, tool
from yggdrasil.core.messages import (
    Message,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
    system,
    user,
)
from yggdrasil.errors import ModelTransientError, RateLimitError
from yggdrasil.models.retry import Retrying

pytestmark = pytest.mark.anyio

WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
HELLO = Request([system("Be brief."), user("Hello")])
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture
def anyio_backend() -> str:
    """One event loop: tests/models/test_providers.py has both."""
    return "asyncio"


@pytest.fixture(params=WHO)
def who(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def speaker(who: str, request: pytest.FixtureRequest) -> Speaker:
    if who == "script":
        return Script()
    if who.startswith("llmock"):
        return Llmock(request.getfixturevalue("llmock"), WHO[who])
    return Told(request.getfixturevalue("aimock"), WHO[who])


async def ask(model: Any, request: Request, stream: bool) -> tuple[Reply, list[tuple[str, str]]]:
    pieces: list[tuple[str, str]] = []
    if stream:
        return await model.reply(request, delta=lambda part, text: pieces.append((part, text))), pieces
    return await model.reply(request), pieces


@both
async def test_words(speaker: Speaker, stream: bool) -> None:
    said = "The ford is deep today, and Åsmund is on the other side."
    speaker.says(said)
    reply, pieces = await ask(speaker.model(), HELLO, stream)
    assert reply.message.text == said
    assert (reply.finish, reply.usage.requests) == ("stop", 1)
    assert "".join(text for part, text in pieces if part == "text") == (said if stream else "")
    assert len(pieces) > 1 or not stream


@both
async def test_a_tool_goes_round(speaker: Speaker, stream: bool) -> None:
    speaker.says(ToolCall("c1", "weather", {"city": "Ålesund", "days": [1, {"of": None}]}), "It rains.")
    model = speaker.model()
    messages = [user("What is the weather?")]
    reply, pieces = await ask(model, Request(messages, tools=(WEATHER,)), stream)
    (call,) = reply.message.tool_calls
    assert (call.name, call.arguments) == ("weather", {"city": "Ålesund", "days": [1, {"of": None}]})
    assert reply.finish == "tool_calls"
    assert {part for part, _ in pieces} == ({"arguments"} if stream else set())
    result = Message("tool", (ToolResult(call.id, call.name, "rain"),))
    answer, _ = await ask(model, Request([*messages, reply.message, result], tools=(WEATHER,)), stream)
    assert (answer.finish, answer.message.text) == ("stop", "It rains.")


@both
async def test_two_calls_in_one_reply_keep_their_order_and_their_ids_apart(speaker: Speaker, stream: bool) -> None:
    speaker.says([ToolCall("c1", "weather", {"city": "Oslo"}), ToolCall("c2", "weather", {"city": "Bergen"})])
    reply, _ = await ask(speaker.model(), Request([user("Both?")], tools=(WEATHER,)), stream)
    first, second = reply.message.tool_calls
    assert [c.arguments for c in (first, second)] == [{"city": "Oslo"}, {"city": "Bergen"}]
    assert first.id != second.id


@both
@pytest.mark.parametrize("who", [w for w in WHO if not w.startswith("llmock")])  # which does not think
async def test_thinking_comes_before_words_and_goes_back(speaker: Speaker, stream: bool) -> None:
    speaker.says([Thinking("A ford, or a fjord?"), "A ford."], "Yes.")
    model = speaker.model()
    messages = [user("What is it?")]
    reply, pieces = await ask(model, Request(messages), stream)
    assert [type(p) for p in reply.message.parts] == [Thinking, Text]
    assert reply.message.parts[0].text == "A ford, or a fjord?"  # type: ignore[union-attr]
    assert (reply.message.text, reply.finish) == ("A ford.", "stop")
    heard = {kind: "".join(text for part, text in pieces if part == kind) for kind in ("thinking", "text")}
    assert heard == ({"thinking": "A ford, or a fjord?", "text": "A ford."} if stream else {"thinking": "", "text": ""})
    answer, _ = await ask(model, Request([*messages, reply.message, user("Sure?")]), stream)
    assert answer.message.text == "Yes."


@both
@pytest.mark.parametrize("way", ["native", "tool", "prompt"])
async def test_a_typed_answer_is_json_text_whatever_the_way(speaker: Speaker, way: str, stream: bool) -> None:
    answer = {"name": "Kåre", "age": 9}
    scripted = isinstance(speaker, Script)
    speaker.says(ToolCall("c1", "answer", answer) if way == "tool" and not scripted else json.dumps(answer))
    model = speaker.model(profile={"output": way})
    reply, pieces = await ask(model, Request([system("S"), user("Who?")], output=PERSON), stream)
    assert json.loads(reply.message.text) == answer
    assert (reply.finish, reply.message.tool_calls) == ("stop", ())
    if stream:
        assert json.loads("".join(text for part, text in pieces if part == "text")) == answer


CASES = [(w, f) for w in WHO for f in FAULTS if can(w, f)]


@pytest.mark.parametrize(("who", "fault"), CASES, ids=lambda v: v.replace(" ", "-"))
async def test_faults_are_typed_errors(speaker: Speaker, fault: str) -> None:
    ways = {"bad body": [False]}.get(fault, [True] if fault in STREAMED else [False, True])
    for stream in ways:
        speaker.breaks(fault)
        began = time.monotonic()
        with pytest.raises(FAULTS[fault]) as caught:
            await ask(speaker.model(stall=0.3), HELLO, stream)
        assert type(caught.value) is FAULTS[fault]
        assert time.monotonic() - began < 2.5
        if isinstance(caught.value, RateLimitError):
            assert caught.value.retry_after
        if isinstance(speaker, Script):
            speaker.turns.clear()


@both
@pytest.mark.parametrize("who", [w for w in WHO if w.startswith("aimock")])
async def test_who_hangs_up_before_a_word(speaker: Told, stream: bool) -> None:
    speaker.says("never")
    speaker.server.chaos(disconnectRate=1)
    with pytest.raises(ModelTransientError, match="the connection to"):
        await ask(speaker.model(), HELLO, stream)


async def test_a_fault_that_passes_is_waited_out(speaker: Speaker) -> None:
    if isinstance(speaker, Told):
        speaker.server.fails(500, message="no")
    else:
        speaker.breaks("500")
    speaker.says("At last.")
    reply, pieces = await ask(Retrying(speaker.model(), attempts=2), HELLO, True)
    assert reply.message.text == "At last."
    assert "".join(text for _, text in pieces) == "At last."


async def test_an_agent_repairs_broken_arguments(speaker: Speaker) -> None:
    """The raw text of what was no JSON reaches the agent, which tells the model; it writes the call again."""

    @tool
    def weather(city: str) -> str:
        """The weather in `city`."""
        return f"rain in {city}"

    good = ToolCall("c2", "weather", {"city": "Oslo"})
    if isinstance(speaker, Llmock):
        speaker.says(ToolCall("c1", "weather", {"city": "Oslo"}), good, "Rain.")
        speaker.server.break_tool_call()
    elif isinstance(speaker, Script):
        speaker.says(ToolCall("c1", "weather", '{"city": "Os'), good, "Rain.")
    else:  # aimock's fixtures are checked: arguments of the wrong type are as bad as it gets
        speaker.says(ToolCall("c1", "weather", {"town": "Oslo"}), good, "Rain.")
    result = await Agent(speaker.model(), tools=[weather]).run("What is the weather in Oslo?")
    assert result.output == "Rain."
    results = [p for m in result["messages"] for p in m.parts if isinstance(p, ToolResult)]
    assert [r.failed for r in results] == [True, False]
    assert results[1].content == "rain in Oslo"
