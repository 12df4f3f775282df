"""A spec from a Python function: positional parameters are input ports, keyword-only ones are config."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints, is_typeddict

from yggdrasil.core.ports import MISSING, Port, Spec, port_type
from yggdrasil.errors import PortError

OUTPUT = "output"
"""The name of a function's sole output."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function's signature says.

    spec      its ports; `output` unless the return type is a TypedDict or `outputs` says otherwise
    config    its keyword-only parameters: name -> default (MISSING when there is none)
    context   the name of the parameter that takes the RunContext, or ""
    several   whether the function returns a mapping of several outputs
    """

    spec: Spec
    config: dict[str, Any]
    context: str
    several: bool


def read_signature(function: Callable[..., Any], outputs: Any = None) -> Signature:
    """The Signature of `function`; PortError, naming it, when it cannot be a block."""
    name = getattr(function, "__qualname__", repr(function))
    hints = _hints(function)
    inputs: dict[str, Port] = {}
    config: dict[str, Any] = {}
    context = ""
    for parameter in inspect.signature(function).parameters.values():
        annotation = hints.get(parameter.name, Any)
        if parameter.name == "ctx" or getattr(annotation, "__name__", "") == "RunContext":
            context = parameter.name
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise PortError(
                f"{name} takes *{parameter.name}: a port needs a name", hint=f"def {name}(a: int, b: int = 0): ..."
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise PortError(f"{name}: {parameter.name} is positional-only", hint="take the / out of the signature")
        default = MISSING if parameter.default is parameter.empty else parameter.default
        if parameter.kind is parameter.KEYWORD_ONLY:
            config[parameter.name] = default
            continue
        inputs[parameter.name] = Port(
            parameter.name, port_type(annotation), optional=default is not MISSING, default=default, doc=_note(annotation)
        )
    returned = hints.get("return", Any)
    several = outputs is not None and len(Spec.declare(outputs=outputs).outputs) != 1
    if outputs is None and is_typeddict(returned):
        outputs, several = returned, True
    if outputs is None:
        outputs = [Port(OUTPUT, port_type(_yielded(returned)))]
    doc = inspect.getdoc(function) or ""
    return Signature(Spec(inputs, Spec.declare(outputs=outputs).outputs, doc), config, context, several)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    target = function if inspect.isfunction(function) or inspect.ismethod(function) else type(function).__call__
    try:
        return get_type_hints(target, include_extras=True)
    except (NameError, TypeError):  # an annotation that only a type checker can see: the port takes anything
        return {k: v for k, v in getattr(target, "__annotations__", {}).items() if not isinstance(v, str)}


def _note(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        return next((a for a in get_args(annotation)[1:] if isinstance(a, str)), "")
    return ""


def _yielded(annotation: Any) -> Any:
    if get_origin(annotation) in (AsyncIterator, Iterator):
        return list[get_args(annotation)[0]]  # type: ignore[misc]
    return annotation
