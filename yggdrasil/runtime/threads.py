"""Synchronous work away from the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import anyio.to_thread

T = TypeVar("T")


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Run `function` in a worker thread. A thread cannot be stopped: a cancelled caller leaves it behind."""
    job = [(function, args)]

    def work() -> T:
        # taken out, since an idle worker keeps hold of its last job: of a model, in the worst case
        called, given = job.pop()
        return called(*given)

    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
