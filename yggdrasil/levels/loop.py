"""The event loop of a world: it asks the reducer what to do, does it, journals what followed, and asks again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel

from yggdrasil.abc.context import Run, RunContext
from yggdrasil.abc.store import Letter
from yggdrasil.core.blob import KEY, Blob, attach, references
from yggdrasil.core.budget import NewMoney
from yggdrasil.core.canonical import digest
from yggdrasil.core.content import apply
from yggdrasil.core.cycle import DEVELOPMENT, UPDATE, Cycle, Note, RunStage, Status, Step, Wait, decide, fold
from yggdrasil.core.events import Event, StageStarted, WorldOpened, WorldPaused, WorldStopped
from yggdrasil.core.facts import (
    ActionTaken,
    Fact,
    Finished,
    Parked,
    Paused,
    Pruned,
    Remembered,
    Resumed,
    Retried,
    StageDone,
    Stopped,
    TickBegun,
    ToolAnswered,
    Updated,
    fact_of,
)
from yggdrasil.core.frozen import freeze
from yggdrasil.core.retention import Keep
from yggdrasil.core.state import filled
from yggdrasil.errors import BudgetError, CorruptError, ParkedError, RunError, WorldError
from yggdrasil.levels.journal import Journal
from yggdrasil.levels.recovery import Recovered
from yggdrasil.levels.retention import Retention
from yggdrasil.levels.seat import Seat
from yggdrasil.levels.telling import telling
from yggdrasil.runtime.call import located
from yggdrasil.runtime.effects import JournalEffects

POLL = 0.25
"""Seconds between two looks into the inbox while a tick runs."""

GRACE = 1.0
"""Seconds that a run which was let go of may take to end before another one is refused."""

_RANK = {"": 0, "effect": 1, "stage": 2, "tick": 3}


class WorldLoop:
    """One living world. Only the holder of the stream's lease has one."""

    def __init__(
        self, name: str, cycle: Cycle, seats: Mapping[str, Seat], journal: Journal, found: Recovered
    ) -> None:
        self.name, self.cycle, self.seats, self.journal = name, cycle, seats, journal
        self.status: Status = found.status
        self.snapshots = found.snapshots
        journal.effects[:] = found.effects
        journal.written = found.bytes
        self.retention = Retention(Keep(), cycle, journal.store, journal.stream)
        self.lost: Exception | None = None
        """What took the lease away, when it was lost."""
        self.told = False
        self.letters = True
        self.stopping: str | None = None
        self._resumed = found.status.tick > 0 or found.status.running > 0
        self._scope: anyio.CancelScope | None = None
        self._ended: anyio.Event | None = None
        self._due = ""
        self._pending: list[tuple[RunContext, type[Event], dict[str, Any]]] = []
        self._polled = 0.0
        self._run: Run | None = None
        self._plain: dict[str, Any] = {}
        self._views: tuple[Any, Any] = (None, None)

    # --- from outside

    async def run(self, ctx: RunContext, ticks: int, action: str | None, state: Any) -> None:
        """Live for so many ticks; a tick under way is finished first, and counts (unless a state is handed in).

        ParkedError when a stage fails; BudgetError when there is no more to spend, and the next run goes on there;
        StoreError when the journal cannot be written.
        """
        if self._scope is not None and self._ended is not None:
            with anyio.move_on_after(GRACE):  # a stream that was left by `break` ends its run a moment later
                await self._ended.wait()
        if self._scope is not None:
            raise WorldError(f"the world {self.name} runs already", hint="one run at a time; or post: world.act(...)")
        self.stopping = None
        self._caller = ctx
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

    async def _live(self, ticks: int, action: str | None, state: Any) -> None:
        if not self.told:
            self.told = True
            values = {"store": self.journal.store.url, "resumed": self._resumed, "under_way": self.status.running > 0}
            self._pending.append((self._root, WorldOpened, values))
        await self._read_letters(stale=True)
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
                if self.stopping is None and not self.status.paused:
                    await self._run_stage(command.step)
                    continue
            elif command == Wait("retried"):
                assert self.status.trouble is not None
                self._note(Retried(self.status.trouble.stage))
                continue
            elif command == Wait("tick") and done < ticks and self.stopping is None:
                await anyio.lowlevel.checkpoint()
                await self._poll()
                if self.stopping is None and not self.status.paused:
                    self._begin_tick(state)
                    state = None
                    continue
            elif command == Wait("tick") and self.stopping is None:
                return
            if self.stopping is not None:
                return await self._stop(self.stopping)
            if self.status.paused:
                await self._rest()

    def _begin_tick(self, state: Any) -> None:
        tick = self.status.tick + 1
        self.journal.effects.clear()
        self._enter(tick)
        actions = self.status.actions
        blobs: list[Blob] = []
        given = None if state is None else freeze(state, blobs.append, "state")
        self._note(TickBegun(tick, actions[0] if actions else None, given), tuple(blobs))

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
            effects=self._effects,
            hooks=caller.hooks,
            clock=caller.clock,
            loop_steps=caller.loop_steps,
            approve=caller.approve,
        )
        run.sequence = caller.sequence if last is None else last.sequence
        if last is not None:
            run.count(last.usage)
        budget = self._caller.budget
        self._root = RunContext(run, self.name, None, None if budget is None else NewMoney(parent=budget))

    def _note(self, fact: Fact, blobs: tuple[Blob, ...] = (), taken: tuple[int, ...] = (), applied: Any = None) -> None:
        """Put a fact in line for the journal, fold it in, and keep its event for when it may be told."""
        self.journal.note(fact, blobs, taken)
        self.status = fold(self.cycle, self.status, fact, applied)
        if isinstance(fact, StageDone | Updated):
            self._due = max(self._due, "stage", key=_RANK.__getitem__)
        elif isinstance(fact, Finished):
            self._due = "tick"
        elif isinstance(fact, ActionTaken | Paused | Resumed | Retried):
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
        if self._due == "tick" and (pruned := await self._prune()) is not None:
            self._note(pruned)
        self._due = ""
        pending, self._pending = self._pending, []
        for ctx, event, values in pending:
            ctx.emit(event, **values)

    async def _prune(self) -> Pruned | None:
        return await self.retention.prune(self.status, self.journal.lease, self._caller.run.clock())

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
        try:
            await self._perform(self.seats[step.name], step, ctx)
        except Exception as error:
            broken = self.journal.failure or self.lost
            if broken is not None:
                raise broken from (None if error is broken else error)
            failure = located(error, ctx.path)
            if isinstance(failure, BudgetError):  # nothing is wrong: the stage goes on when there is more to spend
                await self._stop(failure.sentence)
                raise failure from None
            await self._park(step, failure)
            parked = ParkedError(
                f"tick {self.status.running} is parked at stage {step.name}: {getattr(failure, 'sentence', failure)}",
                path=getattr(failure, "path", ctx.path),
                hint=getattr(failure, "hint", "") or "mend it and run again: the tick goes on with this stage",
            )
            raise parked from error

    async def _perform(self, seat: Seat, step: Step, ctx: RunContext) -> None:
        status = self.status
        development = step.name == DEVELOPMENT
        state = {block: await self._block(block) for block in seat.reads if block in status.state}
        proposal = None if status.proposal is None or not development else await self._with_blobs(status.proposal)
        inputs = seat.inputs(state, self.view, status.action if development else None, proposal)
        value = await seat.run(inputs, ctx)
        blobs: list[Blob] = []
        if step.name == UPDATE:
            self._update(value, blobs)
            return
        output = freeze(value, blobs.append, step.fills)
        if not filled(output):
            hint = f"give something as {step.fills!r}, or fail"
            raise RunError(f"stage {step.name} left its block {step.fills} empty", hint=hint)
        self.cycle.schema.check_block(step.fills, output, ctx.path)
        self._note(StageDone(step.name, step.fills, output), tuple(blobs))

    def _update(self, patch: Any, blobs: list[Blob]) -> None:
        if patch is None:
            raise RunError("world update gave no patch", hint="give [] when nothing changes")
        applied = apply(self.status.content, patch, blobs.append)
        for number, entry in enumerate(applied.entries):
            self.journal.note(Remembered(self.status.running, entry), blobs if number == 0 else ())
        self.snapshots.note(applied.operations)
        updated = Updated(self.status.running, applied.operations, self.status.state, applied.content.hash)
        self._note(updated, tuple(blobs), applied=applied.content)

    @property
    def view(self) -> Mapping[str, Any]:
        """The content as stages see it: it cannot be changed."""
        content = self.status.content
        if self._views[0] is not content:
            self._views = content, content.view
        view: Mapping[str, Any] = self._views[1]
        return view

    async def _block(self, block: str) -> Any:
        """A state block as stages see it: blobs with their bytes; what has none is handed out as it is."""
        value = self.status.state[block]
        known = self._plain.get(block)
        if known is not value:
            with_bytes = await self._with_blobs(value)
            if with_bytes is not value:
                return with_bytes
            self._plain[block] = value
        return value

    async def _with_blobs(self, value: Any) -> Any:
        names = sorted({reference[KEY] for reference in references(value)})
        return attach(value, {name: await self.journal.blob(name) for name in names}) if names else value

    async def _park(self, step: Step, error: Exception) -> None:
        status = self.status
        inputs = digest([status.content_hash, status.state, status.proposal, status.action])
        path = getattr(error, "path", "") or f"{self.name}/{step.name}"
        text = str(getattr(error, "sentence", error))
        self._note(Parked(status.running, step.name, path, text, type(error).__name__, inputs))
        with anyio.CancelScope(shield=True):
            await self.journal.flush()
        await self._settle()

    # --- letters

    async def _poll(self) -> None:
        if self.lost is not None:
            raise self.lost
        now = anyio.current_time()
        if self.letters or now - self._polled >= POLL:
            await self._read_letters()

    async def _read_letters(self, *, stale: bool = False) -> None:
        """Take what others posted: actions and commands. A `stop` that waited before the run began is dropped."""
        self.letters, self._polled = False, anyio.current_time()
        for letter in await self.journal.store.inbox(self.journal.stream):
            data = letter.data if isinstance(letter.data, Mapping) else {}
            if letter.kind == "action":
                self._note(ActionTaken(str(data.get("text", ""))), taken=(letter.id,))
            elif letter.kind == ToolAnswered.kind:
                self._answer(letter)
            elif letter.kind == "command":
                self._obey(data.get("command"), letter.id, stale)

    def _answer(self, letter: Letter) -> None:
        """A person's answer to an approval. One that cannot be read is dropped: nobody has said yes."""
        try:
            fact = fact_of(letter.kind, letter.data, f"{self.name} / letter {letter.id}")
        except CorruptError as error:
            self._root.warn(error.sentence)
            self.journal.take(letter.id)
            return
        self.journal.effects.append(fact)
        self._effects.take(fact)
        self._note(fact, taken=(letter.id,))

    def _obey(self, command: Any, letter: int, stale: bool) -> None:
        if command == "pause" and not self.status.paused:
            self._note(Paused(), taken=(letter,))
        elif command == "resume" and self.status.paused:
            self._note(Resumed(), taken=(letter,))
        else:
            if command == "stop" and not stale:
                self.stopping = self.stopping or "somebody asked for it"
            self.journal.take(letter)

    async def _rest(self) -> None:
        await self._settle()
        self._root.emit(WorldPaused)
        while self.status.paused and self.stopping is None:
            await anyio.sleep(POLL)
            if self.lost is not None:
                raise self.lost
            await self._read_letters()

    async def _stop(self, reason: str) -> None:
        self._note(Stopped(reason))
        await self.journal.flush()
        await self._settle()
        self._root.emit(WorldStopped, reason=reason)
