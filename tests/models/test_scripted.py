"""The models that need no model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, create_model

from yggdrasil.abc.model import Model
from yggdrasil.core.messages import Message, Reply, Request, ToolCall, ToolResult, ToolSpec, assistant, user
from yggdrasil.errors import ConfigError, ModelReplyError, ModelRequestError, RateLimitError, UnknownTypeError
from yggdrasil.models.example import example
from yggdrasil.models.retry import LONGEST_WAIT, Retrying, wait_before_retry
from yggdrasil.models.scripted import ScriptedModel
from yggdrasil.runtime.providers import register_provider, resolve

HELLO = Request([user("Hello there")])


@pytest.mark.anyio
async def test_a_list_is_said_in_order() -> None:
    call = ToolCall("c1", "roll", {"sides": 6})
    whole = Reply(assistant("whole"), id="r9")

    async def later(request: Request) -> str:
        return f"{len(request.messages)} seen"

    model = ScriptedModel(["one", call, ["two", call], whole, assistant("three"), later, lambda r: call])
    replies = [await model.reply(HELLO) for _ in range(7)]
    assert [r.message.text for r in replies] == ["one", "", "two", "whole", "three", "1 seen", ""]
    assert [r.finish for r in replies] == ["stop", "tool_calls", "tool_calls", "stop", "stop", "stop", "tool_calls"]
    assert replies[3] is whole
    assert model.calls == 7
    assert list(model.requests) == [HELLO] * 7


@pytest.mark.anyio
async def test_the_end_of_a_script_is_loud() -> None:
    model = ScriptedModel(["only"])
    await model.reply(HELLO)
    with pytest.raises(ModelRequestError, match="has 1 replies and was asked for number 2"):
        await model.reply(HELLO)


@pytest.mark.anyio
async def test_errors_are_raised_and_nonsense_is_refused() -> None:
    model = ScriptedModel([RateLimitError("slow down", retry_after=0.0), "fine", 42])  # type: ignore[list-item]
    assert (await Retrying(model).reply(HELLO)).message.text == "fine"
    with pytest.raises(ModelReplyError, match="given a int to say"):
        await model.reply(HELLO)


@pytest.mark.anyio
async def test_streaming_tells_the_same_words() -> None:
    pieces: list[tuple[str, str]] = []
    model = ScriptedModel([["  two  words ", ToolCall("c", "t", {"a": 1})]])
    await model.reply(HELLO, delta=lambda part, text: pieces.append((part, text)))
    assert "".join(t for p, t in pieces if p == "text") == "  two  words "
    assert pieces[-1] == ("arguments", '{"a": 1}')
    assert len(pieces) == 3


@pytest.mark.anyio
async def test_only_the_last_requests_are_kept() -> None:
    model = ScriptedModel(lambda request: "x", keep=2)
    for number in range(5):
        await model.reply(Request([user(str(number))]))
    assert [r.messages[0].text for r in model.requests] == ["3", "4"]


@pytest.mark.anyio
async def test_echo_and_tools_need_no_script() -> None:
    echo, tools = resolve("scripted:echo"), resolve("scripted:tools")
    assert (await echo.reply(HELLO)).message.text == "Hello there"
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 4}}, "required": ["n"]}
    typed = await echo.reply(Request([user("x")], output=schema))
    assert json.loads(typed.message.text) == {"n": 4}
    specs = (ToolSpec("a", "", schema), ToolSpec("b", "", {"type": "object", "properties": {}}))
    first = await tools.reply(Request([user("go")], tools=specs))
    assert [(c.name, c.arguments) for c in first.message.tool_calls] == [("a", {"n": 4}), ("b", {})]
    results = tuple(ToolResult(c.id, c.name, f"{c.name}!") for c in first.message.tool_calls)
    answer = await tools.reply(Request([user("go"), first.message, Message("tool", results)], tools=specs))
    assert answer.message.text == "a: a!\nb: b!"


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("opnai:gpt-5", UnknownTypeError, "'openai'"),
        ("gpt-5", UnknownTypeError, '"openai:gpt-5"'),
        ("openai:", ConfigError, "names no model"),
        ("scripted:ecoh", UnknownTypeError, "'echo'"),
        (3, ConfigError, "not int"),
    ],
)
def test_names_that_are_no_model(name: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        resolve(name)


def test_options_are_the_providers_own() -> None:
    with pytest.raises(ConfigError, match="'endpoint_url'"):
        resolve("openai:m", endpoint="http://127.0.0.1")
    with pytest.raises(ConfigError, match="has no option"):
        resolve("scripted:echo", attempts=3)
    with pytest.raises(ConfigError, match="at least one"):
        resolve("openai:m", attempts=0)


def test_a_model_is_its_own_name_and_more_can_be_registered() -> None:
    model = ScriptedModel(["x"], name="mine")
    assert resolve(model) is model

    def mine(model_id: str, *, loud: bool = False) -> Model:
        return ScriptedModel([model_id.upper() if loud else model_id], name=model_id)

    register_provider("mine-test", mine)
    assert resolve("mine-test:a", loud=True).name == "scripted:a"
    with pytest.raises(ConfigError, match="is taken"):
        register_provider("openai", mine)


@settings(deadline=None)
@given(st.integers(1, 60), st.none() | st.floats(0, 100), st.floats(0, 1, exclude_max=True))
def test_waits_are_bounded_and_honour_retry_after(attempt: int, retry_after: float | None, chance: float) -> None:
    wait = wait_before_retry(attempt, retry_after, chance)
    if retry_after is None:
        assert 0.25 <= wait <= LONGEST_WAIT
    else:
        assert retry_after <= wait <= 1.1 * retry_after + 0.05


@pytest.mark.anyio
async def test_a_wait_that_does_not_fit_is_not_begun() -> None:
    model = ScriptedModel([RateLimitError("later", retry_after=3600.0), "never"])
    with pytest.raises(RateLimitError) as caught:
        await Retrying(model, attempts=5, seconds=10).reply(HELLO)
    assert caught.value.retry_after == 3600.0
    assert model.calls == 1


_TYPES = st.sampled_from(
    [int, float, str, bool, None, list[int], tuple[int, str], dict[str, float], int | None, str | int, bytes, Any]
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abcdef"), _TYPES))
def test_examples_fit_their_schema(fields: dict[str, Any]) -> None:
    model = create_model("M", **{name: (kind, ...) for name, kind in fields.items()})
    inner = create_model("Outer", one=(model, ...), many=(list[model], ...))  # type: ignore[valid-type]
    for kind in (model, inner):
        TypeAdapter(kind).validate_python(example(TypeAdapter(kind).json_schema()))


@settings(deadline=None)
@given(st.integers(-50, 50), st.integers(0, 20), st.booleans(), st.integers(1, 9))
def test_example_numbers_keep_their_bounds(low: int, width: int, exclusive: bool, step: int) -> None:
    schema = {"type": "integer", "exclusiveMinimum" if exclusive else "minimum": low}
    assert example({**schema, "maximum": low + width + 1}) in range(low + exclusive, low + width + 2)
    assert example({**schema, "multipleOf": step}) % step == 0
