"""Tensors and arrays of a checkpoint: from torch and numpy to safetensors files, in shards, and back, mapped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Any

from yggdrasil.errors import ConfigError, CorruptError
from yggdrasil.levels.checkpoint_format import File, State, Weights
from yggdrasil.storage.archive import Part, part
from yggdrasil.storage.archive_reading import Source
from yggdrasil.storage.tensor_bytes import TensorBytes, pieces, read_header
from yggdrasil.storage.weights_header import TORCH, Entry


def shards(tensors: Mapping[str, TensorBytes], parts: dict[str, Part], size: int) -> tuple[list[File], dict[str, int]]:
    """Cut tensors into files of at most `size` bytes; the files, and which of them holds each tensor."""
    groups: list[dict[str, TensorBytes]] = []
    filled = 0
    for name, tensor in tensors.items():
        if not groups or (filled + tensor.size > size and groups[-1]):
            groups.append({})
            filled = 0
        groups[-1][name] = tensor
        filled += tensor.size
    files, places = [], {}
    for number, group in enumerate(groups):
        made = part("weights", ".safetensors", partial(pieces, group))
        parts[made.name] = made
        files.append(File(file=made.name, size=made.size))
        places.update(dict.fromkeys(group, number))
    return files, places


class Mapped:
    """The tensors of some files, mapped; a tensor is a window into its file until it is copied."""

    def __init__(self, source: Source, files: list[File]) -> None:
        self.lies: dict[str, tuple[memoryview, Entry]] = {}
        self.source = source
        self.by_file: list[dict[str, Entry]] = []
        for file in files:
            view = source.checked(file.file)
            if len(view) != file.size:
                raise CorruptError(f"{len(view)} bytes, not {file.size}", path=source.place(file.file))
            found = read_header(view, source.place(file.file))
            twice = found.keys() & self.lies.keys()
            if twice:
                raise CorruptError(f"{min(twice)} is in two files", path=source.place(file.file))
            self.lies.update({name: (view, lies) for name, lies in found.items()})
            self.by_file.append(found)

    def tensor(self, name: str) -> Any:
        """A tensor of torch; not copied."""
        view, lies = self._at(name)
        torch = _library("torch")
        dtype = getattr(torch, TORCH[lies.dtype])
        if not math.prod(lies.shape):
            return self._shaped(torch.empty(0, dtype=dtype), lies, name)
        flat = torch.frombuffer(view, dtype=dtype, count=math.prod(lies.shape), offset=lies.start)
        return self._shaped(flat, lies, name)

    def load(self, kind: str, name: str) -> Any:
        """A tensor, array or bytes, copied: what `checkpoint_state.unpack` asks for."""
        if kind == "tensor":
            return self.tensor(name).clone()
        view, lies = self._at(name)
        if kind == "bytes":
            return bytes(view[lies.start : lies.end])
        numpy = _library("numpy")
        try:
            dtype = numpy.dtype(TORCH[lies.dtype]).newbyteorder("<")
        except TypeError:
            raise CorruptError(f"{name} is {lies.dtype}, which no array is", path=str(self.source.path)) from None
        return self._shaped(numpy.frombuffer(view[lies.start : lies.end], dtype).copy(), lies, name)

    def _at(self, name: str) -> tuple[memoryview, Entry]:
        if name not in self.lies:
            raise CorruptError(f"there is no tensor {name!r} in its files", path=str(self.source.path))
        return self.lies[name]

    def _shaped(self, flat: Any, lies: Entry, name: str) -> Any:
        try:
            return flat.reshape(lies.shape)
        except (RuntimeError, ValueError, OverflowError, TypeError) as error:
            raise CorruptError(f"{name} cannot be {lies.shape}: {error}", path=str(self.source.path)) from None


def map_weights(source: Source, weights: Weights) -> Mapped:
    """The tensors of a record; CorruptError where its files say other than the record does."""
    mapped = Mapped(source, weights.files)
    said = {name: (t.dtype, tuple(t.shape), t.file) for name, t in weights.tensors.items()}
    there = {
        name: (lies.dtype, lies.shape, number)
        for number, lying in enumerate(mapped.by_file)
        for name, lies in lying.items()
    }
    if said != there:
        name = min(n for n in said.keys() | there.keys() if said.get(n) != there.get(n))
        user = next(iter(weights.users))
        sentence = f"{name} is {_shown(there.get(name))} in its file, and {_shown(said.get(name))} in checkpoint.json"
        raise CorruptError(sentence, path=f"{source.path}: {user}")
    return mapped


def map_state(source: Source, state: State) -> Mapped:
    """The tensors of a state."""
    return Mapped(source, state.files)


def _shown(said: tuple[str, tuple[int, ...], int] | None) -> str:
    return "nothing" if said is None else f"{said[0]} {said[1]}"


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        hint = "pip install 'yggdrasil-worlds[torch]'"
        raise ConfigError(f"the checkpoint holds tensors, and {error.name} is not installed", hint=hint) from error
