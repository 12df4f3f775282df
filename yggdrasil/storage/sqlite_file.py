"""The database file: its format, how it is opened, and what its errors mean.

Records lie in the order of appending, whatever their stream, so that a commit touches one page,
or few however many streams share it. Where the records of a stream lie is written down in bulk,
every few thousand records (table `place`); those after that are found by looking through them.
Text is UTF-8 JSON.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from yggdrasil.errors import CorruptError, FormatError, StoreError, StoreFullError
from yggdrasil.storage.checksum import BITS, MASK, checksum

__all__ = ["BITS", "MASK", "checksum", "connect", "prepare", "translate"]

APPLICATION = 0x59676764  # "Yggd"
VERSION = 2
PAGE = 8192  # bytes, of a new file: of 4,096 a quarter would be lost to records of 1 KiB, of which three fit
PATIENCE = 30.0  # seconds to wait while another process writes

SCHEMA = (
    # parent: what was forked; owner: whose rows hold record `base` (the parent or one of its ancestors);
    # pruned: up to there records may be missing; the rest is the lease: the token only ever grows.
    """CREATE TABLE stream (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
        parent INTEGER, owner INTEGER, base INTEGER NOT NULL DEFAULT 0,
        holder TEXT NOT NULL DEFAULT '', token INTEGER NOT NULL DEFAULT 0, expires REAL NOT NULL DEFAULT 0,
        pid INTEGER NOT NULL DEFAULT 0, host TEXT NOT NULL DEFAULT '',
        machine TEXT NOT NULL DEFAULT '', started INTEGER NOT NULL DEFAULT 0,
        pruned INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX stream_owner ON stream (owner, base) WHERE owner IS NOT NULL",
    # place = stream << 36 | sequence, everywhere; checksum: see checksum.py
    """CREATE TABLE record (
        id INTEGER PRIMARY KEY, place INTEGER NOT NULL, kind TEXT NOT NULL, time REAL NOT NULL,
        checksum INTEGER NOT NULL, data TEXT NOT NULL)""",
    # which record lies at a place; row 0 tells up to which record this is written down
    "CREATE TABLE place (place INTEGER PRIMARY KEY, record INTEGER NOT NULL)",
    "INSERT INTO place (place, record) VALUES (0, 0)",
    "CREATE TABLE snapshot (place INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, data TEXT NOT NULL)",
    """CREATE TABLE letter (
        id INTEGER PRIMARY KEY AUTOINCREMENT, stream INTEGER NOT NULL, kind TEXT NOT NULL,
        checksum INTEGER NOT NULL, data TEXT NOT NULL)""",
    "CREATE INDEX letter_stream ON letter (stream)",
    # time: when it was put last
    """CREATE TABLE blob (
        id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, data BLOB NOT NULL, time REAL NOT NULL DEFAULT 0)""",
)

MIGRATIONS: dict[int, tuple[str, ...]] = {
    # blobs of before count as put now: a process that put one may still be about to name it
    1: (
        "ALTER TABLE stream ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0",
        "DROP INDEX stream_owner",
        "CREATE INDEX stream_owner ON stream (owner, base) WHERE owner IS NOT NULL",
        "ALTER TABLE blob ADD COLUMN time REAL NOT NULL DEFAULT 0",
        "UPDATE blob SET time = CAST(strftime('%s', 'now') AS REAL)",
    ),
}
"""What makes the next format out of each one."""

_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}


# What may come out of the driver; the last when a damaged file makes SQLite speak in broken UTF-8.
Fault = sqlite3.Error | OSError | UnicodeDecodeError
FAULTS = (sqlite3.Error, OSError, UnicodeDecodeError)


def connect(path: Path, *, read_only: bool = False, max_pages: int | None = None) -> sqlite3.Connection:
    """One connection for use by one thread at a time, to a file that `prepare` has seen."""
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=ON")  # macOS only: there a plain fsync does not reach the disk
        connection.execute("PRAGMA wal_autocheckpoint=1000")  # pages: a page written often is moved to the file rarely
        connection.execute("PRAGMA journal_size_limit=16777216")
        if read_only:
            connection.execute("PRAGMA query_only=ON")
        if max_pages is not None:
            connection.execute(f"PRAGMA max_page_count={int(max_pages)}")
    except FAULTS:
        connection.close()
        raise
    return connection


def prepare(path: Path) -> None:
    """Check that `path` is, or can become, a database of ours; create it when it is new, migrate it when it is old.

    FormatError: something else, or newer. StoreError: it cannot be opened or written.
    """
    check_place(path)
    try:
        connection = connect(path)
        try:
            if not _is_ours(connection, path):
                _create(connection, path)
            _migrate(connection)
        finally:
            connection.close()
    except FAULTS as error:
        raise translate(error, path) from error


def check_place(path: Path) -> None:
    """Complain about what can be seen without opening: a folder, a missing folder, a file of another kind."""
    if path.is_dir():
        raise StoreError("is a folder, not a file", path=str(path), hint=f"sqlite:///{path / 'world.db'}")
    if not path.parent.is_dir():
        raise StoreError(f"there is no folder {path.parent}", path=str(path), hint=f"mkdir -p {path.parent}")
    if not path.exists():
        return
    if not path.is_file():
        raise StoreError("is no regular file", path=str(path), hint="name a new file: sqlite:///world.db")
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise translate(error, path) from error
    if start and start != b"SQLite format 3\0":
        raise FormatError(
            "is not a Yggdrasil store, nor any SQLite database; it was left as it is",
            path=str(path),
            hint="name a new file, for example sqlite:///world.db",
        )


def _is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    application, version, tables = (
        connection.execute(query).fetchone()[0]
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if application == APPLICATION and 1 <= version <= VERSION:
        return _uses_wal(connection, path)
    if application == APPLICATION:
        raise FormatError(
            f"was written by a newer version: its format is {version}, this one reads up to {VERSION}",
            path=str(path),
            hint="pip install --upgrade yggdrasil-worlds",
        )
    if application or version or tables:
        raise FormatError(
            "is an SQLite database, but not a Yggdrasil store; it was left as it is",
            path=str(path),
            hint="name a new file, for example sqlite:///world.db",
        )
    return False


def _create(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute(f"PRAGMA page_size={PAGE}")
    use_wal(connection, path)
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _is_ours(connection, path):  # else another process was quicker
            for statement in SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={APPLICATION}")
            connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring an older format up to this one: all of it, in one transaction, or nothing."""
    if _version(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for version in range(_version(connection), VERSION):  # none, when another process was quicker
            for statement in MIGRATIONS[version]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _uses_wal(connection: sqlite3.Connection, path: Path) -> bool:
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal" and not connection.in_transaction:
        use_wal(connection, path)
    return True


def use_wal(connection: sqlite3.Connection, path: Path) -> None:
    """Give the file a write-ahead log; StoreError when its file system cannot carry one."""
    # Changing the mode needs the file alone and does not wait by itself.
    until = time.monotonic() + PATIENCE
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise StoreError(
            f"the file system does not carry a write-ahead log (journal mode stays {mode!r})",
            path=str(path),
            hint="put the database on a local disk",
        )


def translate(error: Fault, path: Path) -> StoreError:
    """The typed error for what SQLite or the system said about `path`."""
    where = str(path)
    if isinstance(error, OSError):
        return _translate_system(error, where)
    code = getattr(error, "sqlite_errorcode", 0) or 0
    if code in _FULL or code & 0xFF == sqlite3.SQLITE_FULL:
        return full(where, str(error))
    if isinstance(error, UnicodeDecodeError) or (not code and "decode to UTF-8" in str(error)):
        code = sqlite3.SQLITE_CORRUPT
    match code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreError(
                f"another process has been writing for over {PATIENCE:.0f} s ({error})", path=where, hint="try again"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return StoreError(f"cannot be written: {error}", path=where, hint=f"chmod u+w {where}")
        case sqlite3.SQLITE_CANTOPEN:
            return StoreError(
                f"cannot be opened: {error}", path=where, hint=f"chmod u+rwx {path.parent} && chmod u+rw {where}"
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return CorruptError(
                f"the database file is damaged: {error}", path=where, hint=f"sqlite3 {where} .recover, or a backup"
            )
    return StoreError(f"SQLite failed: {error}", path=where)


def _translate_system(error: OSError, where: str) -> StoreError:
    import errno

    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return full(where, str(error))
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(f"cannot be written or read: {error.strerror}", path=where, hint=f"chmod u+rw {where}")
    return StoreError(f"the file system failed: {error}", path=where)


def full(where: str, said: str) -> StoreFullError:
    """No space left, a quota, or a limit on the size of files."""
    return StoreFullError(
        f"there is no space left to write ({said}); what was acknowledged is safe",
        path=where,
        hint="free some space (or raise the limit) and write again: the store goes on as it is",
    )
