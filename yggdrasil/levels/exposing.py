"""A level that shows more: inner outputs become outputs, in a copy that shares every block."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from weakref import WeakSet

from yggdrasil.core.topology import Endpoint
from yggdrasil.errors import ConfigError, close_names
from yggdrasil.levels.container import Container
from yggdrasil.levels.stage import Stage


def exposing(level: Container, ends: Iterable[str]) -> tuple[Container, dict[str, str]]:
    """A copy with the outputs `path/node.port` exposed, and the name of each; the level itself stays as it is.

    In a loop it is the value of the last iteration. ConfigError names what is not there.
    """
    deep: dict[str, list[str]] = {}
    made = copy.copy(level)
    made.nodes, made._parents = dict(level.nodes), WeakSet()
    if isinstance(level, Stage) and isinstance(made, Stage):
        with suppress(ConfigError):  # one that does not say what it fills cannot be part of a world, but it can run
            made._fills = level.fills
    found: dict[str, Endpoint] = {}
    for end in ends:
        head, slash, rest = end.partition("/")
        if slash:
            deep.setdefault(head, []).append(rest)
        else:
            node, _, port = end.partition(".")
            _known(level, node, end)
            if port not in level.nodes[node].spec.outputs:
                close = close_names(port, level.nodes[node].spec.outputs)
                raise ConfigError(f"there is no output {end!r}; {close}", path=level.name)
            found[end] = Endpoint(node, port)
    for head, below in deep.items():
        _known(level, head, f"{head}/{below[0]}")
        inner = level.nodes[head].block
        if not isinstance(inner, Container):
            raise ConfigError(f"{head} is no level, so there is nothing to see in it", path=level.name, hint=head)
        child, names = exposing(inner, below)
        made.nodes[head] = replace(level.nodes[head], block=child)
        child._parents.add(made)
        found |= {f"{head}/{end}": Endpoint(head, name) for end, name in names.items()}
    outputs = dict(level._ready().topology.exposed_outputs)
    names = {}
    for end, place in found.items():
        already = next((name for name, other in outputs.items() if other == place), None)
        names[end] = already or end.replace("/", ".")
        if outputs.setdefault(names[end], place) != place:
            raise ConfigError(f"output {names[end]} is another one already", path=level.name, hint="expose_output")
    made._outputs = outputs
    made._changed()
    return made, names


def _known(level: Container, node: str, end: str) -> None:
    if node not in level.nodes:
        raise ConfigError(f"there is no {end!r}; {close_names(node, level.nodes)}", path=level.name, hint='"node.port"')
