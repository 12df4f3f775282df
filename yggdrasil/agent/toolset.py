"""Tools that are there already, as a toolset."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from yggdrasil.abc.runnable import Runnable
from yggdrasil.abc.toolset import Toolset


class Tools(Toolset):
    """Tools that are there already: `Tools(read, write).prefix("disk_")`."""

    def __init__(self, *tools: object) -> None:
        from yggdrasil.agent.toolbox import as_runnable

        self._tools = [as_runnable(tool) for tool in tools]  # type: ignore[arg-type]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sequence[Runnable]]:
        """The tools."""
        yield self._tools
