"""World reader: who lives in a world, its places, its open threads, and what its history tells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from yggdrasil import tool

MOST = 12
"""The most entries of one answer."""
LONGEST = 900
"""Characters of one entry as JSON; of a longer one the longest fields are left out."""

_SECTIONS = {"people": ("characters", "people"), "places": ("places",), "threads": ("threads",)}
_TELLING = frozenset({"id", "name", "day", "text", "title"})


@tool
def world_reader(
    world: dict[str, Any], look: Literal["people", "places", "threads", "history"], about: str = ""
) -> Any:
    """Look something up in the world: its people, its places, the threads of its story, or its history.

    `look` says where to look; `about` is what the entry shall mention (names, words; all of them, in any order), or
    nothing for all of them. Gives up to 12 `found` entries, the newest first for history, and how many there were.
    """
    # `world` is the world's content: bound by whoever seats this tool, so that no model has to write it.
    words = about.lower().split()
    found = [entry for entry in _entries(world, look) if all(word in _text(entry) for word in words)]
    return {"look": look, "about": about, "count": len(found), "found": [_brief(entry) for entry in found[:MOST]]}


def _entries(world: Mapping[str, Any], look: str) -> Iterator[dict[str, Any]]:
    if look == "history":
        history = world.get("history") or ()
        told = (history.get("recent") or ()) if isinstance(history, Mapping) else history
        yield from (_named("", entry) for entry in reversed(list(told)))
        return
    section: Any = next((world[name] for name in _SECTIONS[look] if world.get(name)), {})
    if look == "threads" and isinstance(section, Mapping) and "open" in section:
        section = {**_mapping(section["open"]), **_mapping(section.get("closed"))}
    yield from (_named(name, entry) for name, entry in _mapping(section).items())


def _mapping(section: Any) -> dict[str, Any]:
    """A section by id; a list's entries by their own id, or by their number."""
    if isinstance(section, Mapping):
        return {str(name): entry for name, entry in sorted(section.items())}
    if not isinstance(section, list | tuple):
        return {}
    return {
        str(entry.get("id", number)) if isinstance(entry, Mapping) else str(number): entry
        for number, entry in enumerate(section)
    }


def _named(name: str, entry: Any) -> dict[str, Any]:
    fields = dict(entry) if isinstance(entry, Mapping) else {"text": entry}
    return {"id": name, **fields} if name else fields


def _text(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, default=str).lower()


def _brief(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry; of a long one what names and tells it, and then the shorter fields, as far as they fit."""
    if len(_text(entry)) <= LONGEST:
        return entry
    short = {key: value[: LONGEST // 2] if isinstance(value, str) else value for key, value in entry.items()}
    kept: dict[str, Any] = {}
    for key in sorted(short, key=lambda key: (key not in _TELLING, len(_text({key: short[key]})))):
        if len(_text({**kept, key: short[key]})) <= LONGEST:
            kept[key] = short[key]
    return {key: short[key] for key in entry if key in kept}
