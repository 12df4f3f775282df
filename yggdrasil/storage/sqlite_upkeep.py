"""The slow work on a database file: what streams weigh, which blobs are named, giving space back.

Each opens a connection of its own, so that neither the thread that writes nor the one that reads waits for it.
All functions block: call them off the event loop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from yggdrasil.abc.store import Size
from yggdrasil.storage.blobs import named
from yggdrasil.storage.sqlite_file import FAULTS, connect, translate
from yggdrasil.storage.sqlite_reads import Reader

WORTH = 20
"""The file is written anew when at least one page in so many is free."""

_TEXTS = ("SELECT CAST(data AS BLOB) FROM snapshot", "SELECT CAST(data AS BLOB) FROM letter")
_RECORDS = "SELECT CAST(data AS BLOB) FROM record WHERE id > ?"


@contextmanager
def _connected(path: Path, *, read_only: bool = True) -> Iterator[sqlite3.Connection]:
    try:
        with closing(connect(path, read_only=read_only)) as connection:
            yield connection
    except FAULTS as error:
        raise translate(error, path) from error


def sizes(path: Path, prefix: str) -> list[Size]:
    """What the streams weigh whose names start with `prefix`."""
    with _connected(path) as connection, Reader(connection, path).steady():
        return Reader(connection, path).sizes(prefix)


def unnamed(path: Path, digests: Iterable[str], before: float) -> tuple[set[str], int]:
    """Blobs put before `before` that nothing names: of `digests` and of the database; and the record read last."""
    with _connected(path) as connection, Reader(connection, path).steady():
        rows = connection.execute("SELECT lower(hex(digest)) FROM blob WHERE time < ?", (before,))
        found = {*digests, *(digest for (digest,) in rows)}
        last = connection.execute("SELECT coalesce(max(id), 0) FROM record").fetchone()[0]
        return still_unnamed(connection, found, 0), int(last)


def still_unnamed(connection: sqlite3.Connection, digests: set[str], after: int) -> set[str]:
    """Those that no record after number `after`, no snapshot and no letter names."""
    left = set(digests)
    for query, values in ((_RECORDS, (after,)), *((query, ()) for query in _TEXTS)):
        if not left:
            break
        for (data,) in connection.execute(query, values):
            # a damaged text names whatever can be read of it
            left.difference_update(named(bytes(data).decode("latin-1")))
    return left


def give_back(path: Path) -> None:
    """Write the file anew without its free pages, where there are enough of them. Others wait meanwhile."""
    with _connected(path, read_only=False) as connection:
        free, pages = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
        if free * WORTH >= pages:
            connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
