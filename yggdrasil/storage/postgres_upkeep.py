"""The slow work on a database: large blobs, which blobs are named, giving space back.

All of it on a reading connection, so that the one that writes waits for none of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from yggdrasil.core.canonical import digest_bytes
from yggdrasil.storage.blobs import named
from yggdrasil.storage.postgres_reads import Reader
from yggdrasil.storage.postgres_schema import Connection

PART = 1024 * 1024
"""Bytes of a blob in one row."""

# The server looks for what may be digests: only those travel. What is damaged names whatever can be read of it.
_HEX = "SELECT DISTINCT found[1] FROM {table}, regexp_matches(encode(data, 'escape'), '[0-9a-f]{{64,}}', 'g') AS found"
_LATER = f"""{_HEX.format(table="record")} WHERE NOT EXISTS (
    SELECT 1 FROM unnest(%s::bigint[], %s::bigint[]) AS read (id, head) WHERE id = stream AND head >= sequence)"""


def put_large(reader: Reader, data: bytes, now: float | None) -> str:
    """Keep bytes in parts; put again, only damaged parts are written. The digest."""
    digest = digest_bytes(data)
    key, connection = bytes.fromhex(digest), reader.connection
    parts = [data[start : start + PART] for start in range(0, len(data), PART)] or [b""]
    with connection.transaction():
        # part 0 first: who puts the same bytes at this moment, or forgets them, waits
        moment = reader.now() if now is None else now
        rows = connection.execute(
            "UPDATE blob SET time = %s WHERE digest = %s AND part = 0 RETURNING 0", (moment, key)
        ).fetchall()
        there: dict[int, bytes] = {}
        if rows:
            there = dict(
                connection.execute("SELECT part, sha256(data) FROM blob WHERE digest = %s", (key,)).fetchall()
            )
        for number, part in enumerate(parts):
            if there.get(number) is None or there[number].hex() != digest_bytes(part):
                connection.execute(
                    "INSERT INTO blob (digest, part, time, data) VALUES (%s, %s, %s, %s) ON CONFLICT (digest, part)"
                    " DO UPDATE SET time = EXCLUDED.time, data = EXCLUDED.data",
                    (key, number, moment, part),
                )
        connection.execute("DELETE FROM blob WHERE digest = %s AND part >= %s", (key, len(parts)))
    return digest


def vacuum(reader: Reader, now: float | None, older: float) -> int:
    """Forget blobs put more than `older` seconds ago that nothing names; how many bytes went."""
    connection = reader.connection
    before = (reader.now() if now is None else now) - older
    gone = 0
    unnamed, read = _unnamed(connection, before)
    if unnamed:
        gone = _forget(connection, unnamed, read, before)
    # What is free is used again; free pages at the end of a table go back to the file system.
    for table in ("blob", "record", "snapshot", "letter", "stream", "writer"):
        connection.execute(f"VACUUM {table}")
    return gone


def _unnamed(connection: Connection, before: float) -> tuple[set[str], dict[int, int]]:
    """Old blobs that nothing names, and how far each stream was read for that."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        rows = connection.execute("SELECT encode(digest, 'hex') FROM blob WHERE part = 0 AND time < %s", (before,))
        left = {digest for (digest,) in rows.fetchall()}
        read: dict[int, int] = dict(connection.execute("SELECT id, head FROM stream").fetchall())
        if left:
            _cross_out(left, connection.execute(_HEX.format(table="record")))
            _cross_out_loose(connection, left)
    return left, read


def _forget(connection: Connection, unnamed: set[str], read: dict[int, int], before: float) -> int:
    with connection.transaction():
        rows = connection.execute(
            "SELECT encode(digest, 'hex') FROM blob WHERE part = 0 AND time < %s AND digest = ANY(%s)"
            " ORDER BY digest FOR UPDATE",
            (before, [bytes.fromhex(digest) for digest in unnamed]),
        )
        left = {digest for (digest,) in rows.fetchall()}
        # once more what has been written meanwhile: it may name one
        _cross_out(left, connection.execute(_LATER, (list(read), list(read.values()))))
        _cross_out_loose(connection, left)
        gone = connection.execute(
            "WITH gone AS (DELETE FROM blob WHERE digest = ANY(%s) RETURNING octet_length(data) AS bytes)"
            " SELECT coalesce(sum(bytes), 0)::bigint FROM gone",
            ([bytes.fromhex(digest) for digest in left],),
        ).fetchone()
    return int(gone[0]) if gone else 0


def _cross_out_loose(connection: Connection, left: set[str]) -> None:
    for table in ("snapshot", "letter"):
        _cross_out(left, connection.execute(_HEX.format(table=table)))


def _cross_out(left: set[str], found: Iterable[tuple[str]]) -> None:
    for (text,) in found:
        left.difference_update(named(text))
