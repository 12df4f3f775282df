"""A spec from a Python function: positional parameters are input ports, keyword-only ones are config."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Annotated, Any, get_args, get_origin, get_type_hints, is_typeddict

from yggdrasil.core.ports import GIVEN, MISSING, Port, Spec, port_type
from yggdrasil.core.value import Value
from yggdrasil.errors import PortError

OUTPUT = "output"
"""The name of a function's sole output."""


class Signature(Value):
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
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        raise PortError(
            f"{name} does not say what it takes, so it cannot be a block", hint=f"def my_{name}(value: int): ..."
        ) from None
    hints = _hints(function)
    inputs: dict[str, Port] = {}
    config: dict[str, Any] = {}
    context = ""
    for parameter in parameters.values():
        annotation = hints.get(parameter.name, Any)
        if parameter.name == "ctx" or _is_context(annotation, parameter.annotation):
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
        optional = default is not MISSING
        inputs[parameter.name] = Port(
            parameter.name,
            port_type(annotation),
            optional=optional,
            default=default,
            doc=_note(annotation),
            given=_is_given(annotation, parameter.annotation),
        )
    returned = hints.get("return", Any)
    several = outputs is not None and len(Spec.declare(outputs=outputs).outputs) != 1
    if outputs is None and is_typeddict(returned):
        outputs, several = returned, True
    if outputs is None:
        outputs = [Port(OUTPUT, port_type(_yielded(returned) if _generates(function) else returned))]
    doc = inspect.getdoc(function) or ""
    return Signature(Spec(inputs, Spec.declare(outputs=outputs).outputs, doc), config, context, several)


def underlying(function: Callable[..., Any]) -> Callable[..., Any]:
    """What is really called: under `functools.partial`, and the `__call__` of an object."""
    while isinstance(function, partial):
        function = function.func
    return function if inspect.isroutine(function) or inspect.isclass(function) else type(function).__call__


def _generates(function: Callable[..., Any]) -> bool:
    target = underlying(function)
    return inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target)


def _is_context(annotation: Any, written: Any) -> bool:
    named = written if isinstance(written, str) else getattr(annotation, "__name__", "")
    return named.rpartition(".")[2] == "RunContext"


def _is_given(annotation: Any, written: Any) -> bool:
    if isinstance(written, str) and get_origin(annotation) is not Annotated:
        # a class that only a type checker can see must not make it the model's to fill
        return written.partition("[")[0].rpartition(".")[2] == "Given"
    return get_origin(annotation) is Annotated and GIVEN in get_args(annotation)[1:]


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    target = underlying(function)
    try:
        return get_type_hints(target, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return _hints_one_by_one(target)


def _hints_one_by_one(target: Callable[..., Any]) -> dict[str, Any]:
    """Each annotation by itself: one that only a type checker can see leaves its port open for anything."""
    plain: Any = inspect.unwrap(target)
    known = dict(getattr(plain, "__globals__", {}))
    if hasattr(plain, "__code__"):
        known |= inspect.getclosurevars(plain).nonlocals
    hints = {}
    for name, annotation in getattr(plain, "__annotations__", {}).items():
        one = SimpleNamespace(__annotations__={name: annotation})
        try:
            hints[name] = get_type_hints(one, globalns=known, include_extras=True)[name]
        except (NameError, TypeError, AttributeError, SyntaxError):
            continue
    return hints


def _note(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        return next((a for a in get_args(annotation)[1:] if isinstance(a, str)), "")
    return ""


def _yielded(annotation: Any) -> Any:
    """What a generator's items are as a list."""
    arguments = get_args(annotation)
    return list[arguments[0]] if arguments else list  # type: ignore[valid-type]
