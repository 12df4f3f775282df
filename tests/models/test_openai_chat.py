"""What only Chat Completions has: sounds that are counted apart, and what its many servers leave out or add."""

from __future__ import annotations

import json
from typing import Any

import pytest

from yggdrasil.core.messages import Request, Thinking, Usage, user
from yggdrasil.models.openai import OpenAIModel
from yggdrasil.models.openai_chat import counts_of_chat
from yggdrasil.models.stream import Loose

pytestmark = pytest.mark.anyio

HELLO = Request([user("Hello")])
USAGE = {
    "prompt_tokens": 100, "completion_tokens": 30, "total_tokens": 130,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 20},
    "completion_tokens_details": {"reasoning_tokens": 12, "audio_tokens": 5},
}  # fmt: skip


def whole(usage: Any, **message: Any) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi.", **message}}
    return json.dumps({"id": "c1", "model": "m", "choices": [choice], "usage": usage}).encode()


def stream(*deltas: Any, usage: Any = None) -> bytes:
    """Each piece in a chunk of its own, the finish reason, and the usage in a last chunk without choices."""
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": usage}]
    told = (f"data: {json.dumps({'id': 'c1', 'model': 'm', **chunk})}\n\n" for chunk in chunks)
    return "".join((*told, "data: [DONE]\n\n")).encode()


async def test_what_was_cached_and_what_was_thought_are_counted(odd_server: Any) -> None:
    words = stream({"content": "H"}, {"content": "i."}, usage=USAGE)
    async with odd_server(whole(USAGE)) as url, odd_server(words, content_type="text/event-stream") as other:
        reply = await OpenAIModel("m", endpoint_url=url).reply(HELLO)
        streamed = await OpenAIModel("m", endpoint_url=other).reply(HELLO, delta=lambda *_: None)
    assert reply == streamed
    assert reply.usage == Usage(100, 30, 64, 12, 1, None, 1)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
async def test_thinking_as_compatible_servers_tell_it(odd_server: Any, name: str) -> None:
    pieces: list[tuple[str, str]] = []
    words = stream({name: "A fo"}, {name: "rd?"}, {"content": "Hi."}, usage=USAGE)
    async with (
        odd_server(whole(USAGE, **{name: "A ford?"})) as url,
        odd_server(words, content_type="text/event-stream") as other,
    ):
        reply = await OpenAIModel("m", endpoint_url=url).reply(HELLO)
        streamed = await OpenAIModel("m", endpoint_url=other).reply(HELLO, delta=lambda *p: pieces.append(p))
    assert reply == streamed
    assert reply.message.parts[0] == Thinking("A ford?")
    assert pieces == [("thinking", "A fo"), ("thinking", "rd?"), ("text", "Hi.")]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (USAGE, {"input_audio_tokens": 20, "output_audio_tokens": 5}),
        (None, {}),
        (7, {}),
        ({"prompt_tokens_details": 7, "completion_tokens_details": {"audio_tokens": "5"}}, {}),
        ({"prompt_tokens_details": {"audio_tokens": 0}}, {}),
    ],
)
def test_sounds_are_counted(usage: Any, expected: dict[str, int]) -> None:
    assert counts_of_chat(json.loads(json.dumps({"usage": usage}), object_hook=Loose)) == expected


CALL = {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city": '}}
REST = {"function": {"arguments": '"Oslo"}'}}


@pytest.mark.parametrize(
    ("calls", "ids"),
    [
        ([{**CALL, "index": 0}, {**REST, "index": 0}], ["a"]),
        ([CALL, REST], ["a"]),  # without an index
        (
            [{**CALL, "index": 0}, {**REST, "index": 0}, {**CALL, "id": "b", "index": 0}, {**REST, "index": 0}],
            ["a", "b"],
        ),
        ([{**CALL, "id": "", "index": 0}, {**REST, "index": 0}], ["call_0_c1"]),
    ],
    ids=["plain", "no index", "one index for all", "no id"],
)
async def test_calls_as_compatible_servers_stream_them(odd_server: Any, calls: Any, ids: list[str]) -> None:
    words = stream(*({"tool_calls": [call]} for call in calls), usage=USAGE)
    async with odd_server(words, content_type="text/event-stream") as url:
        reply = await OpenAIModel("m", endpoint_url=url).reply(HELLO, delta=lambda *_: None)
    assert [(c.id, c.name, c.arguments) for c in reply.message.tool_calls] == [
        (id, "weather", {"city": "Oslo"}) for id in ids
    ]
    assert reply.finish == "tool_calls"
