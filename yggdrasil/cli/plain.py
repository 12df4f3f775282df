"""Text of models and tools, made safe for a terminal: nothing in it moves the cursor, colours or renames anything."""

from __future__ import annotations

import os
import unicodedata
from typing import TextIO

_KEPT = frozenset("\n\t\u200c\u200d")
"""Not printable, and wanted: line breaks, tabs, what joins letters and pictures."""
_HIDDEN = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C, 0x2028, 0x2029, 0xFEFF}
"""Code points that reorder or hide what stands beside them."""


def safe(text: str) -> str:
    """`text` with every control character shown as a picture of itself, and what reorders text as its number."""
    if text.isprintable():
        return text
    return "".join(c if _harmless(c) else _shown(c) for c in text.replace("\r\n", "\n"))


def _harmless(letter: str) -> bool:
    return letter in _KEPT or (letter.isprintable() and ord(letter) not in _HIDDEN)


def _shown(letter: str) -> str:
    number = ord(letter)
    if number < 0x20:
        return chr(0x2400 + number)
    if number == 0x7F:
        return "\u2421"
    if unicodedata.category(letter) == "Zs":  # a space of another width
        return " "
    return f"<U+{number:04X}>"


def line(text: str, most: int) -> str:
    """The safe text on one line of at most `most` characters."""
    told = " ".join(safe(text).split())
    return told if len(told) <= most else told[: max(most - 1, 1)] + "…"


class Paint:
    """Colours where the stream is a terminal that has them, and nothing where it is not."""

    def __init__(self, stream: TextIO) -> None:
        dumb = os.environ.get("TERM", "") in ("", "dumb") or "NO_COLOR" in os.environ
        self.on = stream.isatty() and not dumb

    def __call__(self, text: str, code: str) -> str:
        """`text` in the style of an SGR code ("2" is dim, "1" bold)."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text and code else text
