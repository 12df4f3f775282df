"""Schemas in OpenAI's strict form."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from yggdrasil.models.strict import answer_schema, strict_schema


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = Field(9, ge=0)


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    born: date | None = None


class Owner(BaseModel):
    """Someone."""

    name: Annotated[str, Field(min_length=1, max_length=9, description="What they are called.")]
    pet: Annotated[Cat | Dog, Field(discriminator="kind", description="The pet.")]
    friends: list[Owner] = []
    tags: set[str] = set()


ALLOWED = {
    "type", "properties", "required", "additionalProperties", "items", "anyOf", "$ref", "$defs", "enum", "const",
    "description", "format", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minItems", "maxItems",
}  # fmt: skip


def nodes(schema: Any) -> Any:
    yield schema
    for key in ("properties", "$defs"):
        for child in schema.get(key, {}).values():
            yield from nodes(child)
    for child in [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]:
        yield from nodes(child)


def test_only_what_the_strict_form_knows() -> None:
    schema = TypeAdapter(Owner).json_schema()
    root = schema["$defs"]["Owner"] | {"$defs": schema["$defs"]} if "$ref" in schema else schema
    strict = strict_schema(root)
    assert strict is not None
    found = list(nodes(strict))
    assert {key for node in found for key in node} <= ALLOWED
    for node in found:
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])
        if "$ref" in node:
            assert set(node) == {"$ref"}, "words beside a reference are refused"
    assert strict["properties"]["name"]["description"] == "What they are called."


OPEN = [
    {"type": "object", "properties": {"m": {"type": "object", "additionalProperties": {"type": "integer"}}}},
    {"type": "object", "properties": {"any": {}}},
    {"type": "object", "properties": {"t": {"type": "array", "prefixItems": [{"type": "string"}]}}},
    {"type": "object", "properties": {"l": {"type": "array"}}},
    {"type": "object"},
    {"type": "array", "items": {"type": "string"}},
    {"type": "object", "properties": {"x": {"allOf": [{"type": "string"}]}}},
    {"type": "object", "properties": {"x": True}},
]


@pytest.mark.parametrize("schema", OPEN)
def test_what_strictness_would_change_is_sent_as_it_is(schema: Any) -> None:
    assert strict_schema(schema) is None
    assert answer_schema(schema, True) == (schema, False)


def test_strictness_can_be_declined() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    assert answer_schema(schema, False) == (schema, False)
    assert answer_schema(schema, True)[1] is True
