"""From what a caller wrote to input ports: which value goes where, and whether it fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.core.ports import MISSING, Port, Spec, misfit
from yggdrasil.errors import PortError, close_names

RESERVED = frozenset(
    "seed ticks thread store training device budget timeout num_loop_steps dry_run profile hooks context".split()
)
"""The options of `run` on every level. A port so named is passed in the mapping."""


def bind(spec: Spec, value: Any, named: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """The inputs of one call, checked, with the defaults of those that are absent.

    A mapping whose keys are ports names several; any other positional value goes to the sole required input,
    or the first one where none is required. PortError names what is missing, unknown or does not fit.
    """
    ports = spec.inputs
    given: dict[str, Any] = {}
    if value is not None:
        if isinstance(value, Mapping) and value.keys() <= ports.keys():
            given.update(value)
        else:
            given[_main(spec, value, path)] = value
    for name, item in named.items():
        if name in given:
            raise PortError(f"input {name!r} is given twice", path=path)
        given[name] = item
    check_inputs(spec, given, path)
    for name, item in ports.items():
        if item.default is not MISSING and name not in given:
            given[name] = item.default
    return given


def _main(spec: Spec, value: Any, path: str) -> str:
    required = [n for n, p in spec.inputs.items() if p.required]
    if len(required) == 1:
        return required[0]
    if not required and spec.inputs:
        return next(iter(spec.inputs))
    if isinstance(value, Mapping):
        unknown = next((k for k in value if k not in spec.inputs), "")
        raise PortError(f"there is no input {unknown!r}; {close_names(str(unknown), spec.inputs)}", path=path)
    names = ", ".join(spec.inputs) or "none"
    raise PortError(
        f"a bare value goes to the sole required input, and there are {len(required)} (inputs: {names})",
        path=path,
        hint="run(" + ", ".join(f"{n}=..." for n in required) + ")" if required else "run()",
    )


def check_inputs(spec: Spec, given: Mapping[str, Any], path: str = "") -> None:
    """PortError when an input is unknown, missing, or does not fit its port."""
    ports = spec.inputs
    for name, item in given.items():
        port = ports.get(name)
        if port is None:
            raise PortError(
                f"there is no input {name!r}; {close_names(name, ports)}",
                path=path,
                hint=f"pass it in the mapping: run({{{name!r}: ...}})" if name in RESERVED else "",
            )
        check_value(port, item, "input", path)
    for name, port in ports.items():
        if name not in given and not port.optional and port.default is MISSING:
            missing = [n for n, p in ports.items() if p.required and n not in given]
            raise PortError(
                f"required input {name!r} ({port.type}) is missing",
                path=path,
                hint="run(" + ", ".join(f"{n}=..." for n in missing) + ")",
            )


def check_outputs(spec: Spec, given: Mapping[str, Any], path: str = "") -> None:
    """PortError when an output is undeclared, missing, or does not fit its port."""
    ports = spec.outputs
    for name, item in given.items():
        port = ports.get(name)
        if port is None:
            raise PortError(f"it gave an undeclared output {name!r}; {close_names(name, ports)}", path=path)
        check_value(port, item, "output", path)
    for name, port in ports.items():
        if name not in given and not port.optional:
            raise PortError(f"it did not give its output {name!r}", path=path, hint=f'return {{"{name}": ...}}')


def check_value(port: Port, value: Any, side: str, path: str) -> None:
    """PortError when `value` does not fit `port`. None fits an optional input that has None as default."""
    reason = misfit(port.type, value)
    if reason and not (value is None and (port.optional or port.default is None)):
        raise PortError(f"{side} {port.name!r} {reason}", path=path)
