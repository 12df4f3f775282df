"""What a model says and how it fails: one set of bodies for the three wire formats, through the real SDKs."""

from __future__ import annotations

import time
from typing import Any

import anyio
import pytest

from yggdrasil.abc.model import Model
from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import (
    Message,
    Reply,
    Request,
    ToolCall,
    ToolResult,
    ToolSpec,
    assistant,
    system,
    user,
)
from yggdrasil.errors import (
    ConfigError,
    ContextTooLongError,
    ModelAuthError,
    ModelReplyError,
    ModelRequestError,
    ModelTransientError,
    PortError,
    RateLimitError,
    RefusalError,
    SecretError,
    StreamError,
)
from yggdrasil.models.clients import client, close_clients
from yggdrasil.models.retry import Retrying

pytestmark = pytest.mark.anyio

WEATHER = ToolSpec(
    "weather",
    "The weather somewhere.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
HELLO = Request([system("Be brief."), user("Hello")])
TOOLS = Request([user("What is the weather in Oslo?")], tools=(WEATHER,))


async def ask(model: Model, request: Request, *, stream: bool) -> tuple[Reply, list[tuple[str, str]]]:
    pieces: list[tuple[str, str]] = []
    if stream:
        return await model.reply(request, delta=lambda part, text: pieces.append((part, text))), pieces
    return await model.reply(request), pieces


both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@both
async def test_text(make: Any, llmock: Any, stream: bool) -> None:
    llmock.reply("The ford is deep today.")
    reply, pieces = await ask(make(), HELLO, stream=stream)
    assert reply.message == assistant("The ford is deep today.")
    assert reply.finish == "stop"
    assert reply.model == "test-model"
    assert reply.id
    assert reply.usage.requests == 1
    assert reply.usage.input_tokens > 0
    assert reply.usage.output_tokens > 0
    assert "".join(text for _, text in pieces) == ("The ford is deep today." if stream else "")
    assert len(pieces) > 2 or not stream


@both
async def test_tool_calls(make: Any, llmock: Any, stream: bool) -> None:
    llmock.call_tool("weather", {"city": "Ålesund", "days": [1, 2]})
    reply, pieces = await ask(make(), TOOLS, stream=stream)
    (call,) = reply.message.tool_calls
    assert (call.name, call.arguments) == ("weather", {"city": "Ålesund", "days": [1, 2]})
    assert call.id
    assert reply.finish == "tool_calls"
    if stream:
        assert {part for part, _ in pieces} == {"arguments"}


@both
async def test_a_tool_and_its_result_go_round(make: Any, llmock: Any, stream: bool) -> None:
    model = make()
    reply, _ = await ask(model, TOOLS, stream=stream)
    call = reply.message.tool_calls[0]
    result = Message("tool", (ToolResult(call.id, call.name, "rain"),))
    answer, _ = await ask(model, Request([*TOOLS.messages, reply.message, result], tools=(WEATHER,)), stream=stream)
    assert answer.finish == "stop"
    assert answer.message.text
    assert not answer.message.tool_calls


async def test_what_is_sent(make: Any, llmock: Any, wire: str) -> None:
    picture = Blob(b"\x89PNG", "image/png")
    request = Request(
        [
            system("One."),
            user("Look: ", picture),
            assistant("I look.", ToolCall("c1", "weather", {"city": "Oslo"}), ToolCall("c2", "weather", "{broken")),
            Message("tool", (ToolResult("c1", "weather", "rain"), ToolResult("c2", "weather", "no", failed=True))),
            user("And?"),
        ],
        tools=(WEATHER,),
        params={"temperature": 0.5, "max_tokens": 77} | ({} if wire == "responses" else {"stop": ["END"]}),
    )
    await make().reply(request, key="once-7")
    body = llmock.last_request.body
    assert body["temperature"] == 0.5
    assert body["model"] == "test-model"
    if wire == "responses":
        assert body["max_output_tokens"] == 77
        assert body["instructions"] == "One."
        assert (body["store"], body["include"]) == (False, ["reasoning.encrypted_content"])
        user_, said, first, second, result, failed, last = body["input"]
        assert [c["type"] for c in user_["content"]] == ["input_text", "input_image"]
        assert user_["content"][1]["image_url"] == "data:image/png;base64,iVBORw=="
        assert said == {"role": "assistant", "content": "I look."}
        assert (first["call_id"], first["arguments"]) == ("c1", '{"city": "Oslo"}')
        assert (second["call_id"], second["arguments"]) == ("c2", "{broken")
        assert result == {"type": "function_call_output", "call_id": "c1", "output": "rain"}
        assert failed["output"] == "no"
        assert last["role"] == "user"
        assert body["tools"][0]["parameters"] == WEATHER.parameters
        return
    assert body["max_tokens"] == 77
    sent = body["messages"]
    if wire == "chat":
        assert [m["role"] for m in sent] == ["system", "user", "assistant", "tool", "tool", "user"]
        assert sent[1]["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw=="
        assert [c["function"]["arguments"] for c in sent[2]["tool_calls"]] == ['{"city": "Oslo"}', "{broken"]
        assert body["tools"][0]["function"]["parameters"] == WEATHER.parameters
        assert body["stop"] == ["END"]
    else:
        assert [b["text"] for b in body["system"]] == ["One."]
        assert [m["role"] for m in sent] == ["user", "assistant", "user"]
        assert sent[0]["content"][1]["source"] == {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}
        assert sent[1]["content"][2]["input"] == {"broken_json": "{broken"}
        assert [b["type"] for b in sent[2]["content"]] == ["tool_result", "tool_result", "text"]
        assert sent[2]["content"][1]["is_error"] is True
        assert body["tools"][0]["input_schema"] == WEATHER.parameters
        assert body["stop_sequences"] == ["END"]


async def test_typed_output_goes_as_a_schema(make: Any, llmock: Any, wire: str) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer", "default": 3}},
        "required": ["name"],
    }
    llmock.reply('{"name": "Kara", "age": 9}')
    reply = await make(profile={"output": "native"}).reply(Request([user("Who?")], output=schema))
    assert reply.message.text == '{"name": "Kara", "age": 9}'
    body = llmock.last_request.body
    if wire == "responses":
        sent = body["text"]["format"]
        assert (sent["type"], sent["name"]) == ("json_schema", "answer")
    else:
        sent = body["response_format"]["json_schema"] if wire == "chat" else body["output_config"]["format"]
    assert sent["schema"]["properties"]["name"]["type"] == "string"
    assert sent["schema"]["additionalProperties"] is False
    if wire != "anthropic":
        assert sent["strict"] is True
        assert sent["schema"]["required"] == ["name", "age"]


async def test_a_schema_that_strictness_would_change_is_sent_as_it_is(llmock: Any) -> None:
    from yggdrasil.models.openai import OpenAIModel

    schema = {"type": "object", "properties": {"m": {"type": "object", "additionalProperties": {"type": "integer"}}}}
    await OpenAIModel("m", endpoint_url=llmock.base_url("openai")).reply(Request([user("x")], output=schema))
    sent = llmock.last_request.body["response_format"]["json_schema"]
    assert sent["schema"] == schema
    assert sent["strict"] is False


STATUSES: dict[int, type[Exception]] = {
    400: ModelRequestError,
    401: ModelAuthError,
    403: ModelAuthError,
    404: ModelRequestError,
    408: ModelTransientError,
    409: ModelTransientError,
    413: ModelRequestError,
    422: ModelRequestError,
    429: RateLimitError,
    500: ModelTransientError,
    503: ModelTransientError,
    529: ModelTransientError,
}


@both
async def test_statuses(make: Any, llmock: Any, stream: bool) -> None:
    for number, (status, kind) in enumerate(STATUSES.items()):
        waits = status in (429, 503)
        llmock.fail(status, retry_after=0.05 if waits else None)
        with pytest.raises(kind) as caught:
            await ask(make(), HELLO, stream=stream)
        assert type(caught.value) is kind, status
        assert f"answered {status}" in str(caught.value)
        assert llmock.requests[-1].sdk_retry_count in (0, None)
        assert len(llmock.requests) == number + 1, "one request each: the SDK retries nothing"
        if waits:
            assert caught.value.retry_after == 0.05  # type: ignore[attr-defined]


@both
async def test_context_too_long(make: Any, llmock: Any, stream: bool) -> None:
    llmock.context_overflow()
    with pytest.raises(ContextTooLongError, match="fewer or shorter messages"):
        await ask(make(), HELLO, stream=stream)


async def test_context_too_long_as_anthropic_says_it(make: Any, llmock: Any) -> None:
    llmock.limits(context_window=10)
    with pytest.raises(ContextTooLongError, match="fewer or shorter messages"):
        await make().reply(Request([user("word " * 200)]))


async def test_no_credit_is_not_a_rate_limit(make: Any, llmock: Any) -> None:
    llmock.fail(429, code="insufficient_quota", message="You exceeded your current quota: insufficient_quota")
    with pytest.raises(ModelRequestError, match="no credit"):
        await make().reply(HELLO)


@both
@pytest.mark.parametrize("wire", ["chat", "anthropic"], indirect=True)  # llmock's Responses know no refusal
async def test_refusal(make: Any, llmock: Any, stream: bool) -> None:
    from llmock.scenarios import Reply as Scripted

    llmock.add(Scripted(text="", finish_reason="content_filter"))
    with pytest.raises(RefusalError, match="refused"):
        await ask(make(), HELLO, stream=stream)


@both
async def test_length(make: Any, llmock: Any, stream: bool) -> None:
    from llmock.scenarios import Reply as Scripted

    llmock.add(Scripted(text="half an ans", finish_reason="length"))
    reply, _ = await ask(make(), HELLO, stream=stream)
    assert (reply.finish, reply.message.text) == ("length", "half an ans")


@pytest.mark.parametrize("after", [0, 1, 3])
async def test_a_stream_that_ends_early(make: Any, llmock: Any, after: int) -> None:
    llmock.reply("one two three four five six").truncate(after_chunks=after)
    with pytest.raises(StreamError, match="ended early"):
        await ask(make(), HELLO, stream=True)
    llmock.verdict()


async def test_a_stream_that_breaks_off(make: Any, llmock: Any) -> None:
    llmock.reply("one two three four five six").disconnect(after_chunks=3)
    with pytest.raises(StreamError, match="the connection to"):
        await ask(make(), HELLO, stream=True)


@pytest.mark.parametrize("after", [1, 3])
async def test_a_stream_with_a_broken_piece(make: Any, llmock: Any, after: int) -> None:
    llmock.reply("one two three four five six").corrupt(after_chunks=after)
    with pytest.raises(StreamError, match="not JSON"):
        await ask(make(), HELLO, stream=True)


async def test_a_stream_that_stalls(make: Any, llmock: Any) -> None:
    llmock.reply("one two three four five six").stall(after_chunks=3, seconds=8)
    began = time.monotonic()
    with pytest.raises(StreamError, match="stalled"):
        await ask(make(stall=0.3), HELLO, stream=True)
    assert time.monotonic() - began < 4.5


async def test_an_answer_that_takes_too_long(make: Any, llmock: Any) -> None:
    llmock.delay(5)
    with pytest.raises(ModelTransientError, match="in time"):
        await make(timeout=0.3).reply(HELLO)


async def test_broken_arguments_in_a_stream_come_as_text(make: Any, llmock: Any) -> None:
    llmock.call_tool("weather", {"city": "Oslo"}).break_tool_call()
    reply, _ = await ask(make(), TOOLS, stream=True)
    (call,) = reply.message.tool_calls
    assert isinstance(call.arguments, str)
    assert call.arguments.startswith('{"ci')


async def test_broken_arguments_in_a_whole_answer_come_as_text(llmock: Any) -> None:
    from yggdrasil.models.openai import OpenAIModel

    llmock.call_tool("weather", {"city": "Oslo"}, times=2).break_tool_call(times=2)
    for api in ("chat", "responses"):
        reply = await OpenAIModel("m", endpoint_url=llmock.base_url("openai"), api=api).reply(TOOLS)
        assert isinstance(reply.message.tool_calls[0].arguments, str)


async def test_nobody_there(make_at: Any, free_tcp_port: int) -> None:
    with pytest.raises(ModelTransientError, match="connection to"):
        await make_at(f"http://127.0.0.1:{free_tcp_port}").reply(HELLO)


NO_REPLIES = [b"", b"<html>gateway</html>", b"[]", b"{}", b"null", b'{"choices": [], "content": null}',
              b'{"choices": [{}]}', b'{"status": "completed", "output": 7}', b'{"output": []}']  # fmt: skip


async def test_a_body_that_is_no_reply(make_at: Any, odd_server: Any) -> None:
    async with odd_server(*NO_REPLIES) as url:
        for _ in NO_REPLIES:
            with pytest.raises(ModelReplyError):
                await make_at(url).reply(HELLO)


NO_STREAMS = [b"data: []\n\n", b"data: 7\n\n", b"data: {}\n\n", b"", b"<html>gateway</html>",
              b'event: message_start\ndata: {"type": "message_start"}\n\n', b'data: {"type": "response.completed"}\n\n',
              b'data: {"choices": 7}\n\n', b'data: {"type": "content_block_delta", "index": 7}\n\n']  # fmt: skip


async def test_a_stream_that_is_no_stream(make_at: Any, odd_server: Any) -> None:
    async with odd_server(*NO_STREAMS, content_type="text/event-stream") as url:
        for _ in NO_STREAMS:
            with pytest.raises(StreamError):
                await ask(make_at(url), HELLO, stream=True)


INSIDE: dict[bytes, type[Exception]] = {
    b"overloaded_error": ModelTransientError,
    b"rate_limit_error": RateLimitError,
    b"invalid_request_error": ModelRequestError,
    b"context_length_exceeded": ContextTooLongError,
    b"content_filter": RefusalError,
}


async def test_an_error_inside_a_stream(make_at: Any, odd_server: Any) -> None:
    said = b'event: error\ndata: {"type": "error", "error": {"type": "%s", "message": "no"}}\n\n'
    async with odd_server(*(said % name for name in INSIDE), content_type="text/event-stream") as url:
        for kind in INSIDE.values():
            with pytest.raises(kind, match="no") as caught:
                await ask(make_at(url), HELLO, stream=True)
            assert type(caught.value) is kind


async def test_retries_wait_as_long_as_they_are_asked_to(make: Any, llmock: Any) -> None:
    llmock.rate_limit(times=2, retry_after=0.2).reply("At last.")
    began = time.monotonic()
    reply = await Retrying(make(), attempts=3).reply(HELLO)
    assert reply.message.text
    assert time.monotonic() - began >= 0.4
    llmock.assert_resilient(strict=False)


async def test_a_broken_stream_is_asked_for_again_and_says_so(make: Any, llmock: Any) -> None:
    llmock.reply("one two three four", times=2).truncate(after_chunks=5)
    reply, pieces = await ask(Retrying(make(), attempts=2), HELLO, stream=True)
    assert reply.message.text == "one two three four"
    restart = pieces.index(("restart", ""))
    assert restart > 0
    assert "".join(text for _, text in pieces[restart:]) == "one two three four"


async def test_requests_that_are_wrong_are_not_retried(make: Any, llmock: Any) -> None:
    llmock.fail(400, times=None)
    with pytest.raises(ModelRequestError):
        await Retrying(make(), attempts=5).reply(HELLO)
    assert len(llmock.requests) == 1


async def test_one_client_for_one_place(make: Any, llmock: Any, provider: str) -> None:
    one, other = make(), make()
    await one.reply(HELLO)

    def never() -> Any:
        raise AssertionError("a second client")

    found = await client(provider, llmock.base_url(provider), "llmock-test-key", never)
    await other.reply(HELLO)
    assert found is await client(provider, llmock.base_url(provider), "llmock-test-key", never)
    await close_clients()
    with pytest.raises(AssertionError, match="a second client"):
        await client(provider, llmock.base_url(provider), "llmock-test-key", never)


async def test_no_more_requests_at_once_than_allowed(make: Any, llmock: Any) -> None:
    llmock.delay(0.15, times=None)
    models = [make(max_concurrent_requests=2), make()]
    await models[0].reply(HELLO)  # from here on the limit holds for its neighbours too
    began = time.monotonic()
    async with anyio.create_task_group() as group:
        for index in range(6):
            group.start_soon(models[index % 2].reply, HELLO)
    records = llmock.requests[1:]
    assert max(sum(s.started_at <= r.started_at < s.ended_at for s in records) for r in records) == 2
    assert time.monotonic() - began >= 0.45


async def test_no_more_requests_in_a_minute_than_allowed(make: Any, llmock: Any) -> None:
    models = [make(requests_per_minute=4), make()]
    await models[0].reply(HELLO)  # from here on the limit holds for its neighbours too
    async with anyio.create_task_group() as group:
        group.cancel_scope.deadline = anyio.current_time() + 0.5
        for index in range(5):
            group.start_soon(models[index % 2].reply, HELLO)
    assert len(llmock.requests) == 4


async def test_no_more_tokens_in_a_minute_than_allowed(make: Any, llmock: Any) -> None:
    """Each may take 900 of 3000, so that three go out; as they take fewer, the others follow."""
    await make().reply(HELLO)
    llmock.delay(0.15, times=None)
    model, request = make(tokens_per_minute=3000), Request([user("Hello")], params={"max_tokens": 900})
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(model.reply, request)
    records = llmock.requests[1:]
    assert len(records) == 5
    assert max(sum(s.started_at <= r.started_at < s.ended_at for s in records) for r in records) == 3


async def test_cancelling_ends_the_call_at_once(make: Any, llmock: Any) -> None:
    llmock.delay(5)
    model = make()
    began = time.monotonic()
    with anyio.move_on_after(0.2) as scope:
        await model.reply(HELLO)
    assert scope.cancelled_caught
    assert time.monotonic() - began < 4.5


@pytest.mark.parametrize(
    ("params", "kind"),
    [
        ({"messages": []}, ConfigError),
        ({"api_key": "sk-very-secret-1"}, SecretError),
        ({"extra_headers": {}}, SecretError),
        ({"metadata": {1, 2}}, PortError),
    ],
)
async def test_params_that_are_refused(make: Any, llmock: Any, params: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        await make().reply(Request([user("x")], params=params))
    assert "sk-very" not in str(caught.value)
    assert llmock.requests == []


@pytest.mark.parametrize("option", ["timeout", "stall", "max_concurrent_requests"])
def test_limits_are_above_zero(make: Any, option: str) -> None:
    with pytest.raises(ConfigError, match=option):
        make(**{option: 0})
