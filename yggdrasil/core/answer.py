"""A typed answer: the schema a model is given, and the reading of what it writes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from typing_extensions import TypedDict

from yggdrasil.errors import ConfigError, close_names

_WRAPPED = "result"
_FENCE = re.compile(r"^\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)

NAMED: dict[str, Any] = {
    "str": str, "text": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict,
    "list[str]": list[str], "list[int]": list[int], "list[float]": list[float],
}  # fmt: skip
"""The types that a config may name as an output."""


class AnswerError(Exception):
    """A model's answer does not fit; the text tells the model why."""


class AnswerContract:
    """What an answer must be. `schema` goes to the model (None: any text); `read` gives the typed value.

    A type whose schema is no object (an int, a list) is wrapped as `{"result": ...}`, as providers insist.
    """

    def __init__(self, kind: Any) -> None:
        self.schema: Mapping[str, Any] | None = None
        if kind is None or kind is str:
            return
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(kind)
            schema = self._adapter.json_schema()
        except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema, PydanticUserError) as error:
            raise ConfigError(
                f"no model can answer with {kind!r}: {str(error).splitlines()[0]}",
                hint="output=a pydantic model, a dataclass, int, list[str], ...",
            ) from error
        self._wrapped = schema.get("type") != "object"
        if self._wrapped:
            definitions = {"$defs": schema.pop("$defs")} if "$defs" in schema else {}
            schema = {"type": "object", "properties": {_WRAPPED: schema}, "required": [_WRAPPED], **definitions}
        self.schema = schema

    def read(self, text: str) -> Any:
        """The value that `text` means: the text itself, or validated JSON. AnswerError says what is wrong."""
        if self.schema is None:
            return text
        value = json_of(text, self.schema)
        if self._wrapped and isinstance(value, dict) and value.keys() == {_WRAPPED}:
            value = value[_WRAPPED]
        try:
            return self._adapter.validate_json(json.dumps(value))
        except ValidationError as error:
            complaints = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'answer'}: {e['msg']}"
                for e in error.errors(include_url=False, include_input=False)[:10]
            )
            raise AnswerError(f"the answer does not fit: {complaints}. {wanted(self.schema)}") from error


def json_of(text: str, schema: Mapping[str, Any]) -> Any:
    """The JSON that a model wrote, in a fence or bare; AnswerError asks for it again by `schema`."""
    fenced = _FENCE.match(text)
    try:
        return json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"the answer is not JSON: {error}. {wanted(schema)}") from error


def wanted(schema: Mapping[str, Any]) -> str:
    """What a model is told after an answer that does not fit."""
    return f"Answer again with nothing but JSON that fits this schema: {json.dumps(schema)}"


def output_type(output: Any) -> Any:
    """The type that an `output` means: a type, its name, a mapping of field names to such names, a list of choices."""
    if isinstance(output, str):
        if output not in NAMED:
            raise ConfigError(f"no output type {output!r}; {close_names(output, NAMED)}", hint="output: {age: int}")
        return NAMED[output]
    if isinstance(output, list):
        if not output or not all(type(choice) in (str, int) for choice in output):
            raise ConfigError(f"{output!r} are no choices: these are texts or numbers", hint="output: [north, south]")
        return Literal[tuple(output)]
    if isinstance(output, Mapping):
        fields = {str(name): output_type(kind) for name, kind in output.items()}
        return TypedDict("answer", fields)  # type: ignore[operator]
    return output
