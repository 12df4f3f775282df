"""Hyperlinks: `ygg://midgard@12/content/characters/kara` names anything addressable, from anywhere.

    ygg://WORLD                                  a world, living or End
    ygg://WORLD@TICK                             what it was after that tick
    ygg://WORLD/content/characters/kara          a passage of its content (JSON Pointer steps)
    ygg://WORLD/history/17                       one entry of its history, counted from 1
    ygg://WORLD/state/artifacts/images/0         a block of its state, an artifact
    ygg://WORLD/stages/author/scribe             a node
    ygg://blob/DIGEST                            bytes kept in a store, by their SHA-256
    ...#HASH                                     pinned: the content must have this hash (12 digits or more)

A link is text, so it lies in state, configs and content, travels on edges and is saved as it is; `levels/resolve.py`
follows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from yggdrasil.errors import ConfigError

SCHEME = "ygg://"
BLOB = "ygg://blob/"
PARTS = ("content", "history", "state", "stages")
"""What the first step of a path may be."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_LINK = re.compile(r"ygg://([^/@#?\s]+)(?:@(\d{1,18}))?((?:/[^/#?\s]*)*)(?:#([0-9a-f]{12,64}))?")


class Link(str):
    """A checked link; ConfigError when the text is none. It is a `str`, and JSON like one."""

    __slots__ = ("path", "pin", "tick", "world")

    world: str
    tick: int | None
    path: tuple[str, ...]
    pin: str

    def __new__(cls, text: str) -> Link:
        """Read a link."""
        found = _LINK.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise ConfigError(f"{text!r} is no link", hint="ygg://midgard/content/characters/kara")
        self = super().__new__(cls, text)
        world, tick, path, pin = found.groups()
        self.world = unquote(world)
        self.tick = None if tick is None else int(tick)
        self.path = tuple(unquote(step) for step in path.split("/")[1:] if step)
        self.pin = pin or ""
        if text.startswith(BLOB):
            if len(self.path) != 1 or tick is not None or not _DIGEST.fullmatch(self.path[0]):
                raise ConfigError(f"{text!r}: a blob is named by its SHA-256", hint=f"{BLOB}{'0' * 8}...")
        elif self.path and self.path[0] not in PARTS:
            raise ConfigError(f"{text!r}: a path begins with {', '.join(PARTS)}", hint=f"ygg://{world}/content/...")
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return (Link, (str(self),))


def link(world: str, *path: str | int, tick: int | None = None, pin: str = "") -> Link:
    """Make a link: `link("midgard", "content", "characters", "kara", tick=12)`."""
    at = "" if tick is None else f"@{tick}"
    steps = "".join(f"/{quote(str(step), safe='')}" for step in path)
    return Link(f"{SCHEME}{quote(world, safe='')}{at}{steps}{f'#{pin}' if pin else ''}")


def is_link(value: Any) -> bool:
    """Whether a value is a link's text."""
    return isinstance(value, str) and value.startswith(SCHEME) and _LINK.fullmatch(value) is not None


def links_in(value: Any) -> Iterator[Link]:
    """Every link inside a JSON value, in order."""
    if is_link(value):
        yield Link(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from links_in(item)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for item in value:
            yield from links_in(item)
