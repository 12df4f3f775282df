"""Whether a world is whole: every record, the chain of ticks, every snapshot, every blob that is named.

The stream is folded once from end to end, page by page, as if it were lived again without its stages. What is
damaged is named, and the fold goes on from the next snapshot. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from yggdrasil.abc.examine import Examines
from yggdrasil.abc.store import Record, Store
from yggdrasil.core.blob import KEY, references
from yggdrasil.core.content import next_tick_hash
from yggdrasil.core.cycle import Cycle, Status
from yggdrasil.core.facts import Fact, Finished, Opened, TickBegun, fact_of
from yggdrasil.core.value import Value
from yggdrasil.errors import Problem, StoreError, YggdrasilError
from yggdrasil.levels.recovery import Recovered, fold_record, from_opened
from yggdrasil.levels.snapshot import Snapshots

if TYPE_CHECKING:
    from yggdrasil.levels.world import World

PAGE = 500
MOST = 1000
"""So many problems are told; then verifying ends."""


class Verified(Value):
    """What was looked at, and what is wrong: each problem names its record, snapshot or blob, and the tick."""

    name: str
    records: int
    ticks: int
    snapshots: int
    blobs: int
    problems: tuple[Problem, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """As data."""
        problems = [{"path": problem.path, "sentence": problem.sentence} for problem in self.problems]
        return {**self.values(), "whole": self.whole, "problems": problems}


async def verify(
    store: Store,
    stream: str,
    definition: World | None = None,
    *,
    told: Callable[[int, int], None] | None = None,
) -> Verified:
    """Look through a world's stream, and through the whole store where that can be done.

    definition   the world; without it blocks that its schema carries over from tick to tick are not known
    told         is called with how many records were looked at, and how many there are

    StoreError when there is no such stream.
    """
    head = await store.head(stream)
    if not head:
        raise StoreError(f"there is no world {stream!r} here", path=store.url, hint=f"yggdrasil run {stream} first")
    found = _Verification(store, stream, Cycle() if definition is None else definition.cycle)
    await found.stream_to(head, told)
    if isinstance(store, Examines):
        found.add(await store.examine())
    return Verified(stream, found.records, found.ticks, found.snapshots, len(found.blobs), tuple(found.problems))


class _Verification:
    def __init__(self, store: Store, stream: str, cycle: Cycle) -> None:
        self.store, self.stream, self.cycle = store, stream, cycle
        self.records = self.ticks = self.snapshots = 0
        self.problems: list[Problem] = []
        self.blobs: set[str] = set()
        self._last = 0
        self._tick = 0
        self._ended: Finished | None = None
        self._folded: Recovered | None = None
        self._marks: list[int] = []

    def add(self, problems: Iterable[Problem]) -> None:
        """Problems, those of places that have one already left out."""
        known = {problem.path for problem in self.problems}
        self.problems += [problem for problem in problems if problem.path not in known][: MOST - len(self.problems)]

    def _wrong(self, error: YggdrasilError, where: str = "") -> None:
        tick = f" (tick {self._tick})" if self._tick else ""
        self.add([Problem(error.path or where, f"{error.sentence}{tick}", error.hint)])

    async def stream_to(self, head: int, told: Callable[[int, int], None] | None) -> None:
        try:
            self._marks = await self.store.snapshots(self.stream)
            await self.store.inbox(self.stream)
        except StoreError as error:
            self._wrong(error)
        while self._last < head and len(self.problems) < MOST:
            for record in await self._page(head):
                await self._snapshots(record.sequence - 1)
                await self._record(record)
            if told is not None:
                told(self._last, head)
        await self._snapshots(head)

    async def _page(self, head: int) -> list[Record]:
        """The next records that can be read; `_last` has gone past those that cannot."""
        try:
            records = await self.store.read(self.stream, after=self._last, limit=PAGE)
            if not records:
                self._lost(StoreError(f"the records after {self._last} are missing", path=f"stream {self.stream}"))
                self._last = head
            return records
        except StoreError:
            pass  # one by one, to name those that are damaged
        while self._last < head and len(self.problems) < MOST:
            try:
                return await self.store.read(self.stream, after=self._last, limit=1)
            except StoreError as error:
                self._lost(error)
                self._last += 1
        return []

    def _lost(self, error: YggdrasilError) -> None:
        """What comes after cannot be judged from here: the next snapshot is where folding goes on."""
        self._wrong(error)
        self._folded = self._ended = None

    async def _record(self, record: Record) -> None:
        path = f"stream {self.stream} / record {record.sequence}"
        if self._folded is not None and self._folded.head != record.sequence - 1:
            self._folded = None  # what lies between is pruned, or named already: a store says itself what it has lost
        self._last = record.sequence
        self.records += 1
        try:
            fact = fact_of(record.kind, record.data, path)
            if isinstance(fact, TickBegun):
                self._tick = fact.tick
            await self._named(path, record.data, fact)
            self._link(fact, path)
            if isinstance(fact, Opened) and record.sequence == 1:
                self._folded = await from_opened(self.store, self.stream, fact)
            elif self._folded is not None:
                fold_record(self._folded, record, self.cycle, self.stream)
        except YggdrasilError as error:
            self._lost(error)
        if record.kind == Finished.kind or record.sequence == 1:
            self._tick += 1  # what comes belongs to the next one

    def _link(self, fact: Fact, path: str) -> None:
        """The chain by itself: each finished record follows from the one before, whatever lies between."""
        if not isinstance(fact, Finished):
            return
        self.ticks += 1
        before, self._ended, self._tick = self._ended, fact, fact.tick
        known = "" if fact.tick == 1 else before.tick_hash if before and before.tick == fact.tick - 1 else None
        if known is not None and next_tick_hash(known, fact.content_hash, fact.state_hash) != fact.tick_hash:
            raise StoreError("the chain of ticks is broken here", path=path)

    async def _named(self, path: str, data: Any, fact: Fact | None) -> None:
        names = [reference[KEY] for reference in references(data)]
        if isinstance(fact, Opened):
            names += fact.sections.values()
        for name in names:
            if name not in self.blobs:
                self.blobs.add(name)
                try:
                    await self.store.get_blob(name)
                except StoreError as error:
                    self._wrong(StoreError(f"{error.sentence}; {path} names it", path=f"blob {name}"))

    async def _snapshots(self, upto: int) -> None:
        while self._marks and self._marks[0] <= upto:
            mark = self._marks.pop(0)
            path = f"stream {self.stream} / snapshot {mark}"
            try:
                await self._snapshot(mark, path)
            except YggdrasilError as error:
                self._wrong(error, path)
            except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
                self._wrong(StoreError(f"is no snapshot of a world: {error!r}", path=path))

    async def _snapshot(self, mark: int, path: str) -> None:
        snapshot = await self.store.snapshot(self.stream, at=mark)
        if snapshot is None or snapshot.sequence != mark:
            raise StoreError("cannot be read", path=path)
        self.snapshots += 1
        await self._named(path, snapshot.data, None)
        kept = Snapshots()
        status = await kept.restore(snapshot.data, self.store, path)
        if self._folded is None or self._folded.head != mark:
            self._folded = Recovered(status, kept, mark, [])
        elif _told(status) != _told(self._folded.status):
            raise StoreError("it is not the world that the records before it make", path=path)


def _told(status: Status) -> Mapping[str, Any]:
    """What a snapshot says of a status."""
    data, _ = Snapshots().take(status)
    return {**data, "sections": status.content.digests}
