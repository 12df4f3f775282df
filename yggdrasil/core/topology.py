"""What is joined to what: nodes by their specs, edges, call edges, and the boundary. Pure data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from yggdrasil.core.ports import MISSING, Port, Spec
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError

OUTSIDE = ""
"""The node id of the boundary: where a level's own inputs come from."""


class Endpoint(NamedTuple):
    """One port of one node; `node` is OUTSIDE for an input of the level itself."""

    node: str
    port: str

    def __str__(self) -> str:
        return f"{self.node}.{self.port}" if self.node else self.port


def endpoint(text: str | Endpoint | tuple[str, str]) -> Endpoint:
    """`"node.port"` as an Endpoint; ConfigError when it is none. Node ids have no dot, ports may have."""
    if isinstance(text, str):
        node, _, port = text.strip().partition(".")
        pair: tuple[object, ...] = (node, port)
    else:
        pair = tuple(text) if isinstance(text, tuple | list) else ()
    if len(pair) != 2 or not all(isinstance(p, str) and p and p.strip() == p for p in pair):
        raise ConfigError(f"{text!r} is no endpoint", hint='"node.port"')
    return Endpoint(str(pair[0]), str(pair[1]))


class Edge(Value):
    """Joins every source to every target; the plain edge is one of each, more is a hyperedge."""

    sources: tuple[Endpoint, ...]
    targets: tuple[Endpoint, ...]

    def pairs(self) -> Iterator[tuple[Endpoint, Endpoint]]:
        """The plain edges it stands for."""
        return ((s, t) for s in self.sources for t in self.targets)

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.sources))} -> {', '.join(map(str, self.targets))}"


class Call(Value):
    """A call edge: the agent at `source` may call the node `target` as a tool."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"


@dataclass(frozen=True)
class Topology:
    """A level's inside. `inputs` and `outputs` are what was exposed by name; None: nothing was, so infer."""

    nodes: Mapping[str, Spec]
    edges: tuple[Edge, ...] = ()
    calls: tuple[Call, ...] = ()
    inputs: Mapping[str, tuple[Endpoint, ...]] | None = None
    outputs: Mapping[str, Endpoint] | None = None
    loops: bool = True
    gated: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def pairs(self) -> tuple[tuple[Endpoint, Endpoint], ...]:
        """Every plain edge once, in canonical order, whatever the order of adding."""
        return tuple(sorted({pair for edge in self.edges for pair in edge.pairs()}))

    @cached_property
    def callable_only(self) -> frozenset[str]:
        """Tool nodes that have call edges alone: they are not run in the static pass."""
        wired = {end.node for pair in self.pairs for end in pair}
        return frozenset(c.target for c in self.calls) - wired

    @cached_property
    def static(self) -> tuple[str, ...]:
        """The nodes of the static pass, by id."""
        return tuple(sorted(n for n in self.nodes if n not in self.callable_only))

    @cached_property
    def exposed_inputs(self) -> Mapping[str, tuple[Endpoint, ...]]:
        """Name -> the ports it feeds: as exposed, else every unconnected input of the static pass."""
        if self.inputs is not None:
            return self.inputs
        fed = {target for _, target in self.pairs}
        free = [Endpoint(n, p) for n in self.static for p in self.nodes[n].inputs if (n, p) not in fed]
        return {name: (end,) for name, end in _names(free).items()}

    @cached_property
    def exposed_outputs(self) -> Mapping[str, Endpoint]:
        """Name -> where it comes from: as exposed, else every unconnected output of the static pass."""
        if self.outputs is not None:
            return self.outputs
        used = {source for source, _ in self.pairs}
        free = [Endpoint(n, p) for n in self.static for p in self.nodes[n].outputs if (n, p) not in used]
        return _names(free)

    @cached_property
    def spec(self) -> Spec:
        """The level's own ports."""
        inputs, outputs = {}, {}
        for name, ends in self.exposed_inputs.items():
            known = [e for e in ends if e.port in self._inputs_of(e.node)]
            if known:
                inputs[name] = self._input(name, known)
        for name, end in self.exposed_outputs.items():
            port = self.nodes[end.node].outputs.get(end.port) if end.node in self.nodes else None
            if port is not None:
                optional = port.optional or self._may_be_absent(end.node)
                outputs[name] = Port(name, port.type.alone, optional, doc=port.doc)
        return Spec(inputs, outputs)

    def _input(self, name: str, ends: list[Endpoint]) -> Port:
        """One port for all that it feeds: required when any of them is; a default only where all have the same."""
        ports = [self.nodes[e.node].inputs[e.port] for e in ends]
        chosen = next((p for p in ports if p.required), ports[0])
        same = all(p.default is chosen.default for p in ports)
        # alone it brings the whole collection, beside other sources one element of it
        alone = all(self.sources_of(e) == 1 for e in ends)
        return Port(
            name,
            (chosen.type if alone else chosen.takes).alone,
            optional=not chosen.required,
            default=chosen.default if same else MISSING,
            many=chosen.many if alone else "single",
            doc=chosen.doc,
        )

    def sources_of(self, end: Endpoint) -> int:
        """How many sources feed an input, the level's own inputs included."""
        return self._counts[end]

    @cached_property
    def _counts(self) -> Counter[Endpoint]:
        count = Counter(target for _, target in self.pairs)
        count.update(end for ends in self.exposed_inputs.values() for end in ends)
        return count

    def _inputs_of(self, node: str) -> Mapping[str, Port]:
        return self.nodes[node].inputs if node in self.nodes else {}

    @cached_property
    def _skippable(self) -> frozenset[str]:
        """Nodes that may be skipped: gated ones, and those that need what may not come."""
        found = set(self.gated)
        grown = True
        while grown:
            grown = False
            for source, target in self.pairs:
                if target.node in found or target.node not in self.nodes or source.node not in self.nodes:
                    continue
                out = self.nodes[source.node].outputs.get(source.port)
                into = self.nodes[target.node].inputs.get(target.port)
                if out and into and into.required and (out.optional or source.node in found):
                    found.add(target.node)
                    grown = True
        return frozenset(found)

    def _may_be_absent(self, node: str) -> bool:
        return node in self._skippable


def _names(ends: list[Endpoint]) -> dict[str, Endpoint]:
    """Each port by its own name where that is unambiguous, else as `node.port`."""
    count = Counter(e.port for e in ends)
    full = {str(e) for e in ends}
    return {(e.port if count[e.port] == 1 and e.port not in full else str(e)): e for e in ends}
