"""The documents of levels: what a graph, pipeline or stage file may say, in its short form.

The canon's long form is read too and turned into the short one: `graph_id`, `block_type`, `source_node`,
`exposed_inputs`, `graphs`, `pipelines`, `state_contract`, ... Pure: mappings in, mappings out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from yggdrasil.core.topology import Call, Edge, endpoint
from yggdrasil.errors import ConfigError, close_names

VERSION = 1
"""The version of the file format. Older ones are read, newer ones refused."""

LEVELS = ("graph", "pipeline", "stage")


class LevelDocument(BaseModel):
    """A graph, pipeline or stage as a file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Literal["graph", "pipeline", "stage"]
    version: int = Field(VERSION, description="The version of the file format.")
    name: str = Field("", description="What paths call it.")
    description: str = ""
    inputs: dict[str, str | list[str]] | None = Field(None, description="Exposed inputs: name -> node.port, or several.")
    outputs: dict[str, str] | None = Field(None, description="Exposed outputs: name -> node.port.")
    nodes: dict[str, dict[str, Any]] = Field(
        description="By id: {type: role/impl, ...config}, {ref: file}, or a nested document; and the node's policies."
    )
    edges: list[str] = Field(default_factory=list, description='"a.x -> b.y"; "a.x, b.y -> c.z" is a hyperedge.')
    calls: list[str] = Field(default_factory=list, description='"agent -> tool": what an agent may call.')
    num_loop_steps: int | None = Field(None, ge=0, description="How many iterations its loops make.")
    until: str | None = Field(None, description="node.port that ends a loop when it is true.")
    resources: dict[str, int] = Field(default_factory=dict, description="Named limits, as {gpu: 1}.")
    reads: list[str] | None = Field(None, description="Stage: the state blocks it sees.")
    fills: str | None = Field(None, description="Stage: the block it fills.")
    ports: dict[str, str] = Field(default_factory=dict, description="Stage: block -> port where they differ.")
    execution_condition: list[str] | str | None = Field(None, description="Stage: the blocks that must be filled.")


def json_schema(kind: str = "graph") -> dict[str, Any]:
    """The JSON Schema of a level's document."""
    schema = LevelDocument.model_json_schema()
    schema["properties"]["kind"] = {"const": kind}
    return schema


_LONG = {
    "graph_id": "name", "pipeline_id": "name", "stage_id": "name",
    "graphs": "nodes", "pipelines": "nodes", "subnodes": "nodes",
    "exposed_inputs": "inputs", "exposed_outputs": "outputs", "schema_version": "version", "call_edges": "calls",
}  # fmt: skip
_NODE_LONG = {"block_type": "type", "checkpoint": "ref"}
_NODE_ID = ("node_id", "graph_id", "pipeline_id", "id")


def read_document(data: Mapping[str, Any], path: str = "", kind: str = "") -> LevelDocument:
    """A checked document, from the short or the long form; ConfigError with path and hint."""
    short = _shorten(data, path)
    short.setdefault("kind", kind or _guess(data))
    if short["kind"] not in LEVELS:
        raise ConfigError(f"kind is {short['kind']!r}", path=path, hint="kind: " + " | ".join(LEVELS))
    if kind and short["kind"] != kind:
        raise ConfigError(f"this is a {short['kind']}, not a {kind}", path=path)
    version = short.get("version", VERSION)
    if isinstance(version, int) and version > VERSION:
        raise ConfigError(f"format version {version} is newer than this release reads ({VERSION})", path=path)
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


def _guess(data: Mapping[str, Any]) -> str:
    for key, kind in (("graphs", "pipeline"), ("pipelines", "stage"), ("reads", "stage"), ("fills", "stage")):
        if key in data:
            return kind
    return next((k for k in LEVELS if f"{k}_id" in data), "graph")


def _shorten(data: Mapping[str, Any], path: str) -> dict[str, Any]:
    short: dict[str, Any] = {}
    for key, value in data.items():
        name = _LONG.get(key, key)
        if name in short:
            raise ConfigError(f"{name!r} and {key!r} say the same; keep one", path=path)
        short[name] = value
    contract = short.pop("state_contract", None)
    if isinstance(contract, Mapping):
        short.setdefault("reads", contract.get("reads", contract.get("inputs")))
        short.setdefault("fills", contract.get("fills", contract.get("output")))
    if isinstance(short.get("nodes"), list):
        short["nodes"] = {_id_of(n, path): n for n in short["nodes"]}
    if isinstance(short.get("nodes"), Mapping):
        short["nodes"] = {k: _short_node(v, f"{path}: nodes/{k}") for k, v in short["nodes"].items()}
    if isinstance(short.get("edges"), list):
        short["edges"] = [e if isinstance(e, str) else _short_edge(e, path) for e in short["edges"]]
    if isinstance(short.get("calls"), list):
        short["calls"] = [
            c if isinstance(c, str) else f"{_need(c, 'source_node', path)} -> {_need(c, 'target_node', path)}"
            for c in short["calls"]
        ]
    for side in ("inputs", "outputs"):
        if isinstance(short.get(side), list):
            short[side] = _short_exposures(short[side], path)
    return short


def _id_of(node: Any, path: str) -> str:
    if isinstance(node, Mapping):
        for key in _NODE_ID:
            if key in node:
                return str(node[key])
    raise ConfigError("a node in a list needs a node_id", path=path, hint="- {node_id: reader, block_type: llm/openai}")


def _short_node(node: Any, path: str) -> dict[str, Any]:
    if isinstance(node, str):
        return {"ref": node} if node.endswith((".yaml", ".yml", ".json")) else {"type": node}
    if not isinstance(node, Mapping):
        raise ConfigError(f"a node is a mapping, not {type(node).__name__}", path=path, hint="{type: role/impl}")
    short = {_NODE_LONG.get(k, k): v for k, v in node.items() if k != "node_id"}
    if isinstance(short.get("graph"), Mapping):
        return {**{k: v for k, v in short.items() if k != "graph"}, "kind": "graph", **short["graph"]}
    return short


def _need(data: Any, key: str, path: str) -> str:
    if not isinstance(data, Mapping) or not isinstance(data.get(key), str):
        raise ConfigError(f"{data!r} has no {key}", path=path, hint='"a.x -> b.y"')
    return str(data[key])


def _short_edge(edge: Any, path: str) -> str:
    if isinstance(edge, Mapping) and "sources" in edge:
        return f"{', '.join(edge['sources'])} -> {', '.join(edge.get('targets', ()))}"
    source = f"{_need(edge, 'source_node', path)}.{_need(edge, 'source_port', path)}"
    return f"{source} -> {_need(edge, 'target_node', path)}.{_need(edge, 'target_port', path)}"


def _short_exposures(items: list[Any], path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        if isinstance(item, str):
            found[item] = item
            continue
        node = next((str(item[k]) for k in _NODE_ID if isinstance(item, Mapping) and k in item), "")
        port = next((str(item[k]) for k in ("port", "port_name") if isinstance(item, Mapping) and k in item), "")
        if not node or not port:
            raise ConfigError(f"{item!r} is no exposure", path=path, hint="{node_id: reader, port: prompt, name: question}")
        found[str(item.get("name", f"{node}.{port}"))] = f"{node}.{port}"
    return found


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
    if not (source and arrow and target) or "->" in target:
        raise ConfigError(f"{text!r} is no call edge", path=path, hint='"agent -> tool"')
    return Call(source, target)
