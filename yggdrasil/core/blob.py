"""Bytes as values: a picture, a sound, a file. They travel by digest and are stored once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from yggdrasil.core.canonical import digest_bytes
from yggdrasil.core.tags import is_typed
from yggdrasil.core.value import Value
from yggdrasil.errors import CorruptError, PortError

KEY = "$blob"


class Blob(Value):
    """Immutable bytes with a media type.

    `digest` is the SHA-256 of `data` in hex. In JSON a blob is
    `{"$blob": digest, "media_type": "image/png", "size": 1234}`; the bytes lie in a store.
    """

    data: bytes
    media_type: str = "application/octet-stream"
    digest: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.data, bytes):
            raise PortError(f"a blob holds bytes, not {type(self.data).__name__}", hint="Blob(path.read_bytes())")
        if not self.digest:
            object.__setattr__(self, "digest", digest_bytes(self.data))

    def __repr__(self) -> str:
        return f"Blob({self.media_type}, {len(self.data)} bytes, {self.digest[:12]})"

    def reference(self) -> dict[str, Any]:
        """What stands for this blob in JSON."""
        return {KEY: self.digest, "media_type": self.media_type, "size": len(self.data)}


def is_reference(value: Any) -> bool:
    """Whether `value` is the JSON form of a blob: what merely has such a key is data like any other."""
    if not isinstance(value, Mapping) or KEY not in value or len(value) != 3:
        return False
    name = value[KEY]
    return isinstance(name, str) and len(name) == 64 and "media_type" in value and "size" in value


def references(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every blob reference inside a JSON value, in order."""
    if is_reference(value):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from references(item)


def _refused(value: Any, path: str) -> Any:
    if is_typed(value):  # here, data like any other
        return value
    raise PortError(
        f"{type(value).__name__} cannot be stored",
        path=path,
        hint="return JSON values, or Blob(data, media_type) for bytes",
    )


def detach(
    value: Any, keep: Callable[[Blob], None], path: str = "", other: Callable[[Any, str], Any] = _refused
) -> Any:
    """A JSON form of `value`: each Blob is handed to `keep` and replaced by its reference.

    other: gives what stands for a value that is not JSON, from it and its path (in that there may be Blobs again), and
        looks over what has the form of a typed value already.
    PortError names the path of anything that is not JSON (bytes included).
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise PortError(f"{value} is not JSON", path=path, hint="use None for a missing number")
        return value
    if isinstance(value, Blob):
        keep(value)
        return value.reference()
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise PortError(f"key {key!r} is {type(key).__name__}, not text", path=path, hint=f"write {str(key)!r}")
        if len(value) == 3 and is_typed(value):
            value = other(value, path)
        return {key: detach(item, keep, f"{path}/{key}", other) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [detach(item, keep, f"{path}/{i}", other) for i, item in enumerate(value)]
    return detach(other(value, path), keep, path, other)


def attached(reference: Mapping[str, Any], load: Mapping[str, bytes]) -> Blob:
    """The Blob of a reference, with its bytes from `load` (digest -> bytes)."""
    name = reference[KEY]
    if name not in load:
        raise CorruptError(f"blob {name} is not in the store")
    return Blob(load[name], reference.get("media_type", "application/octet-stream"), name)
