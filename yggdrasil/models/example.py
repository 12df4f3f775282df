"""A value that fits a JSON Schema, made without chance: what the scripted models give to tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DEEPEST = 16


def example(schema: Mapping[str, Any]) -> Any:
    """The plainest value that fits `schema`: a default or first choice, the lowest number allowed, the word "text".

    Optional properties are left out. Patterns and formats are not followed.
    """
    return _example(schema, schema, "text", 0)


def _example(schema: Any, root: Mapping[str, Any], name: str, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return None
    if "$ref" in schema:
        return _example(_resolve(schema["$ref"], root), root, name, depth + 1)
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if schema.get(key):
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _example(schema[key][0], root, name, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        properties = schema.get("properties", {})
        return {key: _example(properties.get(key, {}), root, key, depth + 1) for key in schema.get("required", ())}
    if kind == "array":
        items = schema.get("prefixItems") or [schema.get("items", {})] * schema.get("minItems", 0)
        return [_example(item, root, name, depth + 1) for item in items]
    return _scalar(kind, schema, name)


def _scalar(kind: str | None, schema: Mapping[str, Any], name: str) -> Any:
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        number = low if low is not None else min(1, high) if high is not None else 1
        if "exclusiveMinimum" in schema and "minimum" not in schema:
            number += 1 if high is None or number + 1 <= high else (high - number) / 2
        step = schema.get("multipleOf")
        if step:
            number = -(-number // step) * step or step
        return int(number) if kind == "integer" else number
    if kind == "boolean":
        return True
    if kind == "string":
        text = name if len(name) >= schema.get("minLength", 0) else name * schema["minLength"]
        return text[: schema.get("maxLength", len(text))]
    return None


def _resolve(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found
