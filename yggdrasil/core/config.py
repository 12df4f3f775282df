"""The documents of levels: what a graph, pipeline or stage file may say, in its short form.

The canon's long form is read too; see `longform`. Pure: mappings in, mappings out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from yggdrasil.core.longform import guess_kind, shorten
from yggdrasil.core.topology import Call, Edge, endpoint
from yggdrasil.errors import ConfigError, close_names

VERSION = 1
"""The version of the file format. Older ones are read, newer ones refused."""

LEVELS = ("graph", "pipeline", "stage")


class LevelDocument(BaseModel):
    """A graph, pipeline or stage as a file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Literal["graph", "pipeline", "stage"]
    version: int = Field(VERSION, ge=1, description="The version of the file format.")
    name: str = Field("", description="What paths call it.")
    description: str = ""
    inputs: dict[str, str | list[str]] | None = Field(None, description="Exposed inputs: name -> node.port, or a list.")
    outputs: dict[str, str] | None = Field(None, description="Exposed outputs: name -> node.port.")
    nodes: dict[str, dict[str, Any]] = Field(
        description="By id: {type: role/impl, ...config}, {ref: file}, or a nested document; and the node's policies."
    )
    edges: list[str] = Field(default_factory=list, description='"a.x -> b.y"; "a.x, b.y -> c.z" is a hyperedge.')
    calls: list[str] = Field(default_factory=list, description='"agent -> tool": what an agent may call.')
    num_loop_steps: int | None = Field(None, ge=1, description="How many iterations its loops make.")
    until: str | None = Field(None, description="node.port that ends a loop when it is true.")
    resources: dict[str, int] = Field(default_factory=dict, description="Named limits, as {gpu: 1}.")
    reads: list[str] | None = Field(None, description="Stage: the state blocks it sees.")
    fills: str | None = Field(None, description="Stage: the block it fills.")
    ports: dict[str, str] = Field(default_factory=dict, description="Stage: block -> port where they differ.")
    training: dict[str, Any] = Field(default_factory=dict, description="How it is trained: what `fit` is given.")
    execution_condition: list[str] | str | None = Field(None, description="Stage: the blocks that must be filled.")


def json_schema(kind: str = "graph") -> dict[str, Any]:
    """The JSON Schema of a level's document."""
    schema = LevelDocument.model_json_schema()
    schema["properties"]["kind"] = {"const": kind}
    return schema


def read_document(data: Any, path: str = "", kind: str = "") -> LevelDocument:
    """A checked document, from the short or the long form; ConfigError with path and hint."""
    short = shorten(data, path)
    short.setdefault("kind", kind or guess_kind(data))
    if short["kind"] not in LEVELS:
        raise ConfigError(f"kind is {short['kind']!r}", path=path, hint="kind: " + " | ".join(LEVELS))
    if kind and short["kind"] != kind:
        raise ConfigError(f"this is a {short['kind']}, not a {kind}", path=path)
    version = short.get("version", VERSION)
    if isinstance(version, int) and version > VERSION:
        sentence = f"format version {version} is newer than this release reads ({VERSION})"
        raise ConfigError(sentence, path=path, hint="pip install -U yggdrasil-worlds")
    try:
        return LevelDocument.model_validate(short)
    except ValidationError as error:
        raise complaint(error, path, LevelDocument.model_fields) from None


def complaint(error: ValidationError, path: str, known: Mapping[str, Any]) -> ConfigError:
    """The first of pydantic's complaints as ours."""
    first = error.errors(include_url=False)[0]
    where = "/".join(str(p) for p in first["loc"])
    at = f"{path}: {where}" if path else where
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        return ConfigError(f"there is no {name!r} here; {close_names(name, known)}", path=at)
    return ConfigError(f"{first['msg']}, got {type(first['input']).__name__}", path=at)


# --- edges and calls as text


def split_edge(text: str, path: str = "") -> tuple[list[str], list[str]]:
    """The two sides of `"a.x, b.y -> c.z"`."""
    left, arrow, right = text.partition("->")
    sources = [s.strip() for s in left.split(",") if s.strip()]
    targets = [t.strip() for t in right.split(",") if t.strip()]
    if not (arrow and sources and targets) or "->" in right:
        raise ConfigError(f"{text!r} is no edge", path=path, hint='"reader.response -> polish.prompt"')
    return sources, targets


def read_edge(text: str, path: str = "") -> Edge:
    """An Edge from its text."""
    sources, targets = split_edge(text, path)
    return Edge(tuple(endpoint(s) for s in sources), tuple(endpoint(t) for t in targets))


def read_call(text: str, path: str = "") -> Call:
    """A Call from `"agent -> tool"`."""
    source, arrow, target = (p.strip() for p in text.partition("->"))
    if not (source and arrow and target) or "->" in target or "," in text or "." in text:
        raise ConfigError(f"{text!r} is no call edge", path=path, hint='"agent -> tool"')
    return Call(source, target)
