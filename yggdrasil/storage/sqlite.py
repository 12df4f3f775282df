"""The embedded default: a journal in one SQLite file, with large blobs in a folder beside it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, final

import anyio
import anyio.to_thread

from yggdrasil.abc.store import BlobInfo, Entry, Lease, Letter, Record, Size, Snapshot, Store, StreamInfo
from yggdrasil.core.canonical import digest_bytes
from yggdrasil.errors import Problem
from yggdrasil.storage import refusals, sqlite_examine, sqlite_upkeep
from yggdrasil.storage.asked import Append, Row
from yggdrasil.storage.blobs import BlobFolder, fits, is_digest
from yggdrasil.storage.sqlite_desk import Desk, Key, borrow, give_back
from yggdrasil.storage.sqlite_file import translate
from yggdrasil.storage.sqlite_ledger import Ledger
from yggdrasil.storage.sqlite_reads import Reader
from yggdrasil.storage.watch import Watch

SMALL = 64 * 1024
PAGE = 500

T = TypeVar("T")


@final
class SqliteStore(Store):
    """A store in an SQLite file: write-ahead log, full synchronisation, one writing thread per file and process.

    path       the file; `path.blobs/` beside it holds blobs of more than 64 KiB
    clock      seconds since the epoch, for the time of records and the expiry of leases
    max_pages  an upper limit of the file in pages of 8 KiB; beyond it StoreFullError, and what is there stays readable

    Never blocks the event loop; works on asyncio and trio, and from several loops at once. An
    operation that was handed over is carried out even when the one who waits is cancelled.
    """

    def __init__(
        self, path: str | Path, *, clock: Callable[[], float] = time.time, max_pages: int | None = None
    ) -> None:
        self._path = Path(path)
        self._clock = clock
        self._max_pages = max_pages
        self._folder = BlobFolder(Path(f"{self._path}.blobs"))
        self._borrowed: tuple[Key, Desk] | None = None

    @property
    def url(self) -> str:
        """`sqlite:///` and the path."""
        return f"sqlite:///{self._path}"

    async def open(self) -> None:
        """Open or create; nothing happens when it is open. Errors as `Store.open` says."""
        if self._borrowed is None:
            borrowed = await anyio.to_thread.run_sync(borrow, self._path, self._max_pages)
            if not self._keep(borrowed):
                await anyio.to_thread.run_sync(give_back, borrowed[0])

    def _keep(self, borrowed: tuple[Key, Desk]) -> bool:
        if self._borrowed is not None:  # opened twice at once
            return False
        self._borrowed = borrowed
        self._folder = BlobFolder(Path(f"{borrowed[1].path}.blobs"))  # absolute: the working folder may change
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
        rows = [Row.of(entry.kind, entry.data, stream, "entry") for entry in entries]
        state = None if snapshot is None else Row.of("", snapshot, stream, "snapshot")
        asked = Append(stream, rows, float(self._clock()), expect, lease, state, taken)
        head: int = await self._desk.write(asked, stream)
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
        now = self._clock()
        return await self._read(lambda reader: reader.streams(prefix, now))

    async def acquire(self, stream: str, holder: str, *, seconds: float = 15.0) -> Lease:
        """The lease for this process; a holder that is gone (pid, start time and boot tell) is passed over."""
        refusals.check_name(stream)
        got: list[Lease] = []

        def take(ledger: Ledger) -> Lease:
            got[:] = [ledger.acquire(stream, holder, self._clock(), seconds)]
            return got[0]

        def give_up(ledger: Ledger) -> None:
            for lease in got:
                ledger.release(lease)

        desk = self._desk
        try:
            lease: Lease = await desk.write(take)
        except anyio.get_cancelled_exc_class():
            # Nobody will ever learn of this lease: give it up again, in the order of the queue.
            desk.write_unawaited(give_up)
            raise
        return lease

    async def renew(self, lease: Lease, *, seconds: float = 15.0) -> Lease:
        """The same lease for longer."""
        renewed: Lease = await self._desk.write(lambda ledger: ledger.renew(lease, self._clock(), seconds))
        return renewed

    async def release(self, lease: Lease) -> None:
        """Give it up."""
        await self._desk.write(lambda ledger: ledger.release(lease))

    async def post(self, stream: str, entry: Entry) -> int:
        """Put a letter into the inbox; durable when it returns."""
        refusals.check_name(stream)
        row = Row.of(entry.kind, entry.data, stream, "letter")
        letter: int = await self._desk.write(lambda ledger: ledger.post(stream, row))
        return letter

    async def inbox(self, stream: str) -> list[Letter]:
        """The letters that wait, oldest first."""
        return await self._read(lambda reader: reader.inbox(stream))

    async def posted(self) -> list[str]:
        """The streams whose inbox holds letters."""
        return await self._read(lambda reader: reader.posted())

    async def wait_for_post(self, seconds: float) -> None:
        """Wait so long: nobody tells of letters here."""
        await anyio.sleep(seconds)

    def watch(self, stream: str, *, after: int = 0) -> AsyncIterator[Record]:
        """Records as they come: at once from this process, within some 50 ms from others."""
        return Watch(
            lambda last: self.read(stream, after=last, limit=PAGE),
            lambda: self._desk.watchers.add(stream),
            lambda waiter: self._desk.watchers.remove(stream, waiter),
            after,
        )

    async def fork(self, stream: str, at: int, name: str) -> None:
        """A new stream with the same first `at` records; one row is written."""
        refusals.check_name(name)
        await self._desk.write(lambda ledger: ledger.fork(stream, at, name))

    async def put_blob(self, data: bytes) -> str:
        """Keep bytes: up to 64 KiB in the database, more in a file of its own."""
        desk, now = self._desk, float(self._clock())
        if len(data) <= SMALL:
            digest = digest_bytes(data)
            await desk.write(lambda ledger: ledger.put_blob(bytes.fromhex(digest), bytes(data), now))
            return digest
        digest, there = await anyio.to_thread.run_sync(self._look_for_file, data)
        # touched in a transaction: a vacuum, which forgets files in one, comes before or after it
        if not there or not await desk.write(lambda ledger: self._folder.touch(digest, now)):
            await anyio.to_thread.run_sync(self._put_file, digest, bytes(data), now)
        return digest

    async def get_blob(self, digest: str) -> bytes:
        """The bytes, checked."""
        if not is_digest(digest):
            raise refusals.missing_blob(digest)
        data = await self._read(lambda reader: reader.blob(digest))
        if data is None:
            data = await anyio.to_thread.run_sync(self._get_file, digest)
        elif not fits(digest, data):
            raise refusals.changed_blob(digest)
        return data

    async def blobs(self, *, after: str = "", limit: int | None = None) -> list[BlobInfo]:
        """Digests and sizes, by digest: of the database and of the folder."""
        files = await anyio.to_thread.run_sync(self._files_after, after, limit)
        rows = await self._read(lambda reader: reader.blobs(after, limit))
        return [BlobInfo(digest, size) for digest, size in sorted({**dict(files), **dict(rows)}.items())][:limit]

    async def sizes(self, prefix: str = "") -> list[Size]:
        """What each stream weighs."""
        return await anyio.to_thread.run_sync(sqlite_upkeep.sizes, self._desk.path, prefix)

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
        desk, gone, done = self._desk, 0, False
        while not done:
            some, done = await desk.write(lambda ledger: ledger.prune(stream, upto, kinds, snapshots, lease))
            gone += some
        return gone

    async def vacuum(self, *, older: float = 3600.0) -> int:
        """Forget blobs that nothing names; write the file anew when much of it is free. Others may go on meanwhile."""
        desk, before = self._desk, float(self._clock()) - older
        files = await anyio.to_thread.run_sync(self._files_before, before)
        digests, read = await anyio.to_thread.run_sync(sqlite_upkeep.unnamed, desk.path, files, before)
        gone = 0
        if digests:
            gone = await desk.write(lambda ledger: ledger.forget_blobs(digests, read, before, self._folder))
        await anyio.to_thread.run_sync(sqlite_upkeep.give_back, desk.path)
        return gone

    async def adopt(self, stream: str, records: Sequence[Record], *, snapshots: Sequence[Snapshot] = ()) -> None:
        """Take over records and snapshots in one transaction."""
        refusals.check_name(stream)
        rows = [(one.sequence, float(one.time), Row.of(one.kind, one.data, stream, "record")) for one in records]
        states = [(one.sequence, Row.of("", one.data, stream, "snapshot")) for one in snapshots]
        await self._desk.write(lambda ledger: ledger.adopt(stream, rows, states), stream)

    async def examine(self) -> list[Problem]:
        """Every damage in the file and its blobs; see `abc.examine`."""
        return await anyio.to_thread.run_sync(sqlite_examine.examine, self._desk.path, self._folder)

    @property
    def _desk(self) -> Desk:
        if self._borrowed is None:
            raise refusals.not_open()
        return self._borrowed[1]

    async def _read(self, work: Callable[[Reader], T]) -> T:
        result: T = await self._desk.read(work)
        return result

    def _look_for_file(self, data: bytes) -> tuple[str, bool]:
        digest = digest_bytes(data)
        try:
            return digest, self._folder.get(digest) == data
        except OSError as error:
            raise translate(error, self._folder.place(digest)) from error

    def _put_file(self, digest: str, data: bytes, now: float) -> None:
        try:
            self._folder.put(digest, data, now)
        except OSError as error:
            raise translate(error, self._folder.place(digest)) from error

    def _files_after(self, digest: str, limit: int | None) -> list[tuple[str, int]]:
        try:
            return list(islice(self._folder.after(digest), limit))
        except OSError as error:
            raise translate(error, self._folder.folder) from error

    def _files_before(self, moment: float) -> list[str]:
        try:
            return list(self._folder.put_before(moment))
        except OSError as error:
            raise translate(error, self._folder.folder) from error

    def _get_file(self, digest: str) -> bytes:
        try:
            data = self._folder.get(digest)
        except OSError as error:
            raise translate(error, self._folder.place(digest)) from error
        if data is None:
            raise refusals.missing_blob(digest)
        if not fits(digest, data):
            raise refusals.changed_blob(digest)
        return data
