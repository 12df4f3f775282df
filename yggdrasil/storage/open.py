"""From a URL to a store."""

from __future__ import annotations

import os
import re
from pathlib import Path

from yggdrasil.abc.store import Store
from yggdrasil.errors import ConfigError
from yggdrasil.storage.memory import MemoryStore

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # two letters at least: `C:` is a drive

AVAILABLE = (
    "memory://, sqlite:///relative.db, sqlite:////absolute.db, a plain path, or postgresql://user@host/database"
)


def open_store(url: str | Store | None) -> Store:
    """The store a URL names, not yet open: use it as `async with`.

    `memory://` or None; `sqlite:///relative.db`, `sqlite:////absolute.db`, or a plain path for
    SQLite; `postgresql://user:password@host/database?schema=name` for PostgreSQL (extra `postgres`);
    a Store is handed back as it is. ConfigError for anything else.
    """
    if isinstance(url, Store):
        return url
    if url is None:
        return MemoryStore()
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _sqlite(url, _plain(url))
    match scheme:
        case "memory":
            if rest:
                raise ConfigError("a store in memory has no name", path=url, hint="memory://")
            return MemoryStore()
        case "sqlite":
            return _sqlite(url, rest[1:] if rest.startswith("/") else "")
        case "postgresql" | "postgres":
            return _postgres(url)
    raise ConfigError(f"no store is called {scheme!r}; available: {AVAILABLE}", path="store", hint="sqlite:///world.db")


def is_there(url: str | Store | None) -> bool:
    """Whether a store exists already, so that reading it makes no file; one that is no file is taken to be there."""
    if url is None or isinstance(url, Store):
        return True
    scheme, separator, rest = url.partition("://")
    if separator and scheme != "sqlite":
        return True
    return os.path.exists(rest[1:] if separator else url)


def bytes_on_disk(url: str) -> int | None:
    """What a store's files weigh, with its log and its blobs; None for a store that is no file."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme != "sqlite":
        return None
    path = Path(rest[1:] if separator else url)
    found = [Path(f"{path}{ending}") for ending in ("", "-wal", "-shm")] + [*Path(f"{path}.blobs").rglob("*")]
    return sum(file.stat().st_size for file in found if file.is_file())


def _plain(path: str) -> str:
    """A path without a scheme; `memory:` and `sqlite:world.db` are slips of the pen, not the names of files."""
    slip = _SCHEME.match(path)
    if slip is None or path == ":memory:":
        return path
    scheme = slip.group(1).lower()
    rest = path[slip.end() :].strip("/")
    hint = {"memory": "memory://", "sqlite": f"sqlite:///{rest or 'world.db'}"}.get(scheme, "sqlite:///world.db")
    if scheme in ("postgres", "postgresql"):
        hint = "postgresql://user@host/database"
    elif scheme not in ("memory", "sqlite"):
        hint += f", or ./{path} for a file of that name" if "@" not in path else ""
    shown = f"{scheme}:..." if "@" in path else path  # the rest may hold a password
    raise ConfigError(f"{shown!r} is no store: two slashes belong after {scheme}:", path="store", hint=hint)


def _sqlite(url: str, path: str) -> Store:
    if not path.strip() or path == ":memory:" or "\0" in path or (url != path and "?" in path):
        shown = url.strip().replace("\0", "\\0") or "store"
        raise ConfigError("names no file", path=shown, hint="sqlite:///world.db, or memory://")
    from yggdrasil.storage.sqlite import SqliteStore

    return SqliteStore(path)


def _postgres(url: str) -> Store:
    try:
        from yggdrasil.storage.postgres import PostgresStore
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "psycopg" and "psycopg" not in str(error):
            raise
        raise ConfigError(
            "a store in PostgreSQL needs the package psycopg",
            path="postgresql://...",  # the rest may hold a password
            hint="pip install 'yggdrasil-worlds[postgres]'",
        ) from error
    return PostgresStore(url)
