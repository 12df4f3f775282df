"""How a world comes to life: a new one is written into its stream, an old one is folded from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yggdrasil.abc.store import Record, Store
from yggdrasil.core.blob import Blob
from yggdrasil.core.canonical import canonical, digest, parse
from yggdrasil.core.content import Content, apply, content_of
from yggdrasil.core.cycle import Cycle, Status, finished, fold
from yggdrasil.core.facts import (
    OF_EFFECTS,
    Fact,
    Finished,
    Opened,
    Remembered,
    TickBegun,
    Updated,
    fact_of,
)
from yggdrasil.core.frozen import FrozenDict, freeze
from yggdrasil.errors import CorruptError, FormatError
from yggdrasil.levels.journal import Journal
from yggdrasil.levels.snapshot import Snapshots

PAGE = 500


@dataclass
class Recovered:
    """A world as its stream has it: the status, what snapshots hold, the head, effects of the tick under way."""

    status: Status
    snapshots: Snapshots
    head: int
    effects: list[Fact]
    bytes: int = 0


async def begin(name: str, seed: int, sections: Mapping[str, Any], journal: Journal) -> Recovered:
    """Write a new world: its first record, its history so far, and a snapshot, all at once."""
    blobs: list[Blob] = []
    content, entries = content_of(sections, blobs.append)
    status = Status(content, seed=seed, content_hash=content.hash)
    journal.note(Opened(name, seed, content.digests, content.hash), blobs)
    for entry in entries:
        journal.note(Remembered(0, entry))
    # the sections themselves, by their digests: what `Opened` names
    snapshots = Snapshots()
    data, parts = snapshots.take(status)
    for blob in parts:
        await journal.store.put_blob(blob.data)
    await journal.flush(data)
    journal.written = 0
    return Recovered(status, snapshots, journal.head, [])


async def recover(store: Store, stream: str, cycle: Cycle, *, upto: int | None = None) -> Recovered | None:
    """Fold a world from its stream, or from its records to `upto`; None when the stream is empty.

    CorruptError names a record, blob or tick that is not what was written; nothing is changed by that.
    """
    found = await _start(store, stream, upto)
    if found is None:
        return None
    await go_on(found, store, stream, cycle, upto=upto)
    return found


async def go_on(found: Recovered, store: Store, stream: str, cycle: Cycle, *, upto: int | None = None) -> None:
    """Fold what comes after `found` in its stream into it, to record `upto` or to the end."""
    while True:
        limit = PAGE if upto is None else min(PAGE, upto - found.head)
        records = await store.read(stream, after=found.head, limit=limit)
        for record in records:
            _fold(found, record, cycle, stream)
        if len(records) < PAGE:
            return


async def _start(store: Store, stream: str, upto: int | None) -> Recovered | None:
    snapshots = Snapshots()
    snapshot = await store.snapshot(stream, at=upto)
    if snapshot is not None:
        path = f"stream {stream} / snapshot {snapshot.sequence}"
        try:
            status = await snapshots.restore(snapshot.data, store, path)
        except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
            raise FormatError(f"this is no snapshot of a world: {error!r}", path=path) from error
        return Recovered(status, snapshots, snapshot.sequence, [])
    first = await store.read(stream, limit=1)
    if not first:
        return None
    path = f"stream {stream} / record 1"
    if first[0].kind != Opened.kind:
        raise FormatError(f"the stream holds {first[0].kind!r} records, not a world", path=path, hint="another name")
    opened = fact_of(first[0].kind, first[0].data, path)
    assert isinstance(opened, Opened)
    sections = {}
    for name, key in opened.sections.items():
        raw = await store.get_blob(key)
        sections[name] = freeze(parse(raw.decode(), path=f"blob {key}"))
    content = Content(FrozenDict(sections), {name: digest(value) for name, value in sections.items()})
    return Recovered(Status(content, seed=opened.seed, content_hash=opened.content_hash), snapshots, 1, [])


def _fold(found: Recovered, record: Record, cycle: Cycle, stream: str) -> None:
    path = f"stream {stream} / record {record.sequence}"
    if record.sequence != found.head + 1:
        raise CorruptError(f"a record is missing before it: the last was {found.head}", path=path)
    fact = fact_of(record.kind, record.data, path)
    applied = None
    if isinstance(fact, OF_EFFECTS):
        found.effects.append(fact)
    elif isinstance(fact, TickBegun):
        found.effects.clear()
    elif isinstance(fact, Updated):
        applied = apply(found.status.content, fact.patch).content
        found.snapshots.note(fact.patch)
        _same(applied.hash, fact.content_hash, "content", fact.tick, path)
    elif isinstance(fact, Finished):
        found.effects.clear()
        expected = finished(found.status.replace(running=fact.tick))
        _same(expected.tick_hash, fact.tick_hash, "chain", fact.tick, path)
    found.status = fold(cycle, found.status, fact, applied)
    found.head = record.sequence
    found.bytes += len(canonical(record.data))


def _same(computed: str, recorded: str, what: str, tick: int, path: str) -> None:
    if computed != recorded:
        raise CorruptError(
            f"at tick {tick} the hash of the {what} is {computed[:12]}, and {recorded[:12]} was recorded", path=path
        )
