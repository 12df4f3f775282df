"""A stream of the Messages API of Anthropic, put together.

Source: https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

from typing import Any

from yggdrasil.abc.model import Delta
from yggdrasil.core.messages import Part, Reply, Text, Thinking, ToolCall, Usage
from yggdrasil.errors import StreamError
from yggdrasil.models.anthropic_format import (
    counts_of_anthropic,
    made_of,
    part_of,
    reply_from_anthropic,
    request_to_anthropic,
    usage_of_anthropic,
)
from yggdrasil.models.parts import arguments_of
from yggdrasil.models.wire import WireFormat


class AnthropicStream:
    """Puts the events of one stream together."""

    def __init__(self, model: str, delta: Delta, answer: str = "") -> None:
        self._model = model
        self._delta = delta
        self._answer = answer
        self._blocks: dict[int, _Block] = {}
        self._finish: str | None = None
        self._details: Any = None
        self._ended = False
        self.usage: Any = None  # as it was told first: what was read and kept does not change
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
            self._blocks[event.index] = _Block(event.content_block, self._delta, self._answer)
        elif kind == "message_start":
            self._served_by, self._id = str(event.message.model), str(event.message.id)
            self.usage = event.message.usage
            self._usage = usage_of_anthropic(self.usage)
        elif kind == "message_delta":
            self._finish = event.delta.stop_reason or self._finish
            self._details = event.delta.stop_details
            self._usage = usage_of_anthropic(event.usage, self._usage)
        elif kind == "message_stop":
            self._ended = True

    def reply(self) -> Reply:
        """The whole; StreamError when the stream ended early."""
        if self._finish is None or not self._ended:
            raise StreamError(f"the stream of {self._model} ended early, without a stop reason")
        parts = [self._blocks[index].part(self._model) for index in sorted(self._blocks)]
        return made_of(self._model, self._finish, self._details, parts, self._usage, self._served_by, self._id)


class _Block:
    """A content block that is still coming."""

    __slots__ = ("_arguments", "_part", "_signature", "_start", "_text")

    def __init__(self, start: Any, delta: Delta, answer: str) -> None:
        self._start = start
        self._part = "text" if answer and start.name == answer else "arguments"
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
            delta(self._part, piece.partial_json)
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
        return part_of(start, model)


MESSAGES = WireFormat(
    ("model", "messages", "max_tokens"),
    lambda sdk: sdk.messages,
    request_to_anthropic,
    reply_from_anthropic,
    AnthropicStream,
    counts_of_anthropic,
)
"""The Messages API."""
