"""The Responses format: what goes out, what comes back, what only it can say. Bodies are as the reference has them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil.core.messages import (
    Message,
    Reply,
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
from yggdrasil.errors import (
    ConfigError,
    ContextTooLongError,
    ModelError,
    ModelReplyError,
    ModelRequestError,
    ModelTransientError,
    RateLimitError,
    RefusalError,
    StreamError,
)
from yggdrasil.models.openai import OpenAIModel
from yggdrasil.models.openai_responses import request_to_responses
from yggdrasil.models.wire import Target

pytestmark = pytest.mark.anyio

HELLO = Request([user("Hello")])
TARGET = Target("openai:gpt-5", "gpt-5", Profile())
THOUGHT = {
    "type": "reasoning", "id": "rs_1", "encrypted_content": "gAAAA=",
    "summary": [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Second."}],
}  # fmt: skip
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": '{"city": "Oslo"}'}
USAGE = {
    "input_tokens": 100, "input_tokens_details": {"cached_tokens": 64}, "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 20}, "total_tokens": 130,
}  # fmt: skip


def message(*content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "id": "msg_1", "content": list(content), **more}


def text(words: str) -> dict[str, Any]:
    return {"type": "output_text", "text": words, "annotations": []}


def response(*items: Any, status: str = "completed", **more: Any) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "model": "gpt-5-2025", "status": status, "output": list(items),
            "usage": USAGE, "error": None, "incomplete_details": None, **more}  # fmt: skip


def events(*items: Any, end: dict[str, Any] | None = None, kind: str = "completed") -> bytes:
    """A stream of these items, in the events that OpenAI sends."""
    told: list[dict[str, Any]] = [{"type": "response.created", "response": response(status="in_progress")}]
    for place, item in enumerate(items):
        told.append({"type": "response.output_item.added", "output_index": place, "item": {**item, "content": []}})
        for number, part in enumerate(item.get("summary", ())):
            told.append({"type": "response.reasoning_summary_part.added", "output_index": place,
                         "summary_index": number, "part": {"type": "summary_text", "text": ""}})  # fmt: skip
            told.append({"type": "response.reasoning_summary_text.delta", "output_index": place, "delta": part["text"]})
        told += [
            {"type": "response.output_text.delta", "output_index": place, "delta": part["text"]}
            for part in item.get("content", ())
            if part["type"] == "output_text"
        ]
        if item["type"] == "function_call":
            told += [
                {"type": "response.function_call_arguments.delta", "output_index": place, "delta": piece}
                for piece in (item["arguments"][:5], item["arguments"][5:])
            ]
        told.append({"type": "response.output_item.done", "output_index": place, "item": item})
    told.append({"type": f"response.{kind}", "response": end or response(*items)})
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in told)


async def both_ways(odd_server: Any, *items: Any, **more: Any) -> tuple[Reply, Reply, list[tuple[str, str]]]:
    """The reply, whole and streamed, and the pieces of the stream."""
    pieces: list[tuple[str, str]] = []
    async with odd_server(json.dumps(response(*items, **more)).encode()) as url:
        whole = await OpenAIModel("gpt-5", endpoint_url=url, api="responses").reply(HELLO)
    async with odd_server(events(*items, end=response(*items, **more)), content_type="text/event-stream") as url:
        model = OpenAIModel("gpt-5", endpoint_url=url, api="responses")
        streamed = await model.reply(HELLO, delta=lambda part, said: pieces.append((part, said)))
    return whole, streamed, pieces


async def test_thinking_words_and_calls_in_their_order(odd_server: Any) -> None:
    whole, streamed, pieces = await both_ways(odd_server, THOUGHT, message(text("I look.")), CALL)
    assert whole == streamed
    thinking, words, call = whole.message.parts
    assert isinstance(thinking, Thinking)
    assert thinking.text == "First.\n\nSecond."
    assert (words, call) == (Text("I look."), ToolCall("call_1", "weather", {"city": "Oslo"}))
    assert (whole.finish, whole.model, whole.id) == ("tool_calls", "gpt-5-2025", "resp_1")
    assert whole.usage.replace(cost=None, unpriced=0) == Usage(100, 30, 64, 20, 1)
    for kind, said in (("thinking", "First.\n\nSecond."), ("text", "I look."), ("arguments", '{"city": "Oslo"}')):
        assert "".join(piece for part, piece in pieces if part == kind) == said


async def test_thinking_goes_back_encrypted_and_nothing_is_kept_there(odd_server: Any) -> None:
    seen: list[Any] = []
    result = Message("tool", (ToolResult("call_1", "weather", "rain"),))
    bodies = [json.dumps(response(*items)).encode() for items in ((THOUGHT, CALL), (message(text("Rain.")),))]
    async with odd_server(*bodies, seen=seen) as url:
        model = OpenAIModel("gpt-5", endpoint_url=url, api="responses")
        first = await model.reply(HELLO)
        await model.reply(Request([*HELLO.messages, first.message, result]))
    assert [(s["store"], s["include"], s["stream"]) for s in seen] == [
        (False, ["reasoning.encrypted_content"], False)
    ] * 2
    _, thought, call, output = seen[1]["input"]
    assert thought == {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAAA=",
                       "summary": [{"type": "summary_text", "text": "First.\n\nSecond."}]}  # fmt: skip
    assert call == {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city": "Oslo"}'}
    assert output == {"type": "function_call_output", "call_id": "call_1", "output": "rain"}


async def test_commentary_is_thinking_and_goes_back_as_commentary(odd_server: Any) -> None:
    said = message(text("Looking."), phase="commentary"), message(text('{"a": 1}'), phase="final_answer")
    whole, streamed, pieces = await both_ways(odd_server, *said)
    assert whole == streamed
    assert whole.message.text == '{"a": 1}'
    assert pieces == [("thinking", "Looking."), ("text", '{"a": 1}')]
    back = request_to_responses(Request([user("x"), whole.message]), TARGET)["input"]
    assert back[1] == {"role": "assistant", "content": "Looking.", "phase": "commentary"}


async def test_what_ended_too_early_says_so(odd_server: Any) -> None:
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    whole, streamed, _ = await both_ways(odd_server, message(text("half")), **cut)
    assert (whole.finish, streamed.finish, whole.message.text) == ("length", "length", "half")


@pytest.mark.parametrize(
    ("items", "more", "kind"),
    [
        ([message({"type": "refusal", "refusal": "I will not."})], {}, RefusalError),
        ([], {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, RefusalError),
        ([], {"status": "failed", "error": {"code": "server_error", "message": "oh"}}, ModelTransientError),
        ([], {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "oh"}}, RateLimitError),
        ([], {"status": "failed", "error": {"code": "invalid_image_url", "message": "oh"}}, ModelRequestError),
        ([], {"status": "failed", "error": {"code": "bio_policy", "message": "oh"}}, RefusalError),
        ([], {"status": "failed", "error": {"code": "context_length_exceeded", "message": "oh"}}, ContextTooLongError),
        ([], {"status": "failed", "error": None}, ModelTransientError),
        ([], {"status": "cancelled"}, ModelReplyError),
        ([{"type": "juggling"}], {}, ModelReplyError),
        ([message({"type": "juggling"})], {}, ModelReplyError),
    ],
)
async def test_what_is_no_answer(odd_server: Any, items: Any, more: Any, kind: type[ModelError]) -> None:
    end = {"failed": "failed", "incomplete": "incomplete"}.get(more.get("status", ""), "completed")
    said = response(*items, **more)
    for body, media_type, delta in (
        (json.dumps(said).encode(), "application/json", None),
        (events(*items, end=said, kind=end), "text/event-stream", lambda *_: None),
    ):
        async with odd_server(body, content_type=media_type) as url:
            with pytest.raises(kind) as caught:
                await OpenAIModel("gpt-5", endpoint_url=url, api="responses").reply(HELLO, delta=delta)
            assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [("rate_limit_exceeded", RateLimitError), ("server_error", ModelTransientError), (None, ModelTransientError)],
)
async def test_an_error_event_of_its_own(odd_server: Any, code: Any, kind: type[ModelError]) -> None:
    said = b"data: " + json.dumps({"type": "error", "code": code, "message": "oh", "param": None}).encode() + b"\n\n"
    async with odd_server(said, content_type="text/event-stream") as url:
        with pytest.raises(kind, match="oh"):
            await OpenAIModel("gpt-5", endpoint_url=url, api="responses").reply(HELLO, delta=lambda *_: None)


async def test_every_place_where_a_stream_can_end_is_early_but_the_last(odd_server: Any) -> None:
    pieces = events(THOUGHT, message(text("words")), CALL).split(b"\n\n")[:-1]
    cut = [b"\n\n".join(pieces[:n]) + b"\n\n" for n in range(1, len(pieces))]
    async with odd_server(*cut, content_type="text/event-stream") as url:
        for _ in cut:
            with pytest.raises(StreamError, match="ended early"):
                await OpenAIModel("gpt-5", endpoint_url=url, api="responses").reply(HELLO, delta=lambda *_: None)


async def test_a_stream_whose_end_repeats_nothing_is_put_together_from_its_items(odd_server: Any) -> None:
    items = (THOUGHT, message(text("words")), CALL)
    async with odd_server(events(*items, end=response()), content_type="text/event-stream") as url:
        model = OpenAIModel("gpt-5", endpoint_url=url, api="responses")
        reply = await model.reply(HELLO, delta=lambda *_: None)
    assert [type(p) for p in reply.message.parts] == [Thinking, Text, ToolCall]


# --- requests


def test_params_in_its_own_words() -> None:
    params = {
        "max_tokens": 9,
        "reasoning_effort": "low",
        "reasoning": {"summary": "auto"},
        "text": {"verbosity": "low"},
    }
    body = request_to_responses(
        Request([user("x")], output={"type": "object", "properties": {}}, params=params), TARGET
    )
    assert body["max_output_tokens"] == 9
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}
    assert body["text"]["verbosity"] == "low"
    assert body["text"]["format"]["type"] == "json_schema"
    assert "max_tokens" not in body


def test_what_a_user_says_of_keeping_counts() -> None:
    body = request_to_responses(Request([user("x")], params={"store": True, "include": []}), TARGET)
    assert (body["store"], body["include"]) == (True, [])


def test_a_model_that_does_not_reason_is_asked_for_no_reasoning() -> None:
    body = request_to_responses(HELLO, TARGET.replace(profile=Profile(reasoning=False)))
    assert "include" not in body
    assert body["store"] is False


def test_instructions_are_the_first_system_messages_and_later_ones_stay_where_they_are() -> None:
    body = request_to_responses(Request([system("A"), system("B"), user("x"), system("C")]), TARGET)
    assert body["instructions"] == "A\n\nB"
    assert [item["role"] for item in body["input"]] == ["user", "system"]


def test_the_thinking_of_others_does_not_go_out() -> None:
    said = assistant(Thinking("hm", "a-signature-of-another-house"), "Yes.")
    assert request_to_responses(Request([said]), TARGET)["input"] == [{"role": "assistant", "content": "Yes."}]


@pytest.mark.parametrize(
    ("params", "kind"),
    [({"stop": ["x"]}, ModelRequestError), ({"input": []}, ConfigError), ({"instructions": ""}, ConfigError)],
)
def test_what_it_has_no_place_for(params: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="openai:gpt-5"):
        request_to_responses(Request([user("x")], params=params), TARGET)


def test_one_tool_at_a_time_and_a_tool_that_must_be_called() -> None:
    spec = ToolSpec("weather", "d", {"type": "object"})
    body = request_to_responses(
        Request([user("x")], tools=(spec,)), TARGET.replace(profile=Profile(parallel=False), force="weather")
    )
    assert body["parallel_tool_calls"] is False
    assert body["tool_choice"] == {"type": "function", "name": "weather"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "id", "content", "summary", "text", "name", "arguments", "phase", "call_id"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(items=JSON, status=st.sampled_from(["completed", "incomplete", "failed", "queued", None]), usage=JSON)
def test_whatever_comes_is_a_reply_or_an_error_of_ours(items: Any, status: Any, usage: Any) -> None:
    from yggdrasil.models.faults import ProviderSaidError
    from yggdrasil.models.openai_responses import reply_from_responses
    from yggdrasil.models.stream import Loose

    body = json.dumps({"status": status, "output": items, "usage": usage})
    try:
        reply = reply_from_responses(json.loads(body, object_hook=Loose), "openai:m")
    except (ModelReplyError, RefusalError, ProviderSaidError):
        return
    assert isinstance(reply, Reply)
