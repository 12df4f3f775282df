"""From one store to another: every stream with its lineage, records, snapshots and letters, and every blob.

What is read is checked as it is read. A copy that was cut off is finished by asking again: what is there already must
be the beginning of what is to be copied, and is not copied twice. Leases stay behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio

from yggdrasil.abc.store import Entry, Lease, Letter, Record, Snapshot, Store, StreamInfo
from yggdrasil.core.value import Value
from yggdrasil.errors import ConflictError, CorruptError, StoreError

PAGE = 500
LEASE = 60.0


class CopiedStream(Value):
    """What was copied of a stream; `there` is how many of its records were there already."""

    stream: str
    records: int
    there: int
    snapshots: int
    letters: int


class CopiedBlobs(Value):
    """How many blobs were copied, their bytes, and how many were there already."""

    blobs: int
    bytes: int
    there: int


Copied = CopiedStream | CopiedBlobs


async def copy_store(source: Store, target: Store, tell: Callable[[Copied], None] = lambda copied: None) -> None:
    """Copy everything; both are open. Worlds of the source may go on: each stream is copied as it is at one moment.

    tell: is told of each stream, and of the blobs
    ConflictError names a stream that the target has already and that is not the beginning of the source's,
    LeaseError one that somebody runs there, CorruptError what is damaged in the source.
    """
    if target is source:
        raise StoreError("a store cannot be copied into itself", path=source.url)
    before = await _copy_blobs(source, target)  # first: no record names a blob that is not there
    for info in _parents_first(await source.streams()):
        tell(await _copy_stream(source, target, info))
    after = await _copy_blobs(source, target)  # those put meanwhile
    tell(CopiedBlobs(before.blobs + after.blobs, before.bytes + after.bytes, before.there))


def _parents_first(infos: Sequence[StreamInfo]) -> list[StreamInfo]:
    left, done = {info.name: info for info in infos}, list[StreamInfo]()
    while left:
        ready = [info for info in left.values() if info.parent not in left]
        done += ready
        for info in ready:
            del left[info.name]
    return done


# --- blobs


async def _copy_blobs(source: Store, target: Store) -> CopiedBlobs:
    there = {*await _digests(target)}
    copied = known = weight = 0
    for digest in await _digests(source):
        if digest in there:
            known += 1
            continue
        try:
            data = await source.get_blob(digest)
        except CorruptError:
            if digest in await _digests(source):
                raise
            continue  # forgotten meanwhile, since nothing names it
        await target.put_blob(data)
        copied, weight = copied + 1, weight + len(data)
    return CopiedBlobs(copied, weight, known)


async def _digests(store: Store) -> list[str]:
    return [info.digest for info in await store.blobs()]


# --- streams


class _Moment(Value):
    """A stream as it is at one moment: its head, the letters that wait, the newest snapshot."""

    head: int
    letters: tuple[Letter, ...]
    newest: Snapshot | None


async def _moment(source: Store, stream: str) -> _Moment:
    while True:
        before = {letter.id for letter in await source.inbox(stream)}
        head = await source.head(stream)
        letters = await source.inbox(stream)
        # one that was taken around that moment may lie in a record before or after `head`: look again
        if before <= {letter.id for letter in letters}:
            return _Moment(head, tuple(letters), await source.snapshot(stream, at=head))


async def _copy_stream(source: Store, target: Store, info: StreamInfo) -> CopiedStream:
    name = info.name
    there = {known.name: known for known in await target.streams(name)}.get(name)
    if there is None and info.parent:
        await target.fork(info.parent, info.parent_sequence, name)
    elif there is not None and (there.parent, there.parent_sequence) != (info.parent, info.parent_sequence):
        raise _other(name, "it was forked from another place")
    lease = await target.acquire(name, "copy", seconds=LEASE)
    try:
        moment = await _moment(source, name)
        letters = await _new_letters(target, name, moment.letters)
        known, written = await _copy_records(source, target, info, moment, lease)
        snapshots = await _copy_snapshots(source, target, info, moment, lease)
        for letter in letters:
            await target.post(name, Entry(letter.kind, letter.data))
    finally:
        with anyio.CancelScope(shield=True):
            await target.release(lease)
    return CopiedStream(name, written, known, snapshots, len(letters))


async def _copy_records(
    source: Store, target: Store, info: StreamInfo, moment: _Moment, lease: Lease
) -> tuple[int, int]:
    """How many were there already, and how many were copied."""
    name, base = info.name, info.parent_sequence
    head = await target.head(name)
    if head > moment.head:
        raise _other(name, f"it has {head} records there, and {moment.head} here")
    fold = moment.newest.sequence if moment.newest is not None else 0
    last, known, written = base, 0, 0
    while last < moment.head:
        page = await source.read(name, after=last, limit=min(PAGE, moment.head - last))
        page = [record for record in page if record.sequence <= moment.head]
        if not page:
            raise _pruned(name, last + 1)
        _whole(name, page, last, max(fold, base))
        old = [record for record in page if record.sequence <= head]
        await _same(target, name, old, last)
        new = page[len(old) :]
        if new:
            await target.adopt(name, new)
        known, written, last = known + len(old), written + len(new), page[-1].sequence
        await target.renew(lease, seconds=LEASE)
    return known, written


def _whole(name: str, page: Sequence[Record], last: int, fold: int) -> None:
    """Complain when records were pruned, while they were copied, that are needed to fold the stream."""
    for record in page:
        if record.sequence != last + 1 and record.sequence > fold + 1:
            raise _pruned(name, last + 1)
        last = record.sequence


async def _same(target: Store, name: str, old: Sequence[Record], last: int) -> None:
    """Complain when records that are there already are others."""
    if not old:
        return
    there = {record.sequence: record for record in await target.read(name, after=last, limit=old[-1].sequence - last)}
    for record in old:
        if there.get(record.sequence) != record:
            raise _other(name, f"record {record.sequence} is another one there")


async def _copy_snapshots(source: Store, target: Store, info: StreamInfo, moment: _Moment, lease: Lease) -> int:
    there = {*await target.snapshots(info.name)}
    wanted = [place for place in await source.snapshots(info.name) if info.parent_sequence <= place <= moment.head]
    copied = 0
    for place in wanted:
        snapshot = await source.snapshot(info.name, at=place)
        # one at the very place of a fork may be the parent's, which has been copied with it
        if place not in there and snapshot is not None and snapshot.sequence == place:
            await target.adopt(info.name, [], snapshots=[snapshot])
            copied += 1
            await target.renew(lease, seconds=LEASE)
    newest = moment.newest
    if newest is not None and newest.sequence not in {*wanted, *there} and newest.sequence >= info.parent_sequence:
        await target.adopt(info.name, [], snapshots=[newest])
        copied += 1
    return copied


async def _new_letters(target: Store, name: str, letters: Sequence[Letter]) -> Sequence[Letter]:
    """Those that do not wait there yet; their numbers are the target's own."""
    there = [(letter.kind, letter.data) for letter in await target.inbox(name)]
    if there != [(letter.kind, letter.data) for letter in letters[: len(there)]]:
        raise _other(name, "other letters wait there")
    return letters[len(there) :]


def _pruned(name: str, sequence: int) -> StoreError:
    return StoreError(
        f"record {sequence} was pruned while it was copied", path=f"stream {name}", hint="copy again: it goes on there"
    )


def _other(name: str, reason: str) -> ConflictError:
    return ConflictError(
        f"is in the target already, and is not the beginning of this one: {reason}",
        path=f"stream {name}",
        hint="copy into a new store: sqlite:///copy.db",
    )
