"""A world's writing desk: facts wait here until they must be durable, and go to the store in one append."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import anyio

from yggdrasil.abc.store import Entry, Lease, Store
from yggdrasil.core.blob import Blob
from yggdrasil.core.canonical import canonical
from yggdrasil.core.facts import OF_EFFECTS, Fact
from yggdrasil.errors import ConfigError, StoreError, close_names

DURABILITY: Final = ("step", "effect", "stage", "tick", "none")
"""How soon what happened is durable, and what a crash can cost.

step           as effect, and what each iteration of a loop carries into the next: a crash repeats the last iteration
effect         each effect's result before anyone sees it, and each stage's: nothing recorded is ever repeated
stage          a stage's effects with its result: a crash repeats the effects of the stage under way, with the same keys
tick           a whole tick at its end: a crash repeats the tick under way
none           now and then, and when the world is closed: a crash loses the ticks since; what is there is whole

Whatever the level, an effect that must not be repeated is recorded before it is performed, and the journal
is always a prefix of what happened: never a gap.
"""

_POINTS = {"effect": 1, "stage": 2, "tick": 3}
CACHED = 8 * 1024 * 1024
"""Bytes of new blobs kept in memory while the world runs, so that the next stage need not read them back."""


class _Append(NamedTuple):
    """What was handed to the store in one append."""

    entries: list[Entry]
    blobs: dict[str, Blob]
    taken: list[int]


class Journal:
    """The stream of one world, for the one who holds its lease."""

    def __init__(self, store: Store, stream: str, lease: Lease | None, head: int, durability: str = "effect") -> None:
        if durability not in DURABILITY:
            raise ConfigError(f"durability is {durability!r}; {close_names(durability, DURABILITY)}")
        self.store, self.stream, self.lease, self.head = store, stream, lease, head
        self.durability = durability
        self.written = 0
        """Bytes of JSON that were noted since the last snapshot."""
        self.failure: Exception | None = None
        self.doubt: Exception | None = None
        """Why the lease could not be renewed when that was tried last."""
        self.effects: list[Fact] = []
        """Facts about effects in the tick under way."""
        self._waiting: list[Entry] = []
        self._blobs: dict[str, Blob] = {}
        self._taken: list[int] = []
        self._leaving: list[int] = []
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached = 0
        self._turn = anyio.Lock(fast_acquire=True)
        self._unsure: _Append | None = None

    @property
    def keeps_turns(self) -> bool:
        """Whether iterations of loops are recorded, too."""
        return self.durability == "step"

    def note(self, fact: Fact, blobs: Iterable[Blob] = (), taken: Sequence[int] = ()) -> None:
        """Put a fact in line, behind those that wait already."""
        self._require()
        data = fact.to_json()
        self.written += len(canonical(data))
        self._waiting.append(Entry(fact.kind, data))
        self._taken += taken
        for blob in blobs:
            self._blobs[blob.digest] = blob
            self._remember(blob.digest, blob.data)

    @property
    def taken(self) -> frozenset[int]:
        """Letters that leave the inbox with the next append, or with the one under way."""
        unsure = () if self._unsure is None else self._unsure.taken
        return frozenset((*self._taken, *self._leaving, *unsure))

    def take(self, letter: int) -> None:
        """Take a letter out of the inbox with the next append."""
        self._require()
        self._taken.append(letter)

    async def record(self, fact: Fact, blobs: Iterable[Blob] = (), *, now: bool = False) -> None:
        """Note a fact about an effect; durable on return where the level asks for it, or with `now`."""
        if isinstance(fact, OF_EFFECTS):
            self.effects.append(fact)
        self.note(fact, blobs)
        if now:
            await self.flush()
        else:
            await self.settle("effect")

    async def settle(self, point: str) -> None:
        """Make what waits durable, if the level asks for it at this point (effect, stage or tick)."""
        if DURABILITY.index(self.durability) <= _POINTS[point]:
            await self.flush()

    async def flush(self, snapshot: Any = None) -> None:
        """Make all that waits durable, in one append; with a snapshot of the status after it, if given."""
        self._require()
        if not (self._waiting or self._taken or self._turn.locked() or snapshot is not None or self._unsure):
            return
        # shielded: what is handed to the store is carried out, so the head must be known afterwards
        with anyio.CancelScope(shield=True):
            async with self._turn:
                if self._unsure is not None:
                    await self._make_sure(self._unsure)
                if self._waiting or self._taken or snapshot is not None:
                    await self._append(snapshot)

    async def _append(self, snapshot: Any) -> None:
        entries, self._waiting = self._waiting, []
        blobs, self._blobs = self._blobs, {}
        taken, self._taken = self._taken, []
        self._leaving = taken
        try:
            for blob in blobs.values():
                await self.store.put_blob(blob.data)
            self.head = await self.store.append(
                self.stream, entries, expect=self.head, lease=self.lease, snapshot=snapshot, taken=taken
            )
        except Exception as error:
            self.failure = error
            raise
        except BaseException:  # a task cancelled by asyncio itself: no shield holds that off
            self._unsure = _Append(entries, blobs, taken)
            raise
        finally:
            self._leaving = []

    async def _make_sure(self, append: _Append) -> None:
        """Find out whether an append whose outcome nobody waited for was carried out; if not, it waits again."""
        assert self.lease is not None
        try:
            await self.store.renew(self.lease)  # comes after what was handed over before
            head = await self.store.head(self.stream)
            letters = {letter.id for letter in await self.store.inbox(self.stream)}
        except Exception as error:
            self.failure = error
            raise
        if head == self.head:
            self._waiting = append.entries + self._waiting
            self._blobs = {**append.blobs, **self._blobs}
            self._taken = [letter for letter in append.taken if letter in letters] + self._taken
        self.head = head
        self._unsure = None

    async def blob(self, digest: str) -> bytes:
        """The bytes of a blob: from memory when it is new, else from the store."""
        data = self._cache.get(digest)
        if data is None:
            data = await self.store.get_blob(digest)
            self._remember(digest, data)
        return data

    def _remember(self, digest: str, data: bytes) -> None:
        if digest not in self._cache and len(data) <= CACHED:
            self._cache[digest] = data
            self._cached += len(data)
            while self._cached > CACHED:
                self._cached -= len(self._cache.popitem(last=False)[1])

    def forget(self) -> None:
        """Drop the bytes kept in memory: a resting world holds none."""
        self._cache.clear()
        self._cached = 0

    def _require(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self.lease is None:
            raise StoreError(
                "the world was opened read-only", path=f"stream {self.stream}", hint="open it without read_only=True"
            )
