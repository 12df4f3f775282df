"""Laying one config over another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WHOLE = ("ref", "endpoint_url")


def lay_over(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on it: mappings are merged key by key, everything else is replaced, null removes.

    Where either side only points elsewhere (`ref:` or `endpoint_url:`), the mapping is replaced as a whole.
    """
    merged = dict(base)
    for key, value in over.items():
        present = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif (
            isinstance(value, Mapping) and isinstance(present, Mapping) and not _points(value) and not _points(present)
        ):
            merged[key] = lay_over(present, value)
        else:
            merged[key] = value
    return merged


def _points(value: Mapping[str, Any]) -> bool:
    return any(name in value for name in _WHOLE)
