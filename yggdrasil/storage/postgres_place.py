"""Where a PostgreSQL store lies: a URL read, what of it may be shown, and what the server's complaints mean.

Loading this module loads psycopg.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from yggdrasil.core.secrets import redact
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, CorruptError, StoreError, StoreFullError

SCHEMA = "yggdrasil"
PATIENCE = 30  # seconds to wait while another process writes, and for a server that does not answer

EXAMPLE = "postgresql://user@host/database"

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_ESCAPE = "write %40 for @, %2F for / and %3F for ? inside a name or password; or leave the password to ~/.pgpass"
# A server or a network that is gone is noticed within PATIENCE, not after hours.
_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "tcp_user_timeout": str(PATIENCE * 1000),
    "application_name": "yggdrasil",
}


class Place(Value):
    """A database and a schema in it. `shown` holds no password, `conninfo` does."""

    conninfo: str
    schema: str
    shown: str
    password: str = ""

    def __repr__(self) -> str:
        return f"Place({self.shown!r})"


def read_url(url: str) -> Place:
    """The place a `postgresql://` URL names; ConfigError, without any password, when it names none."""
    _, _, rest = url.partition("://")
    base, _, query = rest.partition("?")
    hosts, _, database = base.partition("/")
    user, at, host = hosts.rpartition("@")
    user, _, written = user.partition(":")
    if "@" in user + written + database + query or "\0" in url:
        raise _unreadable("a sign that has a meaning stands unescaped", _ESCAPE)
    given = parse_qsl(query, keep_blank_values=True)
    schema = next((value for name, value in reversed(given) if name == "schema"), SCHEMA)
    if not _NAME.fullmatch(schema) or schema.startswith("pg_"):
        hint = "schema=worlds: a small letter, then small letters, digits and _, at most 63"
        raise _unreadable(f"{redact(schema)[:80]!r} cannot name a schema", hint)
    others = [(name, value) for name, value in given if name != "schema"]
    try:
        values = conninfo_to_dict("?".join(filter(None, (f"postgresql://{base}", urlencode(others)))))
    except psycopg.Error:  # what it says may repeat the password
        raise _unreadable("it is no URL of PostgreSQL", f"{EXAMPLE}; {_ESCAPE}") from None
    for name in ("user", "dbname", "host"):
        if not str(values.get(name, "x")).isprintable():
            raise _unreadable(f"the {name} is no printable text", EXAMPLE)
    secret = str(values.get("password") or "")
    conninfo = psycopg.conninfo.make_conninfo("", **{**_DEFAULTS, **values, "client_encoding": "UTF8"})
    open_ = [(n, v) for n, v in others if "password" not in n and "secret" not in n]
    open_ += [("schema", schema)] if schema != SCHEMA else []
    shown = f"postgresql://{user}{at}{host}/{database}" + (f"?{urlencode(open_)}" if open_ else "")
    return Place(conninfo, schema, shown, secret)


def _unreadable(reason: str, hint: str) -> ConfigError:
    return ConfigError(f"the store cannot be read: {reason}", path="postgresql://...", hint=hint)


def lost(error: BaseException) -> bool:
    """Whether the connection is gone: the server ended it, or the network."""
    state = getattr(error, "sqlstate", None)
    if isinstance(error, psycopg.Error) and state is not None:
        return state.startswith("08") or state in ("57P01", "57P02", "57P03", "57P05", "25P03")
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | OSError)


def translate(error: psycopg.Error | OSError, place: Place) -> StoreError:
    """The typed error for what the driver or the server said."""
    where, state = place.shown, getattr(error, "sqlstate", None) or ""
    said = _said(error, place)
    if state == "53100" or state == "54000":
        return full(where, said)
    if state.startswith("XX00") or state == "58030":
        return CorruptError(f"the database is damaged: {said}", path=where, hint="restore it from a backup")
    if state in _MEANINGS:
        sentence, hint = _MEANINGS[state]
        return StoreError(f"{sentence} ({said})", path=where, hint=hint.format(schema=place.schema))
    if "does not exist" in said and "database" in said:
        return StoreError(f"cannot be opened: {said}", path=where, hint="createdb -E UTF8 NAME, or CREATE DATABASE")
    if "authentication failed" in said or "no password supplied" in said:
        hint = "give the password in the URL, in PGPASSWORD or in ~/.pgpass"
        return StoreError(f"cannot be opened: {said}", path=where, hint=hint)
    if lost(error):
        hint = "is the server up? the next call connects anew"
        return StoreError(f"cannot be reached: {said}", path=where, hint=hint)
    return StoreError(f"PostgreSQL failed: {said}", path=where)


_MEANINGS = {
    "55P03": (f"another process has been writing for over {PATIENCE} s", "try again"),
    "40P01": ("other processes write the same streams all the time", "try again"),
    "42501": (
        "the user may not do this",
        "GRANT CREATE ON DATABASE ... TO user once; or a schema of its own: CREATE SCHEMA {schema} AUTHORIZATION user",
    ),
    "25006": ("the server only reads: it is a standby", "name the primary, or add target_session_attrs=read-write"),
    "42P01": ("the tables of the schema {schema} are gone", "restore them from a backup"),
    "3F000": ("the schema is gone", "open the store again, or restore it from a backup"),
    "53300": ("the server has no connection left", "raise max_connections, or close other programs"),
    "53200": ("the server has no memory left", "try again; smaller blobs help"),
}


def full(where: str, said: str) -> StoreFullError:
    """No space left on the server."""
    return StoreFullError(
        f"there is no space left to write ({said}); what was acknowledged is safe",
        path=where,
        hint="free some space on the server and write again: the store goes on as it is",
    )


def _said(error: BaseException, place: Place) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = " ".join(line.strip() for line in lines if not line.startswith(("LINE ", "CONTEXT:")))[:400]
    if place.password:
        text = text.replace(place.password, "***")
    return redact(text)
