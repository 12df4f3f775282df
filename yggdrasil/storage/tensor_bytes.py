"""Tensors as the bytes of a safetensors file, without torch: a dtype by its name in the format, a shape, and bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from yggdrasil.core.value import Value
from yggdrasil.storage.weights_header import BITS, Entry, head_length, read_head, write_head

Bytes = bytes | memoryview


class TensorBytes(Value):
    """A tensor to be written: `read` gives its bytes, in C order and little-endian, when they are needed."""

    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], Bytes]

    @property
    def size(self) -> int:
        """How many bytes it takes."""
        return math.prod(self.shape) * BITS[self.dtype] // 8


def order(tensors: Mapping[str, TensorBytes]) -> Sequence[str]:
    """The wide elements first, so that every tensor is aligned; then by name."""
    return sorted(tensors, key=lambda name: (-BITS[tensors[name].dtype], name))


def pieces(tensors: Mapping[str, TensorBytes]) -> Iterator[Bytes]:
    """The bytes of a file with these tensors, the same for the same tensors: its header, then one after the other."""
    names = order(tensors)
    yield write_head({name: (tensors[name].dtype, tensors[name].shape, tensors[name].size) for name in names}, {})
    for name in names:
        yield tensors[name].read()


def read_header(view: memoryview, path: str) -> dict[str, Entry]:
    """Every tensor of a mapped file, by name; ConfigError for whatever is not exactly as the format says."""
    length = head_length(bytes(view[:9]), len(view), path)
    return read_head(bytes(view[8 : 8 + length]), len(view), path)[0]
