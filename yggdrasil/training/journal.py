"""What a world has lived as a dataset: what a role was asked and what it answered, to teach a local block the same.

A world's journal holds what came from outside, and of what was asked the digest. So its ticks are executed again,
offline, with the recorded effects (see `levels.replay`): what goes into a node and out of it then is what did at the
time, or it is an error.
"""

from __future__ import annotations

from yggdrasil.abc.store import Store
from yggdrasil.levels.overhearing import Heard, overheard
from yggdrasil.levels.replay import replay
from yggdrasil.levels.world import World
from yggdrasil.storage.open import open_store


async def journal_rows(
    world: World, store: Store | str, select: str, *, stream: str = "", first: int = 1, last: int | None = None
) -> list[Heard]:
    """Every call of the nodes that `select` names ("author/**/llm", or a stage's name) in the ticks `first` to `last`.

    world   its definition, as it lived; store and stream: where it did (by default under its name)

    Rows are in the order of the calls: path, tick, inputs and outputs by port. Nothing outside is asked. ConfigError
    when nothing matches, ReplayError when the definition is no longer the one that lived, WorldError when the ticks
    are not kept.
    """
    rows: list[Heard] = []
    listening = overheard(world, select, rows.append)
    if isinstance(store, str):
        async with open_store(store) as opened:
            await replay(listening, opened, stream or world.name, first=first, last=last)
    else:
        await replay(listening, store, stream or world.name, first=first, last=last)
    return rows
