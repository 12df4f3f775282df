"""JSON Schemas in the strict form in which OpenAI guarantees that an answer fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CHILDREN = ("properties", "$defs", "definitions")
_DROPPED = ("default", "title")


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """`schema` with closed objects whose every property is required; None where that would change what it allows.

    An open object (a dictionary with free keys) or a root that is not an object cannot be said strictly.
    Source: https://platform.openai.com/docs/guides/structured-outputs (supported schemas).
    """
    if schema.get("type") != "object":
        return None
    try:
        strict: dict[str, Any] = _strict(schema)
    except _OpenError:
        return None
    return strict


class _OpenError(Exception):
    """The schema has an object that is open."""


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key in _CHILDREN and isinstance(value, Mapping):
            result[key] = {name: _strict(child) for name, child in value.items()}
        elif key in ("enum", "const", "required", "examples"):
            result[key] = value
        elif key not in _DROPPED:
            result[key] = _strict(value)
    if result.get("type") == "object" or "properties" in result:
        if result.get("additionalProperties", False) is not False or "properties" not in result:
            raise _OpenError
        result["additionalProperties"] = False
        result["required"] = list(result["properties"])
    return result
