"""From levels to documents: what `read.py` reads back to the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.abc.block import Block
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.blob import Blob, detach
from yggdrasil.core.config import VERSION
from yggdrasil.core.secrets import refuse_secrets
from yggdrasil.errors import ConfigError, PortError, YggdrasilError
from yggdrasil.levels.container import Container
from yggdrasil.levels.node import Node
from yggdrasil.levels.stage import Stage

_OWN = (
    "retry", "timeout", "cache", "limit", "gate", "max_batch", "max_wait", "trainable", "device", "endpoint_url",
)  # fmt: skip


def level_document(level: Container, *, refs: bool = True, top: bool = True) -> dict[str, Any]:
    """A level as its short document. `refs`: children that were read from files stay refs; else they are nested.

    ConfigError names what cannot be saved (a function that is not registered, a predicate).
    """
    if callable(level.until):
        raise ConfigError("a predicate cannot be saved", path=f"{level.name}/until", hint='until="node.port"')
    document: dict[str, Any] = {"kind": level.kind}
    if top:
        document["version"] = VERSION
    document["name"] = level.name
    if level.description:
        document["description"] = level.description
    if isinstance(level, Stage):
        document.update(_contract(level))
    if level._inputs is not None:
        document["inputs"] = {n: str(e[0]) if len(e) == 1 else [str(i) for i in e] for n, e in level._inputs.items()}
    if level._outputs is not None:
        document["outputs"] = {n: str(e) for n, e in level._outputs.items()}
    document["nodes"] = {name: _node(node, refs) for name, node in level.nodes.items()}
    if level.edges:
        document["edges"] = [str(e) for e in level.edges]
    if level.calls:
        document["calls"] = [str(c) for c in level.calls]
    for key in ("num_loop_steps", "until"):
        if getattr(level, key) is not None:
            document[key] = getattr(level, key)
    if level.limits.capacities:
        document["resources"] = dict(level.limits.capacities)
    if level.training:
        document["training"] = dict(level.training)
    if top:
        refuse_secrets(document, level.name)
    return document


def _contract(stage: Stage) -> dict[str, Any]:
    if callable(stage.execution_condition):
        raise ConfigError(
            "a predicate cannot be saved",
            path=f"{stage.name}/execution_condition",
            hint="a list of blocks, or a preset",
        )
    found: dict[str, Any] = {}
    if stage._reads is not None:
        found["reads"] = list(stage._reads)
    if stage._fills is not None:
        found["fills"] = stage._fills
    if stage.ports:
        found["ports"] = dict(stage.ports)
    if stage.execution_condition is not None:
        condition = stage.execution_condition
        found["execution_condition"] = condition if isinstance(condition, str) else list(condition)
    return found


def _node(node: Node, refs: bool) -> dict[str, Any]:
    said = {k: getattr(node, k) for k in _OWN}
    policies = {k: v for k, v in said.items() if v is not None and (v is not False or k == "trainable")}
    if node.ref is not None and refs:
        return {"ref": node.ref, **policies}
    try:
        return {**block_document(node.block, refs), **policies}
    except YggdrasilError as error:
        if not error.path:
            error.path = node.node_id
        raise


def plain(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A config as JSON values; ConfigError names what is none."""
    try:
        found: dict[str, Any] = detach(config, _no_blob)
    except PortError as error:
        raise ConfigError(f"config {error.path.strip('/')} of {name}: {error.sentence}", hint=error.hint) from None
    return found


def _no_blob(blob: Blob) -> None:
    raise PortError(f"{blob!r} is no config", hint="put it into a file, and its name into the config")


def block_document(block: Runnable, refs: bool = True) -> dict[str, Any]:
    """A child as a mapping: a nested level, or a block's type and config."""
    if isinstance(block, Container):
        return level_document(block, refs=refs, top=False)
    if not isinstance(block, Block):
        raise ConfigError(f"{type(block).__name__} cannot be saved", hint="use a Block or a level")
    config: Mapping[str, Any] = plain(block.config, block.label)
    if not block.block_type:
        raise ConfigError(f"{type(block).__name__} has no block_type", hint='@register("role/impl")')
    clash = set(config) & {*_OWN, "type", "kind", "nodes", "config"}
    return {"type": block.block_type, **({"config": dict(config)} if clash else config)}
