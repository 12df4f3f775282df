"""A database file looked through from end to end: its pages, every row that has a checksum, every blob.

Blocks: call it off the event loop. Nothing is changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from yggdrasil.errors import Problem, StoreError
from yggdrasil.storage.blobs import BlobFolder, fits
from yggdrasil.storage.sqlite_file import BITS, FAULTS, MASK, Fault, checksum, connect, translate

MOST = 100
"""So many faults of one kind are told; a file that has more is lost anyway."""

_DIFFERS = "is not what was written: its checksum differs"
_PLACES = (
    "SELECT p.place FROM place p LEFT JOIN record r ON r.id = p.record WHERE p.place > 0 AND r.place IS NOT p.place",
    "SELECT r.place FROM record r WHERE r.id <= (SELECT record FROM place WHERE place = 0)"
    " AND NOT EXISTS (SELECT 1 FROM place p WHERE p.place = r.place AND p.record = r.id)",
)


def examine(path: Path, folder: BlobFolder) -> list[Problem]:
    """Every damage, each with its place: `stream toy / record 17`, `blob 3f...`, or the file."""
    found: list[Problem] = []
    try:
        with closing(connect(path, read_only=True)) as connection:
            for check in (_pages, _records, _places, _snapshots, _letters, _blobs):
                try:
                    found += _some(check(connection, path))
                except FAULTS as error:
                    found.append(_fault(error, path))
    except FAULTS as error:
        return [_fault(error, path)]
    return [*found, *_some(_files(folder))]


def _some(problems: Iterator[Problem]) -> list[Problem]:
    found = []
    for problem in problems:
        found.append(problem)
        if len(found) == MOST:
            break
    return found


def _fault(error: Fault, path: Path) -> Problem:
    said: StoreError = translate(error, path)
    return Problem(said.path, said.sentence, said.hint)


def _pages(connection: sqlite3.Connection, path: Path) -> Iterator[Problem]:
    for (said,) in connection.execute(f"PRAGMA integrity_check({MOST})"):
        if said != "ok":
            yield Problem(str(path), f"the database file is damaged: {said}")


def _names(connection: sqlite3.Connection) -> dict[int, str]:
    rows = connection.execute("SELECT id, CAST(name AS BLOB) FROM stream")
    return {number: bytes(name).decode("utf-8", "replace") for number, name in rows}


def _records(connection: sqlite3.Connection, path: Path) -> Iterator[Problem]:
    names = _names(connection)
    rows = connection.execute("SELECT place, CAST(kind AS BLOB), time, CAST(data AS BLOB), checksum FROM record")
    for place, kind, moment, data, check in rows:
        if not _fits(place, kind, moment, data, check):
            yield Problem(f"{_stream(names, place)} / record {_sequence(place)}", _DIFFERS)


def _places(connection: sqlite3.Connection, path: Path) -> Iterator[Problem]:
    names = _names(connection)
    for query in _PLACES:
        for (place,) in connection.execute(query):
            yield Problem(f"{_stream(names, place)} / record {_sequence(place)}", "is not where it is said to lie")


def _snapshots(connection: sqlite3.Connection, path: Path) -> Iterator[Problem]:
    names = _names(connection)
    for place, data, check in connection.execute("SELECT place, CAST(data AS BLOB), checksum FROM snapshot"):
        if not _fits(place, b"", 0.0, data, check):
            yield Problem(f"{_stream(names, place)} / snapshot {_sequence(place)}", _DIFFERS)


def _letters(connection: sqlite3.Connection, path: Path) -> Iterator[Problem]:
    names = _names(connection)
    rows = connection.execute("SELECT id, stream, CAST(kind AS BLOB), CAST(data AS BLOB), checksum FROM letter")
    for number, stream, kind, data, check in rows:
        if not _fits(stream, kind, 0.0, data, check):
            name = names.get(stream, f"number {stream}")
            yield Problem(f"stream {name} / letter {number}", _DIFFERS)


def _blobs(connection: sqlite3.Connection, path: Path) -> Iterator[Problem]:
    for digest, data in connection.execute("SELECT digest, CAST(data AS BLOB) FROM blob"):
        if not isinstance(digest, bytes) or not isinstance(data, bytes) or not fits(digest.hex(), data):
            name = digest.hex() if isinstance(digest, bytes) else str(digest)
            yield Problem(f"blob {name}", "is not what was put: its digest differs")


def _files(folder: BlobFolder) -> Iterator[Problem]:
    if not folder.folder.is_dir():
        return
    for place in sorted(folder.folder.glob("??/*")):
        if place.name.startswith("."):
            continue  # one that was never finished: nobody was told of it
        digest = place.parent.name + place.name
        try:
            data = place.read_bytes()
        except OSError as error:
            yield Problem(f"blob {digest}", f"cannot be read: {error.strerror}")
            continue
        if not fits(digest, data):
            yield Problem(f"blob {digest}", "is not what was put: its digest differs")


def _fits(place: object, kind: object, moment: object, data: object, check: object) -> bool:
    # a damaged row may hold anything anywhere
    if not isinstance(place, int) or not isinstance(kind, bytes):
        return False
    if not isinstance(moment, float) or not isinstance(data, bytes):
        return False
    try:
        return check == checksum(place, kind.decode(), moment, data)
    except UnicodeDecodeError:
        return False


def _stream(names: dict[int, str], place: object) -> str:
    number = place >> BITS if isinstance(place, int) else -1
    return f"stream {names.get(number, f'number {number}')}"


def _sequence(place: object) -> int:
    return place & MASK if isinstance(place, int) else -1
