"""From what runs to a drawing of it: a graph, a pipeline, a stage, a world, an agent with its tools, a block."""

from __future__ import annotations

from collections.abc import Iterator

from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.cycle import UPDATE
from yggdrasil.core.drawing import Arrow, ArrowKind, Box, BoxKind, Drawing
from yggdrasil.core.topology import OUTSIDE, Endpoint
from yggdrasil.levels.container import Container
from yggdrasil.levels.stage import WORLD
from yggdrasil.levels.world import World

DEPTH = 3
"""How many levels are drawn, one in the other."""


def draw(what: Runnable, depth: int = DEPTH) -> Drawing:
    """A drawing of anything that runs; what lies deeper than `depth` levels is one box."""
    if isinstance(what, World):
        return _world(what, depth)
    if isinstance(what, Container):
        return _container(what, depth, top=True)
    boxes = [_box(what.label, what, depth)]
    arrows = []
    for tool in getattr(what, "tools", ()) or ():
        name = tool if isinstance(tool, str) else tool.get("type", "tool") if isinstance(tool, dict) else tool.label
        boxes.append(Box(f"tool:{name}", str(name).rpartition("/")[2], "tool", "tool"))
        arrows.append(Arrow(what.label, f"tool:{name}", "", "call"))
    return Drawing(what.label, what.block_type, tuple(boxes), tuple(arrows))


def _box(name: str, what: Runnable, depth: int) -> Box:
    inner = _container(what, depth - 1) if isinstance(what, Container) and depth > 1 and what.nodes else None
    kind: BoxKind = "level" if isinstance(what, Container | World) else "block"
    role = what.block_type.partition("/")[0]
    if role == "agent":
        kind = "agent"
    elif role == "tool":
        kind = "tool"
    return Box(name, name, kind, what.block_type, inner)


def _container(level: Container, depth: int, *, top: bool = False) -> Drawing:
    topology = level._ready().topology
    boxes = [_box(name, node.block, depth) for name, node in level.nodes.items()]
    joined: dict[tuple[str, str], list[str]] = {}
    for source, target in topology.pairs:
        label = source.port if source.port == target.port else f"{source.port} > {target.port}"
        joined.setdefault((source.node, target.node), []).append(label)
    arrows = [Arrow(source, target, ", ".join(labels)) for (source, target), labels in joined.items()]
    arrows += [Arrow(call.source, call.target, "", "call") for call in topology.calls]
    # of inputs that nobody exposed those that must come are enough
    said = level._inputs is not None
    inputs = {n: e for n, e in topology.exposed_inputs.items() if said or topology.spec.inputs[n].required}
    ends = [(f"in:{name}", name, end) for name, each in inputs.items() for end in each]
    ends += [(f"out:{name}", name, end) for name, end in topology.exposed_outputs.items()]
    if top:
        for place, name, end in ends:
            if end.node == OUTSIDE or end.node not in level.nodes:
                continue
            kind: BoxKind = "input" if place.startswith("in:") else "output"
            if all(box.id != place for box in boxes):
                boxes.append(Box(place, name, kind))
            arrows.append(_boundary(place, name, end))
    return Drawing(level.name, level.kind, tuple(boxes), tuple(arrows))


def _boundary(place: str, name: str, end: Endpoint) -> Arrow:
    label = "" if end.port == name else end.port
    return Arrow(place, end.node, label) if place.startswith("in:") else Arrow(end.node, place, label)


def _world(world: World, depth: int) -> Drawing:
    if world.ended:
        content = Box("content", "content", "content", f"{len(world.sections)} sections")
        return Drawing(world.name, "End World", (content,))
    boxes = [_box(name, world.nodes[name].block, depth) for name in world.order if name in world.nodes]
    return Drawing(world.name, "world", (*boxes, Box("content", "content", "content")), tuple(_cycle(world)))


def _cycle(world: World) -> Iterator[Arrow]:
    """The blocks on their way round, and the content: changed by world update alone, seen by who has a port for it."""
    order = [name for name in world.order if name in world.nodes]
    seats = world.seats()
    for number, name in enumerate(order):
        last = number == len(order) - 1
        kind: ArrowKind = "back" if last else "edge"
        if name == UPDATE:
            yield Arrow(name, "content", seats[name].fills)
        yield Arrow(name, order[0 if last else number + 1], "" if name == UPDATE else seats[name].fills, kind)
    for name in order:
        if name != UPDATE and seats[name].takes(WORLD):
            yield Arrow("content", name, "", "edge")
