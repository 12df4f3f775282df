"""Tensors as the bytes of a safetensors file: a dtype by its name in the format, a shape, and bytes. Loads no torch."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy

from yggdrasil.core.arrays import array_kind
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError
from yggdrasil.storage.weights_header import BITS, TORCH, Entry, head_length, read_head, write_head

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


# --- from torch and numpy

_NAMES = {name: short for short, name in TORCH.items()}


def dtype_name(dtype: Any) -> str:
    """What safetensors calls a dtype of torch or numpy; "" when it has none."""
    return _NAMES.get(str(dtype).removeprefix("torch."), "")


def tensor_bytes(value: Any, path: str) -> TensorBytes:
    """A tensor, array or bytes as it is written. ConfigError for what has no bytes."""
    if isinstance(value, bytes):
        return TensorBytes("U8", (len(value),), lambda: value)
    kind, name = array_kind(value), dtype_name(getattr(value, "dtype", ""))
    if not kind or not name:
        said = f"{type(value).__name__} of {getattr(value, 'dtype', 'no dtype')}"
        raise ConfigError(f"a {said} has no form in safetensors", path=path, hint="float, integer or bool tensors")
    if kind == "tensor" and (value.is_meta or str(value.layout) != "torch.strided" or value.is_quantized):
        where = "on the meta device" if value.is_meta else "sparse or quantised"
        sentence = f"{path.rpartition(': ')[2]} is {where}: it has no bytes to write"
        raise ConfigError(sentence, path=path, hint="tensor.to_dense()")
    return TensorBytes(name, tuple(value.shape), partial(raw_bytes if kind == "tensor" else _array, value))


def raw_bytes(value: Any) -> Bytes:
    """The bytes of a tensor of torch, brought to the CPU."""
    flat = value.detach().cpu().contiguous().reshape(-1)
    return memoryview(flat.view(sys.modules["torch"].uint8).numpy())


def _array(value: Any) -> Bytes:
    little = numpy.require(value, value.dtype.newbyteorder("<"), "C")
    return memoryview(little.reshape(-1).view(numpy.uint8))
