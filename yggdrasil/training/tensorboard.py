"""Scalars as TensorBoard reads them, written without TensorBoard.

A file is records of: length (uint64), masked CRC of it, bytes, masked CRC of them, all little-endian (TensorFlow's
`tensorflow/core/lib/io/record_writer.h`; the mask is `hash/crc32c.h`). The bytes are an `Event` message (`event.proto`:
wall_time 1 double, step 2 int64, file_version 3 string, summary 5) whose `Summary` has a repeated `value` 1 with `tag`
1 string and `simple_value` 2 float (`summary.proto`).
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from yggdrasil.errors import StoreError


def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)  # the Castagnoli polynomial, reflected
        found.append(byte)
    return tuple(found)


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The CRC-32C (Castagnoli) of bytes, RFC 3720 appendix B.4."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """Bytes framed as one TFRecord."""
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*parts, value))


def _message(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def event(wall_time: float, step: int, scalars: Mapping[str, float]) -> bytes:
    """An Event with scalars, as bytes."""
    values = b"".join(
        _message(1, _message(1, tag.encode()) + b"\x15" + struct.pack("<f", value)) for tag, value in scalars.items()
    )
    return b"\x09" + struct.pack("<d", wall_time) + b"\x10" + _varint(step) + _message(5, values)


class EventFile:
    """A new event file in a folder: `with EventFile("logs") as log: log.scalars(1, {"loss": 0.5})`.

    StoreError when it cannot be written.
    """

    def __init__(self, folder: str | Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        now = clock()
        self.path = Path(folder) / f"events.out.tfevents.{int(now):010d}.yggdrasil.{os.getpid()}.{time.monotonic_ns()}"
        self._file: IO[bytes] | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("xb")
        except OSError as error:
            raise StoreError(f"logs cannot be written: {error.strerror}", path=str(folder)) from error
        self._write(b"\x09" + struct.pack("<d", now) + _message(3, b"brain.Event:2"))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add values at a step."""
        self._write(event(self._clock(), step, values))

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        try:
            self._file.write(record(data))
            self._file.flush()
        except OSError as error:
            raise StoreError(f"logs cannot be written: {error.strerror}", path=str(self.path)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
