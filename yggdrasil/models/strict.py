"""JSON Schemas in the strict form in which OpenAI guarantees that an answer fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What only checks a value: the answer is checked again here, so a looser schema changes nothing but who notices.
_DROPPED = ("default", "title", "minLength", "maxLength", "uniqueItems", "discriminator", "examples")
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_UNSAYABLE = ("allOf", "not", "if", "then", "else", "prefixItems", "patternProperties", "dependentSchemas")
_NAMED = ("properties", "$defs", "definitions")


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """`schema` with closed objects whose every property is required; None where that would change its shape.

    An open object (a dictionary with free keys), a value of any type, or a root that is not an object cannot be said
    strictly. Bounds that strictness does not know (a text's length) are left out.
    Source: https://platform.openai.com/docs/guides/structured-outputs (supported schemas).
    """
    if schema.get("type") != "object":
        return None
    try:
        return _strict(schema)
    except _OpenError:
        return None


def answer_schema(schema: Mapping[str, Any], strictly: bool) -> tuple[Mapping[str, Any], bool]:
    """The schema as it is sent, and whether it is strict: as it is where strictness is not wanted or would lose some.

    The form is the same in both of OpenAI's formats.
    """
    strict = strict_schema(schema) if strictly else None
    return (schema, False) if strict is None else (strict, True)


class _OpenError(Exception):
    """The schema has something that is open."""


def _strict(node: Any) -> dict[str, Any]:
    if not isinstance(node, Mapping) or any(key in node for key in _UNSAYABLE):
        raise _OpenError
    if "$ref" in node:
        return {"$ref": node["$ref"]}  # words beside a reference are refused
    if not any(key in node for key in ("type", "anyOf", "oneOf", "enum", "const")):
        raise _OpenError
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key in _NAMED and isinstance(value, Mapping):
            result[key] = {name: _strict(child) for name, child in value.items()}
        elif key in ("anyOf", "oneOf") and isinstance(value, list):
            result["anyOf"] = [_strict(child) for child in value]
        elif key == "items":
            result[key] = _strict(value)
        elif key not in _DROPPED and not (key == "format" and value not in _FORMATS):
            result[key] = value
    if result.get("type") == "object" or "properties" in result:
        if result.get("additionalProperties", False) is not False or "properties" not in result:
            raise _OpenError
        result["additionalProperties"] = False
        result["required"] = list(result["properties"])
    elif result.get("type") == "array" and "items" not in result:
        raise _OpenError
    return result
