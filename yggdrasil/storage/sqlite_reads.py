"""What is asked of the database: plain queries on a connection that never writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from yggdrasil.abc.store import Letter, Record, Snapshot, StreamInfo
from yggdrasil.errors import CorruptError
from yggdrasil.storage import refusals
from yggdrasil.storage.process import Process
from yggdrasil.storage.record_text import from_text
from yggdrasil.storage.sqlite_file import BITS, MASK, checksum, translate

# Data comes as bytes: the checksum is taken before anything tries to understand them.
_RECORDS = (
    "SELECT place, CAST(kind AS BLOB), time, CAST(data AS BLOB), checksum FROM record WHERE place > ? AND place <= ?"
)
_LAST = "SELECT place FROM record WHERE place > ? AND place <= ? ORDER BY place DESC LIMIT 1"
_STREAMS = """SELECT s.name, s.base, s.holder, s.expires, s.pid, s.host, s.machine, s.started, p.name,
(SELECT place FROM record WHERE place > s.id << 36 AND place <= (s.id << 36 | 68719476735) ORDER BY place DESC LIMIT 1)
FROM stream s LEFT JOIN stream p ON p.id = s.parent WHERE s.name >= ? AND substr(s.name, 1, ?) = ? ORDER BY s.name"""


class Reader:
    """The queries. `stream` is always a name; a stream that is not there is empty."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self._path = path

    def version(self) -> int:
        """A number that changes whenever another connection, of any process, has committed."""
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def records(self, stream: str, after: int, limit: int | None, kinds: Sequence[str]) -> list[Record]:
        """Records after `after`, through all ancestors; CorruptError names the first that is damaged."""
        found: list[Record] = []
        after = max(after, 0)
        for owner, low, high in self._segments(stream):
            left = None if limit is None else limit - len(found)
            if high > after and left != 0:
                found += self._part(stream, owner, (max(low, after), high), left, kinds)
        return found

    def _part(
        self, stream: str, owner: int, span: tuple[int, int], limit: int | None, kinds: Sequence[str]
    ) -> Iterator[Record]:
        low, high = span
        query, values = _RECORDS, [owner << BITS | low, owner << BITS | high]
        names = [kind.encode() for kind in kinds]
        if kinds:
            query += f" AND kind IN ({', '.join('?' * len(kinds))})"
        query += " ORDER BY place LIMIT ?"
        due = low + 1
        try:
            cursor = self.connection.execute(query, [*values, *kinds, -1 if limit is None else limit])
            for place, kind, moment, data, check in cursor:
                sequence = place & MASK
                if not names and sequence != due:
                    raise refusals.missing_record(stream, due, sequence)
                yield _record(stream, place, kind, moment, data, check)
                due = sequence + 1
        except sqlite3.DatabaseError as error:
            damaged = translate(error, self._path)
            if isinstance(damaged, CorruptError):
                damaged.path = f"stream {stream} / record {due} or after, in {self._path}"
            raise damaged from error
        if not names and high < MASK and (limit is None or due - low - 1 < limit) and due <= high:
            raise refusals.missing_record(stream, due, high + 1)

    def head(self, stream: str) -> int:
        """The last sequence, 0 without such a stream."""
        row = self.connection.execute("SELECT id, base FROM stream WHERE name = ?", (stream,)).fetchone()
        if row is None:
            return 0
        last = self.connection.execute(_LAST, (row[0] << BITS, row[0] << BITS | MASK)).fetchone()
        return int(row[1] if last is None else last[0] & MASK)

    def snapshot(self, stream: str, at: int | None) -> Snapshot | None:
        """The newest snapshot at or before `at`, of the stream or an ancestor."""
        for owner, low, high in reversed(self._segments(stream)):
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
                if check != checksum(place, "", 0.0, data):
                    raise CorruptError(
                        "is not what was written: its checksum differs",
                        path=path,
                        hint=f"snapshot({stream!r}, at={(place & MASK) - 1}) gives the one before",
                    )
                return Snapshot(place & MASK, from_text(data, path))
        return None

    def streams(self, prefix: str, now: float) -> list[StreamInfo]:
        """All streams whose names start with `prefix`, by name."""
        rows = self.connection.execute(_STREAMS, (prefix, len(prefix), prefix))
        return [_info(row, now) for row in rows]

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
            if check != checksum(place, name, 0.0, data):
                raise CorruptError("is not what was posted: its checksum differs", path=path)
            letters.append(Letter(id_, name, from_text(data, path)))
        return letters

    def blob(self, digest: str) -> bytes | None:
        """The bytes kept in the database, unchecked; None when they are not there."""
        row = self.connection.execute("SELECT data FROM blob WHERE digest = ?", (bytes.fromhex(digest),)).fetchone()
        return None if row is None else bytes(row[0])

    def _segments(self, stream: str) -> list[tuple[int, int, int]]:
        """(owner, after, up to) from the oldest ancestor to the stream itself."""
        row = self.connection.execute("SELECT id, owner, base FROM stream WHERE name = ?", (stream,)).fetchone()
        parts: list[tuple[int, int, int]] = []
        high = MASK
        while row is not None:
            id_, owner, base = row
            parts.append((id_, base, high))
            high = base
            row = self.connection.execute("SELECT id, owner, base FROM stream WHERE id = ?", (owner,)).fetchone()
        return parts[::-1]


def _record(stream: str, place: int, kind: bytes, moment: float, data: bytes, check: int) -> Record:
    path = f"stream {stream} / record {place & MASK}"
    name = _text(kind, path)
    if check != checksum(place, name, moment, data):
        raise CorruptError(
            "is not what was written: its checksum differs", path=path, hint="restore the file from a backup"
        )
    return Record(place & MASK, name, from_text(data, path), moment)


def _text(data: bytes, path: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise CorruptError(f"its kind is not text: {error}", path=path) from error


def _info(row: tuple[Any, ...], now: float) -> StreamInfo:
    name, base, holder, expires, *process, parent, last = row
    lives = holder and now < expires and not Process(*process).gone()
    return StreamInfo(name, base if last is None else last & MASK, holder if lives else "", parent or "", base)
