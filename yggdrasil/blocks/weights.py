"""Weights between safetensors files and torch modules: checked first, then taken over whole, never half."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from yggdrasil.errors import ConfigError
from yggdrasil.storage.tensor_bytes import dtype_name, raw_bytes, tensor_bytes
from yggdrasil.storage.weights import Kind, Weights, content_sha256
from yggdrasil.storage.weights_header import TORCH
from yggdrasil.storage.weights_writer import write_weights

_DTYPES = {short: getattr(torch, name) for short, name in TORCH.items()}


def tensor(weights: Weights, name: str) -> torch.Tensor:
    """One tensor of a file, mapped: it shares the file's pages until somebody writes into it."""
    data, entry = weights[name], weights.entries[name]
    if entry.dtype not in _DTYPES:
        raise ConfigError(f"{name} is {entry.dtype}, which torch has no type for", path=weights.shown)
    dtype = _DTYPES[entry.dtype]
    if not entry.nbytes:
        return torch.empty(entry.shape, dtype=dtype)
    if entry.start % dtype.itemsize:  # a header may be of any length: then the numbers lie askew
        return torch.frombuffer(bytearray(data), dtype=dtype).reshape(entry.shape)
    return torch.frombuffer(data, dtype=dtype).reshape(entry.shape)


def tensors(weights: Weights, names: Iterable[str] | None = None) -> dict[str, torch.Tensor]:
    """Several of them, or all."""
    return {name: tensor(weights, name) for name in (weights.entries if names is None else names)}


def load_into(
    module: torch.nn.Module,
    path: str | Path | Weights,
    *,
    same_dtype: bool = False,
    extra: Iterable[str] = (),
    absent: Iterable[str] = (),
    allow_nonfinite: bool = False,
) -> None:
    """Give a module the weights of a file or folder. Nothing of it is changed unless all of them fit.

    A module on the CPU takes the mapped tensors themselves (no copy, no second set in memory), where dtypes agree;
    otherwise the numbers are copied to where it is, in its dtype. A module on "meta" takes them as they are.

    same_dtype       refuse weights of another dtype than the module's, instead of converting them
    extra, absent    names that may be in the file though the module has no such tensor; that may be missing there
    allow_nonfinite  take NaN and infinity too
    """
    weights = path if isinstance(path, Weights) else Weights(path)
    there = module.state_dict()
    # what a module shares between two names is written under one of them
    absent = {*absent, *_twins(module, weights)}
    wanted = {n: Kind(dtype_name(t.dtype) if same_dtype else "", tuple(t.shape)) for n, t in there.items()}
    weights.check(wanted, extra=extra, absent=absent)
    names = [name for name in there if name in weights]
    found = tensors(weights, names)
    crossed = [n for n, t in found.items() if t.is_floating_point() != there[n].is_floating_point()]
    if crossed:
        sentence = f"{crossed[0]} is {weights.entries[crossed[0]].dtype}, and {there[crossed[0]].dtype} in the module"
        raise ConfigError(sentence, path=weights.shown)
    if not allow_nonfinite:
        weights.require_finite(names, lambda name: _finite_sum(found[name]))
    _take_over(module, found)


def is_finite(value: torch.Tensor) -> bool:
    """Whether all numbers are finite; True for integers and the like."""
    return not (value.is_floating_point() or value.is_complex()) or _finite_sum(value) or bool(value.isfinite().all())


def _finite_sum(value: torch.Tensor) -> bool:
    """Whether the sum is finite, as it is of finite numbers alone: a pass on all cores. It may overflow, too."""
    if value.dtype not in _SUMMED:
        return False
    return bool(value.sum().isfinite())


_SUMMED = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64})


def _twins(module: torch.nn.Module, weights: Weights) -> set[str]:
    """Names of tensors that the file has under another name of the same tensor."""
    names: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return {n for alike in names.values() if any(a in weights for a in alike) for n in alike if n not in weights}


def _take_over(module: torch.nn.Module, found: Mapping[str, torch.Tensor]) -> None:
    """Put each tensor in its place; a parameter stays the object it was, so that optimizers and ties keep it."""
    with torch.no_grad():
        for prefix, part in module.named_modules(remove_duplicate=False):
            for name, old in (*part._parameters.items(), *part._buffers.items()):
                new = found.get(f"{prefix}.{name}" if prefix else name)
                if old is None or new is None:
                    continue
                if old.is_meta:
                    fresh = torch.nn.Parameter(new, old.requires_grad) if name in part._parameters else new
                    (part._parameters if name in part._parameters else part._buffers)[name] = fresh
                elif old.device.type == "cpu" and old.dtype == new.dtype:
                    old.data = new
                else:
                    old.copy_(new)
    if left := [n for n, t in module.state_dict().items() if t.is_meta]:
        raise ConfigError(f"{left[0]} was not in the file and is still without numbers")


def save_module(module: torch.nn.Module, path: str | Path, **options: Any) -> list[Path]:
    """Write a module's tensors (see `write_weights` for the options); the files that changed. Ties are written once."""
    seen: dict[int, str] = {}
    state = module.state_dict(keep_vars=True)
    once = {name: value for name, value in state.items() if seen.setdefault(id(value), name) == name}
    return save_tensors(once, path, **options)


def save_tensors(tensors: Mapping[str, torch.Tensor], path: str | Path, **options: Any) -> list[Path]:
    """Write tensors by name; the files that changed. One at a time is brought to the CPU."""
    return write_weights(path, {name: tensor_bytes(value, name) for name, value in tensors.items()}, **options)


def base_sha256(module: torch.nn.Module) -> str:
    """The digest of a module's weights: names, dtypes, shapes and bytes, wherever they are; one tensor at a time.

    It is what `Weights(folder).sha256()` gives for the same tensors in files.
    """
    state = sorted(module.state_dict().items())
    return content_sha256((n, dtype_name(t.dtype) or str(t.dtype), tuple(t.shape), raw_bytes(t)) for n, t in state)


def module_bytes(module: Any) -> int:
    """The bytes of a module's parameters and buffers, each once."""
    held = {id(t): t for t in (*module.parameters(), *module.buffers())}
    return sum(t.numel() * t.element_size() for t in held.values())
