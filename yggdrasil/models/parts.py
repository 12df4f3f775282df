"""What the wire formats share in saying a message's parts: bytes as text, tool arguments, and what cannot be said."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import Audio, File, Image, Media, Message, Part
from yggdrasil.core.profile import Profile
from yggdrasil.errors import ModelRequestError

_AUDIO_FORMATS = {
    "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3",
}  # fmt: skip
_TAKEN: tuple[tuple[type[Any], str], ...] = ((Image, "images"), (Audio, "audio"), (File, "files"))


def arguments_of(text: str) -> Mapping[str, Any] | str:
    """JSON text to a mapping; the text itself when it is not a JSON object."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict) else text


def count_in(counted: Any, name: str) -> int:
    """A count of a `usage` object or of its details; 0 where the server has counted nothing."""
    value = getattr(counted, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def coded(blob: Blob) -> str:
    """Bytes as base64."""
    return base64.b64encode(blob.data).decode()


def link(part: Media) -> str:
    """Where a part is: its own URL, or its bytes as a data: URL."""
    return part.url if part.blob is None else f"data:{part.blob.media_type};base64,{coded(part.blob)}"


def text_of(part: File) -> str | None:
    """The words of a plain text file; None for any other file."""
    if part.blob is None or not part.blob.media_type.startswith("text/"):
        return None
    try:
        return part.blob.data.decode()
    except UnicodeDecodeError:
        return None


def audio_format(part: Audio, model: str) -> str:
    """Either "wav" or "mp3": the two that OpenAI's format has a name for."""
    if part.blob is None:
        raise cannot(part, model, "its format takes sounds by their bytes, not by a URL")
    found = _AUDIO_FORMATS.get(part.blob.media_type.partition(";")[0])
    if found is None:
        raise cannot(part, model, "its format takes audio/wav and audio/mpeg")
    return found


def check_media(part: Media, profile: Profile, model: str) -> None:
    """ModelRequestError when the model takes no such part, or when there is nothing in it."""
    if part.blob is None and not part.url:
        raise cannot(part, model, "it has neither bytes nor a URL")
    for kind, field in _TAKEN:
        if isinstance(part, kind) and not getattr(profile, field):
            raise cannot(part, model, f"it takes no {field}", hint=f"profile: {{{field}: true}}  if it does after all")


def cannot(part: Part, model: str, why: str, *, hint: str = "") -> ModelRequestError:
    """The error for a part that cannot be sent; it names the part and the model."""
    return ModelRequestError(f"{model} cannot be sent {_named(part)}: {why}", hint=hint)


def misplaced(part: Part, message: Message, model: str) -> ModelRequestError:
    """The error for a part that has no place in a message of this role."""
    return cannot(part, model, f"its format has no place for it in a message of role {message.role!r}")


def _named(part: Part) -> str:
    kind = type(part).__name__
    if not isinstance(part, Media):
        return f"a {kind}"
    name = f" {part.name!r}" if isinstance(part, File) and part.name else ""
    if part.blob is not None:
        return f"the {kind}{name} of {len(part.blob.data)} bytes ({part.blob.media_type})"
    # the host alone: a URL may be signed
    return f"the {kind}{name} at {urlsplit(part.url).hostname}" if part.url else f"the {kind}{name}"
