"""The values of a world's blocks as text for a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from yggdrasil.core.blob import is_reference, references

_SPEAKING = (
    "text",
    "words",
    "chronicle",
    "story",
    "summary",
    "sentence",
    "title",
    "what",
    "description",
    "caption",
    "deed",
)
"""The keys under which a block keeps its words, the telling ones first."""


_SLOTS = ("texts", "images", "videos", "audios", "files")
"""The slots of block 3, those that are told first."""


def _mute(slot: Any) -> bool:
    """Whether a slot holds bytes alone, without a word about them."""
    items = slot if isinstance(slot, list) else [slot]
    return all(is_reference(i) or (isinstance(i, Mapping) and set(i) <= {"payload"}) for i in items)


def say(value: Any, limit: int = 0) -> str:
    """The words in a block's value, else its JSON; at most `limit` characters when given."""
    text = words(value)
    if not text and value not in (None, "", [], {}):
        text = json.dumps(value, ensure_ascii=False, default=str)
    if limit and len(text) > limit:
        text = text[: limit - 3].rstrip() + "..."
    return text


def words(value: Any) -> str:
    """The words in a block's value; "" when it holds none (numbers and names for a machine)."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Mapping) and not is_reference(value):
        for key in _SPEAKING:
            found = value.get(key)
            if isinstance(found, str) and found.strip():
                return found.strip()
            if isinstance(found, Mapping | list) and found:
                inner = words(found)
                if inner:
                    return inner
        for slot in _SLOTS:
            said = words(value[slot]) if slot in value and not _mute(value[slot]) else ""
            if said:
                return said
        values = list(value.values())
        if len(values) == 1 and isinstance(values[0], Mapping | list):
            return words(values[0])
    if isinstance(value, list) and value:
        if all(isinstance(item, str) for item in value):
            return " ".join(value).strip()
        last = value[-1]
        if isinstance(last, Mapping) and not is_reference(last):
            return words(last)
    found = list(references(value))
    return ", ".join(f"{r.get('media_type', 'bytes')} of {r.get('size', '?')} bytes" for r in found)
