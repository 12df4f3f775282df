"""Addresses and globs over paths: `midgard/environment/**/backbone`. `*` is one step, `**` any number; `|` is or."""

from __future__ import annotations

import re
from functools import lru_cache


def _step(step: str) -> str:
    return "".join("[^/]*" if c == "*" else "[^/]" if c == "?" else re.escape(c) for c in step)


@lru_cache(maxsize=1024)
def _pattern(select: str) -> re.Pattern[str]:
    choices = []
    for choice in select.split("|"):
        text = ""
        steps = choice.strip().split("/")
        for number, step in enumerate(steps):
            last = number == len(steps) - 1
            if step == "**":
                text += ".*" if last else "(?:.*/)?"
            else:
                text += _step(step) + ("" if last else "/")
        choices.append(f"(?:{text})")
    return re.compile("|".join(choices))


def matches(select: str, path: str) -> bool:
    """Whether a path is of the set that `select` names."""
    return _pattern(select).fullmatch(path) is not None
