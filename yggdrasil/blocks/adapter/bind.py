"""Which layers of a module a LoRA is for: every name and shape is checked before anything is computed."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from typing import Any

import torch

from yggdrasil.blocks.adapter.lora import LoRA, Target, adaptable, inside, shapes
from yggdrasil.blocks.weights import base_sha256
from yggdrasil.errors import ConfigError, close_names

Bound = tuple[tuple["weakref.ref[torch.nn.Module]", Target], ...]

# Weak on both sides: neither a LoRA that nobody uses nor a module that was unloaded is held by what is remembered.
_bound: weakref.WeakKeyDictionary[LoRA, weakref.WeakKeyDictionary[torch.nn.Module, dict[str, Bound]]]
_bound = weakref.WeakKeyDictionary()
_digests: weakref.WeakKeyDictionary[torch.nn.Module, tuple[Any, str]] = weakref.WeakKeyDictionary()
_gate = threading.RLock()


def bind(lora: LoRA, modules: Mapping[str, torch.nn.Module], *, wherever: bool, path: str) -> Bound:
    """The layers of these modules that it is for, each with what is added.

    wherever    it was asked for wherever it fits: then () when nothing of it is for these modules. Otherwise that is
                an error, as is, always, a name that the module does not have, a wrong shape, or another base.
    """
    found = tuple(pair for name, module in modules.items() for pair in _known(lora, name, module, path))
    if found or wherever:
        return found
    if not modules:
        raise ConfigError(f"{lora!r} was asked for, and nothing here has weights", path=path, hint=_hint(path))
    there = [name for module in modules.values() for name in adaptable(module)]
    key = next(iter(lora.targets))
    sentence = (
        f"nothing of {lora!r} is for {', '.join(modules)} here: no layer is called {key}; {close_names(key, there)}"
    )
    raise ConfigError(sentence, path=path, hint=_hint(path))


def _hint(path: str) -> str:
    return f'adapters={{"**/another": ...}}   # a glob that does not match {path}'


def _known(lora: LoRA, name: str, module: torch.nn.Module, path: str) -> Bound:
    known = _bound.get(lora, {}).get(module, {}).get(name)  # type: ignore[call-overload]
    if known is not None and all(layer() is not None for layer, _ in known):
        return known
    with _gate:
        per_module = _bound.setdefault(lora, weakref.WeakKeyDictionary()).setdefault(module, {})
        if name not in per_module or any(layer() is None for layer, _ in per_module[name]):
            per_module[name] = _bind(lora, name, module, path)
        return per_module[name]


def _bind(lora: LoRA, name: str, module: torch.nn.Module, path: str) -> Bound:
    layers = adaptable(module)
    part = _part(lora, name, module, layers, path)
    if part is None:
        return ()
    pairs = []
    for key, target in lora.targets.items():
        inner = inside(part, key)
        if inner is None:
            continue
        found = _find(layers, inner)
        if found is None:
            there = close_names(inner, layers)
            hint = f'adapters={{"**/{path.rpartition("/")[2]}": ...}}   # a glob over the nodes that it is for'
            raise ConfigError(
                f"the adapter's {key} is no layer of this {type(module).__name__}; {there}", path=path, hint=hint
            )
        if fault := _fault(layers[found], target):
            raise ConfigError(f"the adapter's {key} does not fit: {fault}", path=path)
        pairs.append((weakref.ref(layers[found]), target))
    _require_base(lora, part, module, path)
    return tuple(pairs)


def _part(
    lora: LoRA, name: str, module: torch.nn.Module, layers: Mapping[str, Any], path: str
) -> str | None:
    """Which part of the pack is for the module of this name; None when none is."""
    if not lora.parts:
        return "" if any(_find(layers, key) is not None for key in lora.targets) else None
    fitting = [part for part in lora.parts if _fits(lora, part, layers)]
    if len(fitting) > 1:  # made for several of one kind: the weights tell them apart
        fitting = [part for part in fitting if lora.base.get(part) == _digest(module)] or fitting
    if name in fitting or (name in lora.parts and not fitting):
        return name
    if len(fitting) > 1:
        hint = f'adapters={{"**/{path.rpartition("/")[2]}": lora.part({fitting[0]!r})}}'
        raise ConfigError(f"{' and '.join(fitting)} of {lora!r} would both fit here", path=path, hint=hint)
    return fitting[0] if fitting else None


def _fits(lora: LoRA, part: str, layers: Mapping[str, Any]) -> bool:
    for key, target in lora.targets.items():
        inner = inside(part, key)
        if inner is not None:
            found = _find(layers, inner)
            if found is None or _fault(layers[found], target):
                return False
    return True


def _find(layers: Mapping[str, Any], key: str) -> str | None:
    """The layer's name, whether or not CLIP's layers lie in a `text_model` (since transformers 5 they do not)."""
    for name in (key, key.removeprefix("text_model."), f"text_model.{key}"):
        if name in layers:
            return name
    return None


def _fault(layer: torch.nn.Module, target: Target) -> str:
    wanted = shapes(layer, target.rank)
    given = (tuple(target.A.shape), tuple(target.B.shape))
    if wanted == given:
        return ""
    return f"A and B are {given[0]} and {given[1]}, and have to be {wanted[0]} and {wanted[1]}"


def _require_base(lora: LoRA, part: str, module: torch.nn.Module, path: str) -> None:
    wanted = lora.base.get(part, "")
    if wanted and (here := _digest(module)) != wanted:
        sentence = f"{lora!r} was made for other weights: sha256 {wanted[:12]}..., here {here[:12]}..."
        raise ConfigError(
            sentence, path=path, hint="load the base it was trained on, or clear lora.base to use it anyway"
        )


def _digest(module: torch.nn.Module) -> str:
    """The base's digest, computed once for as long as nobody has written into its tensors."""
    versions = tuple((id(t), t._version) for t in (*module.parameters(), *module.buffers()) if not t.is_inference())
    known = _digests.get(module)
    if known is None or known[0] != versions:
        known = _digests[module] = (versions, base_sha256(module))
    return known[1]
