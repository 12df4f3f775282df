"""A world to be read: as it is now, or as it was after a tick. What can be asked of both is said here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, final

from yggdrasil.abc.store import Store, StreamInfo
from yggdrasil.core.content import HISTORY, content_of
from yggdrasil.core.cycle import Status, Trouble
from yggdrasil.core.facts import Remembered
from yggdrasil.core.frozen import thaw
from yggdrasil.core.state import state_hash
from yggdrasil.errors import EndWorldError, WorldError

if TYPE_CHECKING:
    from yggdrasil.core.diff import Difference
    from yggdrasil.levels.container import Child
    from yggdrasil.levels.counterfactual import Counterfactual
    from yggdrasil.levels.replay import Replayed
    from yggdrasil.levels.world import World


class WorldView(ABC):
    """What may be read of a world. `definition` is what it is made of, `stream_name` what its store calls it."""

    definition: World
    store: Store
    stream_name: str

    @property
    @abstractmethod
    def status(self) -> Status:
        """Where it stands, in full."""

    @property
    @abstractmethod
    def head(self) -> int:
        """The sequence of the last record it is made of; 0 for an End World, which has none."""

    @abstractmethod
    async def reach(self) -> None:
        """Make readable in the store what has happened so far."""

    @property
    def label(self) -> str:
        """The world's name."""
        return self.definition.name

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
        return self.status.content.view

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

    async def blob(self, digest: str) -> bytes:
        """The bytes of an artifact, by the digest in its reference."""
        return await self.store.get_blob(digest)

    async def history(self, *, after: int = 0) -> list[Any]:
        """The entries of the history from number `after` on (counted from 0), oldest first."""
        if self.definition.ended and not self.head:
            return list(content_of(self.definition.sections)[1])[after:]
        return (await self.entries())[after:]

    async def entries(self, *, since: int = 0) -> list[Any]:
        """The entries of the history that were recorded after sequence `since`."""
        from yggdrasil.levels.past import records

        async with aclosing(records(self.store, self.stream_name, since, self.head, (Remembered.kind,))) as found:
            return [record.data["entry"] async for record in found]

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

    # --- time

    async def at(self, tick: int) -> PastView:
        """The world as it was after a tick, to be read; 0 is how it began.

        WorldError when the tick is not there or no longer kept: it names the nearest that are.
        """
        await self._lived()
        return await view(self.store, self.stream_name, tick, self.definition)

    async def fork(self, *, name: str, at: int | None = None) -> StreamInfo:
        """A world of its own that shares all that happened up to the end of tick `at` (by default the last finished).

        Nothing is copied, this world is not touched, and nothing is ever taken back: to rewind a world is to fork it.
        The fork lies in the same store and keeps the seed: `World.open(..., name=name)`. ConflictError when the name
        is taken, WorldError when there is no such tick.
        """
        from yggdrasil.levels.past import end_of

        await self._lived()
        end = await end_of(self.store, self.stream_name, self.tick if at is None else at)
        await self.store.fork(self.stream_name, end.sequence, name)
        return StreamInfo(name, end.sequence, "", self.stream_name, end.sequence)

    async def diff(self, other: WorldView) -> Difference:
        """What differs from here to `other` (another tick, a fork, another world), and where the histories part."""
        from yggdrasil.levels.compare import compare

        await self.reach()
        await other.reach()
        return await compare(self, other)

    async def replay(self, *, first: int = 1, last: int | None = None, seed: int | None = None) -> Replayed:
        """Execute ticks again from the journal, offline: the same hash at every tick, or a ReplayError says where.

        By default all up to this tick; see `levels.replay.replay`.
        """
        from yggdrasil.levels.replay import replay

        await self._lived()
        upto = self.tick if last is None else last
        return await replay(self.definition, self.store, self.stream_name, first=first, last=upto, seed=seed)

    async def counterfactual(self, path: str, block: Child, *, at: int, name: str, ticks: int = 1) -> Counterfactual:
        """What if another block had stood at the node `path` since tick `at`: see `levels.counterfactual`."""
        from yggdrasil.levels.counterfactual import counterfactual

        await self._lived()
        return await counterfactual(self, path, block, at=at, name=name, ticks=ticks)

    async def _lived(self) -> None:
        await self.reach()
        if not self.head:
            raise EndWorldError(f"{self.label} is an End World: it has no ticks", path=self.label)


@final
class PastView(WorldView):
    """A world as it was after a tick: nothing runs in it and nothing changes it."""

    def __init__(self, definition: World, store: Store, stream: str, status: Status, head: int) -> None:
        self.definition, self.store, self.stream_name = definition, store, stream
        self._status, self._head = status, head

    @property
    def status(self) -> Status:
        """Where it stood, in full."""
        return self._status

    @property
    def head(self) -> int:
        """The sequence of the tick's last record."""
        return self._head

    async def reach(self) -> None:
        """All of it is in the store."""

    def __repr__(self) -> str:
        return f"<{self.stream_name}@{self.tick}>"


async def view(store: Store, stream: str, tick: int | None = None, definition: World | None = None) -> PastView:
    """A world as it was after a tick (by default its last finished one), without opening it: no lease, no writing.

    definition   the world; without it blocks that its schema carries over from tick to tick are not known
    """
    from yggdrasil.levels.past import last_end, past
    from yggdrasil.levels.world import World

    wanted = tick if tick is not None else (await last_end(store, stream)).tick
    definition = definition if definition is not None else World(stream.replace("/", "-"))
    if definition.ended and definition.sections:
        raise WorldError(f"{definition.name} is an End World: it has no ticks", path=definition.name)
    found = await past(store, stream, wanted, definition.cycle)
    return PastView(definition, store, stream, found.status, found.head)
