"""Complaints about a place in a text: file, line, column, the line itself, and what to write."""

from __future__ import annotations

from typing import NoReturn

from yggdrasil.core.secrets import redact
from yggdrasil.errors import ConfigError


def fail(text: str, path: str, line: int | None, column: int | None, sentence: str, hint: str = "") -> NoReturn:
    """Raise the ConfigError of a place in a text; `line` and `column` count from 1."""
    if line is None:
        raise ConfigError(sentence, path=path, hint=hint)
    lines = text.splitlines() or [""]
    line = min(line, len(lines))
    # The line is cut only after it was redacted, so that no half of a key is left to see.
    raw = lines[line - 1][:4000]
    shown = redact("".join(c if c.isprintable() else " " for c in raw))[:100]
    sentence += f"\n  {line:>4} | {shown}"
    if column is not None and column <= len(shown) and shown[: column - 1] == raw[: column - 1]:
        sentence += f"\n       | {' ' * (column - 1)}^"
    where = f"{path}:{line}" if path else f"line {line}"
    raise ConfigError(sentence, path=f"{where}:{column}" if column is not None else where, hint=hint)


def is_unicode(text: str) -> bool:
    """Whether `text` can be written as UTF-8: no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
