"""What is kept beside a row, in a database, to know it by."""

from __future__ import annotations

import struct
import zlib

BITS = 36
MASK = (1 << BITS) - 1
"""A place is `stream << BITS | sequence`."""

_PLACE_TIME = struct.Struct("<qd").pack


def checksum(place: int, kind: str, moment: float, data: bytes) -> int:
    """crc32 of the row's data, place (int64), time (float64) and kind."""
    return zlib.crc32(kind.encode(), zlib.crc32(_PLACE_TIME(place, moment), zlib.crc32(data)))
