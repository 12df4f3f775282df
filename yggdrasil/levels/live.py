"""A world that was opened: it runs, it can be asked and acted upon."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import anyio

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.abc.store import Entry, Lease, Store
from yggdrasil.core.content import HISTORY, content_of
from yggdrasil.core.cycle import Status, Trouble
from yggdrasil.core.facts import EffectDone, EffectsAbandoned, Remembered
from yggdrasil.core.frozen import thaw
from yggdrasil.core.ports import Spec
from yggdrasil.core.state import state_hash
from yggdrasil.errors import ConfigError, EndWorldError, LeaseError, PortError, StoreError, WorldError
from yggdrasil.levels.journal import Journal
from yggdrasil.levels.loop import WorldLoop
from yggdrasil.levels.recovery import Recovered, begin, recover
from yggdrasil.levels.snapshot import Snapshots
from yggdrasil.runtime.effects import JournalEffects
from yggdrasil.runtime.spawn import Handle, spawn
from yggdrasil.storage.open import is_there, open_store

if TYPE_CHECKING:
    from yggdrasil.levels.world import World

LEASE = 15.0
"""Seconds a lease lasts unless renewed; it is renewed three times in that time."""


class LiveWorld(Runnable):
    """A world opened on a store. `run` and `stream` take `ticks=N` and `action="..."`; see `World.open`."""

    keeps_itself: ClassVar[bool] = True

    def __init__(
        self, definition: World, store: Store, stream: str, found: Recovered, loop: WorldLoop | None
    ) -> None:
        self.definition, self.store, self.stream_name = definition, store, stream
        self._found = found
        self._loop = loop

    @property
    def spec(self) -> Spec:
        """The ports of a world."""
        return self.definition.spec

    @property
    def label(self) -> str:
        """The world's name."""
        return self.definition.name

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
    def tick(self) -> int:
        """The last finished tick; 0 for a new world."""
        return self.status.tick

    @property
    def state(self) -> Mapping[str, Any]:
        """The filled blocks; blobs by reference (see `blob`). It cannot be changed."""
        return self.status.state

    @property
    def content(self) -> Mapping[str, Any]:
        """The sections, and `history` = {length, head, recent}. It cannot be changed."""
        return self._loop.view if self._loop is not None else self.status.content.view

    @property
    def content_hash(self) -> str:
        """The hash of the content, its history included."""
        return self.status.content_hash

    @property
    def state_hash(self) -> str:
        """The hash of the five blocks."""
        return state_hash(self.status.state)

    @property
    def tick_hash(self) -> str:
        """The last link of the chain of ticks; "" before the first."""
        return self.status.tick_hash

    @property
    def seed(self) -> int:
        """The seed it was opened with first."""
        return self.status.seed

    @property
    def parked(self) -> Trouble | None:
        """Why it waits for a person; None when it does not."""
        return self.status.trouble

    @property
    def read_only(self) -> bool:
        """Whether it can only be read."""
        return self._loop is None

    # --- running

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Live for `ticks` (by default as many as its file says, else 1).

        ParkedError when a stage fails, EndWorldError for an End World, StoreError when nothing can be written.
        """
        loop = self._writable()
        ticks = ctx.run.options.get("ticks", self.definition.ticks or 1)
        if isinstance(ticks, bool) or not isinstance(ticks, int) or ticks < 0:
            raise PortError(f"ticks is {ticks!r}", path=self.label, hint="ticks=10")
        if ctx.run.seed is not None and ctx.run.seed != self.seed:
            raise other_seed(self.label, self.seed, ctx.run.seed)
        state = inputs.get("state")
        if state is not None:
            self.definition.schema.check(state)
        action = _action(inputs.get("action"))
        if ticks:
            await loop.run(ctx, ticks, action, state)
        elif action is not None:
            await self.act(action)
        return {"state": self.state}

    def stop(self, reason: str = "stop was called") -> None:
        """Let the run that goes on end at the next safe point: between two stages."""
        self._writable().stopping = reason

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

    async def command(self, name: str) -> None:
        """Post a command, from any process: `pause`, `resume` or `stop`."""
        if name not in ("pause", "resume", "stop"):
            raise ConfigError(f"there is no command {name!r}", hint="pause, resume or stop")
        await self._post(Entry("command", {"command": name}))

    async def _post(self, entry: Entry) -> int:
        self._refuse_end()
        letter = await self.store.post(self.stream_name, entry)
        if self._loop is not None:
            self._loop.letters = True
        return letter

    # --- a parked world

    async def abandon(self) -> None:
        """Drop what the parked stage has recorded of effects in this tick: it begins anew when the world runs."""
        loop, trouble = self._writable(), self._trouble()
        fact = EffectsAbandoned(f"tick:{self.status.running}", f"{self.label}/{trouble.stage}")
        await loop.journal.record(fact, now=True)

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

    async def blob(self, digest: str) -> bytes:
        """The bytes of an artifact, by the digest in its reference."""
        return await self.store.get_blob(digest)

    async def history(self, *, after: int = 0) -> list[Any]:
        """The entries of the history from number `after` on (counted from 0), oldest first."""
        if self.definition.ended:
            return list(content_of(self.definition.sections)[1])[after:]
        records = await self.store.read(self.stream_name, kinds=(Remembered.kind,))
        return [record.data["entry"] for record in records if record.sequence <= self._head()][after:]

    async def export_content(self) -> dict[str, Any]:
        """The content with its whole history, as plain JSON with sorted sections: equal content, equal value."""
        sections = {**thaw(self.status.content.sections), HISTORY: await self.history()}
        return {name: sections[name] for name in sorted(sections)}

    async def export(self, *, content_only: bool = True) -> dict[str, Any]:
        """A world's document: with `content_only` an End World, fixed and readable."""
        content = await self.export_content()
        document = {} if content_only else self.definition.to_config()
        return {"kind": "world", "version": 1, "name": self.label, **document, "content": content}

    async def resolve(self, link: str) -> Any:
        """What a `ygg://...` link names: in this world, in another one of its store, or in the catalogue."""
        from yggdrasil.levels.resolve import resolve

        return await resolve(link, here=self)

    async def refresh(self) -> None:
        """Read again what a world that was opened read-only has become."""
        if self._loop is None and not self.definition.ended:
            found = await recover(self.store, self.stream_name, self.definition.cycle)
            if found is not None:
                self._found = found

    def _head(self) -> int:
        return self._loop.journal.head if self._loop is not None else self._found.head

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
        self, definition: World, store: Store | str | None, seed: int | None, name: str | None, read_only: bool
    ) -> None:
        self._definition, self._given, self._seed, self._read_only = definition, store, seed, read_only
        self._stream = name or definition.name
        self._store: Store | None = None
        self._lease: Lease | None = None
        self._renewal: Handle | None = None
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
        self._loop = loop = WorldLoop(definition.name, definition.cycle, seats, journal, found)
        loop.retention.keep = definition.keep
        self._renewal = spawn(self._renew)
        return LiveWorld(definition, store, self._stream, found, loop)

    async def _renew(self) -> None:
        """Keep the lease; when it is lost, the world stops at its next step."""
        loop, lease = self._loop, self._lease
        assert loop is not None
        assert lease is not None
        while True:
            await anyio.sleep(LEASE / 3)
            try:
                lease = await loop.journal.store.renew(lease, seconds=LEASE)
            except LeaseError as error:
                loop.lost = error
                return
            except StoreError as error:
                # the lease may live on, and the next append says what is the matter with the store
                loop.journal.doubt = error

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
            if self._renewal is not None:
                await self._renewal.stop()
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

