"""What only Anthropic's format has: marks for its cache, thinking that is signed, one tool at a time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from yggdrasil.core.messages import (
    Message,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
    assistant,
    system,
    user,
)
from yggdrasil.core.profile import Profile
from yggdrasil.errors import ModelReplyError, RefusalError
from yggdrasil.models.anthropic import AnthropicModel
from yggdrasil.models.anthropic_format import counts_of_anthropic, request_to_anthropic
from yggdrasil.models.stream import Loose
from yggdrasil.models.wire import Target

pytestmark = pytest.mark.anyio

TARGET = Target("anthropic:claude", "claude", Profile())
MARK = {"type": "ephemeral"}
TOOLS = tuple(ToolSpec(name, "d", {"type": "object"}) for name in ("a", "b"))
HELLO = Request([user("Hello")])


def body(*messages: Message, target: Target = TARGET, **more: Any) -> dict[str, Any]:
    return request_to_anthropic(Request(messages, **more), target)


def marks(sent: dict[str, Any]) -> list[tuple[str, int]]:
    """Where the marks are: which list, and which place in it."""
    lists = {"tools": sent.get("tools", []), "system": sent.get("system", [])}
    lists |= {f"message {i}": m["content"] for i, m in enumerate(sent["messages"])}
    return [(name, i) for name, blocks in lists.items() for i, b in enumerate(blocks) if b.get("cache_control") == MARK]


def test_marks_after_the_tools_the_instructions_and_the_last_message() -> None:
    sent = body(system("S"), user("one"), assistant("two"), user("three", "four"), tools=TOOLS)
    assert marks(sent) == [("tools", 1), ("system", 0), ("message 2", 1)]
    assert "cache_control" not in json.dumps(body(user("x"), tools=TOOLS, target=TARGET.replace(cache=False)))


def test_a_growing_talk_keeps_its_beginning_to_the_letter() -> None:
    """The provider finds what it kept by the bytes before a mark: nothing before it may change."""
    talk = [system("S"), user("one")]
    before: list[Any] = []
    for turn in range(4):
        sent = body(*talk, tools=TOOLS)
        plain = json.loads(json.dumps(sent["messages"]).replace(', "cache_control": {"type": "ephemeral"}', ""))
        assert plain[: len(before)] == before
        before = plain
        call = ToolCall(f"c{turn}", "a", {})
        talk += [assistant(call), Message("tool", (ToolResult(call.id, "a", "x"),))]


def test_thinking_is_not_marked_and_a_mark_of_ones_own_counts() -> None:
    said = assistant("yes", Thinking("hm", "sig"))
    assert marks(body(user("x"), said)) == [("message 1", 0)]
    assert marks(body(user("x"), params={"cache_control": {"type": "ephemeral", "ttl": "1h"}})) == []


def test_no_messages_no_mark() -> None:
    assert body()["messages"] == []


def test_thinking_and_effort_pass_and_what_is_thought_has_room() -> None:
    sent = body(user("x"), params={"thinking": {"type": "enabled", "budget_tokens": 9000}, "effort": "high"})
    assert sent["thinking"] == {"type": "enabled", "budget_tokens": 9000}
    assert sent["output_config"] == {"effort": "high"}
    assert sent["max_tokens"] > 9000
    assert body(user("x"), params={"max_tokens": 5, "thinking": {"type": "adaptive"}})["max_tokens"] == 5


@pytest.mark.parametrize(
    ("params", "parallel", "force", "expected"),
    [
        ({}, True, "", None),
        ({}, True, "a", {"type": "tool", "name": "a"}),
        ({}, False, "", {"type": "auto", "disable_parallel_tool_use": True}),
        ({"thinking": {"type": "adaptive"}}, True, "a", None),
        ({"thinking": {"type": "disabled"}}, True, "a", {"type": "tool", "name": "a"}),
        ({"tool_choice": {"type": "any"}}, True, "a", {"type": "any"}),
    ],
)
def test_which_tool_must_be_called(params: Any, parallel: bool, force: str, expected: Any) -> None:
    target = TARGET.replace(profile=Profile(parallel=parallel), force=force)
    assert body(user("x"), tools=TOOLS, params=params, target=target).get("tool_choice") == expected


THOUGHT = {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}
HIDDEN = {"type": "redacted_thinking", "data": "b3BhcXVl"}
CALL = {"type": "tool_use", "id": "t1", "name": "a", "input": {"deep": {"er": [1]}}}
USAGE = {"input_tokens": 10, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 20, "output_tokens": 9}


def message(*content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "role": "assistant", "model": "claude-x", "content": list(content),
            "stop_reason": "end_turn", "usage": USAGE, **more}  # fmt: skip


def stream(*told: dict[str, Any]) -> bytes:
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in told)


STREAMED = stream(
    {"type": "message_start", "message": message(stop_reason=None, usage={**USAGE, "output_tokens": 1})},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Let me "}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "see."}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": HIDDEN},
    {"type": "content_block_start", "index": 2, "content_block": {**CALL, "input": {}}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"deep": {"er'}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '": [1]}}'}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop"},
)


async def test_signed_thinking_comes_and_goes_back_unchanged(odd_server: Any) -> None:
    seen: list[Any] = []
    pieces: list[tuple[str, str]] = []
    whole = json.dumps(message(THOUGHT, HIDDEN, CALL, stop_reason="tool_use")).encode()
    async with odd_server(whole, seen=seen) as url, odd_server(STREAMED, content_type="text/event-stream") as other:
        model = AnthropicModel("claude-x", endpoint_url=url)
        reply = await model.reply(HELLO)
        streamed = await AnthropicModel("claude-x", endpoint_url=other).reply(HELLO, delta=lambda *p: pieces.append(p))
        await model.reply(Request([*HELLO.messages, reply.message, Message("tool", (ToolResult("t1", "a", "x"),))]))
    assert reply == streamed
    assert reply.message.parts[0] == Thinking("Let me see.", "c2ln")
    assert reply.message.parts[2] == ToolCall("t1", "a", {"deep": {"er": [1]}})
    assert type(reply.message.tool_calls[0].arguments["deep"]) is dict  # type: ignore[index]
    assert seen[1]["messages"][1]["content"] == [THOUGHT, HIDDEN, CALL]
    assert reply.usage.replace(cost=None, unpriced=0) == Usage(100, 9, 70, 0, 1), "cached tokens are among those read"
    assert pieces == [
        ("thinking", "Let me "),
        ("thinking", "see."),
        ("arguments", '{"deep": {"er'),
        ("arguments", '": [1]}}'),
    ]


async def test_what_the_provider_keeps_is_priced(odd_server: Any) -> None:
    """Of 100 tokens 70 were read from the cache and 20 written to it."""
    price = {"input": 1, "output": 10, "cached": 0.1, "written": 1.25}
    whole = json.dumps(message({"type": "text", "text": "Hi."})).encode()
    cost = (10 * 1 + 70 * 0.1 + 20 * 1.25 + 9 * 10) / 1e6
    async with odd_server(whole) as url, odd_server(STREAMED, content_type="text/event-stream") as other:
        reply = await AnthropicModel("claude-x", endpoint_url=url, price=price).reply(HELLO)
        streamed = await AnthropicModel("claude-x", endpoint_url=other, price=price).reply(HELLO, delta=lambda *_: None)
    assert reply.usage.cost == pytest.approx(cost)
    assert streamed.usage.cost == pytest.approx(cost)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, {}),
        (7, {}),
        ({"cache_creation_input_tokens": "9"}, {}),
        ({"cache_creation_input_tokens": True, "cache_creation": 7}, {}),
        ({"cache_creation_input_tokens": -9, "cache_creation": []}, {}),
        ({"cache_creation_input_tokens": 9}, {"cache_write_tokens": 9}),
        (
            {"cache_creation_input_tokens": 9, "cache_creation": {"ephemeral_1h_input_tokens": 4}},
            {"cache_write_tokens": 9, "cache_write_1h_tokens": 4},
        ),
    ],
)
def test_what_was_kept_is_counted(usage: Any, expected: dict[str, int]) -> None:
    assert counts_of_anthropic(json.loads(json.dumps({"usage": usage}), object_hook=Loose)) == expected


async def test_the_thinking_of_others_and_empty_words_do_not_go_out() -> None:
    said = assistant(Thinking("hm", 'openai:{"id": "rs_1"}'), Thinking("hm"), Text("  \n"), "Yes.")
    assert [b["type"] for b in body(user("x"), said)["messages"][1]["content"]] == ["text"]


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "no"}}, RefusalError),
        ({"stop_reason": "refusal"}, RefusalError),
        ({"stop_reason": "juggling"}, ModelReplyError),
        ({"stop_reason": None}, ModelReplyError),
        ({"content": [{"type": "juggling"}]}, ModelReplyError),
        ({"content": 7}, ModelReplyError),
    ],
)
async def test_what_is_no_answer(odd_server: Any, more: Any, kind: type[Exception]) -> None:
    async with odd_server(json.dumps(message(**more)).encode()) as url:
        with pytest.raises(kind):
            await AnthropicModel("claude-x", endpoint_url=url).reply(HELLO)


async def test_a_server_of_ones_own_needs_no_key(odd_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    async with odd_server(json.dumps(message({"type": "text", "text": "Hi."})).encode()) as url:
        assert (await AnthropicModel("m", endpoint_url=url).reply(HELLO)).message.text == "Hi."
