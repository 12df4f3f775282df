"""Running several things at once: native tasks on asyncio (6 us each), anyio's on trio (30 us)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
import sniffio

from yggdrasil.errors import YggdrasilError

Spawn = Callable[..., Any]


@asynccontextmanager
async def concurrently() -> AsyncIterator[Callable[..., None]]:
    """A task group: `spawn(function, *args)` starts a task. The first failure cancels the rest and is raised alone."""
    try:
        if sniffio.current_async_library() == "asyncio":
            import asyncio  # only where it runs already: importing it costs as much as all of anyio

            async with asyncio.TaskGroup() as native:
                create = native.create_task

                def spawn_native(function: Callable[..., Any], *args: Any) -> None:
                    create(function(*args))

                yield spawn_native
        else:
            async with anyio.create_task_group() as group:

                def spawn_anyio(function: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> None:
                    group.start_soon(function, *args)

                yield spawn_anyio
    except BaseExceptionGroup as failures:
        error = first_failure(failures)
        raise error from error.__cause__


def first_failure(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure to report out of several: errors before cancellations, by path, so that timing cannot choose."""
    leaves: list[BaseException] = []

    def collect(group: BaseExceptionGroup[BaseException]) -> None:
        for error in group.exceptions:
            if isinstance(error, BaseExceptionGroup):
                collect(error)
            else:
                leaves.append(error)

    collect(failures)
    errors: list[BaseException] = [e for e in leaves if isinstance(e, Exception)] or leaves
    fatal: list[BaseException] = [e for e in leaves if isinstance(e, KeyboardInterrupt | SystemExit)]
    chosen = (fatal or sorted(errors, key=lambda e: e.path if isinstance(e, YggdrasilError) else ""))[0]
    for other in errors:
        if other is not chosen:
            chosen.add_note(f"also failed: {other}")
    return chosen
