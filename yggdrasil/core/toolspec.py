"""What runs, as a tool: its ports as a JSON Schema for a model, and the check of what the model sends."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, Field, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from typing_extensions import TypedDict

from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import Media, Text, ToolSpec, media_of
from yggdrasil.core.ports import MISSING, Port, Spec
from yggdrasil.errors import SpecError

LONGEST_NAME = 64
_LONGEST_VALUE = 80
_MOST_COMPLAINTS = 10
_HEADING = re.compile(r"(Args|Arguments|Parameters|Returns?|Yields?|Raises|Examples?|Notes?|Attributes):?\s*$")
_ARGUMENTS = ("Args", "Arguments", "Parameters")
_GOOGLE_ITEM = re.compile(r"\*{0,2}(\w+)(?:\s*\([^)]*\))?\s*:\s*(.*)")
_NUMPY_ITEM = re.compile(r"\*{0,2}(\w+)\s*(?::.*)?()$")
_SPHINX_ITEM = re.compile(r":param\s+(?:[^:]*\s)?(\w+):\s*(.*)")


# an annotation that is no type shows itself in as many ways as there are annotations
_NO_SCHEMA = (
    PydanticSchemaGenerationError, PydanticInvalidForJsonSchema, PydanticUserError, AttributeError, TypeError,
    NameError,
)  # fmt: skip


class ArgumentsError(Exception):
    """A model's arguments do not fit; the text tells the model why, and how to call again. `complaints`: only why."""

    def __init__(self, text: str, complaints: str = "") -> None:
        super().__init__(text)
        self.complaints = complaints or text


class ToolContract:
    """A tool as a model sees it (`spec`), and `read`, which turns a model's arguments into inputs."""

    __slots__ = ("_validate", "spec")

    def __init__(self, spec: ToolSpec, validate: Callable[[Any], dict[str, Any]]) -> None:
        self.spec = spec
        self._validate = validate

    def named(self, name: str, description: str) -> ToolContract:
        """The same under another name, with another description where there is one."""
        spec = self.spec
        if spec.name == name and spec.description == description:
            return self
        return ToolContract(spec.replace(name=name, description=description or spec.description), self._validate)

    def read(self, arguments: Mapping[str, Any] | str) -> dict[str, Any]:
        """The inputs that `arguments` mean, leniently ("3" is an int); ArgumentsError says what is wrong."""
        if isinstance(arguments, str):
            raise ArgumentsError(
                f"the arguments are not a JSON object: {_shown(arguments)}. "
                f"Send one that fits this schema: {json.dumps(self.spec.parameters)}"
            )
        try:
            return self._validate(arguments)
        except ValidationError as error:
            complaints = "; ".join(_complaint(e) for e in error.errors(include_url=False)[:_MOST_COMPLAINTS])
            raise ArgumentsError(
                f"the arguments do not fit: {complaints}. "
                f"Call {self.spec.name} again with arguments that fit this schema: {json.dumps(self.spec.parameters)}",
                complaints,
            ) from error


def _complaint(error: Any) -> str:
    where = ".".join(map(str, error["loc"])) or "arguments"
    if error["type"] in ("missing", "extra_forbidden"):
        return f"{where}: {'it is missing' if error['type'] == 'missing' else 'there is no such argument'}"
    return f"{where}: {error['msg']} (got {_shown(error['input'])})"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."


def tool_name(label: str) -> str:
    """`label` in the letters that every provider takes: A-Z, a-z, 0-9, _ and -, at most 64."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", label)[:LONGEST_NAME] or "tool"


def tool_contract(name: str, spec: Spec) -> ToolContract:
    """The contract of a tool with these ports.

    Ports that cannot be said in JSON (a picture, a tensor) are left out when they are optional.
    SpecError names a required one, or a type without a JSON Schema.
    """
    summary, notes = read_docstring(spec.doc)
    try:
        adapter = _arguments(name, spec, notes)
        schema = adapter.json_schema()
    except _NO_SCHEMA as error:
        raise _unspeakable(name, spec, str(error).splitlines()[0]) from error
    if schema.get("type") != "object":
        raise _unspeakable(name, spec, "it refers to the tool itself")
    schema.pop("title", None)
    schema.setdefault("properties", {})
    for item in schema["properties"].values():
        item.pop("title", None)
    return ToolContract(ToolSpec(name, summary, schema), adapter.validator.validate_python)


def _arguments(name: str, spec: Spec, notes: Mapping[str, str]) -> TypeAdapter[Any]:
    fields: dict[str, Any] = {}
    for port in spec.inputs.values():
        if port.given:
            continue
        annotation = _annotation(name, port)
        if annotation is None:
            continue
        extra = {"default": port.default} if _plain(port.default) else None
        note = Field(description=port.doc or notes.get(port.name) or None, json_schema_extra=extra)
        described: Any = Annotated[annotation, note]
        fields[port.name] = described if port.required else NotRequired[described]
    arguments = TypedDict("arguments", fields)  # type: ignore[misc]
    arguments.__pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=False)  # type: ignore[attr-defined]
    return TypeAdapter(arguments)


def _unspeakable(name: str, spec: Spec, why: str) -> SpecError:
    types = ", ".join(f"{p.name}: {p.type}" for p in spec.inputs.values())
    return SpecError(
        f"tool {name} has an input that no model can give ({types}): {why}",
        hint="use str, int, float, bool, lists, mappings, dataclasses or pydantic models, or bind the input",
    )


def _annotation(name: str, port: Port) -> Any:
    """What a model may give for a port; None to leave the port out."""
    annotation = port.type.annotation
    if port.type.name == "messages":
        annotation = None
    if annotation is None:
        if port.required:
            raise SpecError(
                f"tool {name} needs {port.type} for {port.name!r}, which no model can give",
                hint=f"bind it: an edge or an exposed input that feeds {port.name}",
            )
        return None
    return annotation


def _plain(value: Any) -> bool:
    if value is MISSING or value is None:
        return False
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def read_docstring(doc: str) -> tuple[str, dict[str, str]]:
    """What a docstring says before its sections, and what it says of each parameter.

    Reads the Google, NumPy and Sphinx forms.
    """
    before: list[str] = []
    notes: dict[str, str] = {}
    lines = doc.strip().splitlines()
    section, current = "", ""
    item = _GOOGLE_ITEM
    level: int | None = None
    for line, following in zip(lines, [*lines, ""][1:], strict=True):
        bare = line.strip()
        underlined = len(following.strip()) > 2 and not following.strip().strip("-")
        if (found := _SPHINX_ITEM.match(bare)) is not None:
            section, current, level = "Args", found[1], -1
            notes[current] = found[2]
        elif bare.startswith((":return", ":raise", ":rtype")):
            section = "other"
        elif _HEADING.match(bare) and (bare.endswith(":") or underlined):
            section, current, level = bare.rstrip(": "), "", None
            item = _NUMPY_ITEM if underlined else _GOOGLE_ITEM
        elif not section:
            before.append(line)
        elif section in _ARGUMENTS and bare.strip("-"):
            level = len(line) - len(line.lstrip()) if level is None else level
            starts = item.match(bare) if len(line) - len(line.lstrip()) <= level else None
            if starts is not None:
                current = starts[1]
                notes[current] = starts[2]
            elif current:
                notes[current] = f"{notes[current]} {bare}"
    return "\n".join(before).strip(), {name: note.strip() for name, note in notes.items() if note.strip()}


def result_parts(outputs: Mapping[str, Any]) -> tuple[str, tuple[Media, ...]]:
    """What a model is shown of a tool's outputs: text, and the pictures, sounds and files in them.

    The main output counts (as in `Result.output`): text bare, all else as JSON, in which media are named.
    """
    value: Any
    if len(outputs) == 1:
        value = next(iter(outputs.values()))
    else:
        value = outputs.get("output", outputs.get("response", outputs))
    if type(value) is str:
        return value, ()
    if type(value) is int:
        return str(value), ()
    media: list[Media] = []

    def described(item: Any) -> Any:
        part = media_of(item) if isinstance(item, Blob) else item
        if isinstance(part, Media):
            media.append(part)
            return f"[{_called(part)}, number {len(media)} of what is attached]"
        return _described(item)

    text = json.dumps(value, ensure_ascii=False, default=described)
    if isinstance(value, Blob | Media):
        text = json.loads(text)
    return text, tuple(media)


def _called(part: Media) -> str:
    name = getattr(part, "name", "") or part.url
    return " ".join(filter(None, (name, "" if part.blob is None else part.blob.media_type))) or "media"


def _described(value: Any) -> Any:
    """What stands for a value that is not JSON."""
    if isinstance(value, Text):
        return value.text
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    return str(value)
