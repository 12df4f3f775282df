"""Outputs and errors of a run as the Model Context Protocol has them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from yggdrasil.core.blob import Blob, detach, references
from yggdrasil.core.frozen import thaw
from yggdrasil.core.messages import Audio, Image, Media
from yggdrasil.core.secrets import redact
from yggdrasil.core.toolspec import result_parts
from yggdrasil.errors import PortError, YggdrasilError

_LONGEST_ERROR = 4000


def result_of(outputs: Mapping[str, Any]) -> Any:
    """Outputs as a result: the main one as text, the media in it as pictures, sounds and resources.

    Where the outputs are JSON they are the structured content too.
    """
    from mcp_types import CallToolResult, TextContent

    outputs = thaw(outputs)
    text, media = result_parts(outputs)
    alone = len(outputs) == 1 and isinstance(next(iter(outputs.values())), Blob | Media)
    content: list[Any] = [] if alone else [TextContent(type="text", text=text)]
    content += [_block(part) for part in media]
    structured = None if media else _plain(outputs)
    if structured is None:
        return CallToolResult(content=content)
    return CallToolResult(content=content, structured_content=structured)


def _block(part: Media) -> Any:
    """A picture, a sound or a file as a block of content."""
    from mcp_types import AudioContent, BlobResourceContents, EmbeddedResource, ImageContent, ResourceLink

    blob = part.blob
    if blob is None:
        return ResourceLink(type="resource_link", uri=part.url, name=getattr(part, "name", "") or part.url)
    data = base64.b64encode(blob.data).decode("ascii")
    if isinstance(part, Image):
        return ImageContent(type="image", data=data, mime_type=blob.media_type)
    if isinstance(part, Audio):
        return AudioContent(type="audio", data=data, mime_type=blob.media_type)
    inner = BlobResourceContents(uri=f"blob:{blob.digest}", blob=data, mime_type=blob.media_type)
    return EmbeddedResource(type="resource", resource=inner)


def failure_of(error: Exception) -> Any:
    """An error as a result that the caller's model can read, without what looks like a secret."""
    said = str(error) if isinstance(error, YggdrasilError) else f"{type(error).__name__}: {error}".rstrip(": ")
    return failure(redact(said)[:_LONGEST_ERROR])


def failure(text: str) -> Any:
    """A result that is an error."""
    from mcp_types import CallToolResult, TextContent

    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _plain(outputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """The outputs as JSON; None when they are not."""
    try:
        found = detach(outputs, lambda blob: None)
    except PortError:
        return None
    return dict(found)


def pictures_in(value: Any, most: int) -> list[str]:
    """The digests of the first pictures that a state refers to."""
    found = [str(r["$blob"]) for r in references(value) if str(r["media_type"]).startswith("image/")]
    return list(dict.fromkeys(found))[:most]
