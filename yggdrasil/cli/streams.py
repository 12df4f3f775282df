"""Standard output and error as they are found: closed, in an odd encoding, or read by a program."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any, TextIO


def prepare() -> None:
    """Make writing safe: a closed stream takes what it is given and drops it, and no letter is too much for another.

    What the encoding of a stream cannot say is written as an escape.
    """
    for name in ("stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def drop() -> None:
    """Let go of what standard output still holds: it cannot be written, and that has been told."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)


def json_line(value: Any, out: TextIO | None = None) -> str:
    """A value as JSON on one line, in letters that the stream (standard output) can carry."""
    encoding = getattr(out or sys.stdout, "encoding", None) or "utf-8"
    return json.dumps(value, ensure_ascii=not encoding.lower().startswith("utf"), default=str)


def typed(text: str) -> str:
    """What was typed, where the locale of the process could not read it: UTF-8, as terminals send it."""
    try:
        return os.fsencode(text).decode() if any("\udc80" <= letter <= "\udcff" for letter in text) else text
    except UnicodeDecodeError:
        return text.encode("utf-8", "backslashreplace").decode()
