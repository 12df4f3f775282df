"""The signature of inputs: equal values, equal text. Tensors are hashed by their bytes, blobs by their digest."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from yggdrasil.core.blob import Blob
from yggdrasil.core.canonical import canonical, digest
from yggdrasil.errors import PortError


def fingerprint(value: Any) -> str:
    """SHA-256 of `value`; PortError for what has no stable form."""
    return digest(_plain(value))


def _plain(value: Any) -> Any:
    """JSON that tells values of different kinds apart: what is no scalar and no list is a tagged mapping."""
    if value is None or isinstance(value, str | bool | int | float):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, Blob):
        return {"blob": value.digest, "media_type": value.media_type}
    if isinstance(value, bytes | bytearray):
        return {"bytes": _sha(value)}
    if isinstance(value, Mapping):
        return {"map": sorted(([canonical(_plain(k)), _plain(v)] for k, v in value.items()), key=lambda pair: pair[0])}
    if isinstance(value, set | frozenset):
        return {"set": sorted(canonical(_plain(v)) for v in value)}
    if isinstance(value, Enum):
        return {"enum": kind, "name": value.name}
    if hasattr(value, "model_dump"):
        return {"model": kind, "data": _plain(value.model_dump(mode="json"))}
    if is_dataclass(value) and not isinstance(value, type):
        return {"record": kind, "data": {f.name: _plain(getattr(value, f.name)) for f in fields(value)}}
    return _array(value)


def _array(value: Any) -> Any:
    """An array by the bytes it holds; PortError for what is none."""
    root = type(value).__module__.partition(".")[0]
    shape, kind = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and root == "torch":
        flat = value.detach().cpu().contiguous().reshape(-1)
        data = flat.view(sys.modules["torch"].uint8).numpy().tobytes()
        return {"tensor": str(kind), "shape": list(shape), "bytes": _sha(data)}
    if shape is not None and kind is not None and root == "numpy" and not kind.hasobject:
        return {"array": str(kind), "shape": list(shape), "bytes": _sha(value.tobytes())}
    raise PortError(f"{type(value).__name__} has no stable signature", hint="cache only blocks with plain inputs")


def _sha(data: bytes | bytearray) -> str:
    return hashlib.sha256(data).hexdigest()
