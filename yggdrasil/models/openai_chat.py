"""Our vocabulary and the Chat Completions format of OpenAI and all that are compatible with it.

Source: https://platform.openai.com/docs/api-reference/chat (requests, `chat.completion`, `chat.completion.chunk`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yggdrasil.abc.model import Delta
from yggdrasil.core.messages import (
    Audio,
    File,
    Finish,
    Image,
    Media,
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
from yggdrasil.models.parts import (
    arguments_of,
    audio_format,
    cannot,
    check_media,
    coded,
    count_in,
    link,
    misplaced,
    text_of,
)
from yggdrasil.models.strict import answer_schema
from yggdrasil.models.wire import Target, WireFormat

_FINISH: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


def request_to_chat(request: Request, target: Target) -> dict[str, Any]:
    """The body of a request."""
    body: dict[str, Any] = {
        "model": target.model_id,
        "messages": _messages(request.messages, target),
        **request.params,
    }
    if target.own and "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    if target.streaming:
        body.setdefault("stream_options", {"include_usage": True})
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": t.name, "description": t.description, "parameters": dict(t.parameters)},
            }
            for t in request.tools
        ]
        if not target.profile.parallel:
            body.setdefault("parallel_tool_calls", False)
        if target.force:
            body.setdefault("tool_choice", {"type": "function", "function": {"name": target.force}})
    if request.output is not None:
        schema, strict = answer_schema(request.output, target.profile.strict)
        answer = {"name": "answer", "schema": schema, "strict": strict}
        body["response_format"] = {"type": "json_schema", "json_schema": answer}
    return body


def _messages(messages: Sequence[Message], target: Target) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    shown: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "tool":
            for part in message.parts:
                if not isinstance(part, ToolResult):
                    raise misplaced(part, message, target.model)
                entries.append({"role": "tool", "tool_call_id": part.id, "content": part.content})
                shown += _media_of_result(part, target)
            continue
        if shown:
            # a tool's message is text alone: what it shows comes after the last of them, from the user
            entries.append({"role": "user", "content": shown})
            shown = []
        entries.append(_message(message, target))
    if shown:
        entries.append({"role": "user", "content": shown})
    return entries


def _media_of_result(result: ToolResult, target: Target) -> list[dict[str, Any]]:
    if not result.media:
        return []
    whose = f"This came with the result of {result.name} (call {result.id}):"
    return [{"type": "text", "text": whose}, *(_media(m, target) for m in result.media)]


def _message(message: Message, target: Target) -> dict[str, Any]:
    if message.role == "assistant":
        return _assistant(message, target)
    if all(isinstance(p, Text) for p in message.parts):
        return {"role": message.role, "content": message.text}
    return {"role": message.role, "content": [_content(p, message, target) for p in message.parts]}


def _assistant(message: Message, target: Target) -> dict[str, Any]:
    for part in message.parts:
        if isinstance(part, Media | ToolResult):
            raise misplaced(part, message, target.model)
    # thinking does not go back: the format has no place for it
    entry: dict[str, Any] = {"role": "assistant", "content": message.text or None}
    calls = message.tool_calls
    if calls:
        entry["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments_text}}
            for c in calls
        ]
    elif entry["content"] is None:
        entry["content"] = ""
    return entry


def _content(part: Part, message: Message, target: Target) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Media) and message.role == "user":
        return _media(part, target)
    raise misplaced(part, message, target.model)


def _media(part: Media, target: Target) -> dict[str, Any]:
    words = text_of(part) if isinstance(part, File) else None
    if words is not None:
        # the format's own file parts are for PDFs
        return {"type": "text", "text": f"{part.name or 'A file'}:\n{words}"}  # type: ignore[union-attr]
    check_media(part, target.profile, target.model)
    if isinstance(part, Image):
        return {"type": "image_url", "image_url": {"url": link(part)}}
    if isinstance(part, Audio):
        kind = audio_format(part, target.model)
        return {"type": "input_audio", "input_audio": {"data": coded(part.blob), "format": kind}}  # type: ignore[arg-type]
    if part.blob is None:
        raise cannot(part, target.model, "its format takes files by their bytes, not by a URL")
    return {"type": "file", "file": {"filename": part.name or "file", "file_data": link(part)}}


def reply_from_chat(completion: Any, model: str) -> Reply:
    """A `chat.completion` as a Reply; ModelReplyError when it is none, RefusalError when the model refused."""
    try:
        choice = completion.choices[0]
        message = choice.message
        finish = choice.finish_reason
        calls = [
            ToolCall(c.id or "", c.function.name or "", arguments_of(c.function.arguments or ""))
            for c in message.tool_calls or ()
        ]
        said = _Said(message.refusal or "", _thinking(message), message.content or "", calls)
        usage = usage_of(completion.usage)
        served_by, reply_id = str(completion.model or ""), str(completion.id or "")
    except (AttributeError, TypeError, IndexError, KeyError, ValueError) as error:
        raise ModelReplyError(f"{model} sent a reply that is not a chat completion") from error
    if finish is None:
        raise ModelReplyError(f"{model} sent a reply without a finish reason")
    return said.reply(model, finish, usage, served_by, reply_id)


class _Said:
    """What one choice says, whole."""

    def __init__(self, refusal: str, thinking: str, text: str, calls: Sequence[ToolCall]) -> None:
        self.refusal, self.thinking, self.text, self.calls = refusal, thinking, text, calls

    def reply(self, model: str, finish: str, usage: Usage, served_by: str, reply_id: str) -> Reply:
        if self.refusal:
            raise RefusalError(f"{model} refused: {self.refusal}")
        if finish == "content_filter":
            raise RefusalError(f"{model} refused: its content filter stopped the answer")
        if finish not in _FINISH:
            raise ModelReplyError(f"{model} finished for a reason that is not known: {finish!r}")
        parts: list[Part] = []
        if self.thinking:
            parts.append(Thinking(self.thinking))
        if self.text or not self.calls:
            parts.append(Text(self.text))
        for place, call in enumerate(self.calls):
            # a few servers give no id, and results are paired by it
            parts.append(call if call.id else call.replace(id=f"call_{place}_{reply_id}"))
        # compatible servers say "stop" beside tool calls
        ended: Finish = "length" if finish == "length" else "tool_calls" if self.calls else "stop"
        return Reply(Message("assistant", tuple(parts)), usage, ended, served_by, reply_id)


def _thinking(message: Any) -> str:
    # not OpenAI's own: what DeepSeek, vLLM and others add
    for text in (message.reasoning_content, message.reasoning):
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


def counts_of_chat(answer: Any) -> dict[str, float]:
    """How many of the tokens of a `chat.completion` (or a stream) were sounds, which have a price of their own."""
    usage = answer.usage
    counts = {
        "input_audio_tokens": count_in(getattr(usage, "prompt_tokens_details", None), "audio_tokens"),
        "output_audio_tokens": count_in(getattr(usage, "completion_tokens_details", None), "audio_tokens"),
    }
    return {name: count for name, count in counts.items() if count}


class ChatStream:
    """Puts the chunks of one stream together."""

    def __init__(self, model: str, delta: Delta, answer: str = "") -> None:
        self._model = model
        self._delta = delta
        self._answer = answer
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._refusal: list[str] = []
        self._calls: list[_Call] = []
        self._finish: str | None = None
        self.usage: Any = None
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
            self.usage = chunk.usage
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
            part = "text" if self._answer and entry.name == self._answer else "arguments"
            self._piece(part, function.arguments, entry.arguments)

    def reply(self) -> Reply:
        """The whole; StreamError when the stream ended without a finish reason."""
        if self._finish is None:
            raise StreamError(f"the stream of {self._model} ended early, without a finish reason")
        calls = [ToolCall(c.id, c.name, arguments_of("".join(c.arguments))) for c in self._calls]
        said = _Said("".join(self._refusal), "".join(self._thinking), "".join(self._text), calls)
        return said.reply(self._model, self._finish, self._usage, self._served_by, self._id)


class _Call:
    """A tool call whose arguments are still coming."""

    __slots__ = ("arguments", "id", "index", "name")

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.id = self.name = ""
        self.arguments: list[str] = []


CHAT = WireFormat(
    ("model", "messages"),
    lambda sdk: sdk.chat.completions,
    request_to_chat,
    reply_from_chat,
    ChatStream,
    counts_of_chat,
)
"""Chat Completions."""
