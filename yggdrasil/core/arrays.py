"""Arrays and tensors as bytes: safetensors, one file each, whose only entry is `value`."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

from yggdrasil.core.blob import Blob
from yggdrasil.errors import ConfigError, CorruptError, PortError

MEDIA_TYPE: Final = "application/x-safetensors"
ARRAYS: Final = {"tensor": "torch", "array": "numpy"}
"""The names of the two kinds in a store, and the library of each."""

_ENTRY = "value"


def array_kind(value: Any) -> str:
    """`tensor` for a torch tensor, `array` for a numpy array, else "". Loads neither library."""
    root = type(value).__module__.partition(".")[0]
    if root == "torch" and isinstance(value, sys.modules["torch"].Tensor):
        return "tensor"
    if root == "numpy" and isinstance(value, sys.modules["numpy"].ndarray):
        return "array"
    return ""


def array_to(kind: str, value: Any, path: str) -> Blob:
    """Its bytes, in its own dtype and shape; from any device, without its gradient. PortError for what has no form."""
    try:
        if kind == "tensor":
            save, value = import_module("safetensors.torch").save, value.detach().cpu().contiguous()
        else:
            # of an array of objects safetensors would keep the addresses
            if value.dtype.hasobject or value.dtype.fields is not None:
                raise TypeError(f"an array of {value.dtype}")
            save = import_module("safetensors.numpy").save
            value = sys.modules["numpy"].require(value, value.dtype.newbyteorder("="), "C")
        return Blob(save({_ENTRY: value}), MEDIA_TYPE)
    except Exception as error:  # each library has its own for a dtype or a layout without a form
        raise PortError(f"{kind} of {value.dtype} cannot be stored: {error}", path=path) from error


def array_from(kind: str, value: Any) -> Any:
    """The array or tensor (on the CPU) of its bytes. ConfigError when its library is not there."""
    if not isinstance(value, Blob):
        raise CorruptError(f"{kind} is kept without its bytes")
    try:
        load = import_module(f"safetensors.{ARRAYS[kind]}").load
    except ModuleNotFoundError as error:
        hint = "pip install 'yggdrasil-worlds[torch]'"
        raise ConfigError(f"a tensor is kept here, and {error.name} is not installed", hint=hint) from error
    try:
        return load(value.data)[_ENTRY]
    except Exception as error:  # SafetensorError, KeyError: the file's fault whatever it is
        raise CorruptError(f"the bytes of a kept {kind} are no safetensors: {error}") from error
