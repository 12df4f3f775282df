"""NaN and infinity, looked for in raw bytes: two sweeps over each piece while it is in the cache, nothing is copied.

A float is not finite when all bits of its exponent are set (IEEE 754). Read as a signed integer, such a positive one
is at least `limit`; read as an unsigned integer, such a negative one is at least `limit` with the sign bit.
"""

from __future__ import annotations

from typing import Any, Final

import numpy

_PIECE = 1 << 18

_FORMS: Final = {
    "F64": ("i8", "u8", 0x7FF0_0000_0000_0000, 63),
    "F32": ("i4", "u4", 0x7F80_0000, 31),
    "F16": ("i2", "u2", 0x7C00, 15),
    "BF16": ("i2", "u2", 0x7F80, 15),
}


def is_finite(data: Any, dtype: str) -> bool:
    """Whether the elements of a buffer of `dtype` ("F32") are all finite numbers. True for integers and the like."""
    if dtype == "C64":
        dtype = "F32"
    if dtype not in _FORMS:
        return True
    signed, unsigned, limit, sign = _FORMS[dtype]
    values = numpy.frombuffer(data, dtype=signed) if len(data) else numpy.empty(0, signed)
    below = values.view(unsigned)
    for start in range(0, len(values), _PIECE):
        piece = slice(start, start + _PIECE)
        if values[piece].max() >= limit or below[piece].max() >= limit + (1 << sign):
            return False
    return True
