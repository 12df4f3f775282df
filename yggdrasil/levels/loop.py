"""The event loop of a world: it asks the reducer what to do, does it, journals what followed, and asks again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import anyio.lowlevel

from yggdrasil.abc.context import Run, RunContext
from yggdrasil.abc.effects import Effects
from yggdrasil.core.blob import Blob
from yggdrasil.core.budget import Budget, NewMoney
from yggdrasil.core.canonical import digest
from yggdrasil.core.content import apply
from yggdrasil.core.cycle import DEVELOPMENT, UPDATE, Cycle, Note, RunStage, Status, Step, Wait, decide, fold
from yggdrasil.core.events import Event, StageStarted, TicksMissed, WorldOpened, WorldPaused, WorldStopped
from yggdrasil.core.facts import (
    ActionTaken,
    Fact,
    Finished,
    Kept,
    Mended,
    Parked,
    Paused,
    Remembered,
    Resumed,
    Retried,
    StageDone,
    Stepped,
    Stopped,
    TickBegun,
    Updated,
)
from yggdrasil.core.frozen import freeze
from yggdrasil.core.kept import change
from yggdrasil.core.patience import Patience, transient
from yggdrasil.core.remedy import answered
from yggdrasil.core.retention import Keep
from yggdrasil.core.state import filled
from yggdrasil.core.timers import Due, Timers, due, idle_at
from yggdrasil.errors import (
    BudgetError,
    RunError,
    WorldError,
)
from yggdrasil.levels.alarm import Alarm
from yggdrasil.levels.inbox import read_letters
from yggdrasil.levels.journal import Journal
from yggdrasil.levels.life import zone_of
from yggdrasil.levels.mending import parked_error, prescribe, retry
from yggdrasil.levels.purse import note_spent, open_budget
from yggdrasil.levels.recovery import Recovered
from yggdrasil.levels.retention import Retention
from yggdrasil.levels.seat import Seat
from yggdrasil.levels.shown import ShownContent
from yggdrasil.levels.telling import telling
from yggdrasil.runtime.call import located
from yggdrasil.runtime.effects import JournalEffects
from yggdrasil.runtime.revive import revived

POLL = 0.25
"""Seconds between two looks into the inbox."""

GRACE = 1.0
"""Seconds that a run which was let go of may take to end before another one is refused."""

_RANK = {"": 0, "effect": 1, "stage": 2, "tick": 3}
_USUAL, _ALL, _NO_ADAPTERS = Patience(), Keep(), dict[str, Any]()


class WorldLoop:
    """One living world. Only the holder of the stream's lease has one.

    around     is laid around the effects of each tick
    timers     when a world that lives without being asked for ticks has one; None: tick after tick
    patience   how long is waited before a parked stage whose error may pass is tried again, where that is done
    budget     the world's own; adapters as well
    keep       which ticks can be gone back to
    clock      seconds since the epoch
    """

    def __init__(
        self,
        name: str,
        cycle: Cycle,
        seats: Mapping[str, Seat],
        journal: Journal,
        found: Recovered,
        clock: Callable[[], float] = time.time,
        around: Callable[[Effects], Effects] | None = None,
        *,
        timers: Timers | None = None,
        patience: Patience = _USUAL,
        budget: Budget | None = None,
        keep: Keep = _ALL,
        adapters: Mapping[str, Any] = _NO_ADAPTERS,
    ) -> None:
        self._around = around
        self.name, self.cycle, self.seats, self.journal = name, cycle, seats, journal
        self.status: Status = found.status
        self.snapshots = found.snapshots
        journal.effects[:] = found.effects
        journal.written = found.bytes
        self.retention = Retention(keep, cycle, journal.store, journal.stream)
        self.lost: Exception | None = None
        """What took the lease away, when it was lost."""
        self.told = False
        self.letters = True
        self.stopping: str | None = None
        self.listeners: tuple[Callable[[Event], None], ...] = ()
        """Who hears the events of every run, besides the hooks of the one who began it."""
        self.timers, self.zone, self.patience = timers, zone_of(timers), patience
        self.budget, self.adapters = budget, adapters
        self._clock = clock
        self._alarm = Alarm(clock)
        self._resumed = found.status.tick > 0 or found.status.running > 0
        self._scope: anyio.CancelScope | None = None
        self._ended: anyio.Event | None = None
        self._due = ""
        self._pending: list[tuple[RunContext, type[Event], dict[str, Any]]] = []
        self._run: Run | None = None
        self._plain: dict[str, Any] = {}
        self._shown = ShownContent()
        self._living = self._patient = False
        self._failures, self._quiet_since = 0, 0.0
        self._answered: frozenset[str] = frozenset()
        self._budget: Budget | None = None
        self._unspent = found.unspent
        self._caller = RunContext(Run(clock=clock), name)
        self._enter(found.status.running or found.status.tick, first=True)

    # --- from outside

    async def run(
        self,
        ctx: RunContext,
        ticks: int | None,
        action: str | None,
        state: Any,
        *,
        living: bool = False,
        patient: bool = False,
    ) -> None:
        """Live for so many ticks; a tick under way is finished first, and counts (unless a state is handed in).

        ticks     None: until it is stopped
        living    by its timers, and not as soon as can be; a budget of a day that is spent is waited for
        patient   when a stage fails, wait for a person (and where the error may pass, for a while) and go on
        ParkedError when a stage fails; BudgetError when there is no more to spend, and the next run goes on there;
        StoreError when the journal cannot be written.
        """
        if self._scope is not None and self._ended is not None:
            with anyio.move_on_after(GRACE):  # a stream that was left by `break` ends its run a moment later
                await self._ended.wait()
        if self._scope is not None:
            raise WorldError(f"the world {self.name} runs already", hint="one run at a time; or post: world.act(...)")
        self.stopping = None
        self._caller, self._living, self._patient = ctx, living, patient
        self._quiet_since = self._clock()
        self._enter(self.status.running or self.status.tick, first=True)
        self._ended = anyio.Event()
        self._pending.clear()
        try:
            with anyio.CancelScope() as scope:
                self._scope = scope
                await self._live(ticks, action, state)
            if scope.cancelled_caught:
                raise WorldError(f"the world {self.name} was closed while it ran")
        finally:
            self._scope = None
            self._ended.set()
            self.journal.forget()
            self._shown.forget()
            if self._run is not None:
                ctx.run.sequence = self._run.sequence
                ctx.run.count(self._run.usage)

    async def end(self) -> None:
        """Cancel what runs and wait until it is gone."""
        scope, ended = self._scope, self._ended
        if scope is not None and ended is not None:
            scope.cancel()
            await ended.wait()

    async def close(self) -> None:
        """Write what waits; with a snapshot where the durability level left everything to this moment."""
        if self.journal.durability == "none" and not self.status.running:
            await self._snapshot()
        await self.journal.flush()

    # --- the loop

    async def _live(self, ticks: int | None, action: str | None, state: Any) -> None:
        if not self.told:
            self.told = True
            values = {"store": self.journal.store.url, "resumed": self._resumed, "under_way": self.status.running > 0}
            self._pending.append((self._root, WorldOpened, values))
        await read_letters(self, stale=True)
        if action is not None:
            self._note(ActionTaken(action))
        done = -1 if self.status.running and state is not None else 0
        while True:
            command = decide(self.cycle, self.status)
            if isinstance(command, Note):
                self._note(command.fact)
                done += isinstance(command.fact, Finished)
                continue
            await self._settle()
            if isinstance(command, RunStage):
                await self._poll()
                if self.stopping is None and not self.status.resting:
                    await self._run_stage(command.step)
                    continue
            elif command == Wait("retried") and self.stopping is None:
                await retry(self)
                continue
            elif command == Wait("tick") and self.stopping is None:
                if ticks is not None and done >= ticks:
                    return
                timed = await self._next() if self._living else None
                await anyio.lowlevel.checkpoint()
                await self._poll()
                if self.stopping is None and not self.status.resting and (timed is not None or not self._living):
                    self._begin_tick(state, timed)
                    state = None
                    continue
            if self.stopping is not None:
                return await self._stop(self.stopping)
            if self.status.resting:
                await self._rest()

    async def _next(self) -> Due | None:
        """When the timers say that the next tick is due, once it is; None when something else has come before."""
        timers, lowest = self.timers, self._clock()
        if timers is None:
            return Due(lowest)
        while True:
            await self._poll()
            await self._settle()
            now = self._clock()
            lowest = min(lowest, now)
            if self.stopping is not None or self.status.resting:
                return None
            if self.status.steps or (self.status.actions and timers.actions):
                self._quiet_since = now
                return Due(now)
            found = due(timers, self.status.due, now, self.zone, lowest=lowest)
            if found is not None and found.time <= now:
                return found
            idle = idle_at(timers, self._quiet_since, now)
            if idle is not None and idle <= now:
                self.stopping = f"nobody acted for {timers.idle:g} s"
                return None
            times = [t for t in (idle, None if found is None else found.time) if t is not None]
            await self._alarm.wait(min(times, default=None))

    def _begin_tick(self, state: Any, timed: Due | None) -> None:
        tick = self.status.tick + 1
        self.journal.effects.clear()
        self._answered = frozenset()
        self._enter(tick)
        actions = self.status.actions
        blobs: list[Blob] = []
        given = None if state is None else freeze(state, blobs.append, "state")
        by_timers = timed if self.timers is not None else None
        due_at, missed = (None, 0) if by_timers is None else (by_timers.time, by_timers.missed)
        self._note(TickBegun(tick, actions[0] if actions else None, given, due_at, missed or None), tuple(blobs))
        if missed and self._root.listening:
            self._pending.append((self._root, TicksMissed, {"missed": missed}))

    def _enter(self, tick: int, *, first: bool = False) -> None:
        """The context of one tick: the world's own seed, a scope per tick, effects over the journal."""
        last, caller = None if first else self._run, self._caller.run
        scope = f"tick:{tick}"
        self._effects = JournalEffects(self.journal.stream, scope, self.journal, self.journal.effects)
        self._run = run = Run(
            seed=self.status.seed,
            scope=scope,
            tick=tick,
            device=caller.device,
            training=caller.training,
            effects=self._effects if self._around is None else self._around(self._effects),
            hooks=(*caller.hooks, *self.listeners),
            clock=self._clock,
            loop_steps=caller.loop_steps,
            approve=caller.approve,
            kept=dict(self.status.kept),
            adapters={**self.adapters, **caller.adapters},
        )
        run.sequence = caller.sequence if last is None else last.sequence
        if last is not None:
            run.count(last.usage)
        if first:
            open_budget(self)
        budget = self._budget
        self._root = RunContext(run, self.name, None, None if budget is None else NewMoney(parent=budget))

    def _note(self, fact: Fact, blobs: tuple[Blob, ...] = (), taken: tuple[int, ...] = (), applied: Any = None) -> None:
        """Put a fact in line for the journal, fold it in, and keep its event for when it may be told."""
        self.journal.note(fact, blobs, taken)
        self.status = fold(self.cycle, self.status, fact, applied)
        if isinstance(fact, StageDone | Updated):
            self._due = max(self._due, "stage", key=_RANK.__getitem__)
        elif isinstance(fact, Finished):
            self._due = "tick"
        elif isinstance(fact, ActionTaken | Paused | Resumed | Stepped | Retried | Mended):
            self._due = max(self._due, "effect", key=_RANK.__getitem__)
        if self._root.listening:
            told = telling(fact, self.status)
            if told is not None:
                stage = UPDATE if isinstance(fact, Updated) else getattr(fact, "stage", "")
                self._pending.append((self._root.child(stage) if stage else self._root, *told))

    async def _settle(self) -> None:
        """Make durable what must be by now, then tell it."""
        if self._due == "tick" and self.journal.written >= self.snapshots.threshold:
            await self._snapshot()
        elif self._due:
            await self.journal.settle(self._due)
        if self._due == "tick":
            pruned = await self.retention.prune(self.status, self.journal.lease, self._clock())
            if pruned is not None:
                self._note(pruned)
        self._due = ""
        pending, self._pending = self._pending, []
        for ctx, event, values in pending:
            ctx.emit(event, **values)

    async def _snapshot(self) -> None:
        data, blobs = self.snapshots.take(self.status)
        for blob in blobs:
            await self.journal.store.put_blob(blob.data)
        self.journal.written = 0
        await self.journal.flush(data)

    # --- a stage

    async def _run_stage(self, step: Step) -> None:
        ctx = self._root.child(step.name)
        ctx.emit(StageStarted, stage=step.name)
        self._root.run.kept = dict(self.status.kept)  # of an attempt that failed nothing is remembered
        mark = self._effects.mark(ctx.path)
        try:
            await self._perform(self.seats[step.name], step, ctx)
        except Exception as error:
            broken = self.journal.failure or self.lost
            if broken is not None:
                raise broken from (None if error is broken else error)
            failure = located(error, ctx.path)
            self._effects.rewind(ctx.path, mark)
            note_spent(self)
            if isinstance(failure, BudgetError):  # nothing is wrong: the stage goes on when there is more to spend
                return await self._wait_for_money(failure)
            await self._park(step, failure)
            if not self._patient:
                raise parked_error(self, failure, ctx.path) from error
        else:
            self._failures = 0

    async def _wait_for_money(self, failure: BudgetError) -> None:
        until = self._budget.refilled_at(self._clock()) if self._living and self._budget is not None else None
        if until is None:
            await self._stop(failure.sentence)
            raise failure from None
        await self.journal.flush()
        await self._settle()
        self._root.warn(f"{failure.sentence}: the world goes on when the day changes")
        while self.stopping is None and not self.status.resting and self._clock() < until:
            await self._alarm.wait(until)
            await self._poll()

    async def _perform(self, seat: Seat, step: Step, ctx: RunContext) -> None:
        status = self.status
        development = step.name == DEVELOPMENT
        state = {block: await self._block(block) for block in seat.reads if block in status.state}
        proposal = await revived(status.proposal, self.journal.blob) if development else None
        inputs = seat.inputs(state, self.view, status.action if development else None, proposal)
        value = await seat.run(inputs, ctx)
        self._take(step, value, ctx.path)

    def _take(self, step: Step, value: Any, path: str) -> None:
        """Check what a stage gave against the contract of its block, and note it, with what its agents remember."""
        blobs: list[Blob] = []
        if step.name == UPDATE:
            self._update(value, blobs)
            return
        output = freeze(value, blobs.append, step.fills)
        if not filled(output):
            hint = f"give something as {step.fills!r}, or fail"
            raise RunError(f"stage {step.name} left its block {step.fills} empty", hint=hint)
        self.cycle.schema.check_block(step.fills, output, path)
        self._note_kept()
        note_spent(self)
        self._note(StageDone(step.name, step.fills, output), tuple(blobs))

    def _note_kept(self) -> None:
        before = self.status.kept
        for path, state in (self._root.run.kept or {}).items():
            if state is not before.get(path):
                steps = change(before.get(path, {}), freeze(state))
                if steps:
                    self._note(Kept(path, freeze(steps)))

    def _update(self, patch: Any, blobs: list[Blob]) -> None:
        if patch is None:
            raise RunError("world update gave no patch", hint="give [] when nothing changes")
        applied = apply(self.status.content, patch, blobs.append)
        for number, entry in enumerate(applied.entries):
            self.journal.note(Remembered(self.status.running, entry), blobs if number == 0 else ())
        self.snapshots.note(applied.operations)
        self._note_kept()
        note_spent(self)
        updated = Updated(self.status.running, applied.operations, self.status.state, applied.content.hash)
        self._note(updated, tuple(blobs), applied=applied.content)

    @property
    def view(self) -> Mapping[str, Any]:
        """The content as stages see it: it cannot be changed."""
        return self._shown.view(self.status.content)

    async def _block(self, block: str) -> Any:
        """A state block as stages see it: blobs with their bytes, typed values as such; with none, the same object."""
        value = self.status.state[block]
        if self._plain.get(block) is value:
            return value
        whole = await revived(value, self.journal.blob)
        if whole is value:
            self._plain[block] = value
        return whole

    async def _park(self, step: Step, error: Exception) -> None:
        status = self.status
        inputs = digest([status.content_hash, status.state, status.proposal, status.action])
        path = getattr(error, "path", "") or f"{self.name}/{step.name}"
        text = str(getattr(error, "sentence", error))
        passes = True if transient(error) else None
        self._note(Parked(status.running, step.name, path, text, type(error).__name__, inputs, passes))
        self._answered = answered(self.journal.effects)
        with anyio.CancelScope(shield=True):
            await self.journal.flush()
        await self._settle()

    async def mend(self, how: str, value: Any = None) -> None:
        """Say how a parked world goes on (see `core.remedy`); durable on return. WorldError when it cannot go on so."""
        prescribe(self, how, value)
        await self.journal.flush()
        await self._settle()
        self._alarm.ring()

    # --- letters

    def post_came(self) -> None:
        """There are letters: wake up, and read them."""
        self.letters = True
        self._alarm.ring()

    def listen(self, hear: Callable[[Event], None]) -> None:
        """From now on `hear` is told the events, of the run under way too."""
        self.listeners = (*self.listeners, hear)
        if self._scope is not None and self._run is not None:
            self._run.hooks = (*self._run.hooks, hear)

    def unlisten(self, hear: Callable[[Event], None]) -> None:
        """It is told no more."""
        self.listeners = tuple(one for one in self.listeners if one != hear)
        if self._run is not None:
            self._run.hooks = tuple(one for one in self._run.hooks if one != hear)

    def stop(self, reason: str) -> None:
        """End at the next safe point."""
        self.stopping = reason
        self._alarm.ring()

    def lose(self, error: Exception) -> None:
        """The lease is lost: nothing can be written any more."""
        self.lost = error
        self._alarm.ring()

    async def _poll(self) -> None:
        if self.lost is not None:
            raise self.lost
        if self.letters:
            await read_letters(self)

    async def _rest(self) -> None:
        await self._settle()
        self._root.emit(WorldPaused)
        while self.status.resting and self.stopping is None:
            await self._alarm.wait()
            await self._poll()

    async def _stop(self, reason: str) -> None:
        self._note(Stopped(reason))
        await self.journal.flush()
        await self._settle()
        self._root.emit(WorldStopped, reason=reason)
