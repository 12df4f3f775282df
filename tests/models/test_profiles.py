"""What each model can do, and a typed answer in the way that it can give."""

from __future__ import annotations

import json
from typing import Any

import pytest

from yggdrasil.core.delivery import answered, asked
from yggdrasil.core.messages import Message, Reply, Request, Text, Thinking, ToolCall, ToolSpec, system, user
from yggdrasil.core.profile import Profile
from yggdrasil.errors import ConfigError
from yggdrasil.models import profiles
from yggdrasil.models.openai import OpenAIModel
from yggdrasil.models.openai_chat import CHAT
from yggdrasil.models.openai_responses_stream import RESPONSES
from yggdrasil.models.profiles import profile_of, register_profile
from yggdrasil.runtime.providers import resolve

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
WEATHER = ToolSpec("weather", "d", {"type": "object"})


@pytest.mark.parametrize(
    ("provider", "model", "own", "expected"),
    [
        ("openai", "gpt-5", True, {"output": "native", "audio": False, "reasoning": True}),
        ("openai", "gpt-4o", True, {"output": "native", "reasoning": False}),
        ("openai", "gpt-4.1-mini", True, {"output": "native", "reasoning": False}),
        ("openai", "gpt-4-0613", True, {"output": "tool", "images": False}),
        ("openai", "gpt-3.5-turbo", True, {"output": "tool", "images": False}),
        ("openai", "gpt-4o-audio-preview", True, {"api": "chat", "audio": True}),
        ("openai", "o4-mini", True, {"output": "native", "images": True, "reasoning": True}),
        ("openai", "o3-mini", True, {"images": False}),
        ("openai", "a-model-of-tomorrow", True, {"output": "native", "reasoning": True, "api": "responses"}),
        ("openai", "qwen3:8b", False, {"output": "native", "images": True, "audio": True}),
        ("openai", "deepseek-chat", False, {"output": "tool", "images": False}),
        ("anthropic", "claude-sonnet-4-5", True, {"output": "native", "audio": False}),
        ("anthropic", "claude-opus-4-1-20250805", True, {"output": "native"}),
        ("anthropic", "claude-sonnet-4-20250514", True, {"output": "tool"}),
        ("anthropic", "claude-3-5-haiku-latest", True, {"output": "tool"}),
        ("anthropic", "anthropic/claude-sonnet-4-5", False, {"output": "native"}),
        ("anthropic", "qwen3:8b", False, {"output": "tool", "audio": False}),
        ("another", "m", False, {"output": "native"}),
    ],
)
def test_the_table(provider: str, model: str, own: bool, expected: dict[str, Any]) -> None:
    found = profile_of(provider, model, own=own).values()
    assert {name: found[name] for name in expected} == expected


def test_every_row_is_a_profile() -> None:
    for rows in profiles._TABLE.values():
        for pattern, fields in rows:
            profiles.checked(fields, pattern)


def test_a_registered_profile_goes_before_the_table_and_an_option_before_both() -> None:
    register_profile("openai:gpt-test-*", {"output": "prompt", "images": False})
    assert profile_of("openai", "GPT-test-9", own=True).output == "prompt"
    assert profile_of("openai", "gpt-test-9", own=False, given={"output": "tool"}) == Profile("tool", images=False)
    assert profile_of("anthropic", "gpt-test-9", own=False).output == "tool"
    register_profile("openai:gpt-test-*", {"output": "tool"})
    assert profile_of("openai", "gpt-test-9", own=True) == Profile("tool")


@pytest.mark.parametrize(
    "bad", [{"outputs": "tool"}, {"output": "tools"}, {"images": "yes"}, {"images": 1}, {"api": True}, "tool", 7]
)
def test_a_profile_that_is_none(bad: Any) -> None:
    with pytest.raises(ConfigError, match="profile of"):
        OpenAIModel("m", profile=bad)
    with pytest.raises(ConfigError, match="profile of"):
        register_profile("openai:x", bad)


@pytest.mark.parametrize("name", ["gpt-5", "openai:", ""])
def test_a_profile_of_nobody(name: str) -> None:
    with pytest.raises(ConfigError, match="names no model"):
        register_profile(name, {})


def test_which_api() -> None:
    def of(name: str, own: bool, **options: Any) -> Any:
        model = OpenAIModel(name, **options)
        return model.wire(own, model.profile(own))

    assert of("gpt-5", True) is RESPONSES
    assert of("gpt-5", False) is CHAT
    assert of("gpt-audio", True) is CHAT
    assert of("gpt-5", True, api="chat") is CHAT
    assert of("gpt-5", False, api="responses") is RESPONSES
    with pytest.raises(ConfigError, match="api of openai:m is 'rest'; it is one of responses, chat"):
        OpenAIModel("m", api="rest")


def test_options_by_name() -> None:
    model = resolve(
        "openai:m", endpoint_url="http://127.0.0.1:9", api="responses", profile={"output": "prompt"}, attempts=1
    )
    inner = model.model  # type: ignore[attr-defined]
    assert (inner.api, inner.profile(False).output, model.attempts) == ("responses", "prompt", 1)  # type: ignore[attr-defined]
    assert resolve("anthropic:m", cache=False, tokens_per_minute=9).model.cache is False  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="no option 'cach'; did you mean 'cache'"):
        resolve("anthropic:m", cach=False)
    with pytest.raises(ConfigError, match="no option 'cache'"):
        resolve("openai:m", cache=False)


# --- a typed answer


def test_native_is_left_to_the_format() -> None:
    request = Request([user("x")], output=SCHEMA)
    assert asked(request, Profile("native")) == (request, "")


@pytest.mark.parametrize("messages", [[], [user("x")], [system("Be brief."), user("x")]])
def test_by_prompt_there_is_one_system_message_in_front(messages: list[Message]) -> None:
    said, tool = asked(Request(messages, output=SCHEMA, tools=(WEATHER,)), Profile("prompt"))
    assert (tool, said.output, said.tools) == ("", None, (WEATHER,))
    assert [m.role for m in said.messages].count("system") == 1
    first = said.messages[0].text
    assert first.startswith("Be brief.\n\n") or len(messages) < 2
    assert json.dumps(SCHEMA) in first


def test_by_tool_its_name_gives_way() -> None:
    mine = ToolSpec("answer", "d", {"type": "object"})
    said, tool = asked(Request([user("x")], tools=(mine,), output=SCHEMA), Profile("tool"))
    assert tool == "answer_"
    assert [t.name for t in said.tools] == ["answer", "answer_"]
    assert (said.tools[1].parameters, said.output) == (SCHEMA, None)


CALL, OTHER = ToolCall("1", "answer", {"a": 1}), ToolCall("2", "weather", {})


@pytest.mark.parametrize(
    ("parts", "finish", "expected"),
    [
        ((CALL,), "stop", (Text('{"a": 1}'),)),
        ((Thinking("hm"), Text("Here it is:"), CALL), "stop", (Thinking("hm"), Text('{"a": 1}'))),
        ((CALL, OTHER), "tool_calls", (OTHER,)),
        ((Text("So."), OTHER, CALL), "tool_calls", (Text("So."), OTHER)),
        ((OTHER,), "tool_calls", (OTHER,)),
        ((Text('{"a": 1}'),), "stop", (Text('{"a": 1}'),)),
        ((ToolCall("1", "answer", '{"a": '),), "stop", (Text('{"a": '),)),
        ((CALL, ToolCall("2", "answer", {"a": 2})), "stop", (Text('{"a": 1}'),)),
    ],
)
def test_its_call_is_text_again_and_other_calls_win(parts: Any, finish: Any, expected: Any) -> None:
    calls = any(isinstance(p, ToolCall) for p in parts)
    reply = answered(Reply(Message("assistant", parts), finish="tool_calls" if calls else "stop"), "answer")
    assert reply.message.parts == expected
    assert reply.finish == finish


def test_an_answer_that_was_cut_short_stays_so() -> None:
    reply = Reply(Message("assistant", (ToolCall("1", "answer", '{"a'),)), finish="length")
    assert answered(reply, "answer").finish == "length"
