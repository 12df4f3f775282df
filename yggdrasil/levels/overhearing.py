"""A world that tells what goes into some of its places and what comes out, in a copy that shares every block."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakSet

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.address import matches
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError
from yggdrasil.levels.container import Container
from yggdrasil.levels.node import Node
from yggdrasil.levels.seat import Seat
from yggdrasil.levels.world import World
from yggdrasil.runtime.wrap import Wrapper


class Heard(Value):
    """What one call took and gave, by port. `path` is the node's, without the world's name; `tick` says when."""

    path: str
    tick: int
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]


Tell = Callable[[Heard], None]


def overheard(world: World, select: str, tell: Tell) -> World:
    """A copy that tells of each call of the nodes whose path matches `select`, stages too, once it has succeeded.

    ConfigError when none does, or when it is an agent with call edges (its model is in it: there is no such node).
    """
    found: list[str] = []
    made = copy.copy(world)
    made.nodes, made._made = {}, None
    for name, node in world.nodes.items():
        made.nodes[name] = node
        if isinstance(node.block, Container):
            made.nodes[name] = replace(node, block=_inside(node.block, f"{name}/", select, tell, found))
    seats, cycle = made._ready()
    heard = {name: HeardSeat(seat, name, tell) for name, seat in seats.items() if matches(select, name)}
    made._made = ({**seats, **heard}, cycle)
    if not found and not heard:
        hint = "; ".join(path for path, _ in world.walk())
        raise ConfigError(f"no node matches {select!r}", path=world.name, hint=hint)
    return made


def _inside(level: Container, prefix: str, select: str, tell: Tell, found: list[str]) -> Container:
    made = copy.copy(level)
    made.nodes, made._parents, made._made = {}, WeakSet(), None
    for name, node in level.nodes.items():
        path = f"{prefix}{name}"
        if isinstance(node.block, Container):
            inner = _inside(node.block, f"{path}/", select, tell, found)
            inner._parents.add(made)
            node = replace(node, block=inner)
        elif matches(select, path):
            if any(call.source == name for call in level.calls):
                raise ConfigError("what an agent with tools is asked lies inside it", path=path, hint="another node")
            found.append(path)
            node = _HeardNode(**{**vars(node), "block": Overheard(node.block, path, tell)})
        made.nodes[name] = node
    return made


class _HeardNode(Node):
    """A node whose role is that of what it wraps: default edges go by it."""

    @property
    def role(self) -> str:
        block = self.block.inner if isinstance(self.block, Overheard) else self.block
        return block.role if isinstance(block, Block) else block.block_type


class Overheard(Wrapper):
    """Tells of each call."""

    def __init__(self, inner: Runnable, path: str, tell: Tell) -> None:
        super().__init__(inner)
        self._path, self._tell = path, tell
        self.num_loop_steps = getattr(inner, "num_loop_steps", None)

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Run, and tell."""
        outputs = await self.inner.execute(inputs, ctx)
        self._tell(Heard(self._path, ctx.run.tick or 0, dict(inputs), dict(outputs)))
        return outputs


class HeardSeat(Seat):
    """A stage that tells of each call."""

    def __init__(self, seat: Seat, name: str, tell: Tell) -> None:
        self.__dict__.update(seat.__dict__)
        self._path, self._tell = name, tell

    async def run(self, inputs: Mapping[str, Any], ctx: RunContext) -> Any:
        """Run, and tell."""
        value = await super().run(inputs, ctx)
        self._tell(Heard(self._path, ctx.run.tick or 0, dict(inputs), {self.fills: value}))
        return value
