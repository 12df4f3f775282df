"""The head of a safetensors file: which tensors it holds, and where. Nothing of it is believed before it is checked.

The format is https://github.com/huggingface/safetensors#format: eight bytes of length, a JSON object, then the bytes
of the tensors, without gaps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError
from yggdrasil.storage.excerpt import is_unicode

BITS: Final = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E5M2FNUZ": 8, "F8_E4M3FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip
"""Bits of one element, by dtype. Types of less than a byte are not read."""

TORCH: Final = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "I16": "int16",
    "U16": "uint16", "F16": "float16", "BF16": "bfloat16", "I32": "int32", "U32": "uint32", "F32": "float32",
    "I64": "int64", "U64": "uint64", "F64": "float64", "C64": "complex64", "F8_E8M0": "float8_e8m0fnu",
    "F8_E5M2FNUZ": "float8_e5m2fnuz", "F8_E4M3FNUZ": "float8_e4m3fnuz",
}  # fmt: skip
"""What torch (and where it has it, numpy) calls a dtype."""

HEAD_LIMIT: Final = 100_000_000
"""The longest header, in bytes; safetensors has the same limit."""

_RANK_LIMIT = 64
_NOT_SAFETENSORS = "save it with safetensors.torch.save_file(module.state_dict(), path)"


class Entry(Value):
    """One tensor of a file: its name, dtype ("F32"), shape, and the bytes [start, end) of the file that hold it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def nbytes(self) -> int:
        """Its size."""
        return self.end - self.start


def head_length(first: bytes, size: int, path: str) -> int:
    """The length of the header, from the first eight bytes (and what follows, to say what the file is instead)."""
    if len(first) < 8:
        raise ConfigError(f"only {size} bytes: no safetensors file is so short", path=path, hint="copy it again")
    length = int.from_bytes(first[:8], "little")
    if not 2 <= length <= HEAD_LIMIT or first[8:9] not in (b"{", b""):
        if first.startswith(b"PK\x03\x04") or (first[:1] == b"\x80" and first[1:2] in b"\x02\x03\x04\x05"):
            sentence = "this is a pickle (torch.save), whatever its name says"
        else:
            sentence = "this is no safetensors file: it does not begin with a header"
        raise ConfigError(sentence, path=path, hint=_NOT_SAFETENSORS)
    if 8 + length > size:
        raise ConfigError(
            f"cut off: the header has {length:,} bytes, the file {size:,}", path=path, hint="copy it again, whole"
        )
    return length


def read_head(head: bytes, size: int, path: str) -> tuple[dict[str, Entry], dict[str, str]]:
    """The entries by name, in the order of their bytes, and the metadata, of a file of `size` bytes.

    ConfigError for whatever is not exactly as the format says: names twice, overlaps, gaps, sizes that do not fit
    shapes, bytes beyond the end.
    """
    document = _document(head, path)
    metadata = document.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ConfigError("__metadata__ is no mapping of texts", path=path)
    begin = 8 + len(head)
    entries = sorted(
        (_entry(name, value, begin, path) for name, value in document.items()), key=lambda e: (e.start, e.end)
    )
    at = begin
    for entry in entries:
        if entry.start != at:
            fault = "overlaps what is before it" if entry.start < at else "leaves a gap before it"
            raise ConfigError(f"{entry.name} {fault}: it begins at byte {entry.start}, not {at}", path=path)
        at = entry.end
    if at > size:
        sentence = f"cut off: the tensors end at byte {at:,}, the file has {size:,}"
        raise ConfigError(sentence, path=path, hint="copy it again, whole")
    if at < size:
        raise ConfigError(f"{size - at:,} bytes follow the last tensor", path=path, hint="save it anew")
    return {entry.name: entry for entry in entries}, metadata


def write_head(entries: Mapping[str, tuple[str, tuple[int, ...], int]], metadata: Mapping[str, str]) -> bytes:
    """The first bytes of a file with these tensors (dtype, shape, bytes), in this order."""
    document: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    at = 0
    for name, (dtype, shape, nbytes) in entries.items():
        document[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + nbytes]}
        at += nbytes
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the tensors begin aligned
    return len(text).to_bytes(8, "little") + text


def _document(head: bytes, path: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            seen: set[str] = set()
            twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            raise ConfigError(f"{twice[:80]!r} is there twice", path=path)
        return found

    def no_constant(name: str) -> Any:
        raise ValueError(f"{name} is no JSON")

    try:
        document = json.loads(head.decode("utf-8"), object_pairs_hook=once, parse_constant=no_constant)
    except UnicodeDecodeError as error:
        raise ConfigError(f"the header is not UTF-8: {error}", path=path) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the header is no JSON: {error}", path=path) from None
    if not isinstance(document, dict):
        raise ConfigError("the header is no mapping", path=path)
    if odd := next((name for name in document if not is_unicode(name)), None):
        raise ConfigError(f"the name {odd!a} is no Unicode", path=path)
    return document


def _entry(name: str, value: Any, begin: int, path: str) -> Entry:
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise ConfigError(f"{name} does not say dtype, shape and data_offsets (and nothing else)", path=path)
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise ConfigError(f"{name} has the dtype {dtype!r}", path=path, hint="one of " + ", ".join(BITS))
    if not _counts(shape) or len(shape) > _RANK_LIMIT:
        raise ConfigError(f"{name} has the shape {str(shape)[:80]}", path=path)
    if not _counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ConfigError(f"{name} has the data_offsets {str(offsets)[:80]}", path=path)
    expected = math.prod(shape) * BITS[dtype] // 8
    if offsets[1] - offsets[0] != expected:
        sentence = f"{name} is {dtype} of {tuple(shape)}, {expected:,} bytes; it is given {offsets[1] - offsets[0]:,}"
        raise ConfigError(sentence, path=path)
    return Entry(name, dtype, tuple(shape), begin + offsets[0], begin + offsets[1])


def _counts(value: Any) -> bool:
    """Whether it is a list of sizes (True is no size), none larger than any file."""
    return isinstance(value, list) and all(
        isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**63 for n in value
    )
