"""Calculator: arithmetic with + - * / // % **, brackets, and sqrt, round, min, max and their like."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from yggdrasil import PortError, tool

LONGEST = 300
"""Characters of one expression."""
BITS = 2048
"""The most binary digits of a whole number on the way."""

_HINT = '"(3 + 4) * 2 ** 0.5", "round(17 / 3, 2)"'
_TWO: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_ONE: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_NAMES = {"pi": math.pi, "e": math.e, "tau": math.tau}
_CALLS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "ceil": math.ceil,
    "cos": math.cos,
    "exp": math.exp,
    "floor": math.floor,
    "hypot": math.hypot,
    "log": math.log,
    "log10": math.log10,
    "log2": math.log2,
    "max": max,
    "min": min,
    "round": round,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tan": math.tan,
}


@tool
def calculator(expression: str) -> float | int:
    """Work out an arithmetic expression and give the number.

    `expression` is made of numbers, + - * / // % **, brackets, the constants pi, e and tau, and the functions abs,
    ceil, cos, exp, floor, hypot, log (natural, or log(x, base)), log10, log2, max, min, round, sin, sqrt and tan;
    angles are in radians. Whole numbers stay exact.
    """
    if len(expression) > LONGEST:
        raise PortError(f"an expression has at most {LONGEST} characters, this one {len(expression)}", hint=_HINT)
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
        found: float | int = _whole(_value(tree))
        return found
    except (SyntaxError, MemoryError, RecursionError):
        raise PortError(f"{expression!r} is no arithmetic", hint=_HINT) from None
    except ZeroDivisionError:
        raise PortError(f"{expression!r} divides by zero") from None
    except (ValueError, TypeError, OverflowError) as error:
        raise PortError(f"{expression!r} cannot be worked out: {error}", hint=_HINT) from None


def _value(node: ast.expr) -> Any:
    """The number that a node of the expression stands for; SyntaxError for what is not on the lists."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _whole(number)
        case ast.UnaryOp(op=op, operand=inner) if type(op) in _ONE:
            return _ONE[type(op)](_value(inner))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _TWO:
            one, other = _value(left), _value(right)
            _bound(op, one, other)
            return _whole(_TWO[type(op)](one, other))
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.Call(func=ast.Name(id=name), args=given, keywords=[]) if name in _CALLS:
            return _whole(_CALLS[name](*map(_value, given)))
    raise SyntaxError


def _bound(op: ast.operator, one: float, other: float) -> None:
    """ValueError for a power of whole numbers whose result would be too large to be worth making."""
    whole = isinstance(op, ast.Pow) and isinstance(one, int) and isinstance(other, int)
    if whole and abs(one) > 1 and int(one).bit_length() * other > BITS:
        raise ValueError(f"the power has more than {BITS} binary digits")


def _whole(number: Any) -> Any:
    """The number, if it is a finite real one of bounded size."""
    if isinstance(number, complex) or (isinstance(number, float) and not math.isfinite(number)):
        raise ValueError("the result is no real number")
    if isinstance(number, int) and number.bit_length() > BITS:
        raise ValueError(f"a number has more than {BITS} binary digits")
    return number
