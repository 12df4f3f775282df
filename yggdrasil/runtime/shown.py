"""What logs and traces show of events and messages: contents only when asked for, and nothing like a key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from yggdrasil.core.blob import Blob
from yggdrasil.core.events import Event, HandedOff
from yggdrasil.core.messages import File, Image, Media, Message, Part, Text, Thinking, ToolCall, ToolResult
from yggdrasil.core.secrets import HIDDEN, is_secret_key, redact

BESIDE = frozenset({"path", "time", "sequence", "tick"})
"""What every event has, and is shown in its own way."""

CONTENTS = frozenset({
    "action", "arguments", "content", "message", "note", "output", "patch", "request", "result", "state", "text",
})  # fmt: skip
"""The fields that hold what people, models and tools said: shown only when it is asked for."""

LONGEST = 500
"""How many characters of a sentence are shown."""

_DEEPEST = 16
_SHORT = 48


def shown(event: Event, *, contents: bool) -> dict[str, Any]:
    """The fields of an event that say something, as plain values: text, numbers, lists of text, JSON where deeper."""
    found = {}
    for name, value in event.values().items():
        if name in BESIDE or name in event.ASIDE or name == "result" or value is None or value == "":
            continue
        if contents:
            found[name] = plain(value)
        elif name not in CONTENTS and not (name == "reason" and isinstance(event, HandedOff)):
            found[name] = sentence(value) if isinstance(value, str) else plain(value)
    return found


def sentence(text: str) -> str:
    """A sentence without what looks like a secret, cut where it grows long."""
    text = _name(text) if len(text) <= _SHORT else redact(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


@lru_cache(1024)
def _name(text: str) -> str:
    """Names come again and again: each is searched for secrets once."""
    return redact(text)


def plain(value: Any) -> Any:
    """Text, numbers and lists of text as they are, all else as JSON; scrubbed."""
    clean = scrubbed(value)
    if isinstance(clean, Mapping) or (isinstance(clean, list) and not all(isinstance(item, str) for item in clean)):
        return as_json(clean)
    return clean


def scrubbed(value: Any, depth: int = 0) -> Any:
    """A JSON value without what looks like a secret, by name and by shape; bytes by their size, the strange by type."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redact(value)
    if depth < _DEEPEST:
        if isinstance(value, Mapping):
            return {
                redact(str(key)): HIDDEN if is_secret_key(str(key)) else scrubbed(item, depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [scrubbed(item, depth + 1) for item in value]
    if isinstance(value, Blob):
        return f"{value.media_type}, {len(value.data)} bytes"
    return type(value).__name__


def as_json(value: Any) -> str:
    """JSON on one line, letters as they are."""
    return json.dumps(value, ensure_ascii=False)


def messages_json(messages: Iterable[Message]) -> str:
    """Messages as the GenAI conventions of OpenTelemetry write them: roles, and parts by type; no bytes."""
    return as_json([{"role": m.role, "parts": [_part(part) for part in m.parts]} for m in messages])


def _part(part: Part) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "content": redact(part.text)}
        case Thinking():
            return {"type": "reasoning", "content": redact(part.text)}
        case ToolCall():
            return {"type": "tool_call", "id": part.id, "name": part.name, "arguments": scrubbed(part.arguments)}
        case ToolResult():
            media = {"media": [_media(item) for item in part.media]} if part.media else {}
            return {"type": "tool_call_response", "id": part.id, "response": redact(part.content), **media}
        case _:
            return _media(part)


def _media(part: Media) -> dict[str, Any]:
    modality = "image" if isinstance(part, Image) else "file" if isinstance(part, File) else "audio"
    if part.blob is None:
        return {"type": "uri", "modality": modality, "uri": redact(part.url)}
    return {
        "type": "blob", "modality": modality, "mime_type": part.blob.media_type, "size": len(part.blob.data),
        "digest": part.blob.digest,
    }  # fmt: skip
