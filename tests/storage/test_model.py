"""Any sequence of appends, forks, snapshots and letters leaves a store as a plain model of it says."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yggdrasil.abc.store import Entry, Store
from yggdrasil.errors import ConflictError, StoreError
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.storage.sqlite import SqliteStore

NAMES = ["a", "b", "c", "d"]
names = st.sampled_from(NAMES)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
steps = st.one_of(
    st.tuples(st.just("append"), names, st.lists(values, max_size=3), st.booleans(), st.booleans()),
    st.tuples(st.just("wrong"), names, st.integers(-1, 30)),
    st.tuples(st.just("fork"), names, st.integers(-1, 12), names),
    st.tuples(st.just("post"), names, values),
    st.tuples(st.just("reopen")),
)


@dataclass
class Stream:
    """A stream the plain way: everything copied."""

    records: list[Any] = field(default_factory=list)
    snapshots: dict[int, Any] = field(default_factory=dict)
    letters: list[Any] = field(default_factory=list)
    parent: Stream | None = None
    base: int = 0

    def inherited(self) -> list[tuple[int, Any]]:
        """The snapshots a fork may start from, taken before or after it was made; old ones may be gone."""
        found, stream, limit = [], self, sys.maxsize
        while stream.parent is not None:
            limit, stream = min(limit, stream.base), stream.parent
            found += [item for item in stream.snapshots.items() if item[0] <= limit]
        return found


class Model:
    """Does to a store and to plain lists the same, and compares."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.streams: dict[str, Stream] = {}

    async def append(self, name: str, data: list[Any], keep: bool, take: bool) -> None:
        state = {"after": len(data)} if keep else None
        waiting = await self.store.inbox(name)
        known = self.streams.setdefault(name, Stream())
        head = len(known.records)
        new = await self.store.append(
            name, [Entry("note", item) for item in data], expect=head, snapshot=state,
            taken=[letter.id for letter in waiting] if take else (),
        )  # fmt: skip
        known.records += data
        assert new == len(known.records)
        if keep:
            known.snapshots[new] = state
        if take:
            known.letters.clear()

    async def wrong(self, name: str, expect: int) -> None:
        if expect != len(self.streams.get(name, Stream()).records):
            with pytest.raises(ConflictError):
                await self.store.append(name, [Entry("note", 0)], expect=expect)

    async def fork(self, name: str, at: int, new: str) -> None:
        known = self.streams.get(name)
        if known is None or not 0 <= at <= len(known.records) or new in self.streams:
            with pytest.raises(StoreError):
                await self.store.fork(name, at, new)
            return
        await self.store.fork(name, at, new)
        self.streams[new] = Stream(known.records[:at], parent=known, base=at)

    async def post(self, name: str, data: Any) -> None:
        await self.store.post(name, Entry("letter", data))
        self.streams.setdefault(name, Stream()).letters.append(data)

    async def reopen(self) -> None:
        await self.store.close()
        await self.store.open()

    async def compare(self) -> None:
        infos = {info.name: info.head for info in await self.store.streams()}
        assert infos == {name: len(known.records) for name, known in self.streams.items()}
        for name, known in self.streams.items():
            records = await self.store.read(name)
            assert [record.data for record in records] == known.records
            assert [record.sequence for record in records] == list(range(1, len(known.records) + 1))
            assert [letter.data for letter in await self.store.inbox(name)] == known.letters
            newest = await self.store.snapshot(name)
            found = newest and (newest.sequence, newest.data)
            if known.snapshots:
                assert found == max(known.snapshots.items())
            else:
                assert found is None or found in known.inherited()
            middle = len(known.records) // 2
            assert [record.data for record in await self.store.read(name, after=middle, limit=2)] == (
                known.records[middle : middle + 2]
            )


async def live(store: Store, plan: list[tuple[Any, ...]]) -> None:
    async with store:
        model = Model(store)
        for what, *arguments in plan:
            await getattr(model, what)(*arguments)
        await model.compare()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=25))
def test_memory(plan: list[tuple[Any, ...]]) -> None:
    anyio.run(live, MemoryStore(), plan)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=25))
def test_sqlite(plan: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(live, SqliteStore(Path(folder, "world.db")), plan)


@pytest.mark.long
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=60))
def test_sqlite_at_length(plan: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(live, SqliteStore(Path(folder, "world.db")), plan)
