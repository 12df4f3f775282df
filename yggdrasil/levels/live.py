"""A world that was opened: it runs, it can be asked and acted upon."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import anyio

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.abc.store import Entry, Lease, Store
from yggdrasil.core.content import content_of
from yggdrasil.core.cycle import Status, Trouble
from yggdrasil.core.facts import EffectDone
from yggdrasil.core.frozen import thaw
from yggdrasil.core.ports import Spec
from yggdrasil.core.remedy import REMEDIES
from yggdrasil.errors import ConfigError, EndWorldError, PortError, StoreError, WorldError, close_names
from yggdrasil.levels.adapting import check_adapters, require_adapters
from yggdrasil.levels.journal import Journal
from yggdrasil.levels.keeper import LEASE, Keeper
from yggdrasil.levels.life import Life, Subscription
from yggdrasil.levels.loop import WorldLoop
from yggdrasil.levels.recovery import Recovered, begin, recover
from yggdrasil.levels.snapshot import Snapshots
from yggdrasil.levels.view import WorldView
from yggdrasil.runtime.bells import ring
from yggdrasil.runtime.effects import JournalEffects
from yggdrasil.storage.open import is_there, open_store

if TYPE_CHECKING:
    from yggdrasil.levels.world import World


COMMANDS = ("pause", "resume", "step", "stop", *REMEDIES)
"""What may be asked of a world from any process."""


class LiveWorld(WorldView, Runnable):
    """A world opened on a store. `run` and `stream` take `ticks=N` and `action="..."`; see `World.open`."""

    keeps_itself: ClassVar[bool] = True

    def __init__(
        self, definition: World, store: Store, stream: str, found: Recovered, loop: WorldLoop | None
    ) -> None:
        self.definition, self.store, self.stream_name = definition, store, stream
        self._found = found
        self._loop = loop
        self._subscriptions: list[Subscription] = []

    @property
    def spec(self) -> Spec:
        """The ports of a world."""
        return self.definition.spec

    @property
    def block_type(self) -> str:
        """`world`."""
        return "world"

    def accept(self, value: Any) -> Any:
        """As a world takes it: a bare text is an action, a bare mapping of blocks a state."""
        return self.definition.accept(value)

    # --- what it is now

    @property
    def status(self) -> Status:
        """Where it stands, in full."""
        return self._loop.status if self._loop is not None else self._found.status

    @property
    def head(self) -> int:
        """The sequence of its last record; 0 for an End World."""
        return self._loop.journal.head if self._loop is not None else self._found.head

    async def reach(self) -> None:
        """Write what waits."""
        if self._loop is not None:
            await self._loop.journal.flush()

    @property
    def memories(self) -> Mapping[str, Mapping[str, Any]]:
        """What its agents remember, by their path: each as `Memory.state_dict` gives it. It cannot be changed."""
        return self.status.kept

    @property
    def read_only(self) -> bool:
        """Whether it can only be read."""
        return self._loop is None

    # --- running

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Live for `ticks` (by default as many as its file says, else 1).

        ParkedError when a stage fails, EndWorldError for an End World, StoreError when nothing can be written.
        """
        self._writable()
        ticks = ctx.run.options.get("ticks", self.definition.ticks or 1)
        check_ticks(ticks, self.label)
        if ctx.run.seed is not None and ctx.run.seed != self.seed:
            raise other_seed(self.label, self.seed, ctx.run.seed)
        action = _action(inputs.get("action"))
        if ticks:
            await self.advance(inputs, ctx, ticks)
        elif action is not None:
            await self.act(action)
        return {"state": self.state}

    async def adapt(self, adapters: Mapping[str, Any]) -> None:
        """Compute with these adapters from the next tick on, in place of the world's own, as in `run(adapters=...)`.

        They are looked at now: ConfigError for one that does not fit, and then nothing changes. They are not kept:
        whoever opens the world again says them again.
        """
        loop = self._writable()
        await require_adapters(self.definition, adapters, self.label)
        loop.adapters = dict(adapters)

    def stop(self, reason: str = "stop was called") -> None:
        """Let the run that goes on end at the next safe point: between two stages."""
        self._writable().stop(reason)

    async def live(self, *, patient: bool = False, **options: Any) -> None:
        """Live until it is stopped, or idle for as long as its timers say; without timers tick after tick.

        patient   when a stage fails, wait until a person says how it goes on, and where the error may pass by itself
                  try again after a while; otherwise ParkedError. A budget of a day that is spent is waited for anyway
        options   as `run` takes them: action, budget, hooks, approve; `ticks`, at most so many
        """
        await Life(self, patient).run(**options)

    async def advance(
        self,
        inputs: Mapping[str, Any],
        ctx: RunContext,
        ticks: int | None,
        *,
        living: bool = False,
        patient: bool = False,
    ) -> None:
        """What `run` and `live` do within a call: see there."""
        state = inputs.get("state")
        if state is not None:
            self.definition.schema.check(state)
        await check_adapters(self.definition, ctx)
        await self._writable().run(ctx, ticks, _action(inputs.get("action")), state, living=living, patient=patient)

    def events(self, limit: int = 1000) -> Subscription:
        """Follow its runs in this process: `async for event in world.events()`, as many at once as you like.

        Who reads slowly loses the oldest of more than `limit` waiting events, and is told of it (EventsMissed); the
        world's time never waits. It ends when the world is closed, or with `aclose()`.
        """
        subscription = Subscription(self._writable(), limit)
        self._subscriptions.append(subscription)
        return subscription

    async def act(self, action: str) -> int:
        """Post an action, from any process: the next tick's development sees it. The letter's number."""
        text = _action(action)
        if text is None:
            raise PortError("the action is empty", path=self.label, hint='act("Kara lights the beacon")')
        return await self._post(Entry("action", {"text": text}))

    async def pause(self) -> None:
        """Ask the world to rest between two stages, from any process."""
        await self.command("pause")

    async def resume(self) -> None:
        """Ask a resting world to go on."""
        await self.command("resume")

    async def step(self) -> None:
        """Ask for one tick (the one under way, if there is one), after which the world rests; from any process."""
        await self.command("step")

    async def command(self, name: str, value: Any = None) -> None:
        """Post a command, from any process: pause, resume, step or stop; or how a parked world goes on.

        That is retry, skip, edit (with the `value`), migrate or abandon; one that does not fit when it is read is
        warned of and dropped.
        """
        if name not in COMMANDS:
            raise ConfigError(f"there is no command {name!r}; {close_names(str(name), COMMANDS)}")
        await self._post(Entry("command", {"command": name, **({} if value is None else {"value": value})}))

    async def _post(self, entry: Entry) -> int:
        self._refuse_end()
        letter = await self.store.post(self.stream_name, entry)
        ring(self.store.url, self.stream_name)
        if self._loop is not None:
            self._loop.post_came()
        return letter

    # --- a parked world: how it goes on. Durable on return; it goes on when it runs, or at once where it is lived

    async def retry(self) -> None:
        """The stage that failed runs again (as it does anyway when the world is run)."""
        await self._writable().mend("retry")

    async def skip(self) -> None:
        """Leave the stage's block empty in this tick. WorldError where a later stage would run without it."""
        await self._writable().mend("skip")

    async def edit(self, value: Any) -> None:
        """Give the stage's block by hand (of world update: the patch). PortError when it does not fit."""
        await self._writable().mend("edit", value)

    async def migrate(self) -> None:
        """Take what was recorded for what is asked now, at the place where the request changed."""
        await self._writable().mend("migrate")

    async def abandon(self) -> None:
        """Drop what the parked stage has recorded of effects in this tick: it begins anew when the world runs."""
        await self._writable().mend("abandon")

    async def settle(self, result: Any) -> None:
        """Say what the effect gave that was under way and must not be repeated: it is recorded as its result.

        `result` is JSON as the effect records it.
        """
        loop = self._writable()
        self._trouble()
        scope = f"tick:{self.status.running}"
        effects = JournalEffects(self.stream_name, scope, loop.journal, loop.journal.effects)
        begun = effects.unknown()
        if begun is None:
            raise WorldError("no effect of this tick is unknown", path=self.label)
        done = EffectDone(scope, begun.path, begun.ordinal, begun.request, begun.what, thaw(result))
        await loop.journal.record(done, now=True)

    def _trouble(self) -> Trouble:
        if self.parked is None:
            raise WorldError("the world is not parked", path=self.label)
        return self.parked

    # --- reading

    async def refresh(self) -> None:
        """Read again what a world that was opened read-only has become."""
        if self._loop is None and not self.definition.ended:
            found = await recover(self.store, self.stream_name, self.definition.cycle)
            if found is not None:
                self._found = found

    def _end_subscriptions(self) -> None:
        for subscription in self._subscriptions:
            subscription.end()

    def _refuse_end(self) -> None:
        if self.definition.ended:
            raise EndWorldError(
                f"{self.label} is an End World: its content is fixed",
                path=self.label,
                hint="open the world it was exported from, or give it an execution",
            )

    def _writable(self) -> WorldLoop:
        self._refuse_end()
        if self._loop is None:
            raise WorldError(
                f"the world {self.label} was opened read-only", path=self.label, hint="open it without read_only=True"
            )
        return self._loop


class Opening:
    """What `World.open` gives: `async with` it."""

    def __init__(
        self,
        definition: World,
        store: Store | str | None,
        seed: int | None,
        name: str | None,
        read_only: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._definition, self._given, self._seed, self._read_only = definition, store, seed, read_only
        self._stream = name or definition.name
        self._store: Store | None = None
        self._lease: Lease | None = None
        self._keeper: Keeper | None = None
        self._live_world: LiveWorld | None = None
        self._loop: WorldLoop | None = None

    def __await__(self) -> NoReturn:
        """Not this way: an open world has to be closed."""
        hint = "async with World.open(...) as world:"
        raise ConfigError("an open world has to be closed: it is not awaited", path=self._definition.name, hint=hint)

    async def __aenter__(self) -> LiveWorld:
        """Open the store, take the lease, and fold the world from its journal, or begin it."""
        definition = self._definition
        if not definition.ended and not self._read_only:
            definition.validate(strict=True)  # before the store is opened: what is wrong leaves no file behind
        own = not isinstance(self._given, Store)
        store = open_store(self._given)
        if (definition.ended or self._read_only) and not is_there(self._given):  # reading makes no file
            if not definition.ended:
                raise self._nobody(store)
            store = open_store(None)
        if own:
            await store.open()
            self._store = store
        try:
            if definition.ended:
                return LiveWorld(definition, store, self._stream, _ended(definition), None)
            if self._read_only:
                return await self._read(store)
            return await self._live(store)
        except BaseException:
            await self._leave()
            raise

    async def _read(self, store: Store) -> LiveWorld:
        found = await recover(store, self._stream, self._definition.cycle)
        if found is None:
            raise self._nobody(store)
        return LiveWorld(self._definition, store, self._stream, found, None)

    def _nobody(self, store: Store) -> StoreError:
        hint = f"yggdrasil run {self._stream} first"
        return StoreError(f"there is no world {self._stream!r} here", path=store.url, hint=hint)

    async def _live(self, store: Store) -> LiveWorld:
        definition = self._definition
        self._lease = await store.acquire(self._stream, f"{socket.gethostname()}:{os.getpid()}", seconds=LEASE)
        found = await recover(store, self._stream, definition.cycle)
        journal = Journal(store, self._stream, self._lease, found.head if found else 0, definition.durability)
        seed = self._seed if self._seed is not None else definition.seed
        if found is None:
            found = await begin(definition.name, seed or 0, definition.sections, journal)
        elif self._seed is not None and self._seed != found.status.seed:
            raise other_seed(self._stream, found.status.seed, self._seed)
        seats = definition.seats()
        await require_adapters(definition, definition.adapters, definition.name)
        self._loop = loop = WorldLoop(
            definition.name, definition.cycle, seats, journal, found, self._clock, timers=definition.timers,
            patience=definition.patience, budget=definition.budget, keep=definition.keep,
            adapters=definition.adapters,
        )  # fmt: skip
        self._keeper = Keeper.of(store)
        self._keeper.join(loop, self._lease)
        self._live_world = LiveWorld(definition, store, self._stream, found, loop)
        return self._live_world

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what runs, write what waits, give the lease back."""
        with anyio.CancelScope(shield=True):
            try:
                if self._loop is not None:
                    await self._loop.end()
                    if self._loop.journal.failure is None and self._loop.lost is None:
                        await self._loop.close()
            finally:
                await self._leave()

    async def _leave(self) -> None:
        with anyio.CancelScope(shield=True):
            if self._keeper is not None and self._lease is not None:
                await self._keeper.leave(self._lease)
            if self._live_world is not None:
                self._live_world._end_subscriptions()
            try:
                if self._lease is not None and self._loop is not None:
                    await self._loop.journal.store.release(self._lease)
                elif self._lease is not None:
                    store = self._store if self._store is not None else self._given
                    assert isinstance(store, Store)
                    await store.release(self._lease)
            finally:
                if self._store is not None:
                    await self._store.close()


def check_ticks(ticks: Any, path: str) -> None:
    """PortError for what counts no ticks."""
    if isinstance(ticks, bool) or not isinstance(ticks, int) or ticks < 0:
        raise PortError(f"ticks is {ticks!r}", path=path, hint="ticks=10")


def other_seed(name: str, seed: int, wanted: int) -> ConfigError:
    """A world keeps the seed it was opened with first."""
    return ConfigError(
        f"the world {name} lives with seed {seed}; it cannot go on with {wanted}",
        path=name,
        hint=f"leave the seed out, or begin another world: store sqlite:///{name}-{wanted}.db",
    )


def _ended(definition: World) -> Recovered:
    content, _ = content_of(definition.sections)
    return Recovered(Status(content, content_hash=content.hash), Snapshots(), 0, [])


def _action(action: Any) -> str | None:
    if action is not None and not isinstance(action, str):
        raise PortError(f"an action is text, not {type(action).__name__}", hint='action="Kara lights the beacon"')
    return action if action and action.strip() else None

