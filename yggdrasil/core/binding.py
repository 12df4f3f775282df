"""From what a caller wrote to input ports: which value goes where, and whether it fits."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from yggdrasil.core.ports import MISSING, Port, Spec, misfit
from yggdrasil.core.shape import Sizes
from yggdrasil.errors import PortError, close_names

RESERVED = frozenset({
    "seed", "ticks", "thread", "store", "durability", "training", "device", "adapters", "budget", "timeout",
    "num_loop_steps", "dry_run", "profile", "hooks", "context", "approve",
})  # fmt: skip
"""The options of `run` on every level. A port so named is passed in the mapping."""


_NOTHING: Mapping[str, Any] = {}


def bind(spec: Spec, value: Any, named: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """The inputs of one call, checked, defaults included.

    A mapping whose keys are ports names several; any other positional value goes to the sole required input,
    or the first one where none is required. PortError names what is missing, unknown or does not fit.
    """
    ports = spec.inputs
    given: dict[str, Any] = {}
    main = ""
    if value is not None:
        if isinstance(value, Mapping) and value.keys() <= ports.keys() and (value or not _is_value(spec, value, named)):
            given.update(value)
        else:
            main = _main(spec, value, path)
            given[main] = value
    for name, item in named.items():
        if name in given:
            raise PortError(f"input {name!r} is given twice", path=path)
        given[name] = item
    try:
        check_inputs(spec, given, path)
    except PortError:
        if main and isinstance(value, Mapping) and misfit(ports[main].type, value):
            raise _unknown(spec, value, path) from None  # the mapping was meant to name ports
        raise
    return with_defaults(spec, given)


def with_defaults(spec: Spec, given: dict[str, Any]) -> dict[str, Any]:
    """`given` and the defaults of the inputs that are not in it."""
    for name, port in spec.inputs.items():
        if port.default is not MISSING and name not in given:
            given[name] = port.default
    return given


def _is_value(spec: Spec, value: Mapping[str, Any], named: Mapping[str, Any]) -> bool:
    """An empty mapping names no port: it is the value of a sole required input that takes mappings."""
    required = [p for n, p in spec.inputs.items() if p.required and n not in named]
    return len(required) == 1 and required[0].type.name != "any" and not misfit(required[0].type, value)


def _main(spec: Spec, value: Any, path: str) -> str:
    required = [n for n, p in spec.inputs.items() if p.default is MISSING and not p.optional]
    if len(required) == 1:
        return required[0]
    if not required and spec.inputs:
        return next(iter(spec.inputs))
    if isinstance(value, Mapping):
        raise _unknown(spec, value, path)
    names = ", ".join(spec.inputs) or "none"
    raise PortError(
        f"a bare value goes to the sole required input, and there are {len(required)} (inputs: {names})",
        path=path,
        hint=_call(required),
    )


def _unknown(spec: Spec, value: Mapping[Any, Any], path: str) -> PortError:
    name = next((k for k in value if k not in spec.inputs), "")
    return PortError(f"there is no input {name!r}; {close_names(str(name), spec.inputs)}", path=path)


def _call(names: list[str]) -> str:
    """The call that names these inputs; those that share a name with an option go in the mapping."""
    plain = [f"{n}=..." for n in names if n.isidentifier() and n not in RESERVED]
    mapped = [f'"{n}": ...' for n in names if not n.isidentifier() or n in RESERVED]
    return "run(" + ", ".join(["{" + ", ".join(mapped) + "}"] * bool(mapped) + plain) + ")"


def check_inputs(spec: Spec, given: Mapping[str, Any], path: str = "") -> None:
    """PortError when an input is unknown, missing, or does not fit its port. None fits an optional one."""
    ports = spec.inputs
    sizes: Sizes | None = None
    for name, item in given.items():
        port = ports.get(name)
        if port is None:
            option = next(iter(get_close_matches(str(name), RESERVED, 1, 0.75)), "")
            raise PortError(
                f"there is no input {name!r}; {close_names(str(name), ports)}",
                path=path,
                hint=f"run({option}=...) is an option" if option else "",
            )
        reason = misfit(port.type, item)
        if reason and not (item is None and (port.optional or port.default is None)):
            raise PortError(f"input {name!r} {reason}", path=path)
        if port.type.shape is not None and not reason:
            sizes = {} if sizes is None else sizes
            _agree("input", port, item, sizes, path)
    for name, port in ports.items():
        if name not in given and not port.optional and port.default is MISSING:
            missing = [n for n, p in ports.items() if p.required and n not in given]
            raise PortError(f"required input {name!r} ({port.type}) is missing", path=path, hint=_call(missing))


def check_shapes(spec: Spec, given: Mapping[str, Any], path: str = "") -> Sizes:
    """PortError when inputs have not the shapes of their ports or do not agree; the lengths of named dimensions."""
    sizes: Sizes = {}
    for name, item in given.items():
        port = spec.inputs.get(name)
        if port is not None and port.type.shape is not None:
            _agree("input", port, item, sizes, path)
    return sizes


def _agree(side: str, port: Port, item: Any, sizes: Sizes, path: str) -> None:
    """A named dimension is as long in all ports of one call."""
    reason = "" if item is None or port.type.shape is None else port.type.shape.mismatch(item, sizes, f"{port.name!r}")
    if reason:
        raise PortError(f"{side} {port.name!r} {reason}", path=path)


def has_shapes(spec: Spec) -> bool:
    """Whether a port says what shape its tensor has."""
    return any(p.type.shape is not None for ports in (spec.inputs, spec.outputs) for p in ports.values())


def check_outputs(spec: Spec, given: Any, path: str = "", inputs: Mapping[str, Any] = _NOTHING) -> None:
    """PortError when an output is undeclared, missing, or does not fit its port and the `inputs` of the same call."""
    ports = spec.outputs
    sizes: Sizes | None = None
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        some = ", ".join(f'"{n}": ...' for n in ports)
        raise PortError(f"it gave {kind}, not a mapping of its outputs", path=path, hint=f"return {{{some}}}")
    for name, item in given.items():
        port = ports.get(name)
        if port is None:
            raise PortError(f"it gave an undeclared output {name!r}; {close_names(str(name), ports)}", path=path)
        reason = misfit(port.type, item)
        if reason and not (item is None and port.optional):
            raise PortError(f"output {name!r} {reason}", path=path)
        if port.type.shape is not None and not reason:
            sizes = check_shapes(spec, inputs, path) if sizes is None else sizes
            _agree("output", port, item, sizes, path)
    for name, port in ports.items():
        if name not in given and not port.optional:
            raise PortError(f"it did not give its output {name!r}", path=path, hint=f'return {{"{name}": ...}}')
