"""Adapters are an argument of the call: which ones a module computes with, this context says, and no switch in it.

A layer that was ever adapted carries a hook. The hook asks the context what is to be added here and now; threads,
tasks and concurrent runs have contexts of their own, so each computes with its own, and without any when it has none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.adapter.bind import bind
from yggdrasil.blocks.adapter.lora import CONVOLUTIONS, LoRA, Target
from yggdrasil.core.address import matches
from yggdrasil.errors import ConfigError

Added = tuple[Target, float, LoRA]
_ACTIVE: ContextVar[Mapping[torch.nn.Module, list[Added]] | None] = ContextVar("yggdrasil_adapters", default=None)
_gate = threading.Lock()
_EXAMPLE = 'adapters={"**/backbone": [winter, (portrait, 0.5), "packs/snow"]}'


@contextmanager
def adapted(modules: Callable[[], Mapping[str, Any]], ctx: RunContext) -> Iterator[None]:
    """Compute with the adapters that the run asks for at this path.

    ConfigError, before anything is computed, when one of them is not for these modules.
    """
    asked = chosen(ctx.run.adapters, ctx.path) if ctx.run.adapters else []
    if asked and ctx.brings_adapters:  # it is all there is to be adapted
        asked = [(lora, weight, False) for lora, weight, _ in asked]
    if not asked:
        yield
        return
    added = _added(asked, modules(), ctx.path)
    token = _ACTIVE.set({**(_ACTIVE.get() or {}), **added})
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def require(adapters: Mapping[str, Any], places: Mapping[str, Callable[[], Mapping[str, Any]]]) -> None:
    """Check adapters before a run; `places`: modules by path, loaded where a glob names it. Blocking.

    ConfigError for one that does not fit where it is asked for, and for one that fits nowhere.
    """
    used: set[int] = set()
    for path, modules in places.items():
        asked = chosen(adapters, path)
        there = modules() if asked else {}
        used |= {id(lora) for lora, _, wherever in asked if bind(lora, there, wherever=wherever, path=path)}
    for select, given in adapters.items():
        for lora, _ in _listed(given):
            if id(lora) not in used:
                hint = f"neural blocks are at {'; '.join(places) or 'no path here'}"
                raise ConfigError(f"{lora!r} is for no block that {select!r} names", hint=hint)


def chosen(adapters: Mapping[str, Any], path: str) -> list[tuple[LoRA, float, bool]]:
    """The adapters for a path, in order, each with its weight and whether it was asked for wherever it fits.

    One that is named twice has the weight named last.
    """
    found: dict[int, tuple[LoRA, float, bool]] = {}
    for select, given in adapters.items():
        if matches(select, path):
            wherever = all(choice.rstrip().endswith("*") for choice in select.split("|"))
            for lora, weight in _listed(given):
                found[id(lora)] = (lora, weight, wherever)
    return list(found.values())


def _listed(given: Any) -> list[tuple[LoRA, float]]:
    """What a caller may write: an adapter, a pair with its weight, or a list of these."""
    if isinstance(given, list | tuple) and len(given) == 2 and _is_number(given[1]):
        return [(_adapter(given[0]), given[1])]
    if isinstance(given, list | tuple):
        return [pair for one in given for pair in _listed(one)]
    return [(_adapter(given), 1.0)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _adapter(given: Any) -> LoRA:
    if isinstance(given, LoRA):
        return given
    if isinstance(given, str | Path):
        from yggdrasil.blocks.adapter.files import loaded

        return loaded(Path(given))
    raise ConfigError(f"an adapter is {type(given).__name__}, not a LoRA or the path of one", hint=_EXAMPLE)


def _added(
    asked: list[tuple[LoRA, float, bool]], modules: Mapping[str, Any], path: str
) -> dict[torch.nn.Module, list[Added]]:
    added: dict[torch.nn.Module, list[Added]] = {}
    for lora, weight, wherever in asked:
        for reference, target in bind(lora, modules, wherever=wherever, path=path):
            layer = reference()
            assert layer is not None, "the module that it is a part of is held by the block"
            added.setdefault(layer, []).append((target, target.scale(weight), lora))
    for layer in added:
        _hook(layer)
    return added


def _hook(layer: torch.nn.Module) -> None:
    with _gate:
        # a copied module has copied hooks, so what counts is whether it is there
        if _add not in layer._forward_hooks.values():
            layer.register_forward_hook(_add, with_kwargs=True)


def without_hooks(module: torch.nn.Module) -> torch.nn.Module:
    """Take the hooks off again, for what cannot look through them (an export). The next adapted call puts them back."""
    with _gate:
        for layer in module.modules():
            for key in [key for key, hook in layer._forward_hooks.items() if hook is _add]:
                layer._forward_hooks.pop(key)
                layer._forward_hooks_with_kwargs.pop(key, None)
    return module


def _add(layer: torch.nn.Module, args: tuple[Any, ...], named: dict[str, Any], output: Any) -> Any:
    """The hook: the layer's output, and what the active adapters add to it, in peft's order of operations.

    `result = result + B(A(dropout(x))) * scale` for each, then the layer's dtype again (peft, tuners/lora/layer.py).
    """
    active = _ACTIVE.get()
    if active is None or (added := active.get(layer)) is None:
        return None
    x = args[0] if args else next(iter(named.values()))
    weight: Any = layer.weight
    result = output
    for target, scale, lora in added:
        dtype = lora.dtype or (weight.dtype if weight.is_floating_point() else target.A.dtype)
        first, second, bias = target.placed(output.device, dtype)
        if x.dtype != dtype:
            x = x.to(dtype)
        entering = torch.nn.functional.dropout(x, lora.dropout) if lora.dropout and layer.training else x
        result = result + _product(layer, entering, first, second, bias) * scale
    return result.to(output.dtype)


def _product(layer: Any, x: torch.Tensor, first: torch.Tensor, second: torch.Tensor, bias: Any) -> torch.Tensor:
    if not isinstance(layer, CONVOLUTIONS):
        return torch.nn.functional.linear(torch.nn.functional.linear(x, first), second, bias)
    convolve: Any = _CONVOLVE[len(layer.kernel_size)]
    # peft leaves dilation and padding_mode out of A
    return convolve(convolve(x, first, None, layer.stride, layer.padding), second, bias, groups=layer.groups)  # type: ignore[no-any-return]


_CONVOLVE = {1: torch.nn.functional.conv1d, 2: torch.nn.functional.conv2d, 3: torch.nn.functional.conv3d}
