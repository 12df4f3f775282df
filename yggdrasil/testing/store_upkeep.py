"""Checks of a store: which snapshots stay, what it weighs, pruning, vacuum, adopting."""

from __future__ import annotations

import math

import anyio

from yggdrasil.abc.store import BlobInfo, Entry, Record, Size, Snapshot, Store
from yggdrasil.errors import ConflictError, CorruptError, LeaseError, PortError, StoreError
from yggdrasil.testing.doubles import FakeClock
from yggdrasil.testing.store_words import entries, plain, refused

_BLOBS = {
    "small": 10, "large": 100_000, "snap": 20, "letter": 30, "within": 40, "again": 50, "again large": 100_001,
    "gone": 60, "gone large": 100_002,
}  # fmt: skip


async def check_spaced_snapshots(store: Store, clock: FakeClock) -> None:
    """Spaced snapshots."""
    for number in range(1, 62):
        await store.append("a", entries(*range(50)), snapshot=f"at {number * 50}")
    found = await store.snapshots("a")
    assert found == [500, 1000, 1500, 2000, 2500, 3000, 3050], "the newest two, and older ones five hundred apart"
    for at, expected in ((499, None), (500, 500), (1999, 1500), (3025, 3000), (10**6, 3050)):
        snapshot = await store.snapshot("a", at=at)
        assert (snapshot and snapshot.sequence) == expected
        assert snapshot is None or snapshot.data == f"at {expected}"
    await store.fork("a", 2515, "b")
    assert await store.snapshots("b") == [500, 1000, 1500, 2000, 2500]
    for number in range(5):
        await store.append("b", entries(*range(450)), snapshot=number)
    assert await store.snapshots("b") == [500, 1000, 1500, 2000, 2500, 2965, 3415, 3865, 4315, 4765]
    assert await store.snapshots("nothing") == []
    for number in range(1, 4):
        await store.append("far", entries(*range(3000)), snapshot=number)
    assert await store.snapshots("far") == [3000, 6000, 9000], "none goes where they lie far apart"


async def check_snapshots_a_later_fork_starts_from(store: Store, clock: FakeClock) -> None:
    """Snapshots a later fork starts from."""
    await store.append("a", entries(*range(10)), snapshot="at 10")
    await store.append("a", entries(*range(10)), snapshot="at 20")
    await store.fork("a", 15, "b")
    for _ in range(5):
        await store.append("a", entries(*range(10)), snapshot="later")
    assert await store.snapshots("a") == [10, 60, 70]
    assert await store.snapshots("b") == [10]


async def check_sizes(store: Store, clock: FakeClock) -> None:
    """Sizes."""
    assert await store.sizes() == []
    await store.append("a", entries("four", "è"), snapshot={"s": 1})
    await store.post("a", Entry("note", [1]))
    await store.post("b", Entry("note", [1]))
    await store.fork("a", 2, "c")
    assert await store.sizes() == [
        Size("a", 1, 2, 2, len('"four""è"{"s":1}[1]'.encode()), 1),
        Size("b", 0, 0, 0, len("[1]"), 0),
        Size("c", 0, 2, 0, 0, 0),
    ]
    await store.append("c", entries("own"))
    assert await store.sizes("c") == [Size("c", 3, 3, 1, len('"own"'), 0)], "what a fork shares is not its own"
    assert await store.sizes("x") == []


async def check_prune(store: Store, clock: FakeClock) -> None:
    """Prune."""
    for number in range(1, 11):
        kind = "kept" if number % 3 == 0 else "note"
        await store.append("a", [Entry(kind, number)])
    with refused(StoreError, match="no snapshot"):
        await store.prune("a", 8)
    with refused(StoreError, match="no snapshot"):
        await store.prune("nothing", 1)
    assert len(await store.read("a")) == 10, "a refusal costs nothing"
    await store.append("a", [], snapshot="at 10")
    assert await store.prune("a", 8, kinds=["kept"]) == 6
    assert plain(await store.read("a")) == [(3, 3), (6, 6), (9, 9), (10, 10)]
    assert plain(await store.read("a", after=4, limit=2)) == [(6, 6), (9, 9)]
    assert plain(await store.read("a", kinds=["note"])) == [(10, 10)]
    assert await store.head("a") == 10
    assert await store.prune("a", 8) == 0, "it begins where the last one ended"
    with refused(StoreError, match="no snapshot"):
        await store.prune("a", 99)
    assert await store.prune("a", 10) == 1, "the last record stays"
    assert plain(await store.read("a")) == [(3, 3), (6, 6), (10, 10)]
    assert await store.append("a", entries("goes on"), expect=10) == 11
    [size] = await store.sizes("a")
    assert (size.first, size.head, size.records) == (3, 11, 4)
    await store.close()
    await store.open()
    assert plain(await store.read("a", after=3)) == [(6, 6), (10, 10), (11, "goes on")]
    assert await store.head("a") == 11


async def check_prune_snapshots(store: Store, clock: FakeClock) -> None:
    """Prune snapshots."""
    for number in range(1, 9):
        await store.append("a", entries(*range(1500)), snapshot=number)
    assert await store.prune("a", 6500, snapshots=[3000]) == 6500
    assert await store.snapshots("a") == [3000, 6000, 7500, 9000, 10500, 12000], "the newest before it stays too"
    assert await store.prune("a", 9000, snapshots=[7500]) == 2500
    assert await store.snapshots("a") == [3000, 7500, 9000, 10500, 12000], "until the next time"
    assert [record.sequence for record in await store.read("a", limit=1)] == [9001]


async def check_what_pruning_kept_is_not_thinned(store: Store, clock: FakeClock) -> None:
    """Snapshots that pruning kept, and those after a gap, stay."""
    await store.append("a", entries(*range(50)))
    await store.append("a", [], snapshot="at 50")
    await store.adopt("a", [], snapshots=[Snapshot(place, f"at {place}") for place in (10, 20, 30)])
    await store.prune("a", 30, snapshots=[10, 20])
    for _ in range(5):
        await store.append("a", entries(*range(10)), snapshot="later")
    assert await store.snapshots("a") == [10, 20, 30, 90, 100]
    await store.adopt("b", [Record(place, "note", place, 1.0) for place in (20, 30, 31)])
    await store.adopt("b", [], snapshots=[Snapshot(place, f"at {place}") for place in (10, 20, 30)])
    for _ in range(5):
        await store.append("b", entries(*range(10)), snapshot="later")
    assert await store.snapshots("b") == [10, 20, 30, 71, 81], "the one after a gap is needed to go back"


async def check_prune_needs_the_lease(store: Store, clock: FakeClock) -> None:
    """Prune needs the lease."""
    lease = await store.acquire("a", "Kara", seconds=10)
    await store.append("a", entries(1, 2, 3), snapshot="s", lease=lease)
    clock.now += 11
    other = await store.acquire("a", "Bo")
    with refused(LeaseError, match="Bo"):
        await store.prune("a", 2, lease=lease)
    assert len(await store.read("a")) == 3
    assert await store.prune("a", 2, lease=other) == 2


async def check_prune_leaves_forks_alone(store: Store, clock: FakeClock) -> None:
    """Prune leaves forks alone."""
    for number in range(1, 11):
        await store.append("a", entries(number), snapshot=f"at {number}" if number % 2 == 0 else None)
    await store.fork("a", 5, "b")
    await store.append("b", entries("b6", "b7"), snapshot="b at 7")
    assert await store.prune("a", 9) == 4
    assert plain(await store.read("a")) == [*((n, n) for n in range(1, 6)), (10, 10)]
    assert plain(await store.read("b")) == [*((n, n) for n in range(1, 6)), (6, "b6"), (7, "b7")]
    assert await store.prune("b", 7) == 1
    assert plain(await store.read("b")) == [*((n, n) for n in range(1, 6)), (7, "b7")]
    assert await store.prune("a", 5) == 0
    assert plain(await store.read("b", after=5)) == [(7, "b7")]


async def check_forks_of_what_was_pruned(store: Store, clock: FakeClock) -> None:
    """Forks of what was pruned."""
    for number in range(1, 13):
        await store.append("a", entries(number))
        await store.adopt("a", [], snapshots=[Snapshot(number, f"at {number}")])
    await store.prune("a", 9, snapshots=[3, 6])
    assert await store.snapshots("a") == [3, 6, 9, 10, 11, 12]
    for at in (1, 4, 8):
        with refused(StoreError, match="pruned"):
            await store.fork("a", at, "b")
    for at in (3, 6, 9, 11):
        await store.fork("a", at, f"from {at}")
        assert await store.append(f"from {at}", entries("own"), expect=at) == at + 1
        snapshot = await store.snapshot(f"from {at}")
        assert snapshot is not None
        assert snapshot == Snapshot(at, f"at {at}")
        assert plain(await store.read(f"from {at}", after=at)) == [(at + 1, "own")]
    await store.fork("from 6", 7, "again")
    assert plain(await store.read("again")) == [(7, "own")]
    with refused(StoreError, match="pruned"):
        await store.fork("from 6", 5, "c")
    await store.fork("a", 0, "from nothing")


async def check_a_long_prune(store: Store, clock: FakeClock) -> None:
    """A long prune."""
    for start in range(0, 12_000, 1000):
        await store.append("a", entries(*range(start, start + 1000)))
        await store.append("b", entries(start))
    await store.append("a", [], snapshot="s")
    assert await store.prune("a", 11_500) == 11_500
    assert plain(await store.read("a")) == [(number + 1, number) for number in range(11_500, 12_000)]
    assert len(await store.read("b")) == 12
    await store.append("b", entries("after"))
    assert await store.append("a", entries("after"), expect=12_000) == 12_001
    assert plain(await store.read("b", after=12)) == [(13, "after")]


async def check_vacuum(store: Store, clock: FakeClock) -> None:
    """Vacuum."""
    blobs = {name: bytes([at]) * size for at, (name, size) in enumerate(_BLOBS.items())}
    digests = {name: await store.put_blob(data) for name, data in blobs.items()}
    await store.append("a", entries({"deep": [f"blob:{digests['small']}", digests["large"]]}), snapshot=digests["snap"])
    await store.post("a", Entry("note", digests["letter"]))
    await store.append("b", entries("ff" + digests["within"] + "00"))
    assert await store.vacuum() == 0, "a record may be on its way"
    clock.now += 4000
    assert await store.put_blob(blobs["again"]) == digests["again"]
    assert await store.put_blob(blobs["again large"]) == digests["again large"]
    gone = [name for name in blobs if name.startswith("gone")]
    assert await store.vacuum(older=4001) == 0
    assert await store.vacuum() == sum(len(blobs[name]) for name in gone)
    for name, data in blobs.items():
        if name in gone:
            with refused(CorruptError, match="not in the store"):
                await store.get_blob(digests[name])
        else:
            assert await store.get_blob(digests[name]) == data
    clock.now += 4000
    assert await store.vacuum() == len(blobs["again"]) + len(blobs["again large"])
    assert await store.put_blob(blobs["gone"]) == digests["gone"]
    assert await store.get_blob(digests["gone"]) == blobs["gone"]
    assert len(await store.read("a")) == 1


async def check_listing_blobs(store: Store, clock: FakeClock) -> None:
    """All blobs, a page at a time."""
    assert await store.blobs() == []
    sizes = {await store.put_blob(bytes([at]) * size): size for at, size in enumerate((0, 5, 100_000, 70_000, 6, 7))}
    every = [BlobInfo(digest, sizes[digest]) for digest in sorted(sizes)]
    assert await store.blobs() == every
    assert await store.blobs(limit=2) == every[:2]
    assert await store.blobs(after=every[1].digest, limit=3) == every[2:5]
    assert await store.blobs(after=every[3].digest) == every[4:]
    assert await store.blobs(after=every[5].digest) == []
    assert await store.blobs(limit=0) == []


async def check_vacuum_after_prune(store: Store, clock: FakeClock) -> None:
    """Vacuum after prune."""
    large = await store.put_blob(b"x" * 100_000)
    small = await store.put_blob(b"x" * 100)
    kept = await store.put_blob(b"x" * 50)
    await store.append("a", [Entry("note", large), Entry("note", small), Entry("history", kept)])
    await store.append("a", entries("last"), snapshot="s")
    clock.now += 10
    assert await store.vacuum(older=5) == 0
    await store.prune("a", 4, kinds=["history"])
    assert await store.vacuum(older=5) == 100_100
    assert await store.get_blob(kept) == b"x" * 50


async def check_adopt(store: Store, clock: FakeClock) -> None:
    """Adopt."""
    records = [Record(1, "first", {"x": 1}, 5.5), Record(2, "second", [2], 6.0)]
    await store.adopt("a", records, snapshots=[Snapshot(1, "at 1"), Snapshot(2, "at 2")])
    assert await store.read("a") == records, "times are kept"
    assert await store.snapshots("a") == [1, 2]
    assert await store.snapshot("a", at=1) == Snapshot(1, "at 1")
    assert await store.append("a", entries("goes on"), expect=2) == 3
    for wrong in ([Record(3, "x", 1, 0.0)], [Record(5, "x", 1, 0.0), Record(4, "x", 1, 0.0)], [Record(0, "x", 1, 0.0)]):
        with refused(ConflictError, match="stream a"):
            await store.adopt("a", wrong, snapshots=[Snapshot(3, "no")])
    for place in (5, -1):
        with refused(StoreError, match="snapshot"):
            await store.adopt("a", [Record(4, "x", 1, 0.0)], snapshots=[Snapshot(place, "no")])
    with refused(PortError):
        await store.adopt("a", [Record(4, "x", math.nan, 0.0)])
    with refused(StoreError):
        await store.adopt("", [Record(1, "x", 1, 0.0)])
    assert await store.head("a") == 3
    assert await store.snapshots("a") == [1, 2]
    await store.fork("a", 2, "b")
    await store.adopt("b", [Record(3, "own", 3, 7.0)], snapshots=[Snapshot(2, "b at 2")])
    assert plain(await store.read("b")) == [(1, {"x": 1}), (2, [2]), (3, 3)]
    assert await store.snapshots("b") == [1, 2]
    assert await store.snapshot("b") == Snapshot(2, "b at 2")
    with refused(StoreError, match="snapshot"):
        await store.adopt("b", [], snapshots=[Snapshot(1, "not its own")])


async def check_adopt_with_gaps(store: Store, clock: FakeClock) -> None:
    """Adopt with gaps."""
    first = [Record(number, "kept", number, 1.0) for number in (1, 4, 9)]
    rest = [Record(number, "note", number, 1.0) for number in (10, 11, 12)]
    await store.adopt("a", first)
    await store.adopt("a", rest, snapshots=[Snapshot(4, "at 4"), Snapshot(10, "at 10")])
    assert [record.sequence for record in await store.read("a")] == [1, 4, 9, 10, 11, 12]
    assert [record.sequence for record in await store.read("a", after=2, limit=3)] == [4, 9, 10]
    assert await store.append("a", entries(13), expect=12) == 13
    for at in (7, 9):
        with refused(StoreError, match="pruned"):
            await store.fork("a", at, "b")
    await store.fork("a", 4, "b")
    await store.fork("a", 11, "c")
    assert plain(await store.read("c", after=10)) == [(11, 11)]
    [size] = [size for size in await store.sizes() if size.name == "a"]
    assert (size.first, size.head, size.records, size.snapshots) == (1, 13, 7, 2)


async def check_adopting_wakes_watchers(store: Store, clock: FakeClock) -> None:
    """Adopting wakes watchers."""
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:

            async def later() -> None:
                await anyio.sleep(0.05)
                await store.adopt("a", [Record(1, "note", "adopted", 1.0)])

            group.start_soon(later)
            record = await anext(aiter(store.watch("a")))
    assert record == Record(1, "note", "adopted", 1.0)
