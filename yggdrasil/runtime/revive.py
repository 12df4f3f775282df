"""Kept values as they were: one way back from JSON for effects, worlds and replays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from yggdrasil.core.typed import revive, wants


async def revived(value: Any, blob: Callable[[str], Awaitable[bytes]]) -> Any:
    """The value of a JSON form, with the bytes that `blob` gives for a digest; `value` itself where nothing is kept."""
    names = wants(value)
    return value if names is None else revive(value, {name: await blob(name) for name in names})
