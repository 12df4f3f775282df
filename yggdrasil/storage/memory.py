"""The journal in memory: for tests, for runs that need not last, and as the shortest reading of the contract."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import anyio

from yggdrasil.abc.store import BlobInfo, Entry, Lease, Letter, Record, Size, Snapshot, Store, StreamInfo
from yggdrasil.core.canonical import digest_bytes
from yggdrasil.storage import refusals
from yggdrasil.storage.blobs import named
from yggdrasil.storage.process import this_process
from yggdrasil.storage.record_text import from_text, to_text
from yggdrasil.storage.spacing import LOOKED_AT, superfluous
from yggdrasil.storage.thread import Waiter, waiter, wake
from yggdrasil.storage.watch import Watch

PAGE = 500


@dataclass(frozen=True, slots=True)
class _Row:
    kind: str
    text: str
    time: float


@dataclass(slots=True)
class _Stream:
    """Own rows only: the first is record `base` + 1, None where it was pruned. `owner` holds record `base`."""

    parent: str = ""
    owner: _Stream | None = None
    base: int = 0
    pruned: int = 0
    rows: list[_Row | None] = field(default_factory=list)
    snapshots: dict[int, str] = field(default_factory=dict)
    forks: set[int] = field(default_factory=set)
    letters: dict[int, _Row] = field(default_factory=dict)
    holder: str = ""
    token: int = 0
    expires: float = 0.0

    @property
    def head(self) -> int:
        return self.base + len(self.rows)

    @property
    def shared(self) -> int:
        """Forks share what lies at and before it."""
        return max(self.forks, default=self.base)


@final
class MemoryStore(Store):
    """A store in this process's memory. What is kept is JSON text: nobody can change it from outside.

    clock: seconds since the epoch. Nothing here waits, so no operation gives way to other tasks.
    What was written is there again after `close` and `open` of the same object.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._streams: dict[str, _Stream] = {}
        self._blobs: dict[str, tuple[bytes, float]] = {}
        self._letters = 0
        self._watchers: dict[str, set[Waiter]] = {}
        self._gate = threading.Lock()
        self._open = False

    @property
    def url(self) -> str:
        """`memory://`."""
        return "memory://"

    async def open(self) -> None:
        """Open; nothing happens when it is open."""
        self._open = True

    async def close(self) -> None:
        """Close; nothing happens when it is closed."""
        self._open = False
        with self._gate:
            waiting = [one for group in self._watchers.values() for one in group]
            self._watchers.clear()
        wake(waiting)  # those who watch are told that it is closed

    async def append(
        self,
        stream: str,
        entries: Sequence[Entry],
        *,
        expect: int | None = None,
        lease: Lease | None = None,
        snapshot: Any = None,
        taken: Sequence[int] = (),
    ) -> int:
        """Append all or nothing; the new head."""
        refusals.check_name(stream)
        now = float(self._clock())
        rows = [_Row(entry.kind, to_text(entry.data, "stream", stream, "entry"), now) for entry in entries]
        state = None if snapshot is None else to_text(snapshot, "stream", stream, "snapshot")
        with self._opened():
            found = self._streams.get(stream)
            self._admit(stream, found, expect, lease, frozenset(taken))
            if found is None:
                found = self._streams[stream] = _Stream()
            found.rows += rows
            if state is not None:
                found.snapshots[found.head] = state
                _thin_snapshots(found)
            for letter in set(taken):
                del found.letters[letter]
            head = found.head
            waiting = self._watchers.pop(stream, None)
        if waiting:
            wake(list(waiting))
        return head

    def _admit(
        self, stream: str, found: _Stream | None, expect: int | None, lease: Lease | None, taken: frozenset[int]
    ) -> None:
        if lease is not None:
            self._check(stream, lease)
        head = found.head if found else 0
        if expect is not None and expect != head:
            raise refusals.conflict(stream, expect, head)
        gone = taken.difference(found.letters if found else ())
        if gone:
            raise refusals.letters_gone(stream, gone)

    async def read(
        self, stream: str, *, after: int = 0, limit: int | None = None, kinds: Sequence[str] = ()
    ) -> list[Record]:
        """Records in order, each a fresh copy."""
        found: list[Record] = []
        with self._opened():
            segments = _segments(self._streams.get(stream))
            for owner, high in segments:
                for sequence in range(max(after, owner.base) + 1, high + 1):
                    if limit is not None and len(found) >= limit:
                        return found
                    row = owner.rows[sequence - owner.base - 1]
                    if row is not None and (not kinds or row.kind in kinds):
                        data = from_text(row.text, f"stream {stream} / record {sequence}")
                        found.append(Record(sequence, row.kind, data, row.time))
        return found

    async def head(self, stream: str) -> int:
        """The last sequence; 0 without such a stream."""
        with self._opened():
            found = self._streams.get(stream)
            return found.head if found else 0

    async def snapshot(self, stream: str, *, at: int | None = None) -> Snapshot | None:
        """The newest snapshot (at or before `at`)."""
        with self._opened():
            for owner, high in reversed(_segments(self._streams.get(stream))):
                top = high if at is None else min(high, at)
                sequence = max((known for known in owner.snapshots if known <= top), default=None)
                if sequence is not None:
                    data = from_text(owner.snapshots[sequence], f"stream {stream} / snapshot {sequence}")
                    return Snapshot(sequence, data)
        return None

    async def snapshots(self, stream: str) -> list[int]:
        """The sequences of all that can be read."""
        with self._opened():
            return sorted(_snapshots(self._streams.get(stream)))

    async def streams(self, prefix: str = "") -> list[StreamInfo]:
        """All streams by name."""
        now = self._clock()
        with self._opened():
            return [
                StreamInfo(name, found.head, found.holder if now < found.expires else "", found.parent, found.base)
                for name, found in sorted(self._streams.items())
                if name.startswith(prefix)
            ]

    async def acquire(self, stream: str, holder: str, *, seconds: float = 15.0) -> Lease:
        """The lease, with a token newer than any before."""
        refusals.check_name(stream)
        with self._opened():
            now = self._clock()
            found = self._streams.get(stream)
            if found and found.holder and now < found.expires:
                raise refusals.held(stream, found.holder, str(this_process()), found.expires - now)
            if found is None:
                found = self._streams[stream] = _Stream()
            found.holder, found.token, found.expires = holder, found.token + 1, now + seconds
            return Lease(stream, holder, found.token, found.expires)

    async def renew(self, lease: Lease, *, seconds: float = 15.0) -> Lease:
        """The same lease for longer."""
        with self._opened():
            found = self._check(lease.stream, lease)
            found.expires = self._clock() + seconds
            return lease.replace(expires=found.expires)

    async def release(self, lease: Lease) -> None:
        """Give it up."""
        with self._opened():
            found = self._streams.get(lease.stream)
            if found is not None and found.token == lease.token:
                found.holder = ""

    async def post(self, stream: str, entry: Entry) -> int:
        """Put a letter into the inbox."""
        refusals.check_name(stream)
        row = _Row(entry.kind, to_text(entry.data, "stream", stream, "letter"), float(self._clock()))
        with self._opened():
            self._letters += 1
            self._streams.setdefault(stream, _Stream()).letters[self._letters] = row
            return self._letters

    async def inbox(self, stream: str) -> list[Letter]:
        """The letters that wait, oldest first."""
        with self._opened():
            found = self._streams.get(stream)
            return [
                Letter(number, row.kind, from_text(row.text, f"stream {stream} / letter {number}"))
                for number, row in (found.letters.items() if found else ())
            ]

    async def wait_for_post(self, seconds: float) -> None:
        """Wait so long: nobody tells of letters here."""
        await anyio.sleep(seconds)

    def watch(self, stream: str, *, after: int = 0) -> AsyncIterator[Record]:
        """Records as they come."""
        return Watch(
            lambda last: self.read(stream, after=last, limit=PAGE),
            lambda: self._listen(stream),
            lambda one: self._unlisten(stream, one),
            after,
        )

    async def fork(self, stream: str, at: int, name: str) -> None:
        """A new stream with the same first `at` records; nothing is copied."""
        refusals.check_name(name)
        with self._opened():
            found = self._streams.get(stream)
            head = found.head if found else 0
            if found is None or not 0 <= at <= head:
                raise refusals.no_such_record(stream, at, head)
            if name in self._streams:
                raise refusals.name_taken(name)
            if not _foldable(found, at):
                raise refusals.pruned(stream, at)
            owner = found
            while owner.owner is not None and at <= owner.base:
                owner = owner.owner
            owner.forks.add(at)
            self._streams[name] = _Stream(parent=stream, owner=owner, base=at)

    async def put_blob(self, data: bytes) -> str:
        """Keep bytes; their SHA-256 in hex."""
        digest = digest_bytes(data)
        with self._opened():
            self._blobs[digest] = bytes(data), float(self._clock())
        return digest

    async def get_blob(self, digest: str) -> bytes:
        """The bytes."""
        with self._opened():
            if digest not in self._blobs:
                raise refusals.missing_blob(digest)
            return self._blobs[digest][0]

    async def blobs(self, *, after: str = "", limit: int | None = None) -> list[BlobInfo]:
        """Digests and sizes, by digest."""
        with self._opened():
            names = sorted(name for name in self._blobs if name > after)[:limit]
            return [BlobInfo(name, len(self._blobs[name][0])) for name in names]

    async def sizes(self, prefix: str = "") -> list[Size]:
        """What each stream weighs."""
        with self._opened():
            return [
                _size(name, found) for name, found in sorted(self._streams.items()) if name.startswith(prefix)
            ]

    async def prune(
        self,
        stream: str,
        upto: int,
        *,
        kinds: Sequence[str] = (),
        snapshots: Sequence[int] = (),
        lease: Lease | None = None,
    ) -> int:
        """Forget old records and snapshots; how many records went."""
        with self._opened():
            if lease is not None:
                self._check(stream, lease)
            found = self._streams.get(stream, _Stream())
            low = max(found.shared, found.pruned)
            if upto <= low:
                return 0
            if max(found.snapshots, default=-1) < upto:
                raise refusals.nothing_to_fold(stream, upto)
            gone = 0
            for sequence in range(low + 1, min(upto, found.head - 1) + 1):
                row = found.rows[sequence - found.base - 1]
                if row is not None and row.kind not in kinds:
                    found.rows[sequence - found.base - 1] = None
                    gone += 1
            older = sorted(known for known in found.snapshots if known <= upto)
            first = max((known for known in older if known <= found.pruned), default=0)
            for known in older[:-1]:
                if known >= first and known > found.shared and known not in snapshots:
                    del found.snapshots[known]
            found.pruned = upto
            return gone

    async def vacuum(self, *, older: float = 3600.0) -> int:
        """Forget blobs that nothing names; how many bytes went."""
        with self._opened():
            spoken = {name for found in self._streams.values() for text in _texts(found) for name in named(text)}
            limit = self._clock() - older
            gone = [name for name, (_, put) in self._blobs.items() if name not in spoken and put < limit]
            return sum(len(self._blobs.pop(name)[0]) for name in gone)

    async def adopt(self, stream: str, records: Sequence[Record], *, snapshots: Sequence[Snapshot] = ()) -> None:
        """Take over records and snapshots as they are."""
        refusals.check_name(stream)
        rows = [
            (one.sequence, _Row(one.kind, to_text(one.data, "stream", stream, "record"), float(one.time)))
            for one in records
        ]
        states = {one.sequence: to_text(one.data, "stream", stream, "snapshot") for one in snapshots}
        with self._opened():
            found = self._streams.get(stream, _Stream())
            last = found.head
            for sequence, _ in rows:
                if sequence <= last:
                    raise refusals.out_of_order(stream, sequence, last)
                last = sequence
            for sequence in states:
                if not found.base <= sequence <= last:
                    raise refusals.no_place(stream, sequence, found.base, last)
            self._streams[stream] = found
            for sequence, row in rows:
                if sequence > found.head + 1:
                    found.pruned = sequence - 1
                found.rows += [None] * (sequence - found.head - 1)
                found.rows.append(row)
            found.snapshots |= states
            waiting = self._watchers.pop(stream, None)
        if waiting:
            wake(list(waiting))

    def _opened(self) -> threading.Lock:
        if not self._open:
            raise refusals.not_open()
        return self._gate

    def _check(self, stream: str, lease: Lease) -> _Stream:
        if lease.stream != stream:
            raise refusals.other_stream(stream, lease)
        found = self._streams.get(stream, _Stream())
        if found.token != lease.token or not found.holder:
            raise refusals.passed_on(lease, found.token, found.holder, str(this_process()))
        return found

    def _listen(self, stream: str) -> Waiter:
        one = waiter()
        with self._gate:
            self._watchers.setdefault(stream, set()).add(one)
        return one

    def _unlisten(self, stream: str, one: Waiter) -> None:
        with self._gate:
            waiting = self._watchers.get(stream, set())
            waiting.discard(one)
            if not waiting:
                self._watchers.pop(stream, None)


def _segments(stream: _Stream | None) -> list[tuple[_Stream, int]]:
    """(owner, its last record that counts) from the oldest ancestor to the stream itself."""
    parts: list[tuple[_Stream, int]] = []
    high = stream.head if stream else 0
    while stream is not None:
        parts.append((stream, high))
        high, stream = stream.base, stream.owner
    return parts[::-1]


def _thin_snapshots(stream: _Stream) -> None:
    newest = sorted(stream.snapshots, reverse=True)[:LOOKED_AT]
    gone = superfluous(newest, stream.base, stream.pruned)
    if gone is not None and not any(gone <= base < newest[1] for base in stream.forks):
        del stream.snapshots[gone]


def _snapshots(stream: _Stream | None) -> set[int]:
    return {known for owner, high in _segments(stream) for known in owner.snapshots if known <= high}


def _foldable(stream: _Stream, at: int) -> bool:
    """Whether every record after the newest snapshot up to `at` is there."""
    start = max((known for known in _snapshots(stream) if known <= at), default=0)
    return all(
        owner.rows[sequence - owner.base - 1] is not None
        for owner, high in _segments(stream)
        for sequence in range(max(start, owner.base) + 1, min(high, at) + 1)
    )


def _texts(stream: _Stream) -> Iterator[str]:
    yield from (row.text for row in stream.rows if row is not None)
    yield from stream.snapshots.values()
    yield from (letter.text for letter in stream.letters.values())


def _size(name: str, stream: _Stream) -> Size:
    kept = [stream.base + number for number, row in enumerate(stream.rows, 1) if row is not None]
    weight = sum(len(text.encode()) for text in _texts(stream))
    return Size(name, kept[0] if kept else 0, stream.head, len(kept), weight, len(stream.snapshots))
