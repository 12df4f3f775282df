"""What is wrong with a topology, as data: errors and warnings, each naming its path."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from yggdrasil.core.plan import components, cycles, make_plan
from yggdrasil.core.ports import fits
from yggdrasil.core.topology import Call, Edge, Endpoint, Topology
from yggdrasil.errors import Problem, ValidationError, close_names


def edge_problems(topology: Topology, edge: Edge) -> list[Problem]:
    """Unknown ends and type clashes of one edge."""
    problems = []
    known = True
    for ends, side in ((edge.sources, "output"), (edge.targets, "input")):
        for end in ends:
            problem = end_problem(topology, end, side)
            if problem:
                known = False
                problems.append(problem)
    if known:
        problems += [p for s, t in edge.pairs() for p in _clash(topology, s, t)]
    return problems


def end_problem(topology: Topology, end: Endpoint, side: str) -> Problem | None:
    """An unknown node, or a port that it does not have; `side` is "input" or "output"."""
    if end.node not in topology.nodes:
        return Problem(str(end), f"there is no node {end.node!r}", close_names(end.node, topology.nodes))
    spec = topology.nodes[end.node]
    ports = spec.outputs if side == "output" else spec.inputs
    if end.port in ports:
        return None
    return Problem(str(end), f"node {end.node!r} has no {side} {end.port!r}", close_names(end.port, ports))


def _clash(topology: Topology, source: Endpoint, target: Endpoint) -> Iterator[Problem]:
    one = topology.nodes[source.node].outputs[source.port].type
    other = topology.nodes[target.node].inputs[target.port].takes
    if fits(one, other):
        return
    sentence = f"{source} gives {one}, {target} takes {other}"
    hint = f"put a block between them, or register_cast({one}, {other}, function)"
    if one.shape is not None and other.shape is not None and fits(one.plain, other.plain):
        sentence += f": {one.shape.clash(other.shape)}"
        hint = "put a block between them that gives what is taken, or correct the shape of a port"
    yield Problem(f"{source} -> {target}", sentence, hint)


def call_problems(topology: Topology, call: Call) -> list[Problem]:
    """Unknown ends of a call edge."""
    return [
        Problem(str(call), f"there is no node {name!r}", close_names(name, topology.nodes))
        for name in (call.source, call.target)
        if name not in topology.nodes
    ]


def check(topology: Topology) -> list[Problem]:
    """Every problem of a topology; errors first."""
    problems = [p for edge in topology.edges for p in edge_problems(topology, edge)]
    problems += [p for call in topology.calls for p in call_problems(topology, call)]
    problems += _call_cycles(topology)
    problems += _boundary(topology)
    if problems:
        return problems
    problems += _disagreeing(topology)
    problems += _crowded(topology)
    problems += _unmet(topology)
    if not any(p.level == "error" for p in problems):
        try:
            make_plan(topology)
        except ValidationError as error:
            problems += error.problems
    return problems + list(_dangling(topology))


def _call_cycles(topology: Topology) -> Iterator[Problem]:
    following: dict[str, set[str]] = defaultdict(set)
    for call in topology.calls:
        following[call.source].add(call.target)
    for group in components(sorted(topology.nodes), following):
        if len(group) > 1 or group[0] in following.get(group[0], ()):
            circle = " -> ".join([*group, group[0]])
            yield Problem(circle, "agents that call each other in a circle never end", "take a call edge out")


def _disagreeing(topology: Topology) -> Iterator[Problem]:
    """One exposed input feeds several ports whose types exclude each other."""
    for name, port in topology.spec.inputs.items():
        for end in topology.exposed_inputs[name]:
            into = topology.nodes[end.node].inputs[end.port]
            wanted = into.type if port.many != "single" else into.takes
            if not fits(port.type, wanted):
                yield Problem(
                    f"inputs.{name}", f"it brings {port.type}, and {end} takes {wanted}", "expose them under two names"
                )


def _boundary(topology: Topology) -> Iterator[Problem]:
    for name, ends in (topology.inputs or {}).items():
        for end in ends:
            problem = end_problem(topology, end, "input")
            if problem:
                yield Problem(f"inputs.{name}", problem.sentence, problem.hint)
    for name, end in (topology.outputs or {}).items():
        problem = end_problem(topology, end, "output")
        if problem:
            yield Problem(f"outputs.{name}", problem.sentence, problem.hint)
        elif end.node in topology.callable_only:
            yield Problem(f"outputs.{name}", f"node {end.node!r} is only called as a tool: it has no output of its own")


def _crowded(topology: Topology) -> Iterator[Problem]:
    """Several sources into an input that takes one. In a loop, a first value beside an edge is fine."""
    looped = {node: set(group) for group in cycles(topology) for node in group}
    outside: dict[Endpoint, list[str]] = defaultdict(list)
    inside: dict[Endpoint, list[str]] = defaultdict(list)
    for source, target in topology.pairs:
        (inside if source.node in looped.get(target.node, ()) else outside)[target].append(str(source))
    for name, ends in topology.exposed_inputs.items():
        for end in ends:
            outside[end].append(name)
    for found in (outside, inside):
        for target, sources in sorted(found.items()):
            if len(sources) > 1 and topology.nodes[target.node].inputs[target.port].many == "single":
                yield Problem(
                    str(target),
                    f"{len(sources)} sources feed an input that takes one: {', '.join(sorted(sources))}",
                    'give the port an aggregation: many="list" (first, concat, sum, dict)',
                )


def _unmet(topology: Topology) -> Iterator[Problem]:
    fed = {target for _, target in topology.pairs} | {e for ends in topology.exposed_inputs.values() for e in ends}
    for node in topology.static:
        for name, port in topology.nodes[node].inputs.items():
            if port.required and (node, name) not in fed:
                sentence = f"nothing feeds this required input ({port.type})"
                yield Problem(f"{node}.{name}", sentence, f'expose_input("{node}", "{name}")')


def _dangling(topology: Topology) -> Iterator[Problem]:
    if len(topology.nodes) < 2:
        return
    used = {e.node for pair in topology.pairs for e in pair}
    used |= {n for c in topology.calls for n in (c.source, c.target)}
    used |= {e.node for ends in (topology.inputs or {}).values() for e in ends}
    used |= {e.node for e in (topology.outputs or {}).values()}
    for node in sorted(set(topology.nodes) - used):
        yield Problem(node, "this node is joined to nothing", level="warning")
