"""Vectors as bytes (float32, little-endian, of unit length) and how near they are. Exact: every vector is looked at."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from math import fsum, isfinite, sqrt

from yggdrasil.errors import PortError

_SMALL = 50_000  # numbers; up to here plain Python is quicker than loading numpy


def packed(vector: Sequence[float]) -> bytes:
    """A vector as bytes, brought to unit length; PortError when it is empty, zero or not finite."""
    values = [float(v) for v in vector]
    length = sqrt(fsum(v * v for v in values)) if all(map(isfinite, values)) else 0.0
    if not length or not isfinite(length):
        raise PortError(f"an embedding gave no direction: {len(values)} numbers of length {length:g}")
    return _swapped(array("f", (v / length for v in values))).tobytes()


def _swapped(numbers: array[float]) -> array[float]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def cosines(query: bytes, vectors: Sequence[bytes]) -> list[float]:
    """The cosine of the angle between `query` and each of `vectors`; 0 for those of another length."""
    same = [i for i, v in enumerate(vectors) if len(v) == len(query)]
    found = [0.0] * len(vectors)
    near = _by_hand if len(same) * len(query) // 4 <= _SMALL else _by_numpy
    for index, value in zip(same, near(query, [vectors[i] for i in same]), strict=True):
        found[index] = value
    return found


def _by_hand(query: bytes, vectors: Sequence[bytes]) -> list[float]:
    asked = _swapped(array("f", query))
    return [fsum(a * b for a, b in zip(asked, _swapped(array("f", v)), strict=True)) for v in vectors]


def _by_numpy(query: bytes, vectors: Sequence[bytes]) -> list[float]:
    import numpy

    matrix = numpy.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(vectors), -1)
    return [float(v) for v in matrix @ numpy.frombuffer(query, dtype="<f4")]
