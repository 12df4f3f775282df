"""A light check of arguments against a server's JSON Schema, before they are sent; the server checks them in full.

Patterns are left to the server: an expression that it sent is not run here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from yggdrasil.core.messages import ToolSpec
from yggdrasil.core.toolspec import ArgumentsError, ToolContract

_MOST = 10
_DEEPEST = 12
_LONGEST = 80


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: dict[str, Any] = {
    "object": lambda v: isinstance(v, Mapping),
    "array": lambda v: isinstance(v, list | tuple),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "number": _is_number,
    "integer": lambda v: _is_number(v) and v == v // 1,
    "null": lambda v: v is None,
}


def complaints(schema: Any, value: Any, where: str = "", depth: int = 0) -> Iterator[str]:
    """What of `value` does not fit: types, required and additional properties, enums, items."""
    if schema is False:
        yield f"{where or 'arguments'}: nothing may be here"
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return
    named = schema.get("type")
    types = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    if types and all(isinstance(t, str) and t in _TYPES for t in types) and not any(_TYPES[t](value) for t in types):
        yield f"{where or 'arguments'}: it is no {' or '.join(types)} (got {_shown(value)})"
        return
    options = schema.get("enum")
    if isinstance(options, list) and value not in options:
        yield f"{where}: it is none of {_shown(options)} (got {_shown(value)})"
    if isinstance(value, Mapping):
        yield from _properties(schema, value, where, depth)
    elif isinstance(value, list | tuple) and isinstance(schema.get("items"), Mapping):
        for index, item in enumerate(value):
            yield from complaints(schema["items"], item, f"{where}.{index}", depth + 1)


def _properties(schema: Mapping[str, Any], value: Mapping[str, Any], where: str, depth: int) -> Iterator[str]:
    known = schema.get("properties")
    known = known if isinstance(known, Mapping) else {}
    below = f"{where}." if where else ""
    required = schema.get("required")
    for name in required if isinstance(required, list) else ():
        if name not in value:
            yield f"{below}{name}: it is missing"
    more = schema.get("additionalProperties", True)
    closed = more is False and "patternProperties" not in schema
    for name, item in value.items():
        if name in known:
            yield from complaints(known[name], item, f"{below}{name}", depth + 1)
        elif closed:
            yield f"{below}{name}: there is no such argument"
        elif "patternProperties" not in schema:
            yield from complaints(more, item, f"{below}{name}", depth + 1)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def contract(name: str, description: str, schema: Mapping[str, Any]) -> ToolContract:
    """A contract that gives the model `schema` as it is."""
    spec = ToolSpec(name, description, schema)

    def read(arguments: Any) -> dict[str, Any]:
        found = []
        for complaint in complaints(schema, arguments):
            found.append(complaint)
            if len(found) == _MOST:
                break
        if found:
            said = "; ".join(found)
            raise ArgumentsError(
                f"the arguments do not fit: {said}. "
                f"Call {name} again with arguments that fit this schema: {json.dumps(schema)}",
                said,
            )
        return dict(arguments)

    return ToolContract(spec, read)
