"""What follows from a level's parts until they change: the rules' edges, the topology, the plan, the program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from yggdrasil.core.plan import Plan
from yggdrasil.core.ports import Spec
from yggdrasil.core.topology import Endpoint, Topology
from yggdrasil.core.wiring import Wiring
from yggdrasil.levels.calls import bound_port
from yggdrasil.levels.node import Node
from yggdrasil.runtime.engine import Program

Bound = dict[str, list[tuple[str, str]]]
"""Agent -> the (tool, port) pairs that are given from outside, and that its model does not see."""


class Joined:
    """The parts of a level, joined. `plan` and `program` are made when they are first asked for."""

    __slots__ = ("bound", "plan", "program", "topology", "wiring")

    def __init__(self, topology: Topology, bound: Bound, wiring: Wiring) -> None:
        self.topology, self.bound, self.wiring = topology, bound, wiring
        self.plan: Plan | None = None
        self.program: Program | None = None


def join(plain: Topology, wiring: Wiring) -> Joined:
    """A topology in which exposed ports of nodes that are only called became hidden inputs of what calls them."""
    only = plain.callable_only
    specs = dict(plain.nodes)
    bound: Bound = {}
    inputs: dict[str, tuple[Endpoint, ...]] = {}
    for name, ends in (plain.inputs or {}).items():
        kept: list[Endpoint] = []
        ahead = list(ends)
        for end in ahead:  # grows: what calls may itself only be called
            found = specs[end.node].inputs.get(end.port) if end.node in only else None
            if found is None:
                kept.append(end)
                continue
            for agent in (c.source for c in plain.calls if c.target == end.node):
                hidden = bound_port(*end)
                if agent in specs and hidden not in specs[agent].inputs:
                    above = specs[agent]
                    port = found.replace(name=hidden)
                    specs[agent] = Spec({**above.inputs, hidden: port}, above.outputs, above.doc)
                    bound.setdefault(agent, []).append((end.node, end.port))
                    ahead.append(Endpoint(agent, hidden))
        inputs[name] = tuple(kept)
    if not bound:
        return Joined(plain, bound, wiring)
    return Joined(replace(plain, nodes=specs, inputs=inputs), bound, wiring)


class Specs(Mapping[str, Spec]):
    """The specs of nodes, read when asked for, so that adding n edges costs n and not n squared."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes

    def __getitem__(self, name: str) -> Spec:
        return self._nodes[name].spec

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)
