"""What may be done to the database inside one transaction, statement by statement.

Every operation looks first and writes last: when it refuses (`StoreError`), it has written
nothing, so that the others in its transaction are not concerned.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from yggdrasil.abc.store import Lease
from yggdrasil.errors import StoreError
from yggdrasil.storage import refusals
from yggdrasil.storage.asked import Append, Row
from yggdrasil.storage.blobs import BlobFolder
from yggdrasil.storage.process import Process, this_process
from yggdrasil.storage.spacing import LOOKED_AT, superfluous
from yggdrasil.storage.sqlite_file import BITS, MASK, checksum
from yggdrasil.storage.sqlite_upkeep import still_unnamed

KNOWN = 20_000
AT_ONCE = 5000  # records pruned in one transaction: the others wait so long

LOOSE = 4096  # records whose places are not written down yet
FOUND_LOOSE = 512  # of those that a ledger finds: who opens the file for each run looks through them each time

_FIND = """SELECT id, owner, base, holder, token, expires, pid, host, machine, started, coalesce(
    (SELECT place FROM record
     WHERE record.id > (SELECT record FROM place WHERE place = 0) AND place >> 36 = stream.id ORDER BY id DESC LIMIT 1),
    (SELECT place FROM place WHERE place > id << 36 AND place <= (id << 36 | 68719476735) ORDER BY place DESC LIMIT 1)
) FROM stream WHERE name = ?"""
_COLUMNS = "INSERT INTO record (id, place, kind, time, checksum, data) VALUES "
# many rows in one statement: sqlite3 gives the interpreter lock away once a statement, and getting it back costs
_INSERT = {size: _COLUMNS + ", ".join(["(?, ?, ?, ?, ?, ?)"] * size) for size in (64, 8, 1)}


@dataclass(slots=True)
class Stream:
    """A row of the table `stream`, with the sequence of its last record."""

    id: int
    owner: int | None
    base: int
    head: int
    holder: str
    token: int
    expires: float
    process: Process


class Ledger:
    """The operations on one writing connection. `begin`, any number of operations, `commit` or `rollback`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._known: dict[str, Stream] = {}
        self._version = -1
        self._pending: list[tuple[int, int, str, float, int, str]] = []  # rows of this transaction
        self._last = 0  # the newest record, pending ones included
        self._placed = 0  # the newest whose place is written down
        self._loose = FOUND_LOOSE

    def begin(self) -> None:
        """Start a transaction that may write; what is remembered is dropped if another connection has written."""
        self.connection.execute("BEGIN IMMEDIATE")
        version = self.connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version or len(self._known) > KNOWN:
            self._known.clear()
            self._placed = self.connection.execute("SELECT record FROM place WHERE place = 0").fetchone()[0]
            last = self.connection.execute("SELECT coalesce(max(id), 0) FROM record").fetchone()[0]
            self._last = max(last, self._placed)
            self._version = version

    def commit(self) -> None:
        """Write the rows and make everything durable."""
        if self._pending:
            self._write_rows()
        if self._last - self._placed >= self._loose:
            self._write_places()
        self.connection.execute("COMMIT")
        self._loose = LOOSE

    def _write_places(self) -> None:
        self.connection.execute(
            "INSERT INTO place (place, record) SELECT place, id FROM record WHERE id > ?", (self._placed,)
        )
        self.connection.execute("UPDATE place SET record = ? WHERE place = 0", (self._last,))
        self._placed = self._last

    def _write_rows(self) -> None:
        rows, done = self._pending, 0
        for size, statement in _INSERT.items():
            while len(rows) - done >= size:
                self.connection.execute(statement, [*chain.from_iterable(rows[done : done + size])])
                done += size
        rows.clear()

    def rollback(self) -> None:
        """Undo everything since `begin`."""
        self._version = -1
        self._pending.clear()
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def append(self, asked: Append) -> int:
        """Append rows, keep a snapshot, take letters; the new head."""
        found = self._find(asked.stream)
        if asked.lease is not None:
            self._check(asked.stream, found, asked.lease)
        head = found.head if found else 0
        if asked.expect is not None and asked.expect != head:
            raise refusals.conflict(asked.stream, asked.expect, head)
        if asked.taken:
            self._check_letters(asked.stream, found, frozenset(asked.taken))
        if found is None:
            found = self._create(asked.stream)
        self._insert(found, asked.rows, asked.moment)
        if asked.snapshot is not None:
            self._keep_snapshot(found, asked.snapshot)
        if asked.taken:
            self.connection.executemany("DELETE FROM letter WHERE id = ?", [(letter,) for letter in asked.taken])
        return found.head

    def _insert(self, stream: Stream, rows: Sequence[Row], moment: float) -> None:
        place = stream.id << BITS | stream.head
        for row in rows:
            place += 1
            self._last += 1
            check = checksum(place, row.kind, moment, row.data)
            self._pending.append((self._last, place, row.kind, moment, check, row.text))
        stream.head += len(rows)

    def _keep_snapshot(self, stream: Stream, state: Row) -> None:
        self._put_snapshot(stream.id << BITS | stream.head, state)
        self._thin_snapshots(stream)

    def _put_snapshot(self, place: int, state: Row) -> None:
        self.connection.execute(
            "INSERT OR REPLACE INTO snapshot (place, data, checksum) VALUES (?, ?, ?)",
            (place, state.text, checksum(place, "", 0.0, state.data)),
        )

    def _thin_snapshots(self, stream: Stream) -> None:
        low = stream.id << BITS
        rows = self.connection.execute(
            "SELECT place FROM snapshot WHERE place BETWEEN ? AND ? ORDER BY place DESC LIMIT ?",
            (low, low | MASK, LOOKED_AT),
        )
        newest = [place & MASK for (place,) in rows]
        (pruned,) = self.connection.execute("SELECT pruned FROM stream WHERE id = ?", (stream.id,)).fetchone()
        gone = superfluous(newest, stream.base, pruned)
        if gone is None:
            return
        forked = "SELECT 1 FROM stream WHERE owner = ? AND base >= ? AND base < ? LIMIT 1"
        if self.connection.execute(forked, (stream.id, gone, newest[1])).fetchone() is None:
            self.connection.execute("DELETE FROM snapshot WHERE place = ?", (low | gone,))

    def adopt(self, stream: str, rows: Sequence[tuple[int, float, Row]], snapshots: Sequence[tuple[int, Row]]) -> None:
        """Take over (sequence, time, row) and (sequence, state) as they are."""
        found = self._find(stream)
        base, head = (found.base, found.head) if found else (0, 0)
        last = head
        for sequence, _, _ in rows:
            if sequence <= last:
                raise refusals.out_of_order(stream, sequence, last)
            last = sequence
        for sequence, _ in snapshots:
            if not base <= sequence <= last:
                raise refusals.no_place(stream, sequence, base, last)
        if found is None:
            found = self._create(stream)
        pruned = 0
        for sequence, moment, row in rows:
            if sequence > found.head + 1:
                pruned = sequence - 1
            found.head = sequence - 1
            self._insert(found, (row,), moment)
        if pruned:
            self._write_rows()
            self._write_places()  # where records may be missing, those that are there are counted by their places
            self.connection.execute("UPDATE stream SET pruned = ? WHERE id = ?", (pruned, found.id))
        for sequence, state in snapshots:
            self._put_snapshot(found.id << BITS | sequence, state)

    def prune(
        self, stream: str, upto: int, kinds: Sequence[str], snapshots: Sequence[int], lease: Lease | None
    ) -> tuple[int, bool]:
        """Forget some thousand records up to `upto`, and the snapshots among them: (how many went, all done)."""
        found = self._find(stream)
        if lease is not None:
            self._check(stream, found, lease)
        if found is None:
            if upto > 0:
                raise refusals.nothing_to_fold(stream, upto)
            return 0, True
        low = found.id << BITS
        pruned, forked = self.connection.execute(
            "SELECT pruned, (SELECT coalesce(max(base), 0) FROM stream f WHERE f.owner = s.id) FROM stream s"
            " WHERE id = ?",
            (found.id,),
        ).fetchone()
        shared = max(found.base, forked)
        if upto <= max(shared, pruned):
            return 0, True
        later = "SELECT 1 FROM snapshot WHERE place BETWEEN ? AND ? LIMIT 1"
        if self.connection.execute(later, (low | upto, low | MASK)).fetchone() is None:
            raise refusals.nothing_to_fold(stream, upto)
        self._write_rows()
        self._write_places()
        rows = self.connection.execute(
            f"SELECT p.place, p.record FROM place p JOIN record r ON r.id = p.record"
            f" WHERE p.place > ? AND p.place <= ? AND r.kind NOT IN ({', '.join('?' * len(kinds))})"
            " ORDER BY p.place LIMIT ?",
            (low | max(shared, pruned), low | min(upto, found.head - 1), *kinds, AT_ONCE),
        ).fetchall()
        self.connection.executemany("DELETE FROM place WHERE place = ?", [(place,) for place, _ in rows])
        self.connection.executemany("DELETE FROM record WHERE id = ?", [(record,) for _, record in rows])
        done = len(rows) < AT_ONCE
        mark = upto if done else rows[-1][0] & MASK
        self._prune_snapshots(low, shared, pruned, mark, snapshots)
        self.connection.execute("UPDATE stream SET pruned = ? WHERE id = ?", (mark, found.id))
        return len(rows), done

    def _prune_snapshots(self, low: int, shared: int, pruned: int, upto: int, kept: Sequence[int]) -> None:
        first = self.connection.execute(
            "SELECT coalesce(max(place), 0) FROM snapshot WHERE place BETWEEN ? AND ?", (low, low | pruned)
        ).fetchone()[0]
        older = self.connection.execute(
            "SELECT place FROM snapshot WHERE place > ? AND place >= ? AND place <= ? ORDER BY place",
            (low | shared, first, low | upto),
        ).fetchall()
        gone = [(place,) for (place,) in older[:-1] if place & MASK not in kept]
        self.connection.executemany("DELETE FROM snapshot WHERE place = ?", gone)

    def acquire(self, stream: str, holder: str, now: float, seconds: float) -> Lease:
        """Take the lease for this process, with a token newer than any before."""
        found = self._find(stream)
        if found is not None and found.holder and now < found.expires and not found.process.gone():
            raise refusals.held(stream, found.holder, str(found.process), found.expires - now)
        if found is None:
            found = self._create(stream)
        process = this_process()
        self.connection.execute(
            "UPDATE stream SET holder = ?, token = ?, expires = ?, pid = ?, host = ?, machine = ?, started = ?"
            " WHERE id = ?",
            (holder, found.token + 1, now + seconds, *_columns(process), found.id),
        )
        found.holder, found.token, found.expires, found.process = holder, found.token + 1, now + seconds, process
        return Lease(stream, holder, found.token, found.expires)

    def renew(self, lease: Lease, now: float, seconds: float) -> Lease:
        """The same token for longer."""
        found = self._check(lease.stream, self._find(lease.stream), lease)
        self.connection.execute("UPDATE stream SET expires = ? WHERE id = ?", (now + seconds, found.id))
        found.expires = now + seconds
        return lease.replace(expires=found.expires)

    def release(self, lease: Lease) -> None:
        """Give it up, if it is still this one."""
        found = self._find(lease.stream)
        if found is not None and found.token == lease.token and found.holder:
            self.connection.execute("UPDATE stream SET holder = '' WHERE id = ?", (found.id,))
            found.holder = ""

    def post(self, stream: str, row: Row) -> int:
        """Put a letter into the inbox; its id."""
        found = self._find(stream) or self._create(stream)
        cursor = self.connection.execute(
            "INSERT INTO letter (stream, kind, data, checksum) VALUES (?, ?, ?, ?)",
            (found.id, row.kind, row.text, checksum(found.id, row.kind, 0.0, row.data)),
        )
        return int(cursor.lastrowid or 0)

    def fork(self, stream: str, at: int, name: str) -> None:
        """A new stream whose records up to `at` are those of `stream`."""
        found = self._find(stream)
        head = found.head if found else 0
        if found is None or not 0 <= at <= head:
            raise refusals.no_such_record(stream, at, head)
        if self._find(name) is not None:
            raise refusals.name_taken(name)
        self._check_foldable(stream, found, at)
        owner, base, above = found.id, found.base, found.owner
        while above is not None and at <= base:
            owner = above
            above, base = self.connection.execute("SELECT owner, base FROM stream WHERE id = ?", (owner,)).fetchone()
        self.connection.execute(
            "INSERT INTO stream (name, parent, owner, base) VALUES (?, ?, ?, ?)", (name, found.id, owner, at)
        )

    def _check_foldable(self, stream: str, found: Stream, at: int) -> None:
        """Refuse a fork that nobody could fold: a record between the newest snapshot and `at` was pruned."""
        one, high, missing = (found.id, found.base, found.owner), at, 0
        while True:
            id_, base, owner = one
            low = id_ << BITS
            (pruned,) = self.connection.execute("SELECT pruned FROM stream WHERE id = ?", (id_,)).fetchone()
            (snapshot,) = self.connection.execute(
                "SELECT max(place) FROM snapshot WHERE place BETWEEN ? AND ?", (low | base, low | high)
            ).fetchone()
            start = base if snapshot is None else snapshot & MASK
            top = min(high, pruned)
            if start < top:
                there = self.connection.execute(
                    "SELECT count(*) FROM place WHERE place > ? AND place <= ?", (low | start, low | top)
                ).fetchone()[0]
                missing += top - start - there
            if missing:
                raise refusals.pruned(stream, at)
            if snapshot is not None or owner is None:
                return
            high = min(high, base)
            one = (owner, *self.connection.execute("SELECT base, owner FROM stream WHERE id = ?", (owner,)).fetchone())

    def put_blob(self, digest: bytes, data: bytes, now: float) -> None:
        """Keep small bytes in the database; mend them if they were damaged."""
        row = self.connection.execute("SELECT data FROM blob WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            self.connection.execute("INSERT INTO blob (digest, data, time) VALUES (?, ?, ?)", (digest, data, now))
        elif row[0] != data:
            self.connection.execute("UPDATE blob SET data = ?, time = ? WHERE digest = ?", (data, now, digest))
        else:
            self.connection.execute("UPDATE blob SET time = ? WHERE digest = ?", (now, digest))

    def forget_blobs(self, digests: set[str], after: int, before: float, folder: BlobFolder) -> int:
        """Forget those of `digests` put before `before` that no record after number `after` names; bytes that went.

        Files go inside the transaction, so that nobody who puts the same bytes at this moment believes them kept.
        """
        self._write_rows()
        gone = 0
        for digest in still_unnamed(self.connection, digests, after):
            key = bytes.fromhex(digest)
            row = self.connection.execute(
                "SELECT length(data) FROM blob WHERE digest = ? AND time < ?", (key, before)
            ).fetchone()
            if row is not None:
                self.connection.execute("DELETE FROM blob WHERE digest = ?", (key,))
                gone += row[0]
            gone += folder.forget(digest, before)
        return gone

    def _find(self, name: str) -> Stream | None:
        known = self._known.get(name)
        if known is not None:
            return known
        row = self.connection.execute(_FIND, (name,)).fetchone()
        if row is None:
            return None
        id_, owner, base, holder, token, expires, *process, last = row
        head = base if last is None else last & MASK
        self._known[name] = found = Stream(id_, owner, base, head, holder, token, expires, Process(*process))
        return found

    def _create(self, name: str) -> Stream:
        cursor = self.connection.execute("INSERT INTO stream (name) VALUES (?)", (name,))
        self._known[name] = made = Stream(int(cursor.lastrowid or 0), None, 0, 0, "", 0, 0.0, Process(0, "", "", 0))
        return made

    def _check(self, stream: str, found: Stream | None, lease: Lease) -> Stream:
        if lease.stream != stream:
            raise refusals.other_stream(stream, lease)
        if found is None:
            raise StoreError("there is no such stream", path=f"stream {stream}", hint=f"acquire({stream!r}, ...)")
        if found.token != lease.token or not found.holder:
            raise refusals.passed_on(lease, found.token, found.holder, str(found.process))
        return found

    def _check_letters(self, stream: str, found: Stream | None, taken: frozenset[int]) -> None:
        query = "SELECT 1 FROM letter WHERE id = ? AND stream = ?"
        there = {letter for letter in taken if found and self.connection.execute(query, (letter, found.id)).fetchone()}
        if there != taken:
            raise refusals.letters_gone(stream, taken - there)


def _columns(process: Process) -> tuple[int, str, str, int]:
    return process.pid, process.host, process.machine, process.started
