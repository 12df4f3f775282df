"""How a gradient flows: from the losses backwards along the edges of a level, through what lets it pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from yggdrasil.levels.container import Container
from yggdrasil.levels.places import Place, places
from yggdrasil.levels.world import World
from yggdrasil.training.places import Level, carries, stops

End = tuple[str, str, str]
"""A port of a place: its path, "in" or "out", the port."""


def reached(level: Level, ends: Iterable[tuple[str, str]]) -> set[str]:
    """The paths of the blocks from whose outputs a gradient's way leads to one of `ends`, outputs as (path, port).

    The path of the level itself is "". It is the ways that there are: whether a function on it computes with
    tensors, only running it shows.
    """
    back: dict[End, list[End]] = defaultdict(list)
    for source, target in _ways(level, ""):
        back[target].append(source)
    seen: set[End] = set()
    ahead: list[End] = [(path, "out", port) for path, port in ends]
    while ahead:
        end = ahead.pop()
        if end not in seen:
            seen.add(end)
            ahead += back[end]
    homes = {path for path, side, _ in seen if side == "out"}
    return {place.path for place in places(level) if place.home in homes}


def _ways(level: Any, path: str, place: Place | None = None) -> Iterator[tuple[End, End]]:
    """Every step that a value can go, as (from, to)."""
    if isinstance(level, World):
        for name, node in level.nodes.items():  # what lies between stages is data
            yield from _ways(node.block, _at(path, name), Place(_at(path, name), node.block, node))
        return
    if not isinstance(level, Container):
        place = place or Place(path, level)
        if not stops(place):
            for source, port in level.spec.inputs.items():
                if carries(port.type):
                    for target, given in level.spec.outputs.items():
                        if carries(given.type):
                            yield (path, "in", source), (path, "out", target)
        return
    topology = level._ready().topology
    for one, other in topology.pairs:
        if carries(topology.nodes[one.node].outputs[one.port].type):
            yield (_at(path, one.node), "out", one.port), (_at(path, other.node), "in", other.port)
    for name, inside in topology.exposed_inputs.items():
        for end in inside:
            yield (path, "in", name), (_at(path, end.node), "in", end.port)
    for name, end in topology.exposed_outputs.items():
        yield (_at(path, end.node), "out", end.port), (path, "out", name)
    for name, node in level.nodes.items():
        if node.endpoint_url is None:
            yield from _ways(node.block, _at(path, name), Place(_at(path, name), node.block, node))


def _at(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
