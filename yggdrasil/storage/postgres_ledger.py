"""What may be done to the database inside one transaction.

Every operation looks first and writes last: when it refuses (`StoreError`), it has written nothing, so that the
others in its transaction are not concerned. What it looks at it locks until the transaction ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from yggdrasil.abc.store import Lease
from yggdrasil.errors import StoreError
from yggdrasil.storage import refusals
from yggdrasil.storage.asked import Append, Row
from yggdrasil.storage.checksum import BITS, checksum
from yggdrasil.storage.postgres_batch import DUMPERS, ONE, ONE_TYPES, Batch, Stream
from yggdrasil.storage.postgres_call import Call, roll_back
from yggdrasil.storage.postgres_schema import Connection
from yggdrasil.storage.process import Process, this_process
from yggdrasil.storage.spacing import LOOKED_AT, superfluous

KNOWN = 20_000
AT_ONCE = 5000  # records pruned in one transaction: the others wait so long

_STREAM = "SELECT name, id, owner, base, head, pruned, holder, token, expires, pid, host, machine, started FROM stream"
_NOW = "SELECT extract(epoch FROM clock_timestamp())::double precision"

# The stream or a letter has moved on; this writer was taken for gone; a deadlock; a serialization failure.
_IN_DOUBT = ("YG001", "YG002", "40P01", "40001")


class AgainError(Exception):
    """What was looked at has changed meanwhile: the transaction begins anew."""


class Ledger:
    """The operations on one writing connection.

    `admit`, then `send` or its halves `start` and `finish`; or `begin`, any number of operations, then `commit` or
    `rollback`. Each transaction carries the number of its turn: when the connection is lost in a commit, the next one
    reads it and so knows what became of it.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        for kind, dumper in DUMPERS:
            connection.adapters.register_dumper(kind, dumper)
        self._cursor = connection.cursor(binary=True)
        self._one_record = Call(connection, "yggdrasil_one", ONE, ONE_TYPES)
        self._known: dict[str, Stream] = {}
        self._locked: dict[str, Stream | None] = {}
        self._batch = Batch()
        self.now = 0.0
        self.writer = 0
        self.turn = 0
        self.enlist()

    def enlist(self) -> None:
        """Become a writer of its own."""
        # rows of processes that were killed; a process that comes back after so long is told, and enlists again
        self._cursor.execute("DELETE FROM writer WHERE seen < now() - interval '30 days'")
        self.writer = self._one("INSERT INTO writer DEFAULT VALUES RETURNING id")
        self.turn = 0

    def strike(self, writer: int, turn: int) -> bool:
        """Whether that turn of another writer was committed; from now on nothing of it can be any more."""
        # waits for a transaction of it that is under way; one that has not got that far will find no row
        row = self._cursor.execute("DELETE FROM writer WHERE id = %s RETURNING turn", (writer,)).fetchone()
        return row is not None and row[0] == turn

    def retire(self) -> None:
        """The writer will not write any more."""
        self._cursor.execute("DELETE FROM writer WHERE id = %s", (self.writer,))

    def admit(self, asked: Sequence[Append]) -> list[int] | None:
        """Decide on appends by what is remembered: the new heads, once `send` has said so; None when in doubt."""
        self._batch, self._locked, heads = Batch(), {}, []
        for one in asked:
            stream = self._known.get(one.stream)
            if stream is None or not self._batch.admits(stream, one):
                return None
            self._locked[one.stream] = stream  # not yet: the server looks again when it writes
            heads.append(self._batch.add(stream, one))
        return heads

    def start(self) -> bool:
        """Send what was admitted, if that can be done without waiting: then `finish` must follow."""
        values = self._batch.one(self.writer, self.turn + 1)
        if values is None:
            return False
        self.turn += 1
        self._one_record.start(values)
        return True

    def finish(self) -> bool:
        """Wait for what was sent, one transaction; False, and nothing is written, when in doubt."""
        return self._done(self._one_record.finish)

    def send(self) -> bool:
        """Write what was admitted in one call, which is one transaction; False, and nothing is, when in doubt."""
        if self.start():
            return self.finish()
        self.turn += 1
        call = self._batch.call(self.writer, self.turn)
        return self._done(lambda: self._cursor.execute(*call))

    def _done(self, wait: Callable[[], object]) -> bool:
        try:
            wait()
        except psycopg.Error as error:
            if not self.doubts(error):
                raise
            return False
        self._remember()
        return True

    def begin(self, names: Sequence[str]) -> None:
        """Start a transaction, and lock the streams of these names, in the order of their ids."""
        self.turn += 1
        self._locked = dict.fromkeys(names)
        self._batch = Batch()
        with self.connection.pipeline():
            # not prepared: when one before it fails, the driver takes it for prepared, and the server does not
            self.connection.execute("BEGIN", prepare=False)
            rows = self.connection.cursor(binary=True).execute(
                f"{_STREAM} WHERE name = ANY(%s) ORDER BY id FOR UPDATE", (list(names),)
            )
            now = self.connection.cursor(binary=True).execute(_NOW, prepare=False)
        self._locked |= {row[0]: _stream(row) for row in rows.fetchall()}
        self.now = (now.fetchone() or (0.0,))[0]

    def commit(self) -> None:
        """Write what was appended, and make everything durable."""
        with self.connection.pipeline():
            self._cursor.execute(*self._batch.call(self.writer, self.turn))
            self.connection.execute("COMMIT", prepare=False)
        self._remember()

    def leave(self) -> None:
        """End a transaction in which everything was refused."""
        self._batch = Batch()
        self.rollback()
        self._remember()

    def _remember(self) -> None:
        if len(self._known) > KNOWN:
            self._known.clear()
        for name, stream in self._locked.items():
            if stream is not None:
                stream.head = self._batch.head(stream)
                self._known[name] = stream

    def rollback(self) -> None:
        """Undo everything since `begin`."""
        if not self.connection.broken and self.connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            roll_back(self.connection)

    def doubts(self, error: BaseException) -> bool:
        """Whether others got in the way, so that the transaction, which has ended, is to begin anew."""
        state = getattr(error, "sqlstate", None)
        if state not in _IN_DOUBT:
            return False
        self.rollback()
        self._known.clear()
        if state == "YG002":
            self.enlist()
        return True

    def forget(self) -> None:
        """Drop what is remembered: it may be wrong."""
        self._known.clear()

    def _flush(self) -> None:
        """Write what was appended so far, inside the transaction."""
        self._cursor.execute(*self._batch.call(self.writer, self.turn))
        for stream in self._locked.values():
            if stream is not None:
                stream.head = self._batch.head(stream)
        self._batch = Batch()

    # --- the operations

    def append(self, asked: Append) -> int:
        """Append rows, keep a snapshot, take letters; the new head."""
        found = self._find(asked.stream)
        if asked.lease is not None:
            self._check(asked.stream, found, asked.lease)
        head = self._batch.head(found) if found else 0
        if asked.expect is not None and asked.expect != head:
            raise refusals.conflict(asked.stream, asked.expect, head)
        if asked.taken:
            self._check_letters(asked.stream, found, frozenset(asked.taken))
        if found is None:
            found = self._create(asked.stream)
        head = self._batch.add(found, asked)
        if asked.snapshot is not None:
            self._put_snapshot(found, head, asked.snapshot)
            self._thin_snapshots(found)
        return head

    def _put_snapshot(self, stream: Stream, sequence: int, state: Row) -> None:
        self._cursor.execute(
            "INSERT INTO snapshot (stream, sequence, checksum, data) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (stream, sequence) DO UPDATE SET checksum = EXCLUDED.checksum, data = EXCLUDED.data",
            (stream.id, sequence, checksum(stream.id << BITS | sequence, "", 0.0, state.data), state.data),
        )

    def _thin_snapshots(self, stream: Stream) -> None:
        rows = self._cursor.execute(
            "SELECT sequence FROM snapshot WHERE stream = %s ORDER BY sequence DESC LIMIT %s", (stream.id, LOOKED_AT)
        )
        newest = [sequence for (sequence,) in rows.fetchall()]
        gone = superfluous(newest, stream.base, stream.pruned)
        if gone is not None:
            self._cursor.execute(
                "DELETE FROM snapshot WHERE stream = %s AND sequence = %s AND NOT EXISTS"
                " (SELECT 1 FROM stream WHERE owner = %s AND base >= %s AND base < %s)",
                (stream.id, gone, stream.id, gone, newest[1]),
            )

    def acquire(self, stream: str, holder: str, now: float, seconds: float) -> Lease:
        """Take the lease for this process, with a token newer than any before."""
        found = self._find(stream)
        if found is not None and found.holder and now < found.expires and not found.process.gone():
            raise refusals.held(stream, found.holder, str(found.process), found.expires - now)
        if found is None:
            found = self._create(stream)
        process = this_process()
        self._cursor.execute(
            "UPDATE stream SET holder = %s, token = %s, expires = %s, pid = %s, host = %s, machine = %s, started = %s"
            " WHERE id = %s",
            (holder, found.token + 1, now + seconds, process.pid, process.host, process.machine, process.started,
             found.id),
        )  # fmt: skip
        found.holder, found.token, found.expires, found.process = holder, found.token + 1, now + seconds, process
        return Lease(stream, holder, found.token, found.expires)

    def renew(self, lease: Lease, now: float, seconds: float) -> Lease:
        """The same token for longer."""
        found = self._check(lease.stream, self._find(lease.stream), lease)
        self._cursor.execute("UPDATE stream SET expires = %s WHERE id = %s", (now + seconds, found.id))
        found.expires = now + seconds
        return lease.replace(expires=found.expires)

    def release(self, lease: Lease) -> None:
        """Give it up, if it is still this one."""
        found = self._find(lease.stream)
        if found is not None and found.obeys(lease):
            self._cursor.execute("UPDATE stream SET holder = '' WHERE id = %s", (found.id,))
            found.holder = ""

    def post(self, stream: str, row: Row) -> int:
        """Put a letter into the inbox; its id."""
        found = self._find(stream) or self._create(stream)
        return self._one(
            "INSERT INTO letter (stream, kind, data, checksum) VALUES (%s, %s, %s, %s) RETURNING id",
            (found.id, row.kind, row.data, checksum(found.id, row.kind, 0.0, row.data)),
        )

    def fork(self, stream: str, at: int, name: str) -> None:
        """A new stream whose records up to `at` are those of `stream`."""
        found = self._find(stream)
        head = self._batch.head(found) if found else 0
        if found is None or not 0 <= at <= head:
            raise refusals.no_such_record(stream, at, head)
        if self._find(name) is not None:
            raise refusals.name_taken(name)
        self._check_foldable(stream, found, at)
        owner, base, above = found.id, found.base, found.owner
        while above is not None and at <= base:
            owner = above
            above, base = self._row("SELECT owner, base FROM stream WHERE id = %s", (owner,))
        self._made(name, "parent, owner, base, head", (found.id, owner, at, at))

    def _check_foldable(self, stream: str, found: Stream, at: int) -> None:
        """Refuse a fork that nobody could fold: a record between the newest snapshot and `at` was pruned."""
        id_, base, owner, pruned, high, missing = found.id, found.base, found.owner, found.pruned, at, 0
        while True:
            (snapshot,) = self._row(
                "SELECT max(sequence) FROM snapshot WHERE stream = %s AND sequence BETWEEN %s AND %s", (id_, base, high)
            )
            start, top = base if snapshot is None else snapshot, min(high, pruned)
            if start < top:
                missing += top - start - self._one(
                    "SELECT count(*) FROM record WHERE stream = %s AND sequence > %s AND sequence <= %s",
                    (id_, start, top),
                )
            if missing:
                raise refusals.pruned(stream, at)
            if snapshot is not None or owner is None:
                return
            high, id_ = min(high, base), owner
            base, owner, pruned = self._row("SELECT base, owner, pruned FROM stream WHERE id = %s", (id_,))

    def adopt(self, stream: str, rows: Sequence[tuple[int, float, Row]], snapshots: Sequence[tuple[int, Row]]) -> None:
        """Take over (sequence, time, row) and (sequence, state) as they are."""
        found = self._find(stream)
        base, last = (found.base, self._batch.head(found)) if found else (0, 0)
        pruned = 0
        for sequence, _, _ in rows:
            if sequence <= last:
                raise refusals.out_of_order(stream, sequence, last)
            if sequence > last + 1:
                pruned = sequence - 1
            last = sequence
        for sequence, _ in snapshots:
            if not base <= sequence <= last:
                raise refusals.no_place(stream, sequence, base, last)
        if found is None:
            found = self._create(stream)
        for sequence, moment, row in rows:
            self._batch.adopt(found, sequence, moment, row)
        if pruned:
            self._cursor.execute("UPDATE stream SET pruned = %s WHERE id = %s", (pruned, found.id))
            found.pruned = pruned
        for sequence, state in snapshots:
            self._put_snapshot(found, sequence, state)

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
        forked = self._one("SELECT coalesce(max(base), 0) FROM stream WHERE owner = %s", (found.id,))
        shared = max(found.base, forked)
        if upto <= max(shared, found.pruned):
            return 0, True
        later = "SELECT 1 FROM snapshot WHERE stream = %s AND sequence >= %s LIMIT 1"
        if self._cursor.execute(later, (found.id, upto)).fetchone() is None:
            raise refusals.nothing_to_fold(stream, upto)
        self._flush()
        rows = self._cursor.execute(
            "DELETE FROM record WHERE stream = %s AND sequence = ANY (ARRAY(SELECT sequence FROM record"
            " WHERE stream = %s AND sequence > %s AND sequence <= %s AND kind <> ALL (%s) ORDER BY sequence LIMIT %s))"
            " RETURNING sequence",
            (found.id, found.id, max(shared, found.pruned), min(upto, found.head - 1), list(kinds), AT_ONCE),
        ).fetchall()
        done = len(rows) < AT_ONCE
        mark = upto if done else max(sequence for (sequence,) in rows)
        self._prune_snapshots(found, shared, mark, snapshots)
        self._cursor.execute("UPDATE stream SET pruned = %s WHERE id = %s", (mark, found.id))
        found.pruned = mark
        return len(rows), done

    def _prune_snapshots(self, stream: Stream, shared: int, upto: int, kept: Sequence[int]) -> None:
        # begins with the newest that the last pruning kept
        self._cursor.execute(
            "DELETE FROM snapshot WHERE stream = %(id)s AND sequence > %(shared)s AND sequence >= (SELECT"
            " coalesce(max(sequence), 0) FROM snapshot WHERE stream = %(id)s AND sequence <= %(pruned)s)"
            " AND sequence <> ALL (%(kept)s) AND sequence < (SELECT max(sequence) FROM snapshot"
            " WHERE stream = %(id)s AND sequence <= %(upto)s)",
            {"id": stream.id, "shared": shared, "pruned": stream.pruned, "upto": upto, "kept": list(kept)},
        )

    def put_blob(self, digest: bytes, data: bytes, now: float) -> None:
        """Keep small bytes, in one part; mend them if they were damaged."""
        self._cursor.execute(
            "INSERT INTO blob AS b (digest, part, time, data) VALUES (%s, 0, %s, %s) ON CONFLICT (digest, part)"
            " DO UPDATE SET time = EXCLUDED.time,"
            " data = CASE WHEN b.data = EXCLUDED.data THEN b.data ELSE EXCLUDED.data END",  # else it is written anew
            (digest, now, data),
        )

    # --- looking

    def _find(self, name: str) -> Stream | None:
        if name not in self._locked:
            row = self._cursor.execute(f"{_STREAM} WHERE name = %s FOR UPDATE", (name,)).fetchone()
            self._locked[name] = None if row is None else _stream(row)
        return self._locked[name]

    def _create(self, name: str) -> Stream:
        id_ = self._made(name)
        self._locked[name] = made = Stream(id_, None, 0, 0, 0, "", 0, 0.0, Process(0, "", "", 0))
        return made

    def _made(self, name: str, columns: str = "", values: Sequence[Any] = ()) -> int:
        named = ", ".join(filter(None, ("name", columns)))
        row = self._cursor.execute(
            f"INSERT INTO stream ({named}) VALUES (%s{', %s' * len(values)})"
            " ON CONFLICT (name) DO NOTHING RETURNING id",
            (name, *values),
        ).fetchone()
        if row is None:  # another process was quicker
            raise AgainError
        self._locked.pop(name, None)
        return int(row[0])

    def _check(self, stream: str, found: Stream | None, lease: Lease) -> Stream:
        if lease.stream != stream:
            raise refusals.other_stream(stream, lease)
        if found is None:
            raise StoreError("there is no such stream", path=f"stream {stream}", hint=f"acquire({stream!r}, ...)")
        if not found.obeys(lease):
            raise refusals.passed_on(lease, found.token, found.holder, str(found.process))
        return found

    def _check_letters(self, stream: str, found: Stream | None, taken: frozenset[int]) -> None:
        there = set() if found is None else self._letters(found, taken) - self._batch.taken.keys()
        if there != taken:
            raise refusals.letters_gone(stream, taken - there)

    def _letters(self, found: Stream, taken: frozenset[int]) -> set[int]:
        rows = self._cursor.execute(
            "SELECT id FROM letter WHERE stream = %s AND id = ANY(%s) FOR UPDATE", (found.id, list(taken))
        )
        return {letter for (letter,) in rows.fetchall()}

    def _row(self, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
        row = self._cursor.execute(query, values).fetchone()
        if row is None:
            raise AgainError
        return tuple(row)

    def _one(self, query: str, values: Sequence[Any] = ()) -> int:
        return int(self._row(query, values)[0])


def _stream(row: Sequence[Any]) -> Stream:
    _, id_, owner, base, head, pruned, holder, token, expires, *process = row
    return Stream(id_, owner, base, head, pruned, holder, token, expires, Process(*process))
