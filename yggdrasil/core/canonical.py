"""Canonical JSON and its SHA-256: the one way in which anything here is hashed.

Sorted keys, no white space, UTF-8, shortest float form, no NaN (after RFC 8785, except that
floats are written as Python writes them).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from yggdrasil.errors import CorruptError, PortError

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical(value: Any) -> str:
    """The canonical JSON text of `value`; PortError where it is not JSON."""
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise PortError(
            f"a value cannot be written as JSON: {error}",
            hint="keep text, numbers, booleans, None, lists and string-keyed mappings; put bytes in a Blob",
        ) from error


def digest(value: Any) -> str:
    """SHA-256, in hex, of the canonical JSON of `value`."""
    try:
        return hashlib.sha256(canonical(value).encode()).hexdigest()
    except UnicodeEncodeError as error:
        raise PortError(f"a text is not Unicode: {error}", hint="decode bytes as what they are") from error


def digest_bytes(data: bytes) -> str:
    """SHA-256, in hex, of bytes."""
    return hashlib.sha256(data).hexdigest()


def derive(seed: int, *names: str | int) -> int:
    """A 63-bit seed for one named place, from a parent seed; the same on every machine."""
    text = "\x1f".join((str(seed), *map(str, names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(parse_constant=_no_constant).decode


def parse(text: str, *, path: str = "") -> Any:
    """JSON text to a value; CorruptError where it is not JSON."""
    try:
        return _decode(text)
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"not JSON: {error}", path=path) from error
