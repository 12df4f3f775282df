"""Adapters of a run on a level: whether they are for anything there, looked at before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.levels.places import places
from yggdrasil.runtime.threads import in_thread


async def check_adapters(level: Runnable, ctx: RunContext) -> None:
    """Look at the adapters that came with this very call; those that came from above were looked at there."""
    if ctx.brings_adapters:
        await require_adapters(level, ctx.run.adapters, ctx.path, ctx.device)


async def require_adapters(
    level: Runnable, adapters: Mapping[str, Any], path: str, device: str | None = None
) -> None:
    """ConfigError when adapters do not fit where they are asked for in the level at `path`, or fit nothing there.

    The modules that they are for are loaded for it.
    """
    if adapters:
        from yggdrasil.blocks.adapter.active import require

        await in_thread(require, adapters, modules_by_path(level, path, device))


def modules_by_path(
    level: Runnable, path: str, device: str | None = None
) -> dict[str, Callable[[], Mapping[str, Any]]]:
    """How the modules of every neural block below are had, by path."""
    from yggdrasil.blocks.neural import Neural

    return {
        f"{path}/{place.path}": partial(place.block.modules, place.device or device)
        for place in places(level)
        if isinstance(place.block, Neural)
    }
