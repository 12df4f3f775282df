"""What one transaction appends: decided here without asking the server, written there by one call.

Whatever is remembered of the streams may be old. So only what can be done at once is decided here; the server
looks again when it writes, and whatever is in doubt is asked afresh, under locks (postgres_ledger.py).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types.numeric import Int8

from yggdrasil.abc.store import Lease
from yggdrasil.storage.asked import Append, Row
from yggdrasil.storage.checksum import BITS, checksum
from yggdrasil.storage.process import Process

_MANY = f"SELECT append_1({', '.join(['%s'] * 14)})"

# a record of one stream: what most transactions hold when few write
ONE = f"SELECT append_one_1({', '.join(f'${i}' for i in range(1, 12))})"
ONE_TYPES = (20, 20, 20, 20, 20, 20, 20, 25, 701, 20, 17)  # bigint, text, double precision, bytea
_ONE_WHOLE = struct.Struct("!q").pack
_ONE_REAL = struct.Struct("!d").pack


@dataclass(slots=True)
class Stream:
    """A row of the table `stream`."""

    id: int
    owner: int | None
    base: int
    head: int
    pruned: int
    holder: str
    token: int
    expires: float
    process: Process

    def obeys(self, lease: Lease) -> bool:
        """Whether the lease is still good."""
        return self.token == lease.token and bool(self.holder)


@dataclass(slots=True)
class Batch:
    """The rows of one transaction, column by column."""

    moves: dict[int, list[int]] = field(default_factory=dict)  # stream: head before, token to be held or -1, head
    streams: list[int] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    kinds: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    sums: list[int] = field(default_factory=list)
    datas: list[bytes] = field(default_factory=list)
    taken: dict[int, int] = field(default_factory=dict)

    def head(self, stream: Stream) -> int:
        """Its head after what is in here already."""
        move = self.moves.get(stream.id)
        return stream.head if move is None else move[2]

    def admits(self, stream: Stream, asked: Append) -> bool:
        """Whether what is remembered lets it through."""
        return (
            asked.snapshot is None
            and (asked.lease is None or (asked.lease.stream == asked.stream and stream.obeys(asked.lease)))
            and (asked.expect is None or asked.expect == self.head(stream))
            and self.taken.keys().isdisjoint(asked.taken)
        )

    def add(self, stream: Stream, asked: Append) -> int:
        """Put it in; the new head."""
        move = self._move(stream)
        if asked.lease is not None:
            move[1] = asked.lease.token
        for row in asked.rows:
            move[2] += 1
            self._insert(stream.id, move[2], row, asked.moment)
        for letter in asked.taken:
            self.taken[letter] = stream.id
        return move[2]

    def adopt(self, stream: Stream, sequence: int, moment: float, row: Row) -> None:
        """Put a record in as it is."""
        self._move(stream)[2] = sequence
        self._insert(stream.id, sequence, row, moment)

    def _move(self, stream: Stream) -> list[int]:
        move = self.moves.get(stream.id)
        if move is None:
            move = self.moves[stream.id] = [stream.head, -1, stream.head]
        return move

    def _insert(self, stream: int, sequence: int, row: Row, moment: float) -> None:
        self.streams.append(stream)
        self.sequences.append(sequence)
        self.kinds.append(row.kind.encode())
        self.times.append(moment)
        self.sums.append(checksum(stream << BITS | sequence, row.kind, moment, row.data))
        self.datas.append(row.data)

    def one(self, writer: int, turn: int) -> list[bytes] | None:
        """The values of `ONE` in binary, when it is but one record of one stream."""
        if not (len(self.streams) == len(self.moves) == 1) or self.taken:
            return None
        ((stream, move),) = self.moves.items()
        numbers = map(_ONE_WHOLE, (writer, turn, stream, *move, self.sequences[0]))
        return [*numbers, self.kinds[0], _ONE_REAL(self.times[0]), _ONE_WHOLE(self.sums[0]), self.datas[0]]

    def call(self, writer: int, turn: int) -> tuple[str, tuple[Any, ...]]:
        """The call that writes whatever it is, with its values."""
        # Int8 always: by itself the driver gives small numbers other types, and so prepares many statements
        return _MANY, (Int8(writer), Int8(turn), *self._columns())

    def _columns(self) -> tuple[Any, ...]:
        moves = self.moves.values()
        return (
            Whole.column(self.moves),
            Whole.column(move[0] for move in moves),
            Whole.column(move[1] for move in moves),
            Whole.column(move[2] for move in moves),
            Whole.column(self.streams),
            Whole.column(self.sequences),
            Text.column(self.kinds),
            Real.column(self.times),
            Whole.column(self.sums),
            Bytes.column(self.datas),
            Whole.column(self.taken),
            Whole.column(self.taken.values()),
        )


class Column:
    """An array as PostgreSQL takes it in binary. The driver's own way, value by value, takes several times as long."""

    __slots__ = ("raw",)
    item: int  # the OID of an element's type, of the array's, and how an element is packed after its length
    array: int
    form = ""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @classmethod
    def column(cls, values: Iterable[Any]) -> Column:
        """The array of these values."""
        given = list(values)
        head = _HEAD(1, 0, cls.item, len(given), 1) if given else _HEAD_EMPTY(0, 0, cls.item)
        if cls.form:
            return cls(head + struct.pack("!" + f"i{cls.form}" * len(given), *(x for v in given for x in (8, v))))
        return cls(head + b"".join([part for value in given for part in (_LENGTH(len(value)), value)]))


_HEAD = struct.Struct("!iiiii").pack
_HEAD_EMPTY = struct.Struct("!iii").pack
_LENGTH = struct.Struct("!i").pack


class Whole(Column):
    """bigint[]."""

    item, array, form = 20, 1016, "q"


class Real(Column):
    """double precision[]."""

    item, array, form = 701, 1022, "d"


class Text(Column):
    """text[], of UTF-8 bytes."""

    item, array = 25, 1009


class Bytes(Column):
    """bytea[]."""

    item, array = 17, 1001


class _WholeDumper(Dumper):
    format, oid = Format.BINARY, Whole.array

    def dump(self, obj: Column) -> bytes:
        return obj.raw


class _RealDumper(_WholeDumper):
    oid = Real.array


class _TextDumper(_WholeDumper):
    oid = Text.array


class _BytesDumper(_WholeDumper):
    oid = Bytes.array


DUMPERS: tuple[tuple[type[Column], type[Dumper]], ...] = (
    (Whole, _WholeDumper), (Real, _RealDumper), (Text, _TextDumper), (Bytes, _BytesDumper),
)  # fmt: skip
