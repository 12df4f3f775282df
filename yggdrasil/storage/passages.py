"""Passages to remember, in an SQLite file of their own or in memory, found by their words (FTS5) and vectors.

What is indexed are words that `core.recall.words` has made, so that neither a text nor a question ever reaches the
query language of FTS5. A file is read and written by one thread per process, however many use it; other processes
may do so at the same time (write-ahead log). An addition is durable when it returns.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from yggdrasil.core.canonical import canonical
from yggdrasil.core.recall import Passage, asked, passage_id, words
from yggdrasil.errors import CorruptError, FormatError
from yggdrasil.storage.sqlite_file import APPLICATION, FAULTS, check_place, connect, translate, use_wal
from yggdrasil.storage.thread import Job, Worker
from yggdrasil.storage.vectors import cosines

MEMORY = 0x5967674D  # "YggM"
VERSION = 1
CANDIDATES = 64
"""How many passages of the best words, and how many of the nearest vectors, are scored."""

SCHEMA = (
    # vector: float32, little-endian, unit length; embedding: what made it
    """CREATE TABLE passage (
        number INTEGER PRIMARY KEY, namespace TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL,
        importance REAL NOT NULL, time REAL NOT NULL, tags TEXT NOT NULL, vector BLOB, embedding TEXT NOT NULL,
        UNIQUE (namespace, id))""",
    "CREATE INDEX passage_time ON passage (namespace, time)",
    # `ascii` leaves letters beyond ASCII as they are: words come ready made; namespace: hexadecimal
    "CREATE VIRTUAL TABLE passage_words USING fts5 (namespace, words, tokenize = 'ascii')",
)
_COLUMNS = "number, id, text, importance, time, tags"
_FOUND = f"""SELECT {_COLUMNS}, rank FROM passage JOIN
    (SELECT rowid, bm25(passage_words, 0.0, 1.0) AS rank FROM passage_words WHERE passage_words MATCH ?)
    ON rowid = number WHERE namespace = ? {{}} ORDER BY rank, number LIMIT {CANDIDATES}"""
_TAGGED = "AND EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)"

Stored = tuple[Passage, bytes | None, str]
"""A passage, its vector, and what made the vector."""

T = TypeVar("T")


class Shelf:
    """The passages of one file, or in memory. Operations take the connection; `do` and `now` carry them out."""

    def __init__(self, path: Path | None) -> None:
        self.path = path or Path(":memory:")
        self.users = 0
        self.ended = False
        self._connection = _open(path)
        self._gate = threading.Lock()
        self._worker = Worker("yggdrasil-memory", self._carry_out)

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Carry out `work` on the shelf's thread, in a transaction."""
        result: T = await self._worker.do(work)
        return result

    def now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Carry out `work` here. Blocks."""
        with self._gate:
            try:
                return _in_transaction(self._connection, work)
            except FAULTS as error:
                raise translate(error, self.path) from error

    def end(self, *, wait: bool) -> None:
        """Carry out what was handed over, and close. Blocks when it is to `wait`."""
        if not self.ended:
            self.ended = True
            self._worker.hand_over(Job(self._close, None))
            self._worker.stop(wait=wait)

    def _close(self, connection: sqlite3.Connection) -> None:
        connection.close()

    def _carry_out(self, jobs: list[Job]) -> None:
        for job in jobs:
            try:
                if job.waiter is None:
                    with self._gate:
                        job.work(self._connection)
                else:
                    job.result = self.now(job.work)
            except Exception as error:  # handed to the one who waits
                job.error = error


def _in_transaction(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE" if getattr(work, "writes", False) else "BEGIN")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return result


def _writing(work: Callable[[sqlite3.Connection], T]) -> Callable[[sqlite3.Connection], T]:
    work.writes = True  # type: ignore[attr-defined]
    return work


# --- the file


def _open(path: Path | None) -> sqlite3.Connection:
    if path is None:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        _make(connection)
        return connection
    check_place(path)
    try:
        connection = connect(path)
        try:
            if not _is_ours(connection, path):
                _create(connection, path)
        except BaseException:
            connection.close()
            raise
    except FAULTS as error:
        raise translate(error, path) from error
    return connection


def _is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    application, version, tables = (
        connection.execute(query).fetchone()[0]
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if application == MEMORY and 1 <= version <= VERSION:
        return True
    hint = "name a new file, for example sqlite:///memory.db"
    if application == MEMORY:
        sentence = f"was written by a newer version: its format is {version}, this one reads up to {VERSION}"
        raise FormatError(sentence, path=str(path), hint="pip install --upgrade yggdrasil-worlds")
    if application == APPLICATION:
        raise FormatError(
            "holds runs and worlds, not an agent's memory; it was left as it is", path=str(path), hint=hint
        )
    if application or version or tables:
        sentence = "is an SQLite database, but not an agent's memory; it was left as it is"
        raise FormatError(sentence, path=str(path), hint=hint)
    return False


def _create(connection: sqlite3.Connection, path: Path) -> None:
    use_wal(connection, path)
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _is_ours(connection, path):  # else another process was quicker
            _make(connection)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _make(connection: sqlite3.Connection) -> None:
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={MEMORY}")
    connection.execute(f"PRAGMA user_version={VERSION}")


_shelves: dict[tuple[int, Path], Shelf] = {}
_gate = threading.RLock()  # given back by finalizers too, which may come while it is held


def borrow(path: Path | None) -> Shelf:
    """The shelf of a file, shared by all who use it in this process; one of its own in memory. Blocks."""
    if path is None:
        shelf = Shelf(None)
        shelf.users = 1
        return shelf
    key = (os.getpid(), path.resolve())
    with _gate:
        while True:
            shelf = _shelves.get(key) or Shelf(key[1])
            shelf.users += 1
            if not shelf.ended:
                _shelves[key] = shelf
                return shelf


def give_back(shelf: Shelf, *, wait: bool) -> None:
    """The reverse of `borrow`; the last one closes it."""
    with _gate:
        shelf.users -= 1
        if shelf.users > 0:
            return
        for key in [key for key, kept in _shelves.items() if kept is shelf]:
            del _shelves[key]
    shelf.end(wait=wait)


# --- what is done with a connection


def _space(namespace: str) -> str:
    return "n" + namespace.encode().hex()


def _passage(row: Sequence[Any]) -> Passage:
    _, id, text, importance, time, tags = row[:6]
    try:
        passage = Passage(id, text, float(importance), float(time), tuple(map(str, json.loads(tags))))
        if passage_id(text) == id:
            return passage
    except (TypeError, ValueError) as error:
        raise CorruptError(f"passage {id} is damaged: {error}") from error
    raise CorruptError(f"passage {id} is not what was written")


def add(namespace: str, passage: Passage, vector: bytes | None, embedding: str) -> Callable[..., Passage]:
    """Add; a passage that is there already gets the later time, the higher importance, and the tags of both."""

    @_writing
    def work(connection: sqlite3.Connection) -> Passage:
        return _put(connection, namespace, passage, vector, embedding)

    return work


def _put(connection: sqlite3.Connection, namespace: str, new: Passage, vector: bytes | None, embedding: str) -> Passage:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM passage WHERE namespace = ? AND id = ?", (namespace, new.id)
    ).fetchone()
    if row is None:
        number = connection.execute(
            "INSERT INTO passage (namespace, id, text, importance, time, tags, vector, embedding)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (namespace, new.id, new.text, new.importance, new.time, canonical(list(new.tags)), vector, embedding),
        ).lastrowid
        connection.execute(
            "INSERT INTO passage_words (rowid, namespace, words) VALUES (?, ?, ?)",
            (number, _space(namespace), " ".join(words(new.text))),
        )
        return new
    old = _passage(row)
    tags = tuple(dict.fromkeys((*old.tags, *new.tags)))
    both = new.replace(importance=max(old.importance, new.importance), time=max(old.time, new.time), tags=tags)
    connection.execute(
        "UPDATE passage SET importance = ?, time = ?, tags = ? WHERE number = ?",
        (both.importance, both.time, canonical(list(tags)), row[0]),
    )
    if vector is not None:
        connection.execute("UPDATE passage SET vector = ?, embedding = ? WHERE number = ?", (vector, embedding, row[0]))
    return both


def find(
    namespace: str, query: str, tags: Sequence[str], vector: bytes | None, embedding: str
) -> Callable[..., list[tuple[Passage, float]]]:
    """Passages that may answer `query`, with their relevance (0 to 1).

    By words: bm25 as a share of the best. With a vector: the mean of that and the cosine. Without either, the newest.
    """

    def work(connection: sqlite3.Connection) -> list[tuple[Passage, float]]:
        looked = asked(query)
        if not looked and vector is None:
            return [(p, 0.0) for p in _newest(connection, namespace, tags)]
        found = _by_words(connection, namespace, looked, tags) if looked else {}
        if vector is None:
            return list(found.values())
        near = _by_vector(connection, namespace, vector, embedding, tags, set(found))
        shares = {n: share / 2 for n, (_, share) in found.items()}
        passages = {n: p for n, (p, _) in found.items()} | {n: p for n, (p, _) in near.items()}
        return [(p, shares.get(n, 0.0) + (near[n][1] / 2 if n in near else 0.0)) for n, p in passages.items()]

    return work


def _filter(tags: Sequence[str]) -> str:
    return " ".join([_TAGGED] * len(tags))


def _newest(connection: sqlite3.Connection, namespace: str, tags: Sequence[str]) -> list[Passage]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM passage WHERE namespace = ? {_filter(tags)} ORDER BY time DESC LIMIT {CANDIDATES}",
        (namespace, *tags),
    )
    return [_passage(row) for row in rows]


def _by_words(
    connection: sqlite3.Connection, namespace: str, looked: Iterable[tuple[str, bool]], tags: Sequence[str]
) -> dict[int, tuple[Passage, float]]:
    # every word is letters and digits, and quoted: nothing of the query language can be in it
    terms = " OR ".join(f'"{word}"*' if beginning else f'"{word}"' for word, beginning in looked)
    match = f'namespace : "{_space(namespace)}" AND words : ({terms})'
    rows = connection.execute(_FOUND.format(_filter(tags)), (match, namespace, *tags)).fetchall()
    top = min((row[6] for row in rows), default=0.0)  # bm25 is negative, the best the lowest
    return {row[0]: (_passage(row), row[6] / top if top else 1.0) for row in rows}


def _by_vector(
    connection: sqlite3.Connection, namespace: str, vector: bytes, embedding: str, tags: Sequence[str], known: set[int]
) -> dict[int, tuple[Passage, float]]:
    """The nearest passages, and those `known`, with their cosine; only vectors of the same embedding are compared."""
    rows = connection.execute(
        f"SELECT number, vector FROM passage WHERE namespace = ? AND embedding = ? {_filter(tags)} ORDER BY number",
        (namespace, embedding, *tags),
    ).fetchall()
    near = dict(zip((n for n, _ in rows), cosines(vector, [v for _, v in rows]), strict=True))
    nearest = sorted((n for n in near if near[n] > 0), key=lambda n: (-near[n], n))[:CANDIDATES]
    numbers = [*nearest, *(n for n in known if n in near and n not in set(nearest))]
    marks = ", ".join("?" * len(numbers))
    found = connection.execute(f"SELECT {_COLUMNS} FROM passage WHERE number IN ({marks})", numbers)
    return {row[0]: (_passage(row), max(0.0, near[row[0]])) for row in found}


def forget(namespace: str, id: str) -> Callable[..., bool]:
    """Drop the passage `id`; whether there was one."""

    @_writing
    def work(connection: sqlite3.Connection) -> bool:
        row = connection.execute(
            "SELECT number FROM passage WHERE namespace = ? AND id = ?", (namespace, id)
        ).fetchone()
        if row is None:
            return False
        connection.execute("DELETE FROM passage_words WHERE rowid = ?", row)
        connection.execute("DELETE FROM passage WHERE number = ?", row)
        return True

    return work


def holds(namespace: str, id: str) -> Callable[..., bool]:
    """Whether there is a passage `id`."""

    def work(connection: sqlite3.Connection) -> bool:
        asked_for = "SELECT 1 FROM passage WHERE namespace = ? AND id = ?"
        return connection.execute(asked_for, (namespace, id)).fetchone() is not None

    return work


def count(namespace: str) -> Callable[..., int]:
    """How many passages there are."""

    def work(connection: sqlite3.Connection) -> int:
        found = connection.execute("SELECT count(*) FROM passage WHERE namespace = ?", (namespace,)).fetchone()
        return int(found[0])

    return work


def all_of(namespace: str) -> Callable[..., list[Stored]]:
    """Every passage, in the order of adding."""

    def work(connection: sqlite3.Connection) -> list[Stored]:
        rows = connection.execute(
            f"SELECT {_COLUMNS}, vector, embedding FROM passage WHERE namespace = ? ORDER BY number", (namespace,)
        )
        return [(_passage(row), row[6], row[7]) for row in rows]

    return work


def replace_all(namespace: str, stored: Sequence[Stored]) -> Callable[..., None]:
    """Put these passages in the place of what is there."""

    @_writing
    def work(connection: sqlite3.Connection) -> None:
        connection.execute(
            "DELETE FROM passage_words WHERE rowid IN (SELECT number FROM passage WHERE namespace = ?)", (namespace,)
        )
        connection.execute("DELETE FROM passage WHERE namespace = ?", (namespace,))
        for passage, vector, embedding in stored:
            _put(connection, namespace, passage, vector, embedding)

    return work


async def opened(path: Path | None) -> Shelf:
    """`borrow`, off the event loop."""
    return await anyio.to_thread.run_sync(borrow, path)
