"""A world with one block replaced: a copy that shares everything else with the original."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakSet

from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.downstream import Use, nodes_below, stages_below
from yggdrasil.errors import ConfigError, close_names
from yggdrasil.levels.container import Child, Container
from yggdrasil.levels.node import Node, as_runnable, check_policies
from yggdrasil.levels.read import read_child
from yggdrasil.levels.stage import WORLD
from yggdrasil.levels.world import World


def with_block(world: World, path: str, block: Child) -> World:
    """The world with another block at a node (`author/scribe`): a block, a function, a config, a path or a type.

    The node keeps its policies unless a config says others. ConfigError when there is no such node, ValidationError
    when the world no longer fits together.
    """
    if isinstance(block, Mapping | str | Path):
        made, policies = read_child(block)
        check_policies(policies)
    else:
        made, policies = as_runnable(block), {}
    stage, steps = _place(world, path)
    changed = copy.copy(world)
    changed.nodes = {**world.nodes, stage: _swapped(world.nodes[stage], steps, made, policies)}
    changed._made = None
    changed.validate(strict=True)
    return changed


def downstream(world: World, path: str) -> list[str]:
    """The paths below which something else may come out when something else comes out at `path`.

    Nodes of the same levels first, then stages by the state and the content they see; a stage stands for all its
    nodes. The stage of `path` itself is named again when it sees what followed from it.
    """
    stage, steps = _place(world, path)
    found: list[str] = []
    for above, level, node in reversed([*_levels(world.nodes[stage].block, stage, steps)]):
        found += [f"{above}/{other}" for other in nodes_below(level._ready().topology, node)]
    uses = [
        Use(name, seat.fills, (*seat.reads, *((WORLD,) if seat.takes(WORLD) else ())))
        for name, seat in world.seats().items()
    ]
    return found + stages_below(uses, stage)


def _place(world: World, path: str) -> tuple[str, list[str]]:
    known = [name for name, _ in world.walk()]
    if path not in known:
        raise ConfigError(f"there is no node {path!r}; {close_names(path, known)}", path=world.name)
    stage = next(name for name in world.nodes if path == name or path.startswith(f"{name}/"))
    return stage, path.removeprefix(stage).strip("/").split("/") if path != stage else []


def _levels(block: Runnable, above: str, steps: list[str]) -> Iterator[tuple[str, Container, str]]:
    for step in steps:
        assert isinstance(block, Container)
        yield above, block, step
        above, block = f"{above}/{step}", block.nodes[step].block


def _swapped(node: Node, steps: list[str], made: Runnable, policies: Mapping[str, Any]) -> Node:
    if not steps:
        return replace(node, block=made, **{"ref": None, **policies})
    level = node.block
    assert isinstance(level, Container)
    changed = copy.copy(level)
    first, *rest = steps
    changed.nodes = {**level.nodes, first: _swapped(level.nodes[first], rest, made, policies)}
    changed._made, changed._parents = None, WeakSet()
    return replace(node, block=changed)
