"""Our vocabulary and the Messages format of Anthropic.

Source: https://docs.anthropic.com/en/api/messages (requests, messages, streaming events).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.abc.model import Delta
from yggdrasil.core.messages import (
    Finish,
    Image,
    Message,
    Part,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
)
from yggdrasil.errors import ModelReplyError, RefusalError, StreamError
from yggdrasil.models.openai_format import arguments_of

DEFAULT_MAX_TOKENS = 8192

_FINISH: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
}
_REDACTED = "redacted:"


def request_to_anthropic(request: Request, model_id: str) -> dict[str, Any]:
    """The body of a request. System messages are lifted out; neighbours of one role are joined."""
    params = dict(request.params)
    if "stop" in params:
        stop = params.pop("stop")
        params["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    body: dict[str, Any] = {
        "model": model_id,
        "max_tokens": params.pop("max_tokens", DEFAULT_MAX_TOKENS),
        "messages": _messages(request.messages),
        **params,
    }
    system = "\n\n".join(m.text for m in request.messages if m.role == "system")
    if system:
        body["system"] = system
    if request.tools:
        body["tools"] = [
            {"name": t.name, "description": t.description, "input_schema": dict(t.parameters)} for t in request.tools
        ]
    elif called := {c.name: None for m in request.messages for c in m.tool_calls}:
        # the API refuses tool blocks whose tools are not declared: they are, and may not be called
        body["tools"] = [{"name": name, "input_schema": {"type": "object"}} for name in called]
        body["tool_choice"] = {"type": "none"}
    if request.output is not None:
        from anthropic import transform_schema

        form = {"type": "json_schema", "schema": transform_schema(dict(request.output))}
        body["output_config"] = {**body.get("output_config", {}), "format": form}
    return body


def _messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = [block for block in map(_block, message.parts) if block is not None]
        if entries and entries[-1]["role"] == role:
            entries[-1]["content"].extend(blocks)
        elif blocks:
            entries.append({"role": role, "content": blocks})
    return entries


def _block(part: Part) -> dict[str, Any] | None:
    """A content block; None for what the format cannot carry: empty text, another provider's thinking."""
    if isinstance(part, Text):
        return {"type": "text", "text": part.text} if part.text else None
    if isinstance(part, ToolCall):
        # the format has no place for broken arguments: they go back as text under a name that says so
        arguments = {"broken_json": part.arguments} if isinstance(part.arguments, str) else dict(part.arguments)
        return {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}
    if isinstance(part, ToolResult):
        result = {"type": "tool_result", "tool_use_id": part.id, "content": part.content}
        return {**result, "is_error": True} if part.failed else result
    if isinstance(part, Image):
        return {"type": "image", "source": _source(part)}
    return _thinking_block(part)


def _thinking_block(part: Thinking) -> dict[str, Any] | None:
    if part.signature.startswith(_REDACTED):
        return {"type": "redacted_thinking", "data": part.signature.removeprefix(_REDACTED)}
    if part.signature:
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}
    return None


def _source(image: Image) -> dict[str, Any]:
    if image.blob is None:
        return {"type": "url", "url": image.url}
    data = base64.b64encode(image.blob.data).decode()
    return {"type": "base64", "media_type": image.blob.media_type, "data": data}


def reply_from_anthropic(message: Any, model: str) -> Reply:
    """A `message` as a Reply; ModelReplyError when it is none, RefusalError when the model refused."""
    try:
        parts = [_part(block, model) for block in message.content]
        finish = message.stop_reason
        usage = _usage(message.usage)
        served_by, reply_id = str(message.model or ""), str(message.id or "")
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise ModelReplyError(f"{model} sent a reply that is not a message") from error
    if finish is None:
        raise ModelReplyError(f"{model} sent a reply without a stop reason")
    return _reply(model, finish, getattr(message, "stop_details", None), parts, usage, served_by, reply_id)


def _part(block: Any, model: str) -> Part:
    kind = block.type
    if kind == "text":
        return Text(block.text)
    if kind == "tool_use":
        arguments = block.input
        return ToolCall(block.id, block.name, arguments if isinstance(arguments, Mapping) else str(arguments))
    if kind == "thinking":
        return Thinking(block.thinking, block.signature or "")
    if kind == "redacted_thinking":
        return Thinking("", _REDACTED + block.data)
    raise ModelReplyError(f"{model} sent a part that is not known: {kind!r}")


def _reply(
    model: str, finish: str, details: Any, parts: Sequence[Part], usage: Usage, served_by: str, reply_id: str
) -> Reply:
    if finish == "refusal":
        why = getattr(details, "explanation", None) or "".join(p.text for p in parts if isinstance(p, Text))
        raise RefusalError(f"{model} refused" + (f": {why}" if why else ""))
    if finish not in _FINISH:
        raise ModelReplyError(f"{model} stopped for a reason that is not known: {finish!r}")
    ended = _FINISH[finish]
    if ended != "length":
        ended = "tool_calls" if any(isinstance(p, ToolCall) for p in parts) else "stop"
    return Reply(Message("assistant", tuple(parts) or (Text(""),)), usage, ended, served_by, reply_id)


def _usage(usage: Any, before: Usage | None = None) -> Usage:
    """Input tokens are all that were read, cached or not, as with every other provider."""
    read = getattr(usage, "cache_read_input_tokens", None)
    written = getattr(usage, "cache_creation_input_tokens", None)
    fresh = getattr(usage, "input_tokens", None)
    thought = getattr(getattr(usage, "output_tokens_details", None), "thinking_tokens", None)
    if before is not None and fresh is None:
        return Usage(
            before.input_tokens, usage.output_tokens or 0, before.cached_tokens, thought or before.reasoning_tokens, 1
        )
    return Usage((fresh or 0) + (read or 0) + (written or 0), usage.output_tokens or 0, read or 0, thought or 0, 1)


class AnthropicStream:
    """Puts the events of one stream together."""

    def __init__(self, model: str, delta: Delta) -> None:
        self._model = model
        self._delta = delta
        self._blocks: dict[int, _Block] = {}
        self._finish: str | None = None
        self._details: Any = None
        self._ended = False
        self._usage = Usage(requests=1)
        self._served_by = self._id = ""

    def add(self, event: Any) -> None:
        """Take one event (attributes that are missing are None); StreamError when it is none."""
        try:
            self._add(event)
        except (AttributeError, TypeError, KeyError, ValueError) as error:
            raise StreamError(f"the stream of {self._model} has an event that is not in its own format") from error

    def _add(self, event: Any) -> None:
        kind = event.type
        if kind == "content_block_delta":
            self._blocks[event.index].add(event.delta, self._delta)
        elif kind == "content_block_start":
            self._blocks[event.index] = _Block(event.content_block, self._delta)
        elif kind == "message_start":
            self._served_by, self._id = str(event.message.model), str(event.message.id)
            self._usage = _usage(event.message.usage)
        elif kind == "message_delta":
            self._finish = event.delta.stop_reason or self._finish
            self._details = getattr(event.delta, "stop_details", None)
            self._usage = _usage(event.usage, self._usage)
        elif kind == "message_stop":
            self._ended = True

    def reply(self) -> Reply:
        """The whole; StreamError when the stream ended early."""
        if self._finish is None or not self._ended:
            raise StreamError(f"the stream of {self._model} ended early, without a stop reason")
        parts = [self._blocks[index].part(self._model) for index in sorted(self._blocks)]
        return _reply(self._model, self._finish, self._details, parts, self._usage, self._served_by, self._id)


class _Block:
    """A content block that is still coming."""

    __slots__ = ("_arguments", "_signature", "_start", "_text")

    def __init__(self, start: Any, delta: Delta) -> None:
        self._start = start
        self._text: list[str] = []
        self._arguments: list[str] = []
        self._signature: list[str] = []
        for part, text in (("text", getattr(start, "text", "")), ("thinking", getattr(start, "thinking", ""))):
            if text:
                self._text.append(text)
                delta(part, text)

    def add(self, piece: Any, delta: Delta) -> None:
        kind = piece.type
        if kind == "text_delta":
            self._text.append(piece.text)
            delta("text", piece.text)
        elif kind == "input_json_delta":
            self._arguments.append(piece.partial_json)
            delta("arguments", piece.partial_json)
        elif kind == "thinking_delta":
            self._text.append(piece.thinking)
            delta("thinking", piece.thinking)
        elif kind == "signature_delta":
            self._signature.append(piece.signature)

    def part(self, model: str) -> Part:
        start = self._start
        if start.type == "text":
            return Text("".join(self._text))
        if start.type == "thinking":
            return Thinking("".join(self._text), "".join(self._signature) or start.signature or "")
        if start.type == "tool_use" and self._arguments:
            return ToolCall(start.id, start.name, arguments_of("".join(self._arguments)))
        return _part(start, model)
