"""The signature of inputs: equal values, equal text. Tensors are hashed by their bytes, blobs by their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from yggdrasil.core.blob import Blob
from yggdrasil.core.canonical import digest
from yggdrasil.errors import PortError


def fingerprint(value: Any) -> str:
    """SHA-256 of `value`; PortError for what has no stable form."""
    return digest(_plain(value))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Blob):
        return {"blob": value.digest}
    if isinstance(value, bytes):
        return {"bytes": hashlib.sha256(value).hexdigest()}
    if isinstance(value, Mapping):
        return {"map": sorted([_plain(k), _plain(v)] for k, v in value.items())} if _mixed(value) else {
            str(k): _plain(v) for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    root = type(value).__module__.partition(".")[0]
    if root == "torch":
        array = value.detach().cpu().contiguous()
        return {"tensor": str(array.dtype), "shape": list(array.shape), "bytes": _sha(array.numpy().tobytes())}
    if root == "numpy":
        return {"array": str(value.dtype), "shape": list(value.shape), "bytes": _sha(value.tobytes())}
    if hasattr(value, "model_dump"):
        return {"model": type(value).__qualname__, "data": _plain(value.model_dump(mode="json"))}
    slots = getattr(value, "__slots__", None) or getattr(value, "__dataclass_fields__", None)
    if slots:
        return {"record": type(value).__qualname__, "data": {n: _plain(getattr(value, n)) for n in slots}}
    raise PortError(f"{type(value).__name__} has no stable signature", hint="cache only blocks with plain inputs")


def _mixed(value: Mapping[Any, Any]) -> bool:
    return any(not isinstance(k, str) for k in value)


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
