"""How a typed value looks in JSON: `{"$type": "shop.orders:Order", "version": 1, "value": ...}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEY, VERSION, VALUE = "$type", "version", "value"


def is_typed(value: Any) -> bool:
    """Whether `value` is the JSON form of a typed value: what merely has such a key is data like any other."""
    return (
        isinstance(value, Mapping)
        and len(value) == 3
        and KEY in value
        and VALUE in value
        and isinstance(value[KEY], str)
        and type(value.get(VERSION)) is int
    )
