"""What is asked of the database: plain queries on a connection that never writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from yggdrasil.abc.store import Letter, Record, Size, Snapshot, StreamInfo
from yggdrasil.errors import CorruptError
from yggdrasil.storage import refusals
from yggdrasil.storage.blobs import is_digest
from yggdrasil.storage.process import Process
from yggdrasil.storage.record_text import from_text
from yggdrasil.storage.sqlite_file import BITS, FAULTS, MASK, checksum, translate

# Data comes as bytes: the checksum is taken before anything tries to understand them.
_COLUMNS = "CAST(r.kind AS BLOB), r.time, CAST(r.data AS BLOB), r.checksum"
# First those whose places are written down, then the few after them: both in the order of the stream.
_RECORDS = (
    f"SELECT p.place, {_COLUMNS} FROM place p LEFT JOIN record r ON r.id = p.record"
    " WHERE p.place > ? AND p.place <= ? ORDER BY p.place",
    f"SELECT r.place, {_COLUMNS} FROM record r"
    " WHERE r.id > (SELECT record FROM place WHERE place = 0) AND r.place > ? AND r.place <= ? ORDER BY r.id",
)
_HEAD = """SELECT coalesce(
    (SELECT place FROM record
     WHERE id > (SELECT record FROM place WHERE place = 0) AND place >> 36 = s.id ORDER BY id DESC LIMIT 1),
    (SELECT place FROM place WHERE place > s.id << 36 AND place <= (s.id << 36 | 68719476735)
     ORDER BY place DESC LIMIT 1), s.base) & 68719476735
FROM stream s WHERE s.name = ?"""
_STREAMS = """SELECT s.id, s.name, s.base, s.holder, s.expires, s.pid, s.host, s.machine, s.started, p.name, coalesce(
    (SELECT place FROM place WHERE place > s.id << 36 AND place <= (s.id << 36 | 68719476735)
     ORDER BY place DESC LIMIT 1), s.base)
FROM stream s LEFT JOIN stream p ON p.id = s.parent WHERE s.name >= ? AND substr(s.name, 1, ?) = ? ORDER BY s.name"""
# Records whose place is not written down yet are few: one look finds the heads of all streams among them.
_LOOSE = """SELECT place >> 36, max(place) FROM record
WHERE id > (SELECT record FROM place WHERE place = 0) GROUP BY place >> 36"""

_SEGMENT = "SELECT id, owner, base, pruned FROM stream"
# stream, its first place, how many rows, how many bytes of text
_WEIGHTS = (
    "SELECT place >> 36, min(place), count(*), sum(length(CAST(data AS BLOB))) FROM record GROUP BY place >> 36",
    "SELECT place >> 36, min(place), count(*), sum(length(CAST(data AS BLOB))) FROM snapshot GROUP BY place >> 36",
    "SELECT stream, min(stream), count(*), sum(length(CAST(data AS BLOB))) FROM letter GROUP BY stream",
)


class Reader:
    """The queries. `stream` is always a name; a stream that is not there is empty."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self._path = path

    def version(self) -> int:
        """A number that changes whenever another connection, of any process, has committed."""
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Everything asked inside sees the file as it is at the first question."""
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            if self.connection.in_transaction:
                self.connection.execute("COMMIT")

    def records(self, stream: str, after: int, limit: int | None, kinds: Sequence[str]) -> list[Record]:
        """Records after `after`, through all ancestors; CorruptError names the first that is damaged or missing."""
        found: list[Record] = []
        for owner, low, high, pruned in self._segments(stream):
            with closing(self._part(stream, owner, max(low, after), high, pruned)) as rows:
                while limit is None or len(found) < limit:
                    row = next(rows, None)
                    if row is None:
                        break
                    sequence, kind, moment, data = row
                    if not kinds or kind in kinds:
                        value = from_text(data, f"stream {stream} / record {sequence}")
                        found.append(Record(sequence, kind, value, moment))
        return found

    def _part(
        self, stream: str, owner: int, low: int, high: int, pruned: int
    ) -> Generator[tuple[int, str, float, bytes], None, None]:
        """The checked rows of one owner, after `low` up to `high`; a gap may be up to `pruned` only."""
        due = low + 1
        try:
            for query in _RECORDS:
                with closing(self.connection.execute(query, (owner << BITS | low, owner << BITS | high))) as rows:
                    for place, kind, moment, data, check in rows:
                        sequence = place & MASK
                        if data is None or sequence < due or (sequence > due and sequence - 1 > pruned):
                            raise refusals.missing_record(stream, sequence if data is None else max(due, pruned + 1))
                        due = sequence
                        yield due, _checked(stream, place, kind, moment, data, check), moment, data
                        due += 1
        except FAULTS as error:
            damaged = translate(error, self._path)
            if isinstance(damaged, CorruptError):
                damaged.path = f"stream {stream} / record {due} or after, in {self._path}"
            raise damaged from error
        due = max(due, pruned + 1)
        if due <= high < MASK:
            raise refusals.missing_record(stream, due)

    def head(self, stream: str) -> int:
        """The last sequence, 0 without such a stream."""
        row = self.connection.execute(_HEAD, (stream,)).fetchone()
        return 0 if row is None else int(row[0])

    def snapshot(self, stream: str, at: int | None) -> Snapshot | None:
        """The newest snapshot at or before `at`, of the stream or an ancestor."""
        for owner, low, high, _ in reversed(self._segments(stream)):
            top = high if at is None else min(high, at)
            # A fork may keep a snapshot at its very base: there `low` itself is its own.
            row = self.connection.execute(
                "SELECT place, CAST(data AS BLOB), checksum FROM snapshot WHERE place BETWEEN ? AND ?"
                " ORDER BY place DESC LIMIT 1",
                (owner << BITS | low, owner << BITS | top),
            ).fetchone()
            if top >= low and row is not None:
                place, data, check = row
                path = f"stream {stream} / snapshot {place & MASK}"
                if not _same(place, "", 0.0, data, check):
                    raise CorruptError(
                        "is not what was written: its checksum differs",
                        path=path,
                        hint=f"snapshot({stream!r}, at={(place & MASK) - 1}) gives the one before",
                    )
                return Snapshot(place & MASK, from_text(data, path))
        return None

    def snapshots(self, stream: str) -> list[int]:
        """The sequences of the snapshots of the stream and its ancestors, oldest first."""
        found: set[int] = set()
        for owner, low, high, _ in self._segments(stream):
            query = "SELECT place FROM snapshot WHERE place BETWEEN ? AND ?"
            found |= {p & MASK for (p,) in self.connection.execute(query, (owner << BITS | low, owner << BITS | high))}
        return sorted(found)

    def sizes(self, prefix: str) -> list[Size]:
        """What the streams weigh whose names start with `prefix`, by name."""
        parts = [{row[0]: row[1:] for row in self.connection.execute(query)} for query in _WEIGHTS]
        none = (0, 0, 0)
        found = []
        names = "SELECT id, name FROM stream WHERE name >= ? AND substr(name, 1, ?) = ? ORDER BY name"
        heads = {info.name: info.head for info in self.streams(prefix, 0.0)}
        for id_, name in self.connection.execute(names, (prefix, len(prefix), prefix)).fetchall():
            records, snapshots, letters = (part.get(id_, none) for part in parts)
            weight = records[2] + snapshots[2] + letters[2]
            found.append(Size(name, records[0] & MASK, heads[name], records[1], weight, snapshots[1]))
        return found

    def streams(self, prefix: str, now: float) -> list[StreamInfo]:
        """All streams whose names start with `prefix`, by name."""
        loose = dict(self.connection.execute(_LOOSE).fetchall())
        rows = self.connection.execute(_STREAMS, (prefix, len(prefix), prefix))
        return [_info(row, loose.get(row[0]), now) for row in rows]

    def inbox(self, stream: str) -> list[Letter]:
        """The letters that wait, oldest first."""
        rows = self.connection.execute(
            "SELECT l.id, CAST(l.kind AS BLOB), CAST(l.data AS BLOB), l.checksum, l.stream FROM letter l"
            " JOIN stream s ON s.id = l.stream WHERE s.name = ? ORDER BY l.id",
            (stream,),
        )
        letters = []
        for id_, kind, data, check, place in rows:
            path = f"stream {stream} / letter {id_}"
            name = _text(kind, path)
            if not _same(place, name, 0.0, data, check):
                raise CorruptError("is not what was posted: its checksum differs", path=path)
            letters.append(Letter(id_, name, from_text(data, path)))
        return letters

    def posted(self) -> list[str]:
        """The streams whose inbox holds letters."""
        query = "SELECT name FROM stream WHERE id IN (SELECT DISTINCT stream FROM letter)"
        return [name for (name,) in self.connection.execute(query)]

    def blob(self, digest: str) -> bytes | None:
        """The bytes kept in the database, unchecked; None when they are not there."""
        # a damaged row may hold anything: as bytes it is told by its digest
        query = "SELECT CAST(data AS BLOB) FROM blob WHERE digest = ?"
        row = self.connection.execute(query, (bytes.fromhex(digest),)).fetchone()
        return None if row is None else bytes(row[0] or b"")

    def blobs(self, after: str, limit: int | None) -> list[tuple[str, int]]:
        """(digest, size) of those kept in the database, by digest."""
        low = bytes.fromhex(after) if is_digest(after) else after.encode()
        query = "SELECT lower(hex(digest)), length(data) FROM blob WHERE digest > ? ORDER BY digest LIMIT ?"
        return self.connection.execute(query, (low, -1 if limit is None else limit)).fetchall()

    def _segments(self, stream: str) -> list[tuple[int, int, int, int]]:
        """(owner, after, up to, pruned up to) from the oldest ancestor to the stream itself."""
        row = self.connection.execute(f"{_SEGMENT} WHERE name = ?", (stream,)).fetchone()
        parts: list[tuple[int, int, int, int]] = []
        high = MASK
        while row is not None:
            id_, owner, base, pruned = row
            parts.append((id_, base, high, pruned))
            high = base
            row = self.connection.execute(f"{_SEGMENT} WHERE id = ?", (owner,)).fetchone()
        return parts[::-1]


def _checked(stream: str, place: int, kind: bytes, moment: float, data: bytes, check: int) -> str:
    path = f"stream {stream} / record {place & MASK}"
    name = _text(kind, path)
    if not _same(place, name, moment, data, check):
        raise CorruptError(
            "is not what was written: its checksum differs", path=path, hint="restore the file from a backup"
        )
    return name


def _same(place: int, kind: str, moment: object, data: object, check: object) -> bool:
    # A damaged row may hold anything anywhere, nothing included.
    return isinstance(moment, float) and isinstance(data, bytes) and check == checksum(place, kind, moment, data)


def _text(data: object, path: str) -> str:
    try:
        return bytes.decode(data)  # type: ignore[arg-type]
    except (TypeError, UnicodeDecodeError) as error:
        raise CorruptError(f"its kind is not text: {error}", path=path) from error


def _info(row: tuple[Any, ...], loose: int | None, now: float) -> StreamInfo:
    _, name, base, holder, expires, *process, parent, placed = row
    lives = holder and now < expires and not Process(*process).gone()
    head = (placed if loose is None else loose) & MASK
    return StreamInfo(name, head, holder if lives else "", parent or "", base)
