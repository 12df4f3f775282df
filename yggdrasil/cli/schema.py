"""`yggdrasil schema`: the JSON Schema of each kind of file, for editors and other programs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from yggdrasil.cli.agent_schema import agent_schema
from yggdrasil.core.config import LEVELS, VERSION, json_schema
from yggdrasil.errors import ConfigError, close_names

KINDS = (*LEVELS, "world", "agent")
"""The kinds of file that have a schema."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_ANY: dict[str, Any] = {"type": "object"}


def print_schema(kind: str) -> None:
    """Print the schema of a kind; ConfigError when there is none."""
    from yggdrasil.storage.files import to_json

    sys.stdout.write(to_json(schema_of(kind)))


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind of file in its short form."""
    if kind not in KINDS:
        raise ConfigError(f"no schema of {kind!r}; {close_names(kind, KINDS)}", hint=f"yggdrasil schema {KINDS[0]}")
    own = _world() if kind == "world" else agent_schema() if kind == "agent" else json_schema(kind)
    own.pop("title", None)
    return {"$schema": DIALECT, "title": f"Yggdrasil: {kind}", **own}


def _object(properties: Mapping[str, Any], required: tuple[str, ...] = (), doc: str = "") -> dict[str, Any]:
    said = {"description": doc} if doc else {}
    found: dict[str, Any] = {"type": "object", **said, "properties": dict(properties), "additionalProperties": False}
    return {**found, "required": list(required)} if required else found


def _head(kind: str) -> dict[str, Any]:
    return {
        "kind": {"const": kind},
        "version": {"type": "integer", "minimum": 1, "maximum": VERSION, "description": "The version of the format."},
        "name": {**_TEXT, "description": "What paths and other files call it."},
        "description": _TEXT,
    }


def _world() -> dict[str, Any]:
    from yggdrasil.core.cycle import CANON
    from yggdrasil.levels.journal import DURABILITY

    place = {
        "description": "A stage: {ref: file}, {type: role/impl}, or a stage's own document.",
        "anyOf": [_TEXT, {"type": "object", "description": "With the policies of a node: retry, timeout, limit."}],
    }
    environment = _object({"update": place, "development": place}, doc="World update, and development.")
    alone = [step.name for step in CANON if not step.name.startswith("environment/")]
    stages = {**dict.fromkeys(alone, place), "environment": environment}
    conditions = {"type": "object", "additionalProperties": {"anyOf": [_TEXT, _TEXTS]}}
    execution = {
        "stages": {"type": "object", "properties": stages, "additionalProperties": place},
        "cycle": {"anyOf": [{"enum": ["canon", "canonical"]}, _TEXTS], "description": "The order of the stages."},
        "schema": {"description": "Blocks beside the five, and the slots of artifacts.", "anyOf": [_ANY, _TEXTS]},
        "seed": {"type": "integer", "description": "Of a new world: the same seed, the same world."},
        "durability": {"enum": list(DURABILITY)},
        "keep": {**_ANY, "description": "What is kept of old ticks, as {last: 50, every: 100}."},
        "ticks": {"type": "integer", "minimum": 0, "description": "How many a run makes when none are asked for."},
        "store": {**_TEXT, "description": "sqlite:///file.db"},
        "timers": {"anyOf": [{"type": "number"}, _ANY], "description": "When it ticks by itself, as {every: 60}."},
        "errors": {**_ANY, "description": "How often a stage is tried where its error may pass, as {retry: 5}."},
        "budget": {**_ANY, "description": "What it may spend, as {tokens: 200000, per: day}."},
        "resources": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "As {gpu: 1}."},
        "conditions": {**conditions, "description": "By stage: the blocks that must be filled, or a preset's name."},
    }
    content = {**_ANY, "description": "Sections by name, or {ref: content/}; `history` is a list of entries."}
    given = {**_ANY, "description": "What is given when the world is opened, with its defaults."}
    every = {"parameters": given, "execution": _open(execution, "execution"), "content": content}
    return _object({**_head("world"), **every, **_more("world", every)}, ("kind",))


def _open(properties: Mapping[str, Any], name: str) -> dict[str, Any]:
    return _object({**properties, **_more(name, properties)})


def _more(name: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Keys that the reader knows and that have no words here yet: anything is allowed in them."""
    from yggdrasil.levels.world_file import EXECUTION, TOP

    names = TOP if name == "world" else EXECUTION
    head = _head("world") if name == "world" else {}
    return {key: {} for key in names if key not in known and key not in head}
