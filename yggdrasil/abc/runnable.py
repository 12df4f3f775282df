"""The one contract of every level: a spec (ports in, ports out) and an async `run`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, final

from yggdrasil.abc.context import RunContext
from yggdrasil.core.events import Event
from yggdrasil.core.ports import Spec
from yggdrasil.core.result import Result, T

if TYPE_CHECKING:
    from yggdrasil.abc.tool import Asks, Tool


class Stream(AsyncIterator[Event]):
    """The events of a run, as they happen: `async for event in graph.stream(...)`.

    The run begins with the first event asked for. Leaving the loop early cancels it; to wait until it is gone,
    call `aclose`, or leave by `async with graph.stream(...) as events:`.
    """

    def __aiter__(self) -> Self:
        return self

    @abstractmethod
    async def __anext__(self) -> Event:
        """The next event; the last is RunFinished with the Result, or the error is raised."""

    @abstractmethod
    async def aclose(self) -> None:
        """End the run, if it goes on still, and wait until it is gone."""

    @final
    async def __aenter__(self) -> Self:
        return self

    @final
    async def __aexit__(self, *failure: object) -> None:
        await self.aclose()


class Door(Protocol):
    """How a call is opened: made a context, validated, timed, streamed. `runtime/call.py` is the one there is."""

    async def run(self, what: Runnable, inputs: Any, named: dict[str, Any]) -> Result:
        """Run to the end."""
        ...

    def stream(self, what: Runnable, inputs: Any, named: dict[str, Any]) -> Stream:
        """Run, telling each event; the last one carries the result."""
        ...


_door: list[Door] = []


def install(door: Door) -> None:
    """Set the door that `run` and `stream` go through; `yggdrasil` does it once, when it is imported."""
    _door[:] = [door]


class Runnable(ABC, Generic[T]):
    """Anything that runs: block, agent, tool, graph, pipeline, stage, world, universe, a remote one."""

    keeps_itself: ClassVar[bool] = False
    """Whether it keeps its own journal (a world): then `store` is its to open, and there are no threads."""

    @property
    @abstractmethod
    def spec(self) -> Spec:
        """The ports."""

    @abstractmethod
    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """The work: input ports to output ports. Inputs are never mutated.

        Absent optional inputs are absent from `inputs`; every output that is not optional is in the result.
        """

    @property
    def label(self) -> str:
        """What a path calls it when no node names it."""
        return type(self).__name__.lower()

    @property
    def block_type(self) -> str:
        """What a config calls it: "role/impl" for blocks, the level's name for levels."""
        return self.label

    def accept(self, value: Any) -> Any:
        """Read a bare positional value in the level's own words (a stage takes a whole state); as it is by default."""
        return value

    def unload(self) -> None:
        """Give back to the pool what it and all below it hold of heavy things; they are taken again when needed."""
        for child in getattr(self, "children", dict)().values():
            child.unload()

    @final
    async def run(self, inputs: Any = None, /, **named: Any) -> Result[T]:
        """Run and return the outputs, a read-only mapping with `.output`, `.usage` and `.path`.

        A bare positional value goes to the sole required input; a mapping names several, as do keywords.
        Options share the keywords on every level: seed, ticks, thread, store, durability, training, device, budget,
        timeout, num_loop_steps, dry_run, profile, hooks, context, adapters. A port so named is passed in the mapping.

        Raises PortError when an input does not fit, RunError (with its path) when something fails.
        """
        return await _door[0].run(self, inputs, named)

    @final
    def stream(self, inputs: Any = None, /, **named: Any) -> Stream:
        """Run, yielding each event as it happens; the last is RunFinished with the Result, or the error is raised."""
        return _door[0].stream(self, inputs, named)

    @final
    def as_tool(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        approval: Asks = False,
        timeout: float | None = None,
        limit: int | None = None,
        bind: Mapping[str, Any] | None = None,
    ) -> Tool:
        """This as a tool for an agent: under another name, with inputs bound, with rules for calling it.

        name, description   what the model sees instead of its own
        approval            a person must say yes before it runs: True, or a function of the arguments
        timeout             seconds for one call
        limit               how many of its calls run at once in one run
        bind                inputs that are given here and hidden from the model
        """
        from yggdrasil.abc.tool import Policy, Tool

        return Tool(self, name=name, description=description, policy=Policy(approval, timeout, limit), bound=bind)
