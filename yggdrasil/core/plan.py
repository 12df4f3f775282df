"""The order of running: strongly connected components, condensed, topologically ordered.

Every component with a cycle becomes one loop step, so what is left is a DAG. All orders are by node id,
never by insertion. Tarjan's algorithm for the components, Kahn's for the order.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

from yggdrasil.core.ports import MISSING, Cast, Many, Port, PortType, cast_between, sure
from yggdrasil.core.topology import OUTSIDE, Endpoint, Topology
from yggdrasil.core.value import Value
from yggdrasil.errors import Problem, ValidationError


class Source(Value):
    """Where a value comes from.

    cast       turns the value
    previous   it is from the iteration before (a back edge of a loop)
    unsure     the type a value is checked for when it comes, where the types alone do not promise it
    """

    end: Endpoint
    cast: Cast | None = None
    previous: bool = False
    unsure: PortType | None = None


class Binding(Value):
    """What feeds one input port, in canonical order. No sources: its default, or nothing.

    `many`: how several sources become one value; "single" where the only one brings the whole.
    """

    port: Port
    sources: tuple[Source, ...]
    many: Many


class NodeStep(Value):
    """Call one node. `first` feeds the first iteration of a loop, `bindings` all others (the same outside of loops)."""

    node: str
    bindings: tuple[Binding, ...]
    first: tuple[Binding, ...]
    after: tuple[int, ...]
    """Indexes, among its siblings, of the steps that must have ended."""


class LoopStep(Value):
    """Run `body` again and again: N iterations or until a condition holds."""

    name: str
    body: tuple[NodeStep, ...]
    after: tuple[int, ...]

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes inside, in order."""
        return tuple(s.node for s in self.body)


Step = NodeStep | LoopStep


class Plan(Value):
    """A level's order of running, and where its outputs come from."""

    steps: tuple[Step, ...]
    outputs: Mapping[str, Endpoint]

    @property
    def order(self) -> tuple[str, ...]:
        """Every node in canonical order; a loop's nodes stand together."""
        return tuple(n for s in self.steps for n in (s.nodes if isinstance(s, LoopStep) else (s.node,)))

    @property
    def loops(self) -> tuple[LoopStep, ...]:
        """The loop steps."""
        return tuple(s for s in self.steps if isinstance(s, LoopStep))


Graph = Mapping[str, Iterable[str]]


def components(nodes: Sequence[str], following: Graph) -> list[list[str]]:
    """Strongly connected components, each sorted (Tarjan, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for root in nodes:
        if root in index:
            continue
        work = [(root, iter(sorted(following.get(root, ()))))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(sorted(following.get(other, ())))))
                    break
                if other in on_stack:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == node:
                            break
                    found.append(sorted(component))
    return found


def order(nodes: Iterable[str], following: Graph) -> list[str]:
    """Topological order; the smallest id first among those that are ready. Shorter than `nodes`: there is a cycle."""
    waiting = dict.fromkeys(nodes, 0)
    for node in waiting:
        for other in following.get(node, ()):
            waiting[other] += 1
    ready = [n for n, count in waiting.items() if not count]
    heapq.heapify(ready)
    done = []
    while ready:
        node = heapq.heappop(ready)
        done.append(node)
        for other in following.get(node, ()):
            waiting[other] -= 1
            if not waiting[other]:
                heapq.heappush(ready, other)
    return done


def cycles(topology: Topology) -> list[list[str]]:
    """The components that have a cycle."""
    following = _following(topology)
    return [c for c in components(topology.static, following) if len(c) > 1 or c[0] in following.get(c[0], ())]


def _following(topology: Topology) -> dict[str, set[str]]:
    following: dict[str, set[str]] = {}
    for source, target in topology.pairs:
        following.setdefault(source.node, set()).add(target.node)
    return following


def make_plan(topology: Topology) -> Plan:
    """The Plan of a topology whose edges are known to be sound.

    ValidationError names a cycle that no first value opens, or any cycle where loops are not allowed.
    """
    following = _following(topology)
    feeds = _feeds(topology)
    groups = components(topology.static, following)
    head = {node: group[0] for group in groups for node in group}
    condensed: dict[str, set[str]] = {}
    for node, others in following.items():
        condensed.setdefault(head[node], set()).update(head[o] for o in others if head[o] != head[node])
    by_head = {group[0]: group for group in groups}
    steps: list[Step] = []
    place: dict[str, int] = {}
    for name in order(by_head, condensed):
        group = by_head[name]
        before = {head[s.node] for n in group for ends in feeds[n].values() for s in ends if s.node}
        after = tuple(sorted(place[b] for b in before if b != name))
        if len(group) > 1 or name in following.get(name, ()):
            steps.append(_loop(topology, group, feeds, after))
        else:
            bindings = _bindings(topology, name, feeds[name])
            steps.append(NodeStep(name, bindings, bindings, after))
        place[name] = len(steps) - 1
    return Plan(tuple(steps), topology.exposed_outputs)


Feeds = dict[str, dict[str, list[Endpoint]]]


def _feeds(topology: Topology) -> Feeds:
    """Node -> input port -> its sources, the level's own inputs first, then by id."""
    feeds: Feeds = {node: {} for node in topology.static}
    for name, ends in sorted(topology.exposed_inputs.items()):
        for end in ends:
            if end.node in feeds:
                feeds[end.node].setdefault(end.port, []).append(Endpoint(OUTSIDE, name))
    for source, target in topology.pairs:
        feeds[target.node].setdefault(target.port, []).append(source)
    return feeds


def _whole(topology: Topology, node: str, port: Port) -> bool:
    """Whether a collecting input has one source, the level's own input, which then brings the whole collection."""
    return topology.sources_of(Endpoint(node, port.name)) == 1


def _bind(topology: Topology, node: str, port: Port, ends: Sequence[Endpoint], *, previous: bool = False) -> Binding:
    """What feeds `port` from `ends`."""
    whole = all(e.node == OUTSIDE for e in ends) and _whole(topology, node, port)
    wanted = port.type if whole else port.takes
    sources = []
    for end in ends:
        ports = topology.spec.inputs if end.node == OUTSIDE else topology.nodes[end.node].outputs
        given = ports[end.port].type
        cast = cast_between(given, wanted)
        unsure = None if cast is not None or sure(given, wanted) else wanted
        sources.append(Source(end, cast, previous, unsure))
    return Binding(port, tuple(sources), "single" if whole else port.many)


def _bindings(topology: Topology, node: str, feeds: Mapping[str, Sequence[Endpoint]]) -> tuple[Binding, ...]:
    return tuple(
        _bind(topology, node, port, feeds.get(name, ()))
        for name, port in topology.nodes[node].inputs.items()
        if name in feeds or port.default is not MISSING
    )


def back_edges(topology: Topology, group: Sequence[str], feeds: Feeds) -> set[tuple[Endpoint, Endpoint]]:
    """The edges of a loop that carry a value to the next iteration.

    Those whose target also has a first value from outside (an edge, an exposed input). Where that leaves a
    cycle, also those in it whose target is optional: its first value is its default, or nothing.
    """
    inside = set(group)
    internal = [
        (source, Endpoint(node, port))
        for node in group
        for port, sources in feeds[node].items()
        for source in sources
        if source.node in inside
    ]
    back = {(s, t) for s, t in internal if any(e.node not in inside for e in feeds[t.node][t.port])}
    rest = [pair for pair in internal if pair not in back]
    following: dict[str, set[str]] = {}
    for source, target in rest:
        following.setdefault(source.node, set()).add(target.node)
    for cycle in components(group, following):
        if len(cycle) > 1 or cycle[0] in following.get(cycle[0], ()):
            members = set(cycle)
            back |= {
                (s, t)
                for s, t in rest
                if s.node in members and t.node in members and not topology.nodes[t.node].inputs[t.port].required
            }
    return back


def _loop(topology: Topology, group: list[str], feeds: Feeds, after: tuple[int, ...]) -> LoopStep:
    if not topology.loops:
        hint = "take one of these edges out, or put what goes round into a graph"
        raise ValidationError([_cycle_problem(group, "a cycle is not allowed here: only a graph may loop", hint)])
    back = back_edges(topology, group, feeds)
    following: dict[str, set[str]] = {n: set() for n in group}
    for node in group:
        for port, sources in feeds[node].items():
            for source in sources:
                if source.node in following and (source, Endpoint(node, port)) not in back:
                    following[source.node].add(node)
    ordered = order(group, following)
    if len(ordered) < len(group):
        left = [n for n in group if n not in ordered]
        raise ValidationError([_cycle_problem(left, "a cycle has no first value: nothing in it can start")])
    place = {node: i for i, node in enumerate(ordered)}
    body = []
    for node in ordered:
        first, later = _loop_bindings(topology, node, feeds[node], back)
        before = sorted(place[n] for n, others in following.items() if node in others)
        body.append(NodeStep(node, later, first, tuple(before)))
    return LoopStep("loop", tuple(body), after)


def _loop_bindings(
    topology: Topology, node: str, feeds: Mapping[str, Sequence[Endpoint]], back: set[tuple[Endpoint, Endpoint]]
) -> tuple[tuple[Binding, ...], tuple[Binding, ...]]:
    first, later = [], []
    for name, port in topology.nodes[node].inputs.items():
        if name not in feeds and port.default is MISSING:
            continue
        ends = feeds.get(name, ())
        looped = [e for e in ends if (e, Endpoint(node, name)) in back]
        fresh = [e for e in ends if e not in looped]
        begin = _bind(topology, node, port, fresh)
        first.append(begin)
        later.append(_bind(topology, node, port, looped, previous=True) if looped else begin)
    return tuple(first), tuple(later)


_FIRST = "give one of its inputs a value from outside (expose_input), a default, or take an edge out"


def _cycle_problem(group: Sequence[str], sentence: str, hint: str = _FIRST) -> Problem:
    return Problem(" -> ".join([*group, group[0]]), sentence, hint)
