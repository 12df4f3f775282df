"""What is downstream of a place: all that may come out otherwise when something else comes out there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from yggdrasil.core.cycle import PATCH
from yggdrasil.core.topology import Topology
from yggdrasil.core.value import Value

WORLD = "world"


class Use(Value):
    """What one stage fills and sees: state blocks, and `world` for the content."""

    stage: str
    fills: str
    sees: tuple[str, ...]


def stages_below(cycle: Sequence[Use], first: str) -> list[str]:
    """The stages that what stage `first` fills can reach, in this tick or a later one, in the order they are reached.

    `first` is among them when it sees again what followed from it.
    """
    start = next(number for number, use in enumerate(cycle) if use.stage == first)
    order = [*cycle[start + 1 :], *cycle[: start + 1]]
    changed = {_filled(cycle[start])}
    found: list[str] = []
    grown = True
    while grown:
        grown = False
        for use in order:
            if use.stage not in found and changed & set(use.sees):
                found.append(use.stage)
                changed.add(_filled(use))
                grown = True
    return found


def _filled(use: Use) -> str:
    return WORLD if use.fills == PATCH else use.fills


def nodes_below(topology: Topology, first: str) -> list[str]:
    """The nodes that the outputs of node `first` can reach, by edges and as the result of a call."""
    found: list[str] = []
    waiting = [first]
    while waiting:
        node = waiting.pop(0)
        targets: Iterable[str] = (
            *(end.node for edge in topology.edges if node in {e.node for e in edge.sources} for end in edge.targets),
            *(call.source for call in topology.calls if call.target == node),
        )
        for target in targets:
            if target not in found:
                found.append(target)
                waiting.append(target)
    return found
