"""From what a server sends to our vocabulary, and for what it asks of us back again."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import (
    Audio,
    File,
    Image,
    Message,
    Part,
    Reply,
    Request,
    Role,
    Text,
    ToolCall,
    ToolResult,
    media_of,
)


def blob_of(data: str, media_type: str | None) -> Blob | str:
    """The bytes of base64 text; a sentence when it is none."""
    kind = media_type or "application/octet-stream"
    try:
        return Blob(base64.b64decode(data, validate=True), kind)
    except (binascii.Error, ValueError):
        return f"({kind} that is not base64)"


def piece_of(block: Any) -> str | Blob:
    """One block of content: text, or bytes with their type."""
    match block.type:
        case "text":
            return str(block.text)
        case "image" | "audio":
            return blob_of(block.data, block.mime_type)
        case "resource":
            return resource_piece(block.resource)
        case "resource_link":
            about = f" ({block.description})" if block.description else ""
            return f"{block.title or block.name}{about}: {block.uri}"
    return f"({block.type})"


def resource_piece(resource: Any) -> str | Blob:
    """The contents of a resource."""
    if hasattr(resource, "text"):
        return str(resource.text)
    return blob_of(resource.blob, resource.mime_type)


def part_of(piece: str | Blob) -> Text | Image | Audio | File:
    """A piece as a part of a message."""
    return Text(piece) if isinstance(piece, str) else media_of(piece)


def outputs_of(result: Any) -> dict[str, Any]:
    """A tool's result as outputs.

    `output` is its text, a list of texts and Blobs when there are any, else the structured content.
    `structured` is the structured content, where the server gave some.
    """
    pieces = [piece_of(block) for block in result.content]
    structured = result.structured_content
    output: Any
    if not pieces:
        output = "" if structured is None else structured
    elif any(isinstance(piece, Blob) for piece in pieces):
        output = pieces if len(pieces) > 1 else pieces[0]
    else:
        output = "\n".join(cast("list[str]", pieces))
    return {"output": output} if structured is None else {"output": output, "structured": structured}


def error_text(result: Any) -> str:
    """What a tool's error says."""
    pieces = [piece_of(block) for block in result.content]
    said = "\n".join(piece if isinstance(piece, str) else repr(piece) for piece in pieces).strip()
    if not said and result.structured_content is not None:
        said = json.dumps(result.structured_content, ensure_ascii=False)
    return said or "the tool failed, and did not say why"


def messages_of(messages: Iterable[Any]) -> list[Message]:
    """Messages of a prompt or of a request for sampling."""
    return [Message(cast("Role", m.role), tuple(_part(block) for block in _listed(m.content))) for m in messages]


def _listed(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [content]


def _part(block: Any) -> Part:
    if block.type == "tool_use":
        return ToolCall(block.id, block.name, block.input)
    if block.type == "tool_result":
        pieces = [piece_of(inner) for inner in block.content]
        text = "\n".join(piece for piece in pieces if isinstance(piece, str))
        media = tuple(media_of(piece) for piece in pieces if isinstance(piece, Blob))
        return ToolResult(block.tool_use_id, "", text, bool(block.is_error), media)
    return part_of(piece_of(block))


def request_of(params: Any) -> Request:
    """A server's wish for a model's answer, as a request."""
    messages = messages_of(params.messages)
    if params.system_prompt:
        messages.insert(0, Message("system", (Text(params.system_prompt),)))
    given = {"max_tokens": params.max_tokens, "temperature": params.temperature, "stop": params.stop_sequences}
    return Request(messages, params={name: value for name, value in given.items() if value is not None})


def reply_to_mcp(reply: Reply) -> Any:
    """A model's answer as a server wants it."""
    from mcp_types import CreateMessageResult, TextContent

    return CreateMessageResult(
        role="assistant",
        content=TextContent(type="text", text=reply.message.text),
        model=reply.model or "unknown",
        stop_reason="maxTokens" if reply.finish == "length" else "endTurn",
    )


def plain(value: Any) -> Any:
    """A value as the protocol sends it: mappings and sequences as JSON has them, Blobs as base64 text."""
    if isinstance(value, Blob):
        return base64.b64encode(value.data).decode("ascii")
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
