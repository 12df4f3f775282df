"""What is asked of the database: plain queries, each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from yggdrasil.abc.store import BlobInfo, Letter, Record, Size, Snapshot, StreamInfo
from yggdrasil.core.value import Value
from yggdrasil.errors import CorruptError
from yggdrasil.storage import refusals
from yggdrasil.storage.blobs import is_digest
from yggdrasil.storage.checksum import BITS, MASK, checksum
from yggdrasil.storage.postgres_place import Place
from yggdrasil.storage.postgres_schema import Connection
from yggdrasil.storage.process import Process
from yggdrasil.storage.record_text import from_text

PAGE = 2000  # rows asked for at once: they are held in memory

T = TypeVar("T")

# From the stream itself up to its oldest ancestor, each with what counts of it.
_SEGMENTS = """WITH RECURSIVE part AS (
    SELECT id, owner, base, head AS high, pruned, 0 AS depth FROM stream WHERE name = %s
    UNION ALL
    SELECT s.id, s.owner, s.base, p.base, s.pruned, p.depth + 1 FROM part p JOIN stream s ON s.id = p.owner)
SELECT id, base, high, pruned FROM part ORDER BY depth DESC"""
_STREAMS = """SELECT s.name, s.head, s.base, p.name, s.holder, s.expires, s.pid, s.host, s.machine, s.started,
    extract(epoch FROM clock_timestamp())::double precision
FROM stream s LEFT JOIN stream p ON p.id = s.parent WHERE s.name >= %s AND left(s.name, %s) = %s ORDER BY s.name"""
_WEIGHT = "coalesce(sum(octet_length(data)), 0)::bigint AS weight"
_SIZES = f"""WITH asked AS (SELECT id, name, head FROM stream WHERE name >= %s AND left(name, %s) = %s)
SELECT s.name, coalesce(r.first, 0), s.head, coalesce(r.count, 0),
    coalesce(r.weight, 0) + coalesce(p.weight, 0) + coalesce(l.weight, 0), coalesce(p.count, 0)
FROM asked s
LEFT JOIN LATERAL (SELECT min(sequence) AS first, count(*), {_WEIGHT} FROM record WHERE stream = s.id) r ON true
LEFT JOIN LATERAL (SELECT count(*), {_WEIGHT} FROM snapshot WHERE stream = s.id) p ON true
LEFT JOIN LATERAL (SELECT {_WEIGHT} FROM letter WHERE stream = s.id) l ON true
ORDER BY s.name"""


class Segment(Value):
    """Records after `low` up to `high` that lie under `owner`; up to `pruned` some may be missing."""

    owner: int
    low: int
    high: int
    pruned: int


class Reader:
    """The queries, on a connection that does nothing else meanwhile. `stream` is always a name."""

    def __init__(self, connection: Connection, place: Place) -> None:
        self.connection = connection
        self.place = place
        self._cursor = connection.cursor(binary=True)

    def segments(self, stream: str) -> list[Segment]:
        """What a stream is made of, the oldest part first; nothing for one that is not there."""
        return [Segment(*row) for row in self._rows(_SEGMENTS, stream)]

    def records(self, stream: str, after: int, limit: int | None, kinds: Sequence[str]) -> list[Record]:
        """Records after `after`, through all ancestors; CorruptError names the first that is damaged or missing."""
        try:
            return self._records(stream, after, limit, kinds)
        except CorruptError:  # or they were pruned while this looked: once more, as they are at one moment
            return self._steady(lambda: self._records(stream, after, limit, kinds))

    def _records(self, stream: str, after: int, limit: int | None, kinds: Sequence[str]) -> list[Record]:
        found: list[Record] = []
        for segment in self.segments(stream):
            low = max(segment.low, after)
            while low < segment.high and (limit is None or len(found) < limit):
                size = PAGE if limit is None else min(PAGE, limit - len(found))
                rows = self._page(segment, low, size, kinds)
                if not kinds:  # of chosen kinds nobody knows how many there were
                    _refuse_gaps(stream, segment, low, rows, size)
                found += [_record(stream, segment.owner, row) for row in rows]
                low = rows[-1][0] if len(rows) == size else segment.high
        return found

    def _page(self, segment: Segment, low: int, size: int, kinds: Sequence[str]) -> list[tuple[Any, ...]]:
        chosen = " AND kind = ANY(%s)" if kinds else ""
        return self._rows(
            "SELECT sequence, kind, time, data, checksum FROM record WHERE stream = %s AND sequence > %s"
            f" AND sequence <= %s{chosen} ORDER BY sequence LIMIT %s",
            segment.owner, low, segment.high, *([list(kinds)] if kinds else []), size,
        )  # fmt: skip

    def head(self, stream: str) -> int:
        """The last sequence, 0 without such a stream."""
        rows = self._rows("SELECT head FROM stream WHERE name = %s", stream)
        return int(rows[0][0]) if rows else 0

    def snapshot(self, stream: str, at: int | None) -> Snapshot | None:
        """The newest snapshot at or before `at`, of the stream or an ancestor."""
        for segment in reversed(self.segments(stream)):
            top = segment.high if at is None else min(segment.high, at)
            # A fork may keep a snapshot at its very base: there `low` itself is its own.
            rows = self._rows(
                "SELECT sequence, data, checksum FROM snapshot WHERE stream = %s AND sequence BETWEEN %s AND %s"
                " ORDER BY sequence DESC LIMIT 1",
                segment.owner, segment.low, top,
            )  # fmt: skip
            for sequence, data, check in rows:
                path = f"stream {stream} / snapshot {sequence}"
                if checksum(segment.owner << BITS | sequence, "", 0.0, data) != check:
                    raise CorruptError(
                        "is not what was written: its checksum differs",
                        path=path,
                        hint=f"snapshot({stream!r}, at={sequence - 1}) gives the one before",
                    )
                return Snapshot(sequence, from_text(data, path))
        return None

    def streams(self, prefix: str, clock: Callable[[], float] | None) -> list[StreamInfo]:
        """All streams whose names start with `prefix`, by name; leases expire by `clock`, or the server's."""
        now = None if clock is None else clock()
        found = []
        rows = self._rows(_STREAMS, prefix, len(prefix), prefix)
        for name, head, base, parent, holder, expires, *process, server in rows:
            lives = holder and (server if now is None else now) < expires and not Process(*process).gone()
            found.append(StreamInfo(name, head, holder if lives else "", parent or "", base))
        return found

    def inbox(self, stream: str) -> list[Letter]:
        """The letters that wait, oldest first."""
        rows = self._rows(
            "SELECT l.id, l.stream, l.kind, l.data, l.checksum FROM letter l JOIN stream s ON s.id = l.stream"
            " WHERE s.name = %s ORDER BY l.id",
            stream,
        )
        letters = []
        for id_, place, kind, data, check in rows:
            path = f"stream {stream} / letter {id_}"
            if checksum(place, kind, 0.0, data) != check:
                raise CorruptError("is not what was posted: its checksum differs", path=path)
            letters.append(Letter(id_, kind, from_text(data, path)))
        return letters

    def posted(self) -> list[str]:
        """The streams whose inbox holds letters, by name."""
        query = "SELECT name FROM stream s WHERE EXISTS (SELECT 1 FROM letter WHERE stream = s.id) ORDER BY name"
        return [name for (name,) in self._rows(query)]

    def blob(self, digest: str) -> bytes | None:
        """The bytes, unchecked; None when they are not there."""
        key = bytes.fromhex(digest)
        parts: list[bytes] = []
        while True:  # a part at a time: nothing holds them all but the answer
            rows = self._rows("SELECT data FROM blob WHERE digest = %s AND part = %s", key, len(parts))
            if not rows:
                return b"".join(parts) if parts else None
            parts.append(bytes(rows[0][0]))

    def blobs(self, after: str, limit: int | None) -> list[BlobInfo]:
        """Digests and sizes, by digest."""
        rows = self._rows(
            "SELECT encode(digest, 'hex'), sum(octet_length(data))::bigint FROM blob WHERE digest > %s"
            " GROUP BY digest ORDER BY digest LIMIT %s",
            bytes.fromhex(after) if is_digest(after) else after.encode(), limit,
        )  # fmt: skip
        return [BlobInfo(*row) for row in rows]

    def snapshots(self, stream: str) -> list[int]:
        """The sequences of the snapshots of the stream and its ancestors, oldest first."""
        found: set[int] = set()
        for segment in self.segments(stream):
            query = "SELECT sequence FROM snapshot WHERE stream = %s AND sequence BETWEEN %s AND %s"
            found |= {sequence for (sequence,) in self._rows(query, segment.owner, segment.low, segment.high)}
        return sorted(found)

    def sizes(self, prefix: str) -> list[Size]:
        """What the streams weigh whose names start with `prefix`, by name."""
        return [Size(*row) for row in self._rows(_SIZES, prefix, len(prefix), prefix)]

    def now(self) -> float:
        """The server's clock, in seconds since the epoch."""
        return float(self._rows("SELECT extract(epoch FROM clock_timestamp())::double precision")[0][0])

    def _steady(self, work: Callable[[], T]) -> T:
        with self.connection.transaction():
            self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return work()

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._cursor.execute(query, values).fetchall()


def _refuse_gaps(stream: str, segment: Segment, low: int, rows: list[tuple[Any, ...]], size: int) -> None:
    """CorruptError when one is missing that was not pruned, in a page of up to `size` rows after `low`."""
    due = max(low, segment.pruned) + 1
    for sequence, *_ in rows:
        if sequence > due:
            raise refusals.missing_record(stream, due)
        due = max(due, sequence + 1)
    if len(rows) < size and due <= segment.high:
        raise refusals.missing_record(stream, due)


def _record(stream: str, owner: int, row: tuple[Any, ...]) -> Record:
    sequence, kind, moment, data, check = row
    path = f"stream {stream} / record {sequence}"
    if checksum(owner << BITS | sequence & MASK, kind, moment, data) != check:
        raise CorruptError(
            "is not what was written: its checksum differs", path=path, hint="restore the database from a backup"
        )
    return Record(sequence, kind, from_text(data, path), moment)
