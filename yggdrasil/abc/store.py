"""The journal: append-only streams of records, and what a world needs around them.

A stream is a world, a thread of an agent, a run; it comes into being with its first record, lease,
letter, or as a fork. Whatever `append` has acknowledged is durable. What was handed over is carried
out even when the one who waits is cancelled. A value that is not JSON (NaN, bytes, a key that is not
text) is a PortError before anything is written. Implementations: memory, SQLite,
PostgreSQL. `yggdrasil.testing.STORE_CHECKS` is what they all pass, and what a store of one's own should.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any, Self

from yggdrasil.core.value import Value


class Record(Value):
    """One entry of a stream. `sequence` counts from 1, without gaps but for what was pruned; `data` is JSON.

    `time` is in seconds since the epoch and never enters a hash.
    """

    sequence: int
    kind: str
    data: Any
    time: float = 0.0


class Entry(Value):
    """What is appended: a record without its place."""

    kind: str
    data: Any


class Snapshot(Value):
    """A state of a stream after record `sequence`, to start reading from. `data` is JSON."""

    sequence: int
    data: Any


class Lease(Value):
    """The right to write a stream. `token` grows with every new holder: a stale one is refused (fencing)."""

    stream: str
    holder: str
    token: int
    expires: float


class Letter(Value):
    """An entry another process posted to a stream's inbox, waiting to be taken. `id` grows."""

    id: int
    kind: str
    data: Any


class StreamInfo(Value):
    """What a listing tells of a stream. `holder` is "" when nobody runs it."""

    name: str
    head: int
    holder: str = ""
    parent: str = ""
    parent_sequence: int = 0


class BlobInfo(Value):
    """What a listing tells of a blob: its SHA-256 in hex, and how many bytes it has."""

    digest: str
    size: int


class Size(Value):
    """What a stream weighs: its own records, snapshots and letters, not what it shares with what it was forked from.

    first      its oldest record that is kept; 0 when it has none of its own
    records    how many records are kept
    bytes      of the text of records, snapshots and letters
    snapshots  how many are kept
    """

    name: str
    first: int
    head: int
    records: int
    bytes: int
    snapshots: int


class Store(ABC):
    """Where streams, snapshots, blobs and leases are kept. Used as `async with`."""

    @property
    @abstractmethod
    def url(self) -> str:
        """How it was opened, without any password."""

    @abstractmethod
    async def open(self) -> None:
        """Open or create; nothing happens when it is open.

        FormatError when it is something else or newer, StoreError when it cannot be opened.
        """

    @abstractmethod
    async def close(self) -> None:
        """Write what is pending and close; nothing happens when it is closed. Then everything is a StoreError."""

    @abstractmethod
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
        """Append all entries in one transaction; return the new head. Durable when it returns.

        expect     the head as the writer knows it: ConflictError when it is another
        lease      LeaseError when it was released or has passed on; expired but taken by nobody, it still writes
        snapshot   a state (JSON) after these entries, kept in the same transaction
        taken      ids of letters that leave the inbox in the same transaction; ConflictError when one has left already
        No entries with a snapshot or taken letters is allowed. StoreFullError when there is no space:
        nothing of this append is written, the store goes on.
        """

    @abstractmethod
    async def read(
        self, stream: str, *, after: int = 0, limit: int | None = None, kinds: Sequence[str] = ()
    ) -> list[Record]:
        """Records after sequence `after`, in order; only those of `kinds` when given.

        CorruptError names a record that cannot be decoded.
        """

    @abstractmethod
    async def head(self, stream: str) -> int:
        """The last sequence; 0 for a stream that does not exist."""

    @abstractmethod
    async def snapshot(self, stream: str, *, at: int | None = None) -> Snapshot | None:
        """The newest snapshot (at or before sequence `at`), or None.

        Kept are the newest two of a stream, those its forks start from, and of older ones so many that a place
        between two of them is at most 500 records after one: an older snapshot goes only when that stays so.
        What `prune` kept stays until it is pruned.
        """

    @abstractmethod
    async def snapshots(self, stream: str) -> list[int]:
        """The sequences of the snapshots that can be read, oldest first; those a fork shares are among them."""

    @abstractmethod
    async def streams(self, prefix: str = "") -> list[StreamInfo]:
        """The streams whose names start with `prefix`, by name."""

    @abstractmethod
    async def acquire(self, stream: str, holder: str, *, seconds: float = 15.0) -> Lease:
        """The lease, for `seconds` unless renewed. LeaseError names the holder when someone alive has it.

        A holder on this machine whose process is gone is not alive; nor is an expired one.
        """

    @abstractmethod
    async def renew(self, lease: Lease, *, seconds: float = 15.0) -> Lease:
        """The same lease for longer; LeaseError when it has passed on."""

    @abstractmethod
    async def release(self, lease: Lease) -> None:
        """Give it up; nothing happens when it has passed on already."""

    @abstractmethod
    async def post(self, stream: str, entry: Entry) -> int:
        """Put a letter into the stream's inbox, from any process; its id. Durable when it returns."""

    @abstractmethod
    async def inbox(self, stream: str) -> list[Letter]:
        """The letters waiting, oldest first. They stay until an `append` takes them."""

    async def posted(self) -> list[str]:
        """The streams whose inbox holds letters: one question for however many streams a process runs."""
        return [found.name for found in await self.streams() if await self.inbox(found.name)]

    @abstractmethod
    async def wait_for_post(self, seconds: float) -> None:
        """Return when a letter may have come to any stream, from any process, or after `seconds` at the latest.

        Only a store that hears of letters (PostgreSQL) returns sooner.
        """

    @abstractmethod
    def watch(self, stream: str, *, after: int = 0) -> AsyncIterator[Record]:
        """Records after `after` as they come, from any process, until the store is closed (StoreError).

        It may be left at any time; it holds nothing.
        """

    @abstractmethod
    async def fork(self, stream: str, at: int, name: str) -> None:
        """A new stream that shares records up to sequence `at` and goes its own way; nothing is copied.

        Snapshots up to `at` are shared too, letters and lease are not. ConflictError when `name` is
        taken, StoreError when there is no such record, or when too much was pruned to fold the stream up to there.
        """

    @abstractmethod
    async def put_blob(self, data: bytes) -> str:
        """Keep bytes; their SHA-256 in hex. Durable before any record that is appended afterwards.

        Putting what is there already makes it new again for `vacuum`.
        """

    @abstractmethod
    async def get_blob(self, digest: str) -> bytes:
        """The bytes; CorruptError when they are missing or are not what was put."""

    @abstractmethod
    async def blobs(self, *, after: str = "", limit: int | None = None) -> list[BlobInfo]:
        """The blobs whose digests come after `after`, in the order of their digests; their bytes are not checked."""

    @abstractmethod
    async def sizes(self, prefix: str = "") -> list[Size]:
        """What the streams whose names start with `prefix` weigh, by name. Reads everything: not for every tick."""

    @abstractmethod
    async def prune(
        self,
        stream: str,
        upto: int,
        *,
        kinds: Sequence[str] = (),
        snapshots: Sequence[int] = (),
        lease: Lease | None = None,
    ) -> int:
        """Forget the records up to sequence `upto`, and the snapshots; how many records went.

        kinds      records of these kinds stay
        snapshots  sequences of snapshots that stay; the newest at or before `upto` stays too
        lease      LeaseError as in `append`
        What a fork shares stays, and so does the stream's last record. It begins where the last pruning ended: what
        that one kept stays, but for its newest snapshot; so it costs what is new. A long range may go in several
        transactions, oldest first; one that was cut off is finished by asking again. StoreError, and nothing goes,
        when no snapshot of the stream stands at or after `upto`: it could not be folded any more.
        """

    @abstractmethod
    async def vacuum(self, *, older: float = 3600.0) -> int:
        """Forget blobs that nothing names, and give free space back to the file system; how many bytes of blobs went.

        A blob is named by any record, snapshot or letter whose text holds its digest. One that was put less than
        `older` seconds ago stays: a record that names it may be on its way.
        """

    @abstractmethod
    async def adopt(self, stream: str, records: Sequence[Record], *, snapshots: Sequence[Snapshot] = ()) -> None:
        """Take over records as they are, with their sequences and times, and snapshots: from another store.

        Sequences ascend from beyond the head; where the source was pruned there are gaps. ConflictError when they
        do not, StoreError for a snapshot of no record of the stream's own. One transaction. Without records it
        adds snapshots of older places.
        """

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


_opener: list[Callable[[str], Store]] = []


def install_opener(opener: Callable[[str], Store]) -> None:
    """Set what opens stores by URL (`storage/open.py`); `yggdrasil` does it once, when it is imported."""
    _opener[:] = [opener]


def open_store(what: str | Store) -> Store:
    """The store that a URL names, not yet open; a Store as it is."""
    return what if isinstance(what, Store) else _opener[0](what)
