"""What agents remember, as a journal keeps it: not anew after each stage, but what changed.

A change of a mapping is a mapping: under each key that differs `{"set": value}`, `{"gone": true}`, `{"in": change}`
for a mapping within, or for a list `{"drop": how many at its front, "add": [what came at its end]}`, since a dialogue
grows at its end and is summarised from its front.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.core.frozen import FrozenDict, FrozenList, freeze
from yggdrasil.errors import CorruptError


def change(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What leads from one JSON mapping to another; {} when they are equal."""
    found: dict[str, Any] = {key: {"gone": True} for key in before if key not in after}
    for key, value in after.items():
        if key not in before:
            found[key] = {"set": value}
        elif before[key] != value:
            found[key] = _step(before[key], value)
    return found


def _step(before: Any, after: Any) -> dict[str, Any]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return {"in": change(before, after)}
    if isinstance(before, list) and isinstance(after, list):
        for drop in range(len(before)):
            stays = len(before) - drop
            if stays <= len(after) and before[drop:] == after[:stays]:
                return {"drop": drop, "add": after[stays:]}
    return {"set": after}


def changed(before: Mapping[str, Any], steps: Mapping[str, Any]) -> Mapping[str, Any]:
    """The mapping after a change, frozen. CorruptError when the change does not fit it."""
    if not isinstance(before, Mapping):
        raise CorruptError(f"what an agent remembers is no mapping here: {type(before).__name__}")
    found = dict(before)
    for key, step in steps.items():
        try:
            if "gone" in step:
                del found[key]
            elif "set" in step:
                found[key] = freeze(step["set"])
            elif "in" in step:
                found[key] = changed(found[key], step["in"])
            else:
                found[key] = _moved(found[key], step["drop"], step["add"])
        except (KeyError, TypeError) as error:
            raise CorruptError(f"what an agent remembers cannot change so: {key!r} {error!r}") from error
    return FrozenDict({key: found[key] for key in sorted(found)})


def _moved(before: Sequence[Any], drop: int, added: Sequence[Any]) -> FrozenList:
    if not 0 <= drop <= len(before):
        raise TypeError(f"{drop} of {len(before)} cannot be dropped")
    return FrozenList([*before[drop:], *(freeze(item) for item in added)])
