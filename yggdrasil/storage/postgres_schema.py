r"""The tables in the database: how they are made, and how those of an older version are brought forward.

Data is kept as bytes (`bytea`) of UTF-8 JSON, never as `jsonb` or text: what comes back is what was given, to the
order of keys, -0.0, whole numbers of any size and \u0000, whatever the database's encoding; and the checksum is
over these very bytes. Names and kinds are text of collation "C", so they sort by code point everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import psycopg

from yggdrasil.errors import FormatError, StoreError
from yggdrasil.storage.postgres_place import PATIENCE, Place

VERSION = 2

Connection = psycopg.Connection[tuple[Any, ...]]

_TABLES = """
CREATE TABLE format (version integer NOT NULL);
-- a process that writes; `turn` is its newest transaction that was committed
CREATE TABLE writer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, turn bigint NOT NULL DEFAULT 0,
    seen timestamptz NOT NULL DEFAULT now()) WITH (fillfactor = 20);
-- parent: what was forked; owner: whose rows hold record `base` (the parent or one of its ancestors);
-- pruned: up to there records may be missing; the rest is the lease: the token only ever grows
CREATE TABLE stream (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE,
    parent bigint, owner bigint, base bigint NOT NULL DEFAULT 0,
    head bigint NOT NULL DEFAULT 0, pruned bigint NOT NULL DEFAULT 0,
    holder text NOT NULL DEFAULT '', token bigint NOT NULL DEFAULT 0, expires double precision NOT NULL DEFAULT 0,
    pid bigint NOT NULL DEFAULT 0, host text NOT NULL DEFAULT '',
    machine text NOT NULL DEFAULT '', started bigint NOT NULL DEFAULT 0) WITH (fillfactor = 70);
CREATE INDEX stream_owner ON stream (owner, base) WHERE owner IS NOT NULL;
-- checksum: see checksum.py
CREATE TABLE record (
    stream bigint NOT NULL, sequence bigint NOT NULL, kind text COLLATE "C" NOT NULL, time double precision NOT NULL,
    checksum bigint NOT NULL, data bytea NOT NULL, PRIMARY KEY (stream, sequence));
CREATE TABLE snapshot (
    stream bigint NOT NULL, sequence bigint NOT NULL, checksum bigint NOT NULL, data bytea NOT NULL,
    PRIMARY KEY (stream, sequence));
CREATE TABLE letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream bigint NOT NULL, kind text COLLATE "C" NOT NULL,
    checksum bigint NOT NULL, data bytea NOT NULL);
CREATE INDEX letter_stream ON letter (stream, id);
-- in parts of up to 1 MiB, since a value is held in memory whole, several times, on its way; part 0 knows the time
CREATE TABLE blob (
    digest bytea NOT NULL, part integer NOT NULL, time double precision NOT NULL, data bytea NOT NULL,
    PRIMARY KEY (digest, part));
ALTER TABLE blob ALTER COLUMN data SET STORAGE EXTERNAL;
"""

# One call writes what a transaction appends: it raises, and nothing is written, when a stream has moved on since
# the writer looked (YG001), or when the writer was taken for gone (YG002). Few rows go one by one, many as a set:
# a set costs more to begin with and less for each. The name carries the version of its arguments.
_APPEND = """
CREATE FUNCTION append_1(
    me bigint, mine bigint, ids bigint[], befores bigint[], tokens bigint[], heads bigint[],
    streams bigint[], sequences bigint[], kinds text[], times double precision[], sums bigint[], datas bytea[],
    taken bigint[], whose bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    there bigint;
BEGIN
    UPDATE writer SET turn = mine, seen = now() WHERE id = me;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this writer was taken for gone' USING ERRCODE = 'YG002';
    END IF;
    IF cardinality(ids) <= 4 THEN
        FOR i IN 1 .. cardinality(ids) LOOP
            UPDATE stream SET head = heads[i] WHERE id = ids[i] AND head = befores[i]
                AND (tokens[i] < 0 OR (token = tokens[i] AND holder <> ''));
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the stream has moved on' USING ERRCODE = 'YG001';
            END IF;
        END LOOP;
    ELSE
        UPDATE stream SET head = a.head FROM unnest(ids, befores, tokens, heads) AS a (id, was, token, head)
            WHERE stream.id = a.id AND stream.head = a.was
                AND (a.token < 0 OR (stream.token = a.token AND stream.holder <> ''));
        GET DIAGNOSTICS there = ROW_COUNT;
        IF there <> cardinality(ids) THEN
            RAISE EXCEPTION 'a stream has moved on' USING ERRCODE = 'YG001';
        END IF;
    END IF;
    IF cardinality(streams) <= 8 THEN
        FOR i IN 1 .. cardinality(streams) LOOP
            INSERT INTO record (stream, sequence, kind, time, checksum, data)
                VALUES (streams[i], sequences[i], kinds[i], times[i], sums[i], datas[i]);
        END LOOP;
    ELSE
        INSERT INTO record (stream, sequence, kind, time, checksum, data)
            SELECT * FROM unnest(streams, sequences, kinds, times, sums, datas);
    END IF;
    IF cardinality(taken) > 0 THEN
        DELETE FROM letter USING unnest(taken, whose) AS a (id, stream)
            WHERE letter.id = a.id AND letter.stream = a.stream;
        GET DIAGNOSTICS there = ROW_COUNT;
        IF there <> cardinality(taken) THEN
            RAISE EXCEPTION 'a letter was taken' USING ERRCODE = 'YG001';
        END IF;
    END IF;
END $$
"""

# The same for one record of one stream, which is what most transactions hold when few write: arrays cost 70 us more.
_APPEND_ONE = """
CREATE FUNCTION append_one_1(
    me bigint, mine bigint, id_ bigint, was bigint, held bigint, now_ bigint,
    sequence_ bigint, kind_ text, time_ double precision, sum_ bigint, data_ bytea
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE writer SET turn = mine, seen = now() WHERE id = me;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this writer was taken for gone' USING ERRCODE = 'YG002';
    END IF;
    UPDATE stream SET head = now_ WHERE id = id_ AND head = was AND (held < 0 OR (token = held AND holder <> ''));
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the stream has moved on' USING ERRCODE = 'YG001';
    END IF;
    INSERT INTO record (stream, sequence, kind, time, checksum, data)
        VALUES (id_, sequence_, kind_, time_, sum_, data_);
END $$
"""

MIGRATIONS: dict[int, str] = {
    # they set a search path of their own, which every connection has anyway, and which took 60 us a call
    1: """DO $$ DECLARE f regprocedure; BEGIN
        FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
            AND proname IN ('append_1', 'append_one_1') LOOP
            EXECUTE format('ALTER FUNCTION %s RESET ALL', f);
        END LOOP; END $$""",
}
"""SQL that brings the tables of a version to the next one; run in order, in one transaction."""

_SESSION = """SELECT set_config(name, value, false) FROM (VALUES
    ('search_path', {path}), ('default_transaction_isolation', 'read committed'),
    ('lock_timeout', '{patience}s'), ('statement_timeout', '0'),
    ('idle_in_transaction_session_timeout', '{patience}s'),
    -- every query here has an index that gives its order; without statistics the planner may sort a million rows
    ('enable_bitmapscan', 'off'), ('enable_seqscan', 'off'),
    ('tcp_keepalives_idle', '15'), ('tcp_user_timeout', '{patience}000'),
    ('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
        ELSE current_setting('synchronous_commit') END)) AS given (name, value)"""


def connect(place: Place) -> Connection:
    """One connection for use by one thread at a time. Durable whatever the server's defaults; psycopg.Error."""
    connection = psycopg.connect(place.conninfo, autocommit=True)
    try:
        path = f"'\"{place.schema}\", pg_temp'"
        connection.execute(_SESSION.format(path=path, patience=PATIENCE))
    except BaseException:
        connection.close()
        raise
    connection.prepare_threshold = 2
    return connection


def prepare(
    connection: Connection, place: Place, *, version: int = VERSION, migrations: Mapping[int, str] = MIGRATIONS
) -> None:
    """Check the schema, make it when it is new, bring it forward when it is old. Safe from many processes at once.

    FormatError: something else, or newer. StoreError: the database's encoding is not UTF-8.
    """
    encoding = connection.execute("SHOW server_encoding").fetchone()
    if encoding is None or encoding[0] != "UTF8":
        raise StoreError(
            f"the database's encoding is {encoding and encoding[0]}, in which not every name can be written",
            path=place.shown,
            hint="CREATE DATABASE worlds ENCODING 'UTF8' TEMPLATE template0",
        )
    if _version(connection, place, version) == version:
        return
    with connection.transaction():
        # two processes at once: the second waits here, and finds it made
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_lock(place.schema),))
        found = _version(connection, place, version)
        if found is None:
            _create(connection, place)
            found = VERSION
        for older in range(found, version):
            connection.execute(migrations[older])
        connection.execute("UPDATE format SET version = %s", (version,))


def _version(connection: Connection, place: Place, newest: int) -> int | None:
    """The version of the tables that are there; None when there are none."""
    tables = {
        name
        for (name,) in connection.execute(
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE nspname = %s AND relkind IN ('r', 'p', 'v', 'm', 'f')",
            (place.schema,),
        )
    }
    if not tables:
        return None
    rows: list[tuple[Any, ...]] = []
    if {"format", "stream", "record"} <= tables:
        rows = connection.execute("SELECT version FROM format").fetchall()
    if len(rows) != 1:
        raise FormatError(
            f"the schema {place.schema} holds tables that are not of a Yggdrasil store; they were left as they are",
            path=place.shown,
            hint=f"another schema beside it: ?schema={place.schema}_worlds",
        )
    version = int(rows[0][0])
    if version > newest:
        raise FormatError(
            f"was written by a newer version: its format is {version}, this one reads up to {newest}",
            path=place.shown,
            hint="pip install --upgrade yggdrasil-worlds",
        )
    return version


def _create(connection: Connection, place: Place) -> None:
    there = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (place.schema,)).fetchone()
    if there is None:  # one that an administrator made may be used without the right to make any
        connection.execute(f'CREATE SCHEMA "{place.schema}"')
    for part in (*filter(None, map(str.strip, _TABLES.split(";\n"))), _APPEND, _APPEND_ONE):
        connection.execute(part)
    connection.execute("INSERT INTO format (version) VALUES (%s)", (VERSION,))


def _lock(schema: str) -> int:
    return int.from_bytes(hashlib.sha256(f"yggdrasil {schema}".encode()).digest()[:8], "big", signed=True)
