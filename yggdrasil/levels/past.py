"""Ticks as places in a world's stream: where each ended, found by looking at few records.

Every tick ends with a `finished` record that holds its hashes, each chained to the one before. So where two
histories part is found by bisection too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from yggdrasil.abc.store import Record, Store
from yggdrasil.core.content import apply
from yggdrasil.core.cycle import DEVELOPMENT, Cycle, finished, fold
from yggdrasil.core.diff import Parting, parting
from yggdrasil.core.facts import (
    KINDS,
    OF_EFFECTS,
    Fact,
    Finished,
    Opened,
    Parked,
    Remembered,
    Retried,
    StageDone,
    StageSkippedOver,
    StateDroppedOut,
    Updated,
    fact_of,
)
from yggdrasil.core.state import state_hash
from yggdrasil.core.value import Value
from yggdrasil.errors import CorruptError, StoreError, WorldError
from yggdrasil.levels.recovery import Recovered, recover, start

NEAR = 64
"""So many records are looked through first for the last tick's end."""

PAGE = 500


class TickEnd(Value):
    """Where a tick ended: the sequence of its last record, and its hashes. Tick 0 is the world as it began."""

    tick: int
    sequence: int
    content_hash: str
    state_hash: str
    tick_hash: str


async def end_of(store: Store, stream: str, tick: int) -> TickEnd:
    """Where a tick ended. WorldError names the nearest ticks that are there, StoreError says there is no world."""
    if isinstance(tick, bool) or not isinstance(tick, int) or tick < 0:
        raise WorldError(f"{tick!r} is no tick", path=stream, hint="at(120)")
    if tick == 0:
        return await _beginning(store, stream)
    found = await _search(store, stream, tick)
    if isinstance(found, TickEnd):
        return found
    raise not_there(stream, tick, [end.tick for end in found if end is not None])


def not_there(stream: str, tick: int, near: Sequence[int]) -> WorldError:
    """A tick that was never lived, or is no longer kept."""
    near = near or [0]
    named = " and ".join(str(other) for other in near)
    sentence = f"tick {tick} is not there: the nearest that {'is' if len(near) == 1 else 'are'}: {named}"
    return WorldError(sentence, path=stream, hint=f"at({min(near, key=lambda other: abs(other - tick))})")


async def last_end(store: Store, stream: str, upto: int | None = None) -> TickEnd:
    """Where the last finished tick ended (at or before record `upto`); tick 0 when none has."""
    head = await store.head(stream) if upto is None else upto
    window = NEAR
    while True:
        after = max(head - window, 0)
        ends = await store.read(stream, after=after, limit=head - after, kinds=(Finished.kind,)) if head else []
        ends = [record for record in ends if record.sequence <= head]
        if ends:
            return _end(stream, ends[-1])
        if after == 0:
            return await _beginning(store, stream)
        window *= 8


async def _beginning(store: Store, stream: str) -> TickEnd:
    """The world as it began: its first record, and the history it was given."""
    last = 0
    content_hash = ""
    while True:
        records = await store.read(stream, after=last, limit=PAGE)
        if not records and not last:
            raise StoreError(f"there is no world {stream!r} here", path=store.url, hint=f"yggdrasil run {stream} first")
        for record in records:
            fact = _fact(stream, record)
            if record.sequence != last + 1:
                raise WorldError("the world's beginning is no longer kept", path=stream)
            if isinstance(fact, Opened):
                content_hash = fact.content_hash
            elif not isinstance(fact, Remembered) or fact.tick:
                return TickEnd(0, last, content_hash, state_hash({}), "")
            last = record.sequence
        if len(records) < PAGE:
            return TickEnd(0, last, content_hash, state_hash({}), "")


async def _search(store: Store, stream: str, tick: int) -> TickEnd | tuple[TickEnd | None, TickEnd | None]:
    """Where a tick ended, or the ends of its neighbours below and above. Each look reads one finished record.

    Ticks are about equally long, so a place is guessed from those known; every third look halves what is left.
    """
    low, high = 0, await store.head(stream)
    below: TickEnd | None = None
    above: TickEnd | None = None
    looks = 0
    while low < high:
        place = _guess(tick, below, above) if looks % 3 else (low + high) // 2
        looks += 1
        place = min(max(place, low), high - 1)
        end = await _next_end(store, stream, place, high)
        if end is None:
            high = place
        elif end.tick == tick:
            return end
        elif end.tick < tick:
            low, below = end.sequence, end
        else:
            high, above = place, end
    return below, above


def _guess(tick: int, below: TickEnd | None, above: TickEnd | None) -> int:
    """A record of the tick, as long as ticks are as long as those between the two, or as all before."""
    near = above if below is None or (above is not None and above.tick - tick < tick - below.tick) else below
    if near is None:
        return 0
    if below is not None and above is not None:
        pace = (above.sequence - below.sequence) / (above.tick - below.tick)
    else:
        pace = near.sequence / near.tick
    return int(near.sequence + (tick - near.tick - 0.5) * pace)


async def _next_end(store: Store, stream: str, after: int, upto: int) -> TickEnd | None:
    records = await store.read(stream, after=after, limit=1, kinds=(Finished.kind,))
    return _end(stream, records[0]) if records and records[0].sequence <= upto else None


def _end(stream: str, record: Record) -> TickEnd:
    fact = _fact(stream, record)
    assert isinstance(fact, Finished)
    return TickEnd(fact.tick, record.sequence, fact.content_hash, fact.state_hash, fact.tick_hash)


def _fact(stream: str, record: Record) -> Fact:
    return fact_of(record.kind, record.data, f"stream {stream} / record {record.sequence}")


# --- a world as it was


async def past(store: Store, stream: str, tick: int, cycle: Cycle) -> Recovered:
    """The world after a tick, folded from the newest snapshot before. WorldError when that is no longer kept."""
    end = await end_of(store, stream, tick)
    snapshot = await store.snapshot(stream, at=end.sequence)
    base = 0 if snapshot is None else snapshot.sequence
    following = await store.read(stream, after=base, limit=1)
    if base < end.sequence and following and following[0].sequence != base + 1:
        raise await _pruned(store, stream, tick)
    found = await _last_tick(store, stream, end, cycle) if tick else None
    if found is None:
        found = await recover(store, stream, cycle, upto=end.sequence)
    assert found is not None
    if found.status.tick != tick or found.status.tick_hash != end.tick_hash:
        raise CorruptError(f"what is folded is not tick {tick}", path=f"stream {stream} / record {end.sequence}")
    return found


# What a state is made of within one tick, and effects: of ticks before the last one nothing of it is left.
_OF_ONE_TICK = {kind.kind for kind in (StageDone, StageSkippedOver, StateDroppedOut, Parked, Retried, *OF_EFFECTS)}


async def _last_tick(store: Store, stream: str, end: TickEnd, cycle: Cycle) -> Recovered | None:
    """The world after a tick: what is left of those before it, all their patches at once, and then this one.

    None where that does not do: when the state is not begun anew in the tick, or blocks are carried into it.
    """
    found = await start(store, stream, end.sequence)
    before = await last_end(store, stream, end.sequence - 1)
    if found is None or found.head >= before.sequence or any(e.keep for e in cycle.schema.extra.values()):
        return None
    facts = await _facts(store, stream, before.sequence, end.sequence)
    if not any(isinstance(fact, StageDone) and fact.stage == DEVELOPMENT for fact in facts):
        return None
    status, patch = found.status, []
    kinds = tuple(KINDS.keys() - _OF_ONE_TICK)
    async with aclosing(records(store, stream, found.head, before.sequence, kinds)) as between:
        async for record in between:
            if record.kind == Updated.kind:
                patch += record.data["patch"]
            else:
                status = fold(cycle, status, _fact(stream, record))
    content = apply(status.content, patch).content
    status = status.replace(
        content=content, content_hash=before.content_hash, tick=before.tick, tick_hash=before.tick_hash,
        running=0, position=0, trouble=None,
    )  # fmt: skip
    for fact in facts[:-1]:
        status = fold(cycle, status, fact)
    last = finished(status)
    if status.content.hash != end.content_hash or last.tick_hash != end.tick_hash:
        sentence = f"at tick {end.tick} the world is not the one whose hashes were recorded"
        raise CorruptError(sentence, path=f"stream {stream} / record {end.sequence}")
    return Recovered(fold(cycle, status, last), found.snapshots, end.sequence, [])


async def _facts(store: Store, stream: str, after: int, upto: int) -> list[Fact]:
    return [_fact(stream, record) for record in await store.read(stream, after=after, limit=upto - after)]


async def records(
    store: Store, stream: str, after: int, upto: int, kinds: tuple[str, ...]
) -> AsyncGenerator[Record, None]:
    """Records of some kinds up to sequence `upto`, some at a time: a store reads on until it has found as many."""
    while after < upto:
        page = await store.read(stream, after=after, limit=NEAR, kinds=kinds)
        for record in page:
            if record.sequence > upto:
                return
            yield record
        if len(page) < NEAR:
            return
        after = page[-1].sequence


async def _pruned(store: Store, stream: str, tick: int) -> WorldError:
    ticks = []
    for sequence in await store.snapshots(stream):
        snapshot = await store.snapshot(stream, at=sequence)
        assert snapshot is not None
        ticks.append(int(snapshot.data["tick"]))
    below = [other for other in ticks if other < tick][-1:]
    above = [other for other in ticks if other > tick][:1]
    return not_there(stream, tick, below + above)


# --- two histories


class Stream(Value):
    """A world's stream up to the end of a tick."""

    store: Store
    name: str
    end: TickEnd


async def common(a: Stream, b: Stream) -> TickEnd | None:
    """The last tick that both lived alike, as it ended in `a`; None when they did not even begin alike."""
    if _alike(a.end, b.end):
        return a.end
    low, high = 0, min(a.end.tick, b.end.tick)  # the chain: where one tick's hash is equal, all before are
    ours = await _either(a, 0)
    theirs = await _either(b, 0)
    best = ours if ours is not None and theirs is not None and _alike(ours, theirs) else None
    while low < high:
        middle = (low + high + 1) // 2
        ours, theirs = await _either(a, middle), await _either(b, middle)
        if ours is None or theirs is None or not _alike(ours, theirs):
            if ours is None or theirs is None:  # pruned: what is left lies above
                low = middle
                continue
            high = middle - 1
        else:
            low, best = middle, ours
    return best


def _alike(ours: TickEnd, theirs: TickEnd) -> bool:
    return (ours.tick, ours.tick_hash, ours.content_hash) == (theirs.tick, theirs.tick_hash, theirs.content_hash)


async def _either(stream: Stream, tick: int) -> TickEnd | None:
    if tick == stream.end.tick:
        return stream.end
    try:
        return await end_of(stream.store, stream.name, tick)
    except WorldError:  # pruned
        return None


async def part(a: Stream, b: Stream, same: TickEnd | None) -> Parting | None:
    """Where two histories part, `same` being the last tick they have in common; None when one is part of the other."""
    if same is None:
        return Parting(0)
    if same.tick == min(a.end.tick, b.end.tick):
        return None
    ours, theirs = await facts_of(a.store, a.name, same.tick + 1), await facts_of(b.store, b.name, same.tick + 1)
    return parting(same.tick + 1, ours, theirs) or Parting(same.tick + 1)


async def facts_of(store: Store, stream: str, tick: int) -> list[Fact]:
    """What was recorded between the end of the tick before and the end of this one."""
    before, end = await end_of(store, stream, tick - 1), await end_of(store, stream, tick)
    return await _facts(store, stream, before.sequence, end.sequence)
