"""How many tokens something is, estimated without any tokenizer. For budgets of memory, never for bills.

A token is taken to be four bytes of UTF-8: four characters of Latin, two of Cyrillic, Greek, Hebrew or Arabic, one
and a third of Chinese, Japanese or Korean, one emoji. Real tokenizers differ by a third either way. A picture, a
sound or a document counts the same whatever its size: what a provider makes of it cannot be known here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from yggdrasil.core.messages import Audio, File, Image, Message, Part, Text, Thinking, ToolCall, ToolResult

BYTES = 4
"""Bytes of UTF-8 that a token is taken to be."""

MESSAGE = 4
"""Tokens that a message takes by being one."""

IMAGE, AUDIO, FILE = 1_000, 2_000, 3_000
"""Tokens of a picture, a sound and a document."""


def text_tokens(text: str) -> int:
    """The estimated tokens of a text."""
    size = len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
    return -(-size // BYTES)


def part_tokens(part: Part) -> int:
    """The estimated tokens of one part of a message."""
    match part:
        case Text() | Thinking():
            return text_tokens(part.text)
        case ToolCall():
            said = part.arguments
            text = json.dumps(dict(said), ensure_ascii=False, default=str) if isinstance(said, Mapping) else said
            return text_tokens(part.name) + text_tokens(text) + MESSAGE
        case ToolResult():
            media = sum(map(part_tokens, part.media)) if part.media else 0
            return text_tokens(part.name) + text_tokens(part.content) + media + MESSAGE
        case Image():
            return IMAGE
        case Audio():
            return AUDIO
        case File():
            return FILE


def message_tokens(message: Message) -> int:
    """The estimated tokens of a message."""
    return MESSAGE + sum(map(part_tokens, message.parts))


def clip_tokens(text: str, most: int) -> str:
    """`text`, or its beginning of at most `most` estimated tokens with an ellipsis."""
    if text_tokens(text) <= most:
        return text
    kept = text.encode(errors="surrogatepass")[: max(0, most - 1) * BYTES]
    return kept.decode(errors="ignore").rstrip() + "…"


def printable(text: str) -> str:
    """`text` with question marks for what is no Unicode (lone surrogates)."""
    return text if text.isascii() else text.encode(errors="replace").decode()
