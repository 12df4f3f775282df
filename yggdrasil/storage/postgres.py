"""A journal in PostgreSQL: for worlds on a shared server, run by several machines."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar, final

import anyio
import anyio.to_thread

from yggdrasil.abc.store import BlobInfo, Entry, Lease, Letter, Record, Size, Snapshot, Store, StreamInfo
from yggdrasil.core.canonical import digest_bytes
from yggdrasil.errors import StoreError
from yggdrasil.storage import postgres_upkeep, refusals
from yggdrasil.storage.asked import Append, Row
from yggdrasil.storage.blobs import fits, is_digest
from yggdrasil.storage.postgres_desk import POST, Desk, Key, Operation, borrow, give_back
from yggdrasil.storage.postgres_ledger import Ledger
from yggdrasil.storage.postgres_place import read_url
from yggdrasil.storage.postgres_reads import Reader
from yggdrasil.storage.watch import Watch

SMALL = 64 * 1024
PAGE = 500

T = TypeVar("T")


@final
class PostgresStore(Store):
    """A store in a schema of a PostgreSQL database (13 or newer): `PostgresStore("postgresql://user@host/worlds")`.

    url     as libpq reads it, and `?schema=NAME` for another schema than `yggdrasil`; the password may stand in it, in
            PGPASSWORD or in ~/.pgpass, and is never shown
    clock   seconds since the epoch, for tests; by default leases expire by the server's clock, which is the same for
            all machines, and records carry this machine's time

    Never blocks the event loop; works on asyncio and trio, and from several loops at once. All stores of a process on
    one schema share one writing connection, up to four reading ones, and one for notices. An operation that was handed
    over is carried out even when the one who waits is cancelled; a lost connection is made anew, and what became of a
    transaction in which it was lost is found out before anybody is answered.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] | None = None) -> None:
        self._place = read_url(url)
        self._clock = clock
        self._borrowed: tuple[Key, Desk] | None = None

    @property
    def url(self) -> str:
        """As it was given, without any password."""
        return self._place.shown

    async def open(self) -> None:
        """Open or create; nothing happens when it is open. Errors as `Store.open` says."""
        if self._borrowed is None:
            borrowed = await anyio.to_thread.run_sync(borrow, self._place)
            if not self._keep(borrowed):
                await anyio.to_thread.run_sync(give_back, borrowed[0])

    def _keep(self, borrowed: tuple[Key, Desk]) -> bool:
        if self._borrowed is not None:  # opened twice at once
            return False
        self._borrowed = borrowed
        return True

    async def close(self) -> None:
        """Write what is pending and close; nothing happens when it is closed."""
        borrowed, self._borrowed = self._borrowed, None
        if borrowed is not None:
            borrowed[1].watchers.wake()  # those of this store are told that it is closed
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(give_back, borrowed[0])

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
        """Append in one transaction, shared with whoever else is waiting; durable when it returns."""
        refusals.check_name(stream)
        rows = [_row(entry.kind, entry.data, stream, "entry") for entry in entries]
        state = None if snapshot is None else _row("", snapshot, stream, "snapshot")
        moment = float(time.time() if self._clock is None else self._clock())
        head: int = await self._desk.write(Append(stream, rows, moment, expect, lease, state, taken))
        return head

    async def read(
        self, stream: str, *, after: int = 0, limit: int | None = None, kinds: Sequence[str] = ()
    ) -> list[Record]:
        """Records in order, each checked against its checksum."""
        return await self._read(lambda reader: reader.records(stream, after, limit, kinds))

    async def head(self, stream: str) -> int:
        """The last sequence; 0 without such a stream."""
        return await self._read(lambda reader: reader.head(stream))

    async def snapshot(self, stream: str, *, at: int | None = None) -> Snapshot | None:
        """The newest snapshot (at or before `at`)."""
        return await self._read(lambda reader: reader.snapshot(stream, at))

    async def snapshots(self, stream: str) -> list[int]:
        """The sequences of all that can be read."""
        return await self._read(lambda reader: reader.snapshots(stream))

    async def streams(self, prefix: str = "") -> list[StreamInfo]:
        """All streams by name."""
        return await self._read(lambda reader: reader.streams(prefix, self._clock))

    async def acquire(self, stream: str, holder: str, *, seconds: float = 15.0) -> Lease:
        """The lease for this process; a holder on this machine that is gone is passed over."""
        refusals.check_name(stream)
        got: list[Lease] = []

        def take(ledger: Ledger) -> Lease:
            got[:] = [ledger.acquire(stream, holder, self._now(ledger), seconds)]
            return got[0]

        def give_up(ledger: Ledger) -> None:
            for lease in got:
                ledger.release(lease)

        desk = self._desk
        try:
            lease: Lease = await desk.write(Operation(stream, take))
        except anyio.get_cancelled_exc_class():
            # Nobody will ever learn of this lease: give it up again, in the order of the queue.
            desk.write_unawaited(Operation(stream, give_up))
            raise
        return lease

    async def renew(self, lease: Lease, *, seconds: float = 15.0) -> Lease:
        """The same lease for longer."""
        work = Operation(lease.stream, lambda ledger: ledger.renew(lease, self._now(ledger), seconds))
        renewed: Lease = await self._desk.write(work)
        return renewed

    async def release(self, lease: Lease) -> None:
        """Give it up."""
        await self._desk.write(Operation(lease.stream, lambda ledger: ledger.release(lease)))

    async def post(self, stream: str, entry: Entry) -> int:
        """Put a letter into the inbox; durable when it returns."""
        refusals.check_name(stream)
        row = _row(entry.kind, entry.data, stream, "letter")
        letter: int = await self._desk.write(Operation(stream, lambda ledger: ledger.post(stream, row), posts=True))
        return letter

    async def inbox(self, stream: str) -> list[Letter]:
        """The letters that wait, oldest first."""
        return await self._read(lambda reader: reader.inbox(stream))

    async def posted(self) -> list[str]:
        """The streams whose inbox holds letters."""
        return await self._read(lambda reader: reader.posted())

    async def wait_for_post(self, seconds: float) -> None:
        """Return when a letter may have come, from any process: at once (LISTEN and NOTIFY)."""
        watchers = self._desk.watchers
        one = watchers.add(POST)
        try:
            with anyio.move_on_after(seconds):
                await one
        finally:
            watchers.remove(POST, one)

    def watch(self, stream: str, *, after: int = 0) -> AsyncIterator[Record]:
        """Records as they come: at once, from any process (LISTEN and NOTIFY)."""
        return Watch(
            lambda last: self.read(stream, after=last, limit=PAGE),
            lambda: self._desk.watchers.add(stream),
            lambda waiter: self._desk.watchers.remove(stream, waiter),
            after,
        )

    async def fork(self, stream: str, at: int, name: str) -> None:
        """A new stream with the same first `at` records; one row is written."""
        refusals.check_name(name)
        await self._desk.write(Operation(stream, lambda ledger: ledger.fork(stream, at, name)))

    async def put_blob(self, data: bytes) -> str:
        """Keep bytes: up to 64 KiB in a transaction with others, more in one of its own, in rows of 1 MiB."""
        desk = self._desk
        if len(data) > SMALL:
            now = None if self._clock is None else float(self._clock())
            return await self._read(lambda reader: postgres_upkeep.put_large(reader, bytes(data), now))
        digest = digest_bytes(data)
        key = bytes.fromhex(digest)
        await desk.write(Operation("", lambda ledger: ledger.put_blob(key, bytes(data), self._now(ledger))))
        return digest

    async def get_blob(self, digest: str) -> bytes:
        """The bytes, checked."""
        if not is_digest(digest):
            raise refusals.missing_blob(digest)

        def get(reader: Reader) -> bytes:
            data = reader.blob(digest)
            if data is None:
                raise refusals.missing_blob(digest)
            if not fits(digest, data):
                raise refusals.changed_blob(digest)
            return data

        return await self._read(get)

    async def blobs(self, *, after: str = "", limit: int | None = None) -> list[BlobInfo]:
        """Digests and sizes, by digest."""
        return await self._read(lambda reader: reader.blobs(after, limit))

    async def sizes(self, prefix: str = "") -> list[Size]:
        """What each stream weighs."""
        return await self._read(lambda reader: reader.sizes(prefix))

    async def prune(
        self,
        stream: str,
        upto: int,
        *,
        kinds: Sequence[str] = (),
        snapshots: Sequence[int] = (),
        lease: Lease | None = None,
    ) -> int:
        """Forget old records and snapshots, some thousand records a transaction; how many records went."""
        gone, done = 0, False
        work = Operation(stream, lambda ledger: ledger.prune(stream, upto, kinds, snapshots, lease))
        while not done:
            some, done = await self._desk.write(work)
            gone += some
        return gone

    async def vacuum(self, *, older: float = 3600.0) -> int:
        """Forget blobs that nothing names, then VACUUM the tables. Others go on meanwhile."""
        now = None if self._clock is None else float(self._clock())
        return await self._read(lambda reader: postgres_upkeep.vacuum(reader, now, older))

    async def adopt(self, stream: str, records: Sequence[Record], *, snapshots: Sequence[Snapshot] = ()) -> None:
        """Take over records and snapshots in one transaction."""
        refusals.check_name(stream)
        rows = [(one.sequence, float(one.time), _row(one.kind, one.data, stream, "record")) for one in records]
        states = [(one.sequence, _row("", one.data, stream, "snapshot")) for one in snapshots]
        await self._desk.write(Operation(stream, lambda ledger: ledger.adopt(stream, rows, states), tells=True))

    @property
    def _desk(self) -> Desk:
        if self._borrowed is None:
            raise refusals.not_open()
        return self._borrowed[1]

    async def _read(self, work: Callable[[Reader], T]) -> T:
        result: T = await self._desk.read(work)
        return result

    def _now(self, ledger: Ledger) -> float:
        return ledger.now if self._clock is None else self._clock()


def _row(kind: str, data: Any, stream: str, what: str) -> Row:
    if "\0" in kind:  # no text of PostgreSQL's holds it
        raise StoreError(f"{kind!r} cannot name a kind", path=f"stream {stream}", hint='a printable name: "note"')
    return Row.of(kind, data, stream, what)
