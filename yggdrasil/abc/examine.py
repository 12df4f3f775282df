"""What a store may know of its own health beyond what reading it shows."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from yggdrasil.errors import Problem


@runtime_checkable
class Examines(Protocol):
    """A store that can look through all that it keeps, whatever stream it belongs to."""

    async def examine(self) -> list[Problem]:
        """Every damage found, each with its place; nothing is changed."""
        ...
