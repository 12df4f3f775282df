"""Several edges into one input: how their values become one. Ordered by source id and port, never by insertion."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

from yggdrasil.core.ports import Many
from yggdrasil.errors import PortError


def merge(many: Many, values: Sequence[tuple[str, Any]], path: str = "") -> Any:
    """One value from `(source, value)` pairs in canonical order; absent sources are left out by the caller.

    first: the first; list: all; concat: texts joined, lists and arrays (along their first axis) put together;
    sum: added up; dict: by source, as `node.port`. PortError, with the sources, where that cannot be done.
    """
    if many == "first":
        return values[0][1]
    if many == "list":
        return [value for _, value in values]
    if many == "dict":
        return dict(values)
    plain = [value for _, value in values]
    try:
        return reduce(add, plain) if many == "sum" else _concat(plain)
    except (TypeError, ValueError, RuntimeError) as error:  # numpy says ValueError, torch RuntimeError
        names = ", ".join(f"{source} ({type(value).__name__})" for source, value in values)
        raise PortError(f"{many} cannot put together {names}: {error}", path=path, hint="use list or dict") from error


def _concat(values: Sequence[Any]) -> Any:
    root = type(values[0]).__module__.partition(".")[0]
    if root == "torch":  # loaded already, since its value is here
        return sys.modules["torch"].cat(list(values))
    if root == "numpy":
        return sys.modules["numpy"].concatenate(list(values))
    if isinstance(values[0], str):
        return "".join(values)
    if isinstance(values[0], bytes):
        return b"".join(values)
    for value in values:
        if not isinstance(value, list | tuple):
            raise TypeError("only texts, bytes, lists and arrays have an end to go on from")
    return [item for value in values for item in value]
