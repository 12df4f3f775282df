"""Replay: the ticks of a world are executed again from its journal, and must end with the same hashes.

Each tick runs in the world's own loop, as after a crash right behind its first record: effects give their recorded
results, nothing goes outside. It happens in a store in memory, one for each tick: the original is only read, and no
more than one tick's records, blobs and the world itself are held.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from yggdrasil.abc.context import Run, RunContext
from yggdrasil.abc.store import Store, StreamInfo
from yggdrasil.core.blob import KEY, references
from yggdrasil.core.cycle import Status, fold
from yggdrasil.core.diff import line, parting
from yggdrasil.core.facts import OF_EFFECTS, EffectDone, Fact, Finished, StageDone, TickBegun, Updated, fact_of
from yggdrasil.core.value import Value
from yggdrasil.errors import ParkedError, ReplayError, YggdrasilError
from yggdrasil.levels.byhand import helped
from yggdrasil.levels.journal import Journal
from yggdrasil.levels.loop import WorldLoop
from yggdrasil.levels.past import end_of, last_end, past
from yggdrasil.levels.recovery import Recovered
from yggdrasil.levels.snapshot import Snapshots
from yggdrasil.runtime.recorded import RecordedEffects
from yggdrasil.storage.memory import MemoryStore

if TYPE_CHECKING:
    from yggdrasil.levels.world import World

PAGE = 500


class Replayed(Value):
    """What was executed again, all of it with the hashes that were recorded. `tick_hash` is that of tick `last`."""

    name: str
    first: int
    last: int
    stages: int
    effects: int
    tick_hash: str


async def replay(
    definition: World,
    store: Store,
    stream: str,
    *,
    first: int = 1,
    last: int | None = None,
    seed: int | None = None,
    told: Callable[[int], None] | None = None,
) -> Replayed:
    """Execute the ticks `first` to `last` (by default all) again, offline.

    seed   another one than the world's, to see where it matters
    told   is called with each tick that was found equal

    ReplayError names the tick and the place where something else comes out or is asked for; WorldError when tick
    `first` - 1 is no longer kept.
    """
    definition.validate(strict=True)
    found = await past(store, stream, first - 1, definition.cycle)
    status = found.status if seed is None else found.status.replace(seed=seed)
    end = await (last_end(store, stream) if last is None else end_of(store, stream, last))
    infos = {info.name: info for info in await store.streams()}
    stages = effects = 0
    async with aclosing(_ticks(store, stream, found.head, end.sequence)) as ticks:
        async for sequence, facts in ticks:
            status = await _again(definition, store, _owner(infos, stream, sequence), status, facts)
            stages += sum(isinstance(fact, StageDone | Updated) for fact in facts)
            effects += sum(isinstance(fact, EffectDone) for fact in facts)
            if told is not None:
                told(status.tick)
    return Replayed(stream, first, status.tick, stages, effects, status.tick_hash)


async def _ticks(store: Store, stream: str, after: int, upto: int) -> AsyncGenerator[tuple[int, list[Fact]], None]:
    """What was recorded of each tick, and the sequence it began at."""
    facts: list[Fact] = []
    began = after + 1
    while after < upto:
        for record in await store.read(stream, after=after, limit=min(PAGE, upto - after)):
            after = record.sequence
            fact = fact_of(record.kind, record.data, f"stream {stream} / record {after}")
            if isinstance(fact, TickBegun):
                facts, began = [], after
            facts.append(fact)
            if isinstance(fact, Finished):
                yield began, facts
                facts = []


def _owner(infos: dict[str, StreamInfo], stream: str, sequence: int) -> str:
    """The stream in which a record was written: before a fork, its parent."""
    info = infos[stream]
    while info.parent in infos and sequence <= info.parent_sequence:
        info = infos[info.parent]
    return info.name


async def _again(definition: World, store: Store, stream: str, status: Status, facts: list[Fact]) -> Status:
    begun, ended = facts[0], facts[-1]
    assert isinstance(begun, TickBegun)
    assert isinstance(ended, Finished)
    quiet = status.replace(trouble=None, paused=False, steps=0, actions=())
    status = fold(definition.cycle, quiet, begun)
    recorded: list[Fact] = [fact for fact in facts if isinstance(fact, OF_EFFECTS)]
    async with MemoryStore() as memory:
        await _bring_blobs(store, memory, [status.state, *(f.result for f in recorded if isinstance(f, EffectDone))])
        journal = Journal(memory, stream, await memory.acquire(stream, "replay", seconds=1e9), 0, "tick")
        snapshots = Snapshots()
        snapshots.threshold = sys.maxsize  # none is due
        found = Recovered(status, snapshots, 0, recorded)
        seats, cycle = helped(facts, definition.seats(), definition.cycle)
        own = definition.adapters
        loop = WorldLoop(definition.name, cycle, seats, journal, found, around=RecordedEffects, adapters=own)
        try:
            await loop.run(RunContext(Run(), definition.name), 1, None, None)
        except ParkedError as error:
            raise _failed(begun.tick, error) from error
        if loop.status.tick_hash != ended.tick_hash:
            records = await memory.read(stream)
            theirs = [begun, *(fact_of(record.kind, record.data) for record in records)]
            raise _differs(definition.name, begun.tick, facts, theirs)
        return loop.status


async def _bring_blobs(store: Store, memory: Store, values: Iterable[Any]) -> None:
    for name in {reference[KEY] for value in values for reference in references(value)}:
        await memory.put_blob(await store.get_blob(name))


def _failed(tick: int, error: ParkedError) -> ReplayError:
    cause = error.__cause__
    said = cause.sentence if isinstance(cause, YggdrasilError) else str(cause)
    return ReplayError(f"tick {tick}: {said}", tick=tick, path=error.path, hint=error.hint)


def _differs(name: str, tick: int, recorded: list[Fact], facts: list[Fact]) -> ReplayError:
    found = parting(tick, [fact for fact in recorded if not isinstance(fact, EffectDone)], facts)
    if found is None or not found.stage:
        return ReplayError(f"tick {tick} ends with another hash than was recorded", tick=tick, path=name)
    shown = "; ".join(line(change) for change in found.changes[:3])
    return ReplayError(
        f"tick {tick}: stage {found.stage} gives something else than was recorded: {shown}",
        tick=tick,
        path=f"{name}/{found.path}",
        hint="undo the change of the block; a block that throws dice takes them from ctx.random()",
    )
