"""Nested values as JSON and tensors: an agent's memory, an optimizer's state, random generators. Never a pickle.

A tensor, array or bytes becomes `{"$tensor": name}` beside a tensor of that name. What JSON has not (tuples, keys that
are no text, infinities, typed values) has a form of its own, so that what comes back equals what was given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from yggdrasil.core.arrays import array_kind
from yggdrasil.core.blob import Blob
from yggdrasil.core.tags import KEY, VALUE, VERSION
from yggdrasil.core.typed import tagged, untagged
from yggdrasil.errors import ConfigError, CorruptError, YggdrasilError


def pack(value: Any, keep: dict[str, Any], path: str) -> Any:
    """The JSON form of `value`; its tensors, arrays and bytes go into `keep` by name. ConfigError for what has none."""
    try:
        return _Packing(keep).form(value, path)
    except RecursionError:
        raise ConfigError("a state is nested too deep, or holds itself", path=path) from None


class _Packing:
    def __init__(self, keep: dict[str, Any]) -> None:
        self.keep = keep
        self.seen: dict[int, str] = {}

    def form(self, value: Any, path: str) -> Any:
        if value is None or isinstance(value, str | bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"$float": repr(float(value))}
        if isinstance(value, Mapping):
            if all(isinstance(key, str) and not key.startswith("$") for key in value):
                return {key: self.form(item, f"{path}/{key}") for key, item in value.items()}
            pairs = enumerate(value.items())
            return {"$map": [[self.form(k, f"{path}/{i}"), self.form(v, f"{path}/{k}")] for i, (k, v) in pairs]}
        if isinstance(value, list | tuple):
            items = [self.form(item, f"{path}/{i}") for i, item in enumerate(value)]
            return items if isinstance(value, list) else {"$tuple": items}
        kind = array_kind(value)
        if kind:
            return {f"${kind}": self.name(value, path)}
        if isinstance(value, bytes):
            return {"$bytes": self.name(value, path)}
        if isinstance(value, Blob):
            return {"$blob": self.name(value.data, path), "media_type": value.media_type}
        if hasattr(value, "item") and type(value).__module__ == "numpy":
            return self.form(value.item(), path)
        try:
            typed = tagged(value, path)
        except YggdrasilError as error:
            raise ConfigError(error.sentence, path=path, hint=error.hint) from None
        return {"$typed": typed[KEY], "version": typed[VERSION], "value": self.form(typed[VALUE], path)}

    def name(self, value: Any, path: str) -> str:
        """One name for one tensor, wherever it stands."""
        known = self.seen.get(id(value))
        if known is None:
            known = self.seen[id(value)] = f"{len(self.keep)}:{path[-100:]}"
            self.keep[known] = value
        return known


Loads = Callable[[str, str], Any]
"""From a kind (`tensor`, `array`, `bytes`) and a name to the value."""


def unpack(form: Any, load: Loads, path: str) -> Any:
    """The value of a JSON form. CorruptError for a form that nobody writes."""
    if isinstance(form, list):
        return [unpack(item, load, path) for item in form]
    if not isinstance(form, dict):
        return form
    marks = [key for key in form if key.startswith("$")]
    if not marks:
        return {key: unpack(item, load, path) for key, item in form.items()}
    mark, rest = marks[0], form[marks[0]]
    if form.keys() != {mark} | _BESIDE.get(mark, set()):
        _corrupt(form, path)
    if mark in ("$tensor", "$array", "$bytes") and isinstance(rest, str):
        return load(mark[1:], rest)
    if mark == "$blob" and isinstance(rest, str) and isinstance(form["media_type"], str):
        return Blob(load("bytes", rest), form["media_type"])
    if mark == "$float" and rest in ("inf", "-inf", "nan"):
        return float(rest)
    if mark == "$tuple" and isinstance(rest, list):
        return tuple(unpack(item, load, path) for item in rest)
    if mark == "$map" and isinstance(rest, list) and all(isinstance(p, list) and len(p) == 2 for p in rest):
        return _mapping(rest, load, path)
    if mark == "$typed" and isinstance(rest, str) and type(form["version"]) is int:
        return untagged(rest, form["version"], unpack(form["value"], load, path))
    _corrupt(form, path)


_BESIDE = {"$blob": {"media_type"}, "$typed": {"version", "value"}}


def _mapping(pairs: list[list[Any]], load: Loads, path: str) -> dict[Any, Any]:
    try:
        return {unpack(key, load, path): unpack(value, load, path) for key, value in pairs}
    except TypeError:
        raise CorruptError("a key of a mapping can be none", path=path) from None


def _corrupt(form: dict[str, Any], path: str) -> NoReturn:
    raise CorruptError(f"{', '.join(form)[:80]} stand for no value", path=path)
