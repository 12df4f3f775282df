"""What an agent and a model say to each other: one vocabulary for every provider."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from yggdrasil.core.blob import Blob
from yggdrasil.core.value import Value
from yggdrasil.errors import CorruptError

Role = Literal["system", "user", "assistant", "tool"]


class Text(Value):
    """Words."""

    text: str


class Image(Value):
    """A picture, by its bytes or by a URL."""

    blob: Blob | None = None
    url: str = ""


class Audio(Value):
    """A sound, by its bytes or by a URL."""

    blob: Blob | None = None
    url: str = ""


class File(Value):
    """A document, by its bytes or by a URL; `name` is what it is called."""

    blob: Blob | None = None
    url: str = ""
    name: str = ""


class Thinking(Value):
    """A model's reasoning; `signature` is opaque and goes back to its provider unchanged."""

    text: str
    signature: str = ""


class ToolCall(Value):
    """A model asks for a tool. `arguments` is a mapping, or the raw text when it was not a JSON object."""

    id: str
    name: str
    arguments: Mapping[str, Any] | str

    @property
    def arguments_text(self) -> str:
        """The arguments as JSON text; raw text that was none goes back as it came."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments, ensure_ascii=False)


class ToolResult(Value):
    """What a tool gave back, as text; `failed` when it is an error for the model to read.

    `media` are the pictures, sounds and files that came with it.
    """

    id: str
    name: str
    content: str
    failed: bool = False
    media: tuple[Image | Audio | File, ...] = ()


Media = Image | Audio | File
Part = Text | Image | Audio | File | Thinking | ToolCall | ToolResult


class Message(Value):
    """One message: who speaks, and its parts in order."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(p.text for p in self.parts if type(p) is Text)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls, in order."""
        return tuple(p for p in self.parts if type(p) is ToolCall)


def system(text: str) -> Message:
    """A system message."""
    return Message("system", (Text(text),))


def user(*parts: str | Blob | Part) -> Message:
    """A user message of texts, pictures, sounds and files."""
    return Message("user", tuple(_part(p) for p in parts))


def assistant(*parts: str | Blob | Part) -> Message:
    """An assistant message."""
    return Message("assistant", tuple(_part(p) for p in parts))


def _part(value: str | Blob | Part) -> Part:
    if isinstance(value, str):
        return Text(value)
    return media_of(value) if isinstance(value, Blob) else value


def media_of(blob: Blob) -> Media:
    """The part that bytes are, by their media type."""
    kind = blob.media_type.partition("/")[0]
    return Image(blob) if kind == "image" else Audio(blob) if kind == "audio" else File(blob)


class Usage(Value):
    """What was spent. Tokens as the provider counts them; `cost` in US dollars, None when nothing has a known price.

    input_tokens counts all that was read, cached or not; output_tokens all that was written, reasoning too.
    unpriced counts the requests whose price is unknown: they are not in `cost`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    requests: int = 0
    cost: float | None = None
    unpriced: int = 0

    def __add__(self, other: Usage) -> Usage:
        known = [c for c in (self.cost, other.cost) if c is not None]
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.requests + other.requests,
            sum(known) if known else None,
            self.unpriced + other.unpriced,
        )


class Spent:
    """Usage that is still growing: adding to it makes no new object."""

    __slots__ = ("_cached", "_cost", "_read", "_reasoned", "_requests", "_unpriced", "_written")

    def __init__(self) -> None:
        self._read = self._written = self._cached = self._reasoned = self._requests = self._unpriced = 0
        self._cost: float | None = None

    def add(self, usage: Usage) -> None:
        """Count it."""
        self._read += usage.input_tokens
        self._written += usage.output_tokens
        self._cached += usage.cached_tokens
        self._reasoned += usage.reasoning_tokens
        self._requests += usage.requests
        self._unpriced += usage.unpriced
        if usage.cost is not None:
            self._cost = usage.cost if self._cost is None else self._cost + usage.cost

    @property
    def usage(self) -> Usage:
        """All of it so far."""
        return Usage(
            self._read, self._written, self._cached, self._reasoned, self._requests, self._cost, self._unpriced
        )


class ToolSpec(Value):
    """A tool as a model sees it. `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


_NO_PARAMS: Mapping[str, Any] = {}

Finish = Literal["stop", "tool_calls", "length"]


class Request(Value):
    """One call of a language model.

    `messages` is read, never changed. `output` is a JSON Schema the answer must fit, or None.
    `params` are the model's own (temperature, max_tokens, stop, ...).
    """

    messages: Sequence[Message]
    tools: tuple[ToolSpec, ...] = ()
    output: Mapping[str, Any] | None = None
    params: Mapping[str, Any] = _NO_PARAMS


class Reply(Value):
    """What the model answered."""

    message: Message
    usage: Usage = Usage(requests=1)
    finish: Finish = "stop"
    model: str = ""
    id: str = ""


# JSON form: parts are tagged by "part". Media are kept inline as base64, so that a record is whole by itself;
# with `inline=False` they stay Blobs, for whoever keeps those by digest.

_PARTS: dict[str, type[Any]] = {
    "text": Text, "image": Image, "audio": Audio, "file": File, "thinking": Thinking, "call": ToolCall,
    "result": ToolResult,
}  # fmt: skip
_TAGS = {kind: tag for tag, kind in _PARTS.items()}


def part_to_json(part: Part, *, inline: bool = True) -> dict[str, Any]:
    """A part as JSON."""
    values = part.values()
    if isinstance(part, Media):
        blob = part.blob
        if blob is not None and inline:
            values["blob"] = {"data": base64.b64encode(blob.data).decode(), "media_type": blob.media_type}
    elif isinstance(part, ToolResult):
        values["media"] = [part_to_json(m, inline=inline) for m in part.media]
        if not part.media:
            del values["media"]
    return {"part": _TAGS[type(part)], **values}


def part_from_json(data: Mapping[str, Any]) -> Part:
    """The reverse of `part_to_json`; CorruptError when it is none."""
    try:
        values = dict(data)
        kind = _PARTS[values.pop("part")]
        blob = values.get("blob")
        if isinstance(blob, Mapping):
            values["blob"] = Blob(base64.b64decode(blob["data"]), blob["media_type"])
        if "media" in values:
            values["media"] = tuple(part_from_json(m) for m in values["media"])
        part: Part = kind(**values)
        return part
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptError(f"not a message part: {error!r}") from error


def message_to_json(message: Message, *, inline: bool = True) -> dict[str, Any]:
    """A message as JSON."""
    return {"role": message.role, "parts": [part_to_json(p, inline=inline) for p in message.parts]}


def message_from_json(data: Mapping[str, Any]) -> Message:
    """The reverse of `message_to_json`; a plain `{"role": ..., "content": text}` is read too."""
    try:
        if "content" in data and isinstance(data["content"], str):
            return Message(data["role"], (Text(data["content"]),))
        return Message(data["role"], tuple(part_from_json(p) for p in data["parts"]))
    except (KeyError, TypeError) as error:
        raise CorruptError(f"not a message: {error!r}") from error


def usage_to_json(usage: Usage) -> dict[str, Any]:
    """Usage as JSON."""
    return usage.values()


def reply_to_json(reply: Reply) -> dict[str, Any]:
    """A reply as JSON."""
    return {
        "message": message_to_json(reply.message),
        "usage": usage_to_json(reply.usage),
        "finish": reply.finish,
        "model": reply.model,
        "id": reply.id,
    }


def reply_from_json(data: Mapping[str, Any]) -> Reply:
    """The reverse of `reply_to_json`."""
    try:
        return Reply(
            message_from_json(data["message"]), Usage(**data["usage"]), data["finish"], data["model"], data["id"]
        )
    except (KeyError, TypeError) as error:
        raise CorruptError(f"not a model reply: {error!r}") from error
