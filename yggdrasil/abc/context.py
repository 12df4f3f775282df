"""What a call is handed besides its inputs: who is asking, where, with which seed and budget.

Never data: what a block's result depends on comes through its ports.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from yggdrasil.abc.effects import Effect, Effects
from yggdrasil.abc.hook import Hook
from yggdrasil.core.approval import Approver
from yggdrasil.core.budget import Budget
from yggdrasil.core.canonical import derive
from yggdrasil.core.events import Event, Progress, Warned
from yggdrasil.core.messages import Spent, Usage

T = TypeVar("T")


_NO_OPTIONS: Mapping[str, Any] = {}


def _same(value: Any) -> Any:
    return value


class Run:
    """What one whole call shares, whatever its depth.

    seed: None for no determinism asked; scope: sets repeated runs of one path apart (`tick:12`);
    options: what only some levels understand (ticks, store, thread); clock: seconds since the epoch;
    approve: who is asked whether a tool may be called; kept: what this thread's agents remember, by path, as JSON:
    read when the run begins, written when it ends (None: there is no thread); adapters: what neural blocks compute
    with, by a glob over their paths.
    """

    __slots__ = (
        "_spent",
        "adapters",
        "approve",
        "clock",
        "device",
        "effects",
        "hooks",
        "kept",
        "loop_steps",
        "options",
        "scope",
        "seed",
        "sequence",
        "tick",
        "training",
    )  # fmt: skip

    def __init__(
        self,
        *,
        seed: int | None = None,
        scope: str = "",
        tick: int | None = None,
        device: str | None = None,
        training: bool = False,
        effects: Effects | None = None,
        hooks: tuple[Hook, ...] = (),
        clock: Callable[[], float] = time.time,
        options: Mapping[str, Any] = _NO_OPTIONS,
        loop_steps: int | None = None,
        approve: Approver | None = None,
        kept: dict[str, Any] | None = None,
        adapters: Mapping[str, Any] = _NO_OPTIONS,
    ) -> None:
        self.seed, self.scope, self.tick, self.device, self.training = seed, scope, tick, device, training
        self.effects, self.hooks, self.clock, self.loop_steps = effects, hooks, clock, loop_steps
        self.options = options
        self.approve, self.kept, self.adapters = approve, kept, adapters
        self.sequence = 0
        self._spent = Spent()

    @property
    def usage(self) -> Usage:
        """What was spent so far, by all that runs in it."""
        return self._spent.usage

    def count(self, usage: Usage) -> None:
        """Add to what was spent."""
        self._spent.add(usage)

    def under(self, **changed: Any) -> Run:
        """A run inside this one that differs in what is `changed`; `absorb` it when it has ended."""
        names = (
            "seed", "scope", "tick", "device", "training", "effects", "hooks", "clock", "options", "loop_steps",
            "approve", "kept", "adapters",
        )  # fmt: skip
        other = Run(**{name: changed.get(name, getattr(self, name)) for name in names})
        other.sequence = self.sequence
        return other

    def absorb(self, other: Run) -> None:
        """Count what a run inside this one spent and told."""
        self._spent.add(other.usage)
        self.sequence = max(self.sequence, other.sequence)


class RunContext:
    """A place in a run. `child(name)` is the place below.

    key: the idempotency key of the tool call that runs here, to pass on to the outside; "" when it is not durable.
    placed: the device that this place was put on; None: see `device`.
    """

    __slots__ = ("_path", "budget", "key", "name", "parent", "placed", "run")
    turn: int | None = None

    def __init__(self, run: Run, name: str, parent: RunContext | None = None, budget: Budget | None = None) -> None:
        self.run = run
        self.name = name
        self.parent = parent
        self.budget = budget
        self.key = ""
        self.placed: str | None = None
        self._path: str | None = None

    def child(self, name: str) -> RunContext:
        """The context of what runs below under `name`."""
        return RunContext(self.run, name, self, self.budget)

    def within(self, budget: Budget) -> RunContext:
        """The same place with a budget of its own that spends from the present one too."""
        here = RunContext(self.run, self.name, self.parent, budget.under(self.budget))
        here.placed = self.placed
        return here

    def on(self, device: str) -> RunContext:
        """The same place, where neural blocks compute on `device`."""
        here = RunContext(self.run, self.name, self.parent, self.budget)
        here.key, here.placed = self.key, device
        return here

    @property
    def path(self) -> str:
        """Where: `midgard/author/draft/llm`."""
        if self._path is None:
            parent = self.parent
            self._path = f"{parent.path}/{self.name}" if parent is not None and parent.path else self.name
        return self._path

    @property
    def seed(self) -> int | None:
        """This place's own seed, derived from the run's, another in each turn of a loop; None when the run has none."""
        seed = self.run.seed
        if seed is None:
            return None
        turns = []
        place: RunContext | None = self
        while place is not None:
            if place.turn is not None:
                turns.append(place.turn)
            place = place.parent
        return derive(seed, self.run.scope, self.path, *reversed(turns))

    @property
    def device(self) -> str | None:
        """Where neural blocks compute here: as the nearest node above says, else the run; None: where they are."""
        place: RunContext | None = self
        while place is not None:
            if place.placed is not None:
                return place.placed
            place = place.parent
        return self.run.device

    @property
    def brings_adapters(self) -> bool:
        """Whether the run has its adapters from this very call, not from the level above."""
        return self.parent is None or self.parent.run.adapters is not self.run.adapters

    def random(self) -> random.Random:
        """A generator for this place: the same numbers for the same run seed, scope and path."""
        return random.Random(self.seed)

    @property
    def listening(self) -> bool:
        """Whether anyone hears events; making them costs nothing otherwise."""
        return bool(self.run.hooks)

    def emit(self, event: type[Event], **values: Any) -> None:
        """Tell the hooks. Cheap when there are none."""
        run = self.run
        if run.hooks:
            run.sequence += 1
            record = event(path=self.path, time=run.clock(), sequence=run.sequence, tick=run.tick, **values)
            for hook in run.hooks:
                hook(record)

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Say how far the work is."""
        self.emit(Progress, done=done, total=total, note=note)

    def warn(self, sentence: str) -> None:
        """Say that something is odd."""
        self.emit(Warned, sentence=sentence)

    def require(self) -> None:
        """BudgetError when a budget here or above is spent."""
        if self.budget is not None:
            self.budget.require(self.run.clock(), self.path)

    def spend(self, usage: Usage, *, recorded: bool = False) -> None:
        """Count what was spent, here and above. `recorded`: before this process took up the run."""
        self.run.count(usage)
        if self.budget is not None:
            self.budget.spend(usage, recorded=recorded)

    async def effect(
        self,
        kind: str,
        request: Any,
        perform: Callable[[str], Awaitable[T]],
        *,
        encode: Callable[[T], Any] = _same,
        decode: Callable[[Any], T] = _same,
        idempotent: bool = True,
        recalled: Callable[[T], None] | None = None,
    ) -> T:
        """Call the outside. In a durable run the result is recorded before it is returned, and never repeated.

        `perform` is given an idempotency key ("" when the run is not durable); see `abc.effects.Effect`.
        """
        effects = self.run.effects
        if effects is None:
            return await perform("")
        result: T = await effects.call(self, Effect(kind, request, perform, encode, decode, idempotent, recalled))
        return result


class Turn(RunContext):
    """The same place in one iteration of a loop, so that random numbers differ from one to the next."""

    __slots__ = ("turn",)

    def __init__(self, ctx: RunContext, turn: int) -> None:
        super().__init__(ctx.run, ctx.name, ctx.parent, ctx.budget)
        self._path = ctx.path
        self.placed = ctx.placed
        self.turn = turn
