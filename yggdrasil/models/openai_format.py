"""Our vocabulary and the Chat Completions format of OpenAI and all that are compatible with it.

Source: https://platform.openai.com/docs/api-reference/chat (requests, `chat.completion`, `chat.completion.chunk`).
"""

from __future__ import annotations

import base64
import json
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
from yggdrasil.models.strict import strict_schema

_FINISH: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


def request_to_openai(request: Request, model_id: str, *, own: bool) -> dict[str, Any]:
    """The body of a request. `own`: the endpoint is OpenAI's, which has renamed `max_tokens`."""
    body: dict[str, Any] = {
        "model": model_id,
        "messages": [m for message in request.messages for m in _messages(message)],
        **request.params,
    }
    if own and "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": t.name, "description": t.description, "parameters": dict(t.parameters)},
            }
            for t in request.tools
        ]
    if request.output is not None:
        strict = strict_schema(request.output)
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": "answer",
                "schema": request.output if strict is None else strict,
                "strict": strict is not None,
            },
        }
    return body


def _messages(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [
            {"role": "tool", "tool_call_id": p.id, "content": p.content}
            for p in message.parts
            if isinstance(p, ToolResult)
        ]
    if message.role == "assistant":
        entry: dict[str, Any] = {"role": "assistant", "content": message.text or None}
        calls = message.tool_calls
        if calls:
            entry["tool_calls"] = [
                {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": arguments_text(c)}}
                for c in calls
            ]
        elif entry["content"] is None:
            entry["content"] = ""
        return [entry]
    if all(isinstance(p, Text) for p in message.parts):
        return [{"role": message.role, "content": message.text}]
    return [{"role": message.role, "content": [_content(p) for p in message.parts]}]


def _content(part: Part) -> dict[str, Any]:
    if isinstance(part, Image):
        url = part.url if part.blob is None else data_url(part)
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "text", "text": part.text if isinstance(part, Text | Thinking) else str(part)}


def data_url(image: Image) -> str:
    """A picture's bytes as a data: URL."""
    if image.blob is None:
        return image.url
    return f"data:{image.blob.media_type};base64,{base64.b64encode(image.blob.data).decode()}"


def arguments_text(call: ToolCall) -> str:
    """A call's arguments as JSON text; raw text that was none goes back as it came."""
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments, ensure_ascii=False)


def arguments_of(text: str) -> Mapping[str, Any] | str:
    """JSON text to a mapping; the text itself when it is not a JSON object."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict) else text


def reply_from_openai(completion: Any, model: str) -> Reply:
    """A `chat.completion` as a Reply; ModelReplyError when it is none, RefusalError when the model refused."""
    try:
        choice = completion.choices[0]
        message = choice.message
        finish = choice.finish_reason
        calls = [
            ToolCall(c.id or "", c.function.name or "", arguments_of(c.function.arguments or ""))
            for c in message.tool_calls or ()
        ]
        said = (message.refusal, _thinking(message), message.content or "")
        usage = usage_of(completion.usage)
        served_by, reply_id = str(completion.model or ""), str(completion.id or "")
    except (AttributeError, TypeError, IndexError, KeyError, ValueError) as error:
        raise ModelReplyError(f"{model} sent a reply that is not a chat completion") from error
    if finish is None:
        raise ModelReplyError(f"{model} sent a reply without a finish reason")
    return _reply(model, finish, *said, calls, usage, served_by, reply_id)


def _reply(
    model: str,
    finish: str,
    refusal: str | None,
    thinking: str,
    text: str,
    calls: Sequence[ToolCall],
    usage: Usage,
    served_by: str,
    reply_id: str,
) -> Reply:
    if refusal:
        raise RefusalError(f"{model} refused: {refusal}")
    if finish == "content_filter":
        raise RefusalError(f"{model} refused: its content filter stopped the answer")
    if finish not in _FINISH:
        raise ModelReplyError(f"{model} finished for a reason that is not known: {finish!r}")
    parts: list[Part] = []
    if thinking:
        parts.append(Thinking(thinking))
    if text or not calls:
        parts.append(Text(text))
    parts.extend(calls)
    # compatible servers say "stop" beside tool calls
    ended: Finish = "tool_calls" if calls and finish != "length" else _FINISH[finish]
    if ended == "tool_calls" and not calls:
        ended = "stop"
    return Reply(Message("assistant", tuple(parts)), usage, ended, served_by, reply_id)


def _thinking(message: Any) -> str:
    # not OpenAI's own: what DeepSeek, vLLM and others add
    for name in ("reasoning_content", "reasoning"):
        text = getattr(message, name, None)
        if isinstance(text, str):
            return text
    return ""


def usage_of(usage: Any) -> Usage:
    """A `usage` object as Usage of one request; zeros where the server counts nothing."""
    if usage is None:
        return Usage(requests=1)
    cached = getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None)
    reasoning = getattr(getattr(usage, "completion_tokens_details", None), "reasoning_tokens", None)
    return Usage(
        input_tokens=usage.prompt_tokens or 0,
        output_tokens=usage.completion_tokens or 0,
        cached_tokens=cached or 0,
        reasoning_tokens=reasoning or 0,
        requests=1,
    )


class OpenAIStream:
    """Puts the chunks of one stream together."""

    def __init__(self, model: str, delta: Delta) -> None:
        self._model = model
        self._delta = delta
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._refusal: list[str] = []
        self._calls: list[_Call] = []
        self._finish: str | None = None
        self._usage = Usage(requests=1)
        self._served_by = self._id = ""

    def add(self, chunk: Any) -> None:
        """Take one `chat.completion.chunk` (attributes that are missing are None); StreamError when it is none."""
        try:
            self._add(chunk)
        except (AttributeError, TypeError, ValueError) as error:
            raise StreamError(f"the stream of {self._model} has a piece that is not a chat completion chunk") from error

    def _add(self, chunk: Any) -> None:
        self._served_by = self._served_by or str(chunk.model or "")
        self._id = self._id or str(chunk.id or "")
        if chunk.usage is not None:
            self._usage = usage_of(chunk.usage)
        for choice in chunk.choices or ():
            if choice.index:
                continue
            delta = choice.delta
            if delta is not None:
                self._piece("text", delta.content, self._text)
                self._piece("thinking", _thinking(delta), self._thinking)
                self._piece("refusal", delta.refusal, self._refusal)
                for call in delta.tool_calls or ():
                    self._call(call)
            if choice.finish_reason is not None:
                self._finish = choice.finish_reason

    def _piece(self, part: str, text: str | None, pieces: list[str]) -> None:
        if text:
            pieces.append(text)
            if part != "refusal":
                self._delta(part, text)

    def _call(self, call: Any) -> None:
        # some servers leave the index out, or give every call the same one
        entry = next((c for c in reversed(self._calls) if c.index == call.index), None)
        if entry is None or (call.id and entry.id and call.id != entry.id):
            entry = _Call(call.index)
            self._calls.append(entry)
        entry.id = entry.id or call.id or ""
        function = call.function
        if function is not None:
            entry.name = entry.name or function.name or ""
            self._piece("arguments", function.arguments, entry.arguments)

    def reply(self) -> Reply:
        """The whole; StreamError when the stream ended without a finish reason."""
        if self._finish is None:
            raise StreamError(f"the stream of {self._model} ended early, without a finish reason")
        calls = [ToolCall(c.id, c.name, arguments_of("".join(c.arguments))) for c in self._calls]
        return _reply(
            self._model,
            self._finish,
            "".join(self._refusal),
            "".join(self._thinking),
            "".join(self._text),
            calls,
            self._usage,
            self._served_by,
            self._id,
        )


class _Call:
    """A tool call whose arguments are still coming."""

    __slots__ = ("arguments", "id", "index", "name")

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.id = self.name = ""
        self.arguments: list[str] = []
