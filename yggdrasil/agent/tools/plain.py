"""Text from outside made fit for a model and a terminal: no control characters, no hidden ones, bounded."""

from __future__ import annotations

import re

# C0 but tab and newline, DEL and C1; marks that turn the direction of text; zero-width and tag characters, in which
# a page can hide words from a reader that a model would still read; lone surrogates, which no UTF-8 can carry.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|[@-Z\\-_])")


def plain(text: str) -> str:
    """`text` without terminal escapes and unseen characters; line ends as newlines."""
    return _UNSEEN.sub("", _ESCAPE.sub("", text).replace("\r\n", "\n").replace("\r", "\n"))


def shortened(text: str, most: int) -> str:
    """`text` in about `most` characters: of a longer one the beginning and the end, and how much is left out."""
    if len(text) <= most:
        return text
    head = most // 2
    tail = most - head
    return f"{text[:head]}\n[... {len(text) - most:,} characters left out ...]\n{text[len(text) - tail :]}"


def in_a_line(text: object, most: int = 120) -> str:
    """What was given, as one short line for a message."""
    shown = plain(str(text)).replace("\n", " ").replace("\t", " ")
    return shown if len(shown) <= most else shown[:most] + "..."
