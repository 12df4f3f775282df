"""What if one block had been another: a fork lives on with it, and is compared with what really happened."""

from __future__ import annotations

from typing import Any

from yggdrasil.core.diff import Difference, tell
from yggdrasil.core.facts import TickBegun
from yggdrasil.core.frozen import thaw
from yggdrasil.core.value import Value
from yggdrasil.errors import PortError
from yggdrasil.levels.container import Child
from yggdrasil.levels.past import facts_of, last_end
from yggdrasil.levels.swap import downstream, with_block
from yggdrasil.levels.view import WorldView
from yggdrasil.levels.world import World


class Counterfactual(Value):
    """The world `name`, forked at tick `at` and lived on with another block at `path`.

    downstream   the nodes and stages that what comes out there can reach
    difference   from what really happened to what happened there, at the last tick that both have lived
    """

    name: str
    at: int
    path: str
    downstream: tuple[str, ...]
    difference: Difference

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return {**self.values(), "downstream": list(self.downstream), "difference": self.difference.to_json()}

    def tell(self) -> list[str]:
        """As lines for a person."""
        below = ", ".join(self.downstream) or "nothing"
        first = f"{self.path} was another from tick {self.at + 1} on; downstream of it: {below}"
        return [first, *tell(self.difference)]


async def counterfactual(
    world: WorldView, path: str, block: Child, *, at: int, name: str, ticks: int = 1
) -> Counterfactual:
    """Fork a world at the end of tick `at`, put `block` at the node `path`, and let the fork live on for `ticks`.

    The actions and states that the world was given in those ticks are given to the fork too. What the block asks of
    the outside is really asked. The fork stays: open it by its name, with the same block in its place.
    """
    if isinstance(ticks, bool) or not isinstance(ticks, int) or ticks < 1:
        raise PortError(f"ticks is {ticks!r}", path=world.label, hint="ticks=3")
    changed = with_block(world.definition, path, block)
    below = downstream(world.definition, path)
    await world.fork(name=name, at=at)
    last = (await last_end(world.store, world.stream_name, world.head)).tick
    async with World.open(changed, store=world.store, name=name) as fork:
        for tick in range(at + 1, at + ticks + 1):
            begun = await _begun(world, tick) if tick <= last else None
            given = {} if begun is None else {"action": begun.action, "state": thaw(begun.state)}
            await fork.run({key: value for key, value in given.items() if value is not None}, ticks=1)
        both = min(last, at + ticks)
        found = await (await world.at(both)).diff(await fork.at(both))
    return Counterfactual(name, at, path, tuple(below), found)


async def _begun(world: WorldView, tick: int) -> TickBegun:
    facts = await facts_of(world.store, world.stream_name, tick)
    return next(fact for fact in facts if isinstance(fact, TickBegun))
