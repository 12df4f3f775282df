"""Every block of a level by its path: what saves, trains and adapts goes by this."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from yggdrasil.core.address import matches
from yggdrasil.core.value import Value

if TYPE_CHECKING:
    from yggdrasil.levels.node import Node


class Place(Value):
    """A block at its path.

    node     the node it sits in, or the one whose block holds it; None for a block that is the level itself
    home     that node's path; "" for a block that is the level itself
    allowed  what the nearest node above says of training it; None: nothing
    device   where the nearest node above puts it; None: nowhere
    """

    path: str
    block: Any
    node: Node | None = None
    home: str = ""
    allowed: bool | None = None
    device: str | None = None

    def named_by(self, select: str) -> bool:
        """Whether a glob names it, or a level that it is in."""
        steps = self.path.split("/")
        return any(matches(select, "/".join(steps[: n + 1])) for n in range(len(steps)))


def places(level: Any, alone: str = "") -> Iterator[Place]:
    """Every block below, blocks inside blocks too; one that is the level itself is at `alone`, else at its label."""
    return _below(Place("" if hasattr(level, "nodes") else alone or level.label, level))


def _below(place: Place) -> Iterator[Place]:
    block, prefix = place.block, f"{place.path}/" if place.path else ""
    if hasattr(block, "nodes"):
        for name, node in sorted(block.nodes.items()):
            path = f"{prefix}{name}"
            allowed = place.allowed if node.trainable is None else node.trainable
            yield from _below(Place(path, node.block, node, path, allowed, node.device or place.device))
        return
    yield place
    for name, child in sorted(getattr(block, "children", dict)().items()):
        yield from _below(place.replace(path=f"{prefix}{name}", block=child))
