"""The canon's long form of a level's document, turned into the short one. Pure: mappings in, mappings out.

`graph_id`, `block_type`, `source_node`, `exposed_inputs`, `graphs`, `pipelines`, `state_contract`, ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.errors import ConfigError, close_names

LONG = {
    "graph_id": "name", "pipeline_id": "name", "stage_id": "name",
    "graphs": "nodes", "pipelines": "nodes", "subnodes": "nodes",
    "exposed_inputs": "inputs", "exposed_outputs": "outputs", "schema_version": "version", "call_edges": "calls",
}  # fmt: skip
_NODE_LONG = {"block_type": "type", "checkpoint": "ref"}
_NODE_ID = ("node_id", "id", "graph_id", "pipeline_id")
_INSIDE = ("nodes", "graphs", "pipelines", "subnodes")
_FILE_ENDINGS = (".yaml", ".yml", ".json")


def guess_kind(data: Mapping[str, Any]) -> str:
    """What a document without `kind` is, by what it says."""
    for key, kind in (("graphs", "pipeline"), ("pipelines", "stage"), ("reads", "stage"), ("fills", "stage")):
        if key in data:
            return kind
    return next((k for k in ("graph", "pipeline", "stage") if f"{k}_id" in data), "graph")


def is_level(node: Mapping[str, Any]) -> bool:
    """Whether a node's mapping is a level written inline."""
    return node.get("kind") in ("graph", "pipeline", "stage") or any(key in node for key in _INSIDE)


def shorten(data: Any, path: str) -> dict[str, Any]:
    """The short form of a document. ConfigError where it cannot be read as one."""
    if not isinstance(data, Mapping):
        raise ConfigError(f"the document is {type(data).__name__}, not a mapping", path=path, hint="kind: graph")
    short = _renamed(data, LONG, path)
    contract = short.pop("state_contract", None)
    if contract is not None:
        _contract(contract, short, path)
    if isinstance(short.get("nodes"), list):
        short["nodes"] = _by_id(short["nodes"], path)
    if isinstance(short.get("nodes"), Mapping):
        above = f"{path}: " if path else ""
        short["nodes"] = {k: _node(v, f"{above}nodes/{k}") for k, v in short["nodes"].items()}
    if isinstance(short.get("edges"), list):
        short["edges"] = [e if isinstance(e, str) else _edge(e, path) for e in short["edges"]]
    if isinstance(short.get("calls"), list):
        short["calls"] = [c if isinstance(c, str) else _call(c, path) for c in short["calls"]]
    for side in ("inputs", "outputs"):
        if isinstance(short.get(side), list):
            short[side] = _exposures(short[side], path)
        elif isinstance(short.get(side), Mapping):
            short[side] = {k: _end(v, path) if isinstance(v, Mapping) else v for k, v in short[side].items()}
    return short


def check_keys(data: Mapping[Any, Any], path: str) -> None:
    """ConfigError when a key is no text, which YAML allows."""
    for key in data:
        if not isinstance(key, str):
            raise ConfigError(f"a key is {key!r}, not text", path=path, hint=f'"{key}":')


def _renamed(data: Mapping[str, Any], names: Mapping[str, str], path: str) -> dict[str, Any]:
    check_keys(data, path)
    short: dict[str, Any] = {}
    for key, value in data.items():
        name = names.get(key, key)
        if name in short:
            raise ConfigError(f"{name!r} and {key!r} say the same; keep one", path=path)
        short[name] = value
    return short


_CONTRACT = {"inputs": "reads", "output": "fills", "mapping": "ports"}


def _contract(contract: Any, short: dict[str, Any], path: str) -> None:
    if not isinstance(contract, Mapping):
        hint = "state_contract: {reads: [intent], fills: plan}"
        raise ConfigError("state_contract is no mapping", path=path, hint=hint)
    for key, value in _renamed(contract, _CONTRACT, path).items():
        if key not in ("reads", "fills", "ports"):
            close = close_names(key, ("reads", "fills", "ports"))
            raise ConfigError(f"state_contract has no {key!r}; {close}", path=path)
        if key in short:
            raise ConfigError(f"{key!r} stands in state_contract and beside it; keep one", path=path)
        short[key] = value


def _by_id(nodes: Sequence[Any], path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in nodes:
        key = next((k for k in _NODE_ID if k in node), "") if isinstance(node, Mapping) else ""
        if not key or not isinstance(node[key], str):
            hint = "- {node_id: reader, block_type: llm/openai}"
            raise ConfigError("a node in a list needs a node_id", path=path, hint=hint)
        if node[key] in found:
            raise ConfigError(f"node id {node[key]!r} is taken", path=path, hint="give every node an id of its own")
        # a level written inline keeps its own name
        found[node[key]] = node if key != "node_id" and is_level(node) else {k: v for k, v in node.items() if k != key}
    return found


def _node(node: Any, path: str) -> dict[str, Any]:
    if isinstance(node, str):
        return {"ref": node} if node.endswith(_FILE_ENDINGS) else {"type": node}
    if not isinstance(node, Mapping):
        raise ConfigError(f"a node is a mapping, not {type(node).__name__}", path=path, hint="{type: role/impl}")
    if is_level(node):
        return {k: v for k, v in node.items() if k != "node_id"}
    short = _renamed({k: v for k, v in node.items() if k != "node_id"}, _NODE_LONG, path)
    inline = short.get("graph")
    if isinstance(inline, Mapping) and "type" not in short:
        rest = {k: v for k, v in short.items() if k != "graph"}
        return {**rest, "kind": "graph", **inline}
    return short


def _end(end: Any, path: str, node: str = "", port: str = "") -> str:
    """`node.port` from a text, or from a mapping in one of the canon's spellings."""
    if isinstance(end, str):
        return end
    found = []
    for names in ((node, "node", *_NODE_ID), (port, "port", "port_name")):
        value = next((end[k] for k in names if k in end), None) if isinstance(end, Mapping) else None
        if not isinstance(value, str):
            hint = f"{{{node or 'node_id'}: reader, {port or 'port'}: prompt}}"
            raise ConfigError(f"{end!r} has no {names[0] or names[1]}", path=path, hint=hint)
        found.append(value)
    return ".".join(found)


def _edge(edge: Any, path: str) -> str:
    if isinstance(edge, Mapping) and "sources" in edge:
        sides = [edge["sources"], edge.get("targets", ())]
        if not all(isinstance(side, list | tuple) for side in sides):
            raise ConfigError(f"{edge!r} is no hyperedge", path=path, hint="{sources: [a.x, b.y], targets: [c.z]}")
        return " -> ".join(", ".join(_end(end, path) for end in side) for side in sides)
    return f"{_end(edge, path, 'source_node', 'source_port')} -> {_end(edge, path, 'target_node', 'target_port')}"


def _call(call: Any, path: str) -> str:
    found = []
    for key in ("source_node", "target_node"):
        if not isinstance(call, Mapping) or not isinstance(call.get(key), str):
            raise ConfigError(f"{call!r} has no {key}", path=path, hint='"agent -> tool"')
        found.append(call[key])
    return " -> ".join(found)


def _exposures(items: Sequence[Any], path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        end = _end(item, path)
        name = str(item.get("name") or end) if isinstance(item, Mapping) else end
        if name not in found:
            found[name] = end
        else:  # one name for several ports
            found[name] = [*(found[name] if isinstance(found[name], list) else [found[name]]), end]
    return found
