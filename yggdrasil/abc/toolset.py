"""Toolsets: tools that come as a group, perhaps only once a connection stands, and what can be changed about them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import final

from yggdrasil.abc.runnable import Runnable
from yggdrasil.abc.tool import Asks
from yggdrasil.errors import ConfigError, close_names

Change = Callable[[Sequence[Runnable]], list[Runnable]]


class Toolset(ABC):
    """A group of tools, known only while it is open: `Agent(..., tools=[toolset])` opens it for each run.

    prefix, only, without, rename and approve give a changed toolset and leave this one as it is.
    """

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Sequence[Runnable]]:
        """The tools, for as long as the context lasts. Several may be open at once."""

    @final
    def prefix(self, prefix: str) -> Toolset:
        """Every name with `prefix` before it."""
        return _Changed(self, lambda tools: [t.as_tool(name=prefix + t.label) for t in tools])

    @final
    def only(self, *names: str) -> Toolset:
        """These tools; ConfigError names one that is not there."""
        return _Changed(self, lambda tools: [t for t in _known(tools, names) if t.label in names])

    @final
    def without(self, *names: str) -> Toolset:
        """All but these; ConfigError names one that is not there."""
        return _Changed(self, lambda tools: [t for t in _known(tools, names) if t.label not in names])

    @final
    def rename(self, names: Mapping[str, str]) -> Toolset:
        """Old names to new ones."""
        return _Changed(
            self, lambda tools: [t.as_tool(name=names.get(t.label, t.label)) for t in _known(tools, names)]
        )

    @final
    def approve(self, *names: str, when: Asks = True) -> Toolset:
        """These tools (all when none is named) need a person's approval, always or `when` a function says so."""
        return _Changed(
            self,
            lambda tools: [
                t.as_tool(approval=when) if not names or t.label in names else t for t in _known(tools, names)
            ],
        )


def _known(tools: Sequence[Runnable], names: Collection[str]) -> Sequence[Runnable]:
    there = {t.label for t in tools}
    for name in names:
        if name not in there:
            raise ConfigError(f"the toolset has no {name!r}; {close_names(name, there)}")
    return tools


class _Changed(Toolset):
    def __init__(self, inner: Toolset, change: Change) -> None:
        self._inner, self._change = inner, change

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sequence[Runnable]]:
        async with self._inner.open() as tools:
            yield self._change(tools)
