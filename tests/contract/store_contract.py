"""What every store does: run it against your own.

::

    @pytest.mark.anyio
    @pytest.mark.parametrize("check", CHECKS)
    async def test_contract(check):
        clock = Clock()
        async with MyStore(clock=clock) as store:
            await check(store, clock)

Each check is given an empty, open store, and the clock the store was made with.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from yggdrasil.abc.store import BlobInfo, Entry, Lease, Record, Size, Snapshot, Store
from yggdrasil.errors import ConflictError, CorruptError, LeaseError, PortError, StoreError


class Clock:
    """Seconds that go on only when told."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


Check = Callable[[Store, Clock], Awaitable[None]]


def entries(*data: Any) -> list[Entry]:
    return [Entry("note", item) for item in data]


def plain(records: list[Record]) -> list[tuple[int, Any]]:
    return [(record.sequence, record.data) for record in records]


async def check_append_and_read(store: Store, clock: Clock) -> None:
    assert await store.head("a") == 0
    assert await store.read("a") == []
    assert await store.append("a", [Entry("first", {"x": 1}), Entry("second", [2])]) == 2
    clock.now += 7
    assert await store.append("a", [Entry("third", None)], expect=2) == 3
    assert await store.append("b", [Entry("other", "text")], expect=0) == 1
    assert await store.head("a") == 3
    assert await store.read("a") == [
        Record(1, "first", {"x": 1}, clock.now - 7),
        Record(2, "second", [2], clock.now - 7),
        Record(3, "third", None, clock.now),
    ]
    assert plain(await store.read("b")) == [(1, "text")]


async def check_read_parts(store: Store, clock: Clock) -> None:
    await store.append("a", [Entry("even" if number % 2 == 0 else "odd", number) for number in range(1, 11)])
    assert plain(await store.read("a", after=7)) == [(8, 8), (9, 9), (10, 10)]
    assert plain(await store.read("a", after=2, limit=2)) == [(3, 3), (4, 4)]
    assert await store.read("a", limit=0) == []
    assert await store.read("a", after=10) == []
    assert await store.read("a", after=99) == []
    assert plain(await store.read("a", kinds=["even"], after=4)) == [(6, 6), (8, 8), (10, 10)]
    assert plain(await store.read("a", kinds=["even"], limit=2)) == [(2, 2), (4, 4)]
    assert len(await store.read("a", kinds=["even", "odd"])) == 10
    assert await store.read("a", kinds=["none such"]) == []


async def check_a_long_stream(store: Store, clock: Clock) -> None:
    for start in range(0, 6000, 100):
        await store.append("a", entries(*range(start, start + 100)))
        await store.append("b", entries(start))
    records = await store.read("a")
    assert plain(records) == [(number + 1, number) for number in range(6000)]
    for after in range(4000, 4100, 7):
        assert plain(await store.read("a", after=after, limit=2)) == [(after + 1, after), (after + 2, after + 1)]
    assert plain(await store.read("b")) == [(number + 1, number * 100) for number in range(60)]
    assert [info.head for info in await store.streams()] == [6000, 60]


async def check_what_is_kept_is_what_was_given(store: Store, clock: Clock) -> None:
    data = {
        "z": [1, -(2**80), 0.1, 1e300, -0.0, True, None, ""],
        "a": {"nested": {"deep": [[[]], {}]}},
        "text": 'Yggdrasil \u16c7 \U0001f333 \x00\n"\\',
        "": "an empty key",
    }
    await store.append("a", entries(data), snapshot=data)
    [record] = await store.read("a")
    snapshot = await store.snapshot("a")
    assert snapshot is not None
    for kept in (record.data, snapshot.data):
        assert kept == data
        assert list(kept) == list(data), "keys stay in order"
        assert math.copysign(1, kept["z"][4]) == -1


async def check_nobody_changes_what_is_kept(store: Store, clock: Clock) -> None:
    data = {"list": [1]}
    await store.append("a", entries(data), snapshot=data)
    await store.post("a", Entry("note", data))
    data["list"].append(2)
    for _ in range(2):
        [record] = await store.read("a")
        snapshot = await store.snapshot("a")
        [letter] = await store.inbox("a")
        assert snapshot is not None
        for kept in (record.data, snapshot.data, letter.data):
            assert kept == {"list": [1]}
            kept["list"].append(3)


async def check_what_is_not_json_is_refused(store: Store, clock: Clock) -> None:
    itself: list[Any] = []
    itself.append(itself)
    for wrong in (math.nan, math.inf, b"bytes", object(), {1}, {1: "a"}, {None: 1}, 1j, itself, "\ud800", 10**5000):
        with pytest.raises(PortError):
            await store.append("a", entries("fine", {"deep": [0, wrong]}))
        with pytest.raises(PortError):
            await store.append("a", entries("fine"), snapshot=[wrong])
        with pytest.raises(PortError):
            await store.post("a", Entry("note", wrong))
    with pytest.raises(PortError, match="deep/1"):
        await store.append("a", entries({"deep": [0, b"bytes"]}))
    assert await store.head("a") == 0
    assert await store.inbox("a") == []


async def check_conflict(store: Store, clock: Clock) -> None:
    await store.append("a", entries(1, 2))
    letter = await store.post("a", Entry("note", 0))
    for wrong in (0, 1, 3):
        with pytest.raises(ConflictError, match=r"stream a"):
            await store.append("a", entries(3), expect=wrong, snapshot={"s": 3}, taken=[letter])
    assert await store.head("a") == 2
    assert await store.snapshot("a") is None
    assert len(await store.inbox("a")) == 1
    with pytest.raises(ConflictError):
        await store.append("new", entries(1), expect=1)
    assert "new" not in [info.name for info in await store.streams()]


async def check_snapshots(store: Store, clock: Clock) -> None:
    assert await store.snapshot("a") is None
    await store.append("a", entries(1, 2), snapshot={"after": 2})
    await store.append("a", entries(3))
    snapshot = await store.snapshot("a")
    assert snapshot is not None
    assert (snapshot.sequence, snapshot.data) == (2, {"after": 2})
    assert await store.append("a", [], snapshot={"after": 3}) == 3
    newest = await store.snapshot("a")
    assert newest is not None
    assert (newest.sequence, newest.data) == (3, {"after": 3})
    assert await store.snapshot("a", at=2) == snapshot
    assert await store.snapshot("a", at=1) is None
    await store.append("a", [], snapshot={"again": 3})
    again = await store.snapshot("a")
    assert again is not None
    assert again.data == {"again": 3}, "one snapshot for one place: the newer"


async def check_a_fork_has_its_snapshots(store: Store, clock: Clock) -> None:
    await store.append("a", entries(1, 2), snapshot="at 2")
    await store.append("a", entries(3))
    await store.fork("a", 3, "b")
    for number in range(4, 12):
        await store.append("a", entries(number), snapshot=f"at {number}")
    snapshot = await store.snapshot("b")
    assert snapshot is not None, "a snapshot a fork starts from is kept"
    assert (snapshot.sequence, snapshot.data) == (2, "at 2")
    await store.append("b", [], snapshot="b at 3")
    await store.append("b", entries("b4"), snapshot="b at 4")
    kept = [await store.snapshot("b", at=at) for at in (2, 3, 4, 99)]
    assert [one and (one.sequence, one.data) for one in kept] == [
        (2, "at 2"), (3, "b at 3"), (4, "b at 4"), (4, "b at 4")
    ]  # fmt: skip
    newest = await store.snapshot("a")
    assert newest is not None
    assert newest.data == "at 11"


async def check_fork(store: Store, clock: Clock) -> None:
    await store.append("a", entries(1, 2, 3, 4))
    await store.fork("a", 2, "b")
    assert await store.head("b") == 2
    assert plain(await store.read("b")) == [(1, 1), (2, 2)]
    await store.append("b", entries("b3", "b4"), expect=2)
    await store.append("a", entries(5), expect=4)
    assert plain(await store.read("b")) == [(1, 1), (2, 2), (3, "b3"), (4, "b4")]
    assert [data for _, data in plain(await store.read("a"))] == [1, 2, 3, 4, 5]
    await store.fork("b", 3, "c")
    await store.fork("b", 1, "d")
    await store.fork("d", 1, "e")
    await store.append("d", entries("d2"))
    await store.append("e", entries("e2"))
    assert [data for _, data in plain(await store.read("c"))] == [1, 2, "b3"]
    assert [data for _, data in plain(await store.read("d"))] == [1, "d2"]
    assert [data for _, data in plain(await store.read("e"))] == [1, "e2"]
    assert plain(await store.read("c", after=1, limit=1)) == [(2, 2)]
    assert plain(await store.read("c", after=2)) == [(3, "b3")]
    infos = {info.name: (info.parent, info.parent_sequence, info.head) for info in await store.streams()}
    assert infos == {"a": ("", 0, 5), "b": ("a", 2, 4), "c": ("b", 3, 3), "d": ("b", 1, 2), "e": ("d", 1, 2)}


async def check_fork_refusals(store: Store, clock: Clock) -> None:
    await store.append("a", entries(1, 2))
    await store.append("b", entries(1))
    with pytest.raises(ConflictError, match=r"stream b"):
        await store.fork("a", 1, "b")
    with pytest.raises(ConflictError):
        await store.fork("a", 1, "a")
    for at in (3, -1):
        with pytest.raises(StoreError, match="1 to 2"):
            await store.fork("a", at, "c")
    with pytest.raises(StoreError, match="no such stream"):
        await store.fork("nothing", 1, "c")
    assert [info.name for info in await store.streams()] == ["a", "b"]
    await store.fork("a", 0, "empty")
    assert await store.read("empty") == []
    assert await store.append("empty", entries("own")) == 1


async def check_streams(store: Store, clock: Clock) -> None:
    for name in ("world/midgard", "world/asgard", "thread/1", "world", "world_x", "wörld/ä"):
        await store.append(name, entries(1))
    assert [info.name for info in await store.streams()] == [
        "thread/1", "world", "world/asgard", "world/midgard", "world_x", "wörld/ä"
    ]  # fmt: skip
    assert [info.name for info in await store.streams("world/")] == ["world/asgard", "world/midgard"]
    assert [info.name for info in await store.streams("wör")] == ["wörld/ä"]
    assert await store.streams("nothing") == []
    lease = await store.acquire("world", "Kara", seconds=10)
    assert [info.holder for info in await store.streams("world")] == ["Kara", "", "", ""]
    clock.now += 11
    assert [info.holder for info in await store.streams("world")] == ["", "", "", ""], "an expired holder holds nothing"
    await store.release(lease)


async def check_names(store: Store, clock: Clock) -> None:
    for wrong in ("", "two\nlines", "nul\0", "\ud800"):
        with pytest.raises(StoreError):
            await store.append(wrong, entries(1))
        with pytest.raises(StoreError):
            await store.post(wrong, Entry("note", 1))
        with pytest.raises(StoreError):
            await store.acquire(wrong, "me")
    assert await store.streams() == []


async def check_lease(store: Store, clock: Clock) -> None:
    lease = await store.acquire("a", "Kara", seconds=10)
    assert (lease.stream, lease.holder, lease.expires) == ("a", "Kara", clock.now + 10)
    for name in ("Bo", "Kara"):
        with pytest.raises(LeaseError, match="Kara") as refused:
            await store.acquire("a", name)
        assert refused.value.holder == "Kara"
    other = await store.acquire("b", "Bo")
    assert await store.append("a", entries(1), lease=lease) == 1
    with pytest.raises(LeaseError, match="'b'"):
        await store.append("a", entries(2), lease=other)
    clock.now += 9
    renewed = await store.renew(lease, seconds=10)
    assert (renewed.token, renewed.expires) == (lease.token, clock.now + 10)
    assert await store.append("a", entries(2), lease=lease) == 2, "a renewed lease keeps its token"
    await store.release(renewed)
    with pytest.raises(LeaseError, match="released"):
        await store.append("a", entries(3), lease=lease)
    with pytest.raises(LeaseError, match="released"):
        await store.renew(lease)
    again = await store.acquire("a", "Bo")
    assert again.token > lease.token
    assert await store.head("a") == 2


async def check_fencing(store: Store, clock: Clock) -> None:
    old = await store.acquire("a", "Kara", seconds=10)
    clock.now += 11
    assert await store.append("a", entries(1), lease=old) == 1, "expired, but nobody else came"
    assert (await store.renew(old, seconds=1)).token == old.token
    clock.now += 2
    new = await store.acquire("a", "Bo", seconds=10)
    assert new.token > old.token
    for forbidden in (
        lambda: store.append("a", entries(2), lease=old),
        lambda: store.append("a", [], snapshot={"stale": True}, lease=old),
        lambda: store.renew(old),
    ):
        with pytest.raises(LeaseError, match="Bo") as refused:
            await forbidden()
        assert refused.value.holder == "Bo"
    await store.release(old)
    assert await store.append("a", entries("new"), lease=new) == 2, "a stale holder releases nothing"
    assert await store.snapshot("a") is None
    made_up = Lease("a", "nobody", new.token + 1, clock.now + 99)
    with pytest.raises(LeaseError):
        await store.append("a", entries("forged"), lease=made_up)
    tokens = [old.token, new.token]
    for _ in range(3):
        clock.now += 60
        tokens.append((await store.acquire("a", "next")).token)
    assert tokens == sorted(set(tokens)), "tokens only grow"


async def check_inbox(store: Store, clock: Clock) -> None:
    assert await store.inbox("a") == []
    ids = [await store.post("a", Entry("action", {"n": number})) for number in range(3)]
    elsewhere = await store.post("b", Entry("action", "b"))
    assert ids == sorted(set(ids))
    assert [(letter.id, letter.kind, letter.data) for letter in await store.inbox("a")] == [
        (ids[0], "action", {"n": 0}), (ids[1], "action", {"n": 1}), (ids[2], "action", {"n": 2})
    ]  # fmt: skip
    assert await store.append("a", entries("took two"), taken=[ids[0], ids[2]]) == 1
    assert [letter.id for letter in await store.inbox("a")] == [ids[1]]
    for gone in (ids[0], elsewhere, 10**9):
        with pytest.raises(ConflictError, match=str(gone)):
            await store.append("a", entries("again"), taken=[ids[1], gone])
    assert await store.append("a", [], taken=[ids[1], ids[1]]) == 1
    assert await store.inbox("a") == []
    assert await store.post("a", Entry("action", 3)) > ids[2], "ids are never used again"
    assert len(await store.inbox("b")) == 1
    assert await store.head("b") == 0


async def check_watch(store: Store, clock: Clock) -> None:
    await store.append("a", entries(1, 2))

    async def write() -> None:
        for number in range(3, 8):
            await anyio.sleep(0.005)
            await store.append("elsewhere", entries(number))
            await store.append("a", entries(number))

    async def watch(after: int) -> None:
        records = aiter(store.watch("a", after=after))
        seen = [await anext(records) for _ in range(7 - after)]
        assert plain(seen) == [(number, number) for number in range(after + 1, 8)]
        with anyio.move_on_after(0.02) as waiting:
            await anext(records)
        assert waiting.cancelled_caught, "then it waits"
        await store.append("a", entries(8), expect=7)
        assert plain([await anext(records)]) == [(8, 8)], "a cancelled wait loses nothing"

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(watch, 1)
            group.start_soon(write)
    with anyio.fail_after(10):
        several = [aiter(store.watch("a", after=after)) for after in (5, 6, 7)]
        seen = [plain([await anext(records)]) for records in several]
    assert seen == [[(6, 6)], [(7, 7)], [(8, 8)]]


async def check_watch_what_does_not_exist_yet(store: Store, clock: Clock) -> None:
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:

            async def later() -> None:
                await anyio.sleep(0.05)
                await store.append("new", entries("first"))

            group.start_soon(later)
            async for record in store.watch("new"):
                assert (record.sequence, record.data) == (1, "first")
                break


async def check_closing_ends_a_watch(store: Store, clock: Clock) -> None:
    async def watch() -> None:
        with pytest.raises(StoreError, match="not open"):
            await anext(aiter(store.watch("a")))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            await anyio.sleep(0.05)
            await store.close()


async def check_blobs(store: Store, clock: Clock) -> None:
    for size in (0, 1, 64 * 1024, 64 * 1024 + 1, 1_000_000):
        data = bytes(index * 7 % 251 for index in range(size))
        digest = await store.put_blob(data)
        assert len(digest) == 64
        assert await store.get_blob(digest) == data
        assert await store.put_blob(data) == digest, "put twice is kept once"
    for missing in ("0" * 64, "", "../../etc/passwd", "A" * 64):
        with pytest.raises(CorruptError, match="blob"):
            await store.get_blob(missing)


async def check_closed(store: Store, clock: Clock) -> None:
    await store.append("a", entries(1), snapshot="s")
    blob = await store.put_blob(b"bytes")
    await store.open()  # which it is already
    await store.close()
    await store.close()
    for forbidden in (
        lambda: store.append("a", entries(2)),
        lambda: store.read("a"),
        lambda: store.put_blob(b"more"),
        lambda: store.acquire("a", "me"),
    ):
        with pytest.raises(StoreError, match="not open"):
            await forbidden()
    await store.open()
    assert plain(await store.read("a")) == [(1, 1)]
    assert await store.get_blob(blob) == b"bytes"
    assert "password" not in store.url
    assert "://" in store.url


async def check_many_at_once(store: Store, clock: Clock) -> None:
    refused: list[int] = []

    async def own_stream(number: int) -> None:
        for turn in range(20):
            assert await store.append(f"s{number}", entries(turn), expect=turn) == turn + 1

    async def shared_stream(number: int) -> None:
        await store.append("shared", entries([number, 0], [number, 1]))

    async def first_wins(number: int) -> None:
        try:
            await store.append("race", entries(number), expect=0)
        except ConflictError:
            refused.append(number)

    async with anyio.create_task_group() as group:
        for number in range(30):
            group.start_soon(own_stream, number)
            group.start_soon(shared_stream, number)
            group.start_soon(first_wins, number)
    for number in range(30):
        assert plain(await store.read(f"s{number}")) == [(turn + 1, turn) for turn in range(20)]
    pairs = [record.data for record in await store.read("shared")]
    assert len(pairs) == 60
    assert all(pairs[at][0] == pairs[at + 1][0] for at in range(0, 60, 2)), "what is appended together lies together"
    assert len(refused) == 29
    assert await store.head("race") == 1


async def check_cancelled_callers(store: Store, clock: Clock) -> None:
    async def writer(number: int) -> None:
        while True:
            await store.append("a", entries([number, "one"], [number, "two"]))
            await anyio.lowlevel.checkpoint()

    for _ in range(5):
        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(writer, number)
            await anyio.sleep(0.01)
            group.cancel_scope.cancel()
    last = await store.append("a", entries("the end"))
    records = await store.read("a")
    assert [record.sequence for record in records] == list(range(1, last + 1))
    assert all(
        records[at].data == [records[at].data[0], "one"] and records[at + 1].data == [records[at].data[0], "two"]
        for at in range(0, last - 1, 2)
    ), "nothing half written"


async def check_a_cancelled_acquire_holds_nothing(store: Store, clock: Clock) -> None:
    for _ in range(20):
        with anyio.CancelScope() as scope:
            scope.cancel()
            lease = await store.acquire("a", "cancelled")
            await store.release(lease)  # only a store that does not wait gets here
    with anyio.fail_after(5):
        assert (await store.acquire("a", "Kara")).holder == "Kara"


async def check_spaced_snapshots(store: Store, clock: Clock) -> None:
    for number in range(1, 62):
        await store.append("a", entries(*range(100)), snapshot=f"at {number * 100}")
    found = await store.snapshots("a")
    assert found == [1000, 2000, 3000, 4000, 5000, 6000, 6100], "the newest two, and older ones a thousand apart"
    for at, expected in ((999, None), (1000, 1000), (3999, 3000), (6050, 6000), (10**6, 6100)):
        snapshot = await store.snapshot("a", at=at)
        assert (snapshot and snapshot.sequence) == expected
        assert snapshot is None or snapshot.data == f"at {expected}"
    await store.fork("a", 5030, "b")
    assert await store.snapshots("b") == [1000, 2000, 3000, 4000, 5000]
    for number in range(5):
        await store.append("b", entries(*range(900)), snapshot=number)
    assert await store.snapshots("b") == [1000, 2000, 3000, 4000, 5000, 5930, 6830, 7730, 8630, 9530]
    assert await store.snapshots("nothing") == []
    for number in range(1, 4):
        await store.append("far", entries(*range(3000)), snapshot=number)
    assert await store.snapshots("far") == [3000, 6000, 9000], "none goes where they lie far apart"


async def check_snapshots_a_later_fork_starts_from(store: Store, clock: Clock) -> None:
    await store.append("a", entries(*range(10)), snapshot="at 10")
    await store.append("a", entries(*range(10)), snapshot="at 20")
    await store.fork("a", 15, "b")
    for _ in range(5):
        await store.append("a", entries(*range(10)), snapshot="later")
    assert await store.snapshots("a") == [10, 60, 70]
    assert await store.snapshots("b") == [10]


async def check_sizes(store: Store, clock: Clock) -> None:
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


async def check_prune(store: Store, clock: Clock) -> None:
    for number in range(1, 11):
        kind = "kept" if number % 3 == 0 else "note"
        await store.append("a", [Entry(kind, number)])
    with pytest.raises(StoreError, match="no snapshot"):
        await store.prune("a", 8)
    with pytest.raises(StoreError, match="no snapshot"):
        await store.prune("nothing", 1)
    assert len(await store.read("a")) == 10, "a refusal costs nothing"
    await store.append("a", [], snapshot="at 10")
    assert await store.prune("a", 8, kinds=["kept"]) == 6
    assert plain(await store.read("a")) == [(3, 3), (6, 6), (9, 9), (10, 10)]
    assert plain(await store.read("a", after=4, limit=2)) == [(6, 6), (9, 9)]
    assert plain(await store.read("a", kinds=["note"])) == [(10, 10)]
    assert await store.head("a") == 10
    assert await store.prune("a", 8) == 0, "it begins where the last one ended"
    with pytest.raises(StoreError, match="no snapshot"):
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


async def check_prune_snapshots(store: Store, clock: Clock) -> None:
    for number in range(1, 9):
        await store.append("a", entries(*range(1500)), snapshot=number)
    assert await store.prune("a", 6500, snapshots=[3000]) == 6500
    assert await store.snapshots("a") == [3000, 6000, 7500, 9000, 10500, 12000], "the newest before it stays too"
    assert await store.prune("a", 9000, snapshots=[7500]) == 2500
    assert await store.snapshots("a") == [3000, 7500, 9000, 10500, 12000], "until the next time"
    assert [record.sequence for record in await store.read("a", limit=1)] == [9001]


async def check_what_pruning_kept_is_not_thinned(store: Store, clock: Clock) -> None:
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


async def check_prune_needs_the_lease(store: Store, clock: Clock) -> None:
    lease = await store.acquire("a", "Kara", seconds=10)
    await store.append("a", entries(1, 2, 3), snapshot="s", lease=lease)
    clock.now += 11
    other = await store.acquire("a", "Bo")
    with pytest.raises(LeaseError, match="Bo"):
        await store.prune("a", 2, lease=lease)
    assert len(await store.read("a")) == 3
    assert await store.prune("a", 2, lease=other) == 2


async def check_prune_leaves_forks_alone(store: Store, clock: Clock) -> None:
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


async def check_forks_of_what_was_pruned(store: Store, clock: Clock) -> None:
    for number in range(1, 13):
        await store.append("a", entries(number))
        await store.adopt("a", [], snapshots=[Snapshot(number, f"at {number}")])
    await store.prune("a", 9, snapshots=[3, 6])
    assert await store.snapshots("a") == [3, 6, 9, 10, 11, 12]
    for at in (1, 4, 8):
        with pytest.raises(StoreError, match="pruned"):
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
    with pytest.raises(StoreError, match="pruned"):
        await store.fork("from 6", 5, "c")
    await store.fork("a", 0, "from nothing")


async def check_a_long_prune(store: Store, clock: Clock) -> None:
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


async def check_vacuum(store: Store, clock: Clock) -> None:
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
            with pytest.raises(CorruptError, match="not in the store"):
                await store.get_blob(digests[name])
        else:
            assert await store.get_blob(digests[name]) == data
    clock.now += 4000
    assert await store.vacuum() == len(blobs["again"]) + len(blobs["again large"])
    assert await store.put_blob(blobs["gone"]) == digests["gone"]
    assert await store.get_blob(digests["gone"]) == blobs["gone"]
    assert len(await store.read("a")) == 1


async def check_listing_blobs(store: Store, clock: Clock) -> None:
    assert await store.blobs() == []
    sizes = {await store.put_blob(bytes([at]) * size): size for at, size in enumerate((0, 5, 100_000, 70_000, 6, 7))}
    every = [BlobInfo(digest, sizes[digest]) for digest in sorted(sizes)]
    assert await store.blobs() == every
    assert await store.blobs(limit=2) == every[:2]
    assert await store.blobs(after=every[1].digest, limit=3) == every[2:5]
    assert await store.blobs(after=every[3].digest) == every[4:]
    assert await store.blobs(after=every[5].digest) == []
    assert await store.blobs(limit=0) == []


async def check_vacuum_after_prune(store: Store, clock: Clock) -> None:
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


async def check_adopt(store: Store, clock: Clock) -> None:
    records = [Record(1, "first", {"x": 1}, 5.5), Record(2, "second", [2], 6.0)]
    await store.adopt("a", records, snapshots=[Snapshot(1, "at 1"), Snapshot(2, "at 2")])
    assert await store.read("a") == records, "times are kept"
    assert await store.snapshots("a") == [1, 2]
    assert await store.snapshot("a", at=1) == Snapshot(1, "at 1")
    assert await store.append("a", entries("goes on"), expect=2) == 3
    for wrong in ([Record(3, "x", 1, 0.0)], [Record(5, "x", 1, 0.0), Record(4, "x", 1, 0.0)], [Record(0, "x", 1, 0.0)]):
        with pytest.raises(ConflictError, match="stream a"):
            await store.adopt("a", wrong, snapshots=[Snapshot(3, "no")])
    for place in (5, -1):
        with pytest.raises(StoreError, match="snapshot"):
            await store.adopt("a", [Record(4, "x", 1, 0.0)], snapshots=[Snapshot(place, "no")])
    with pytest.raises(PortError):
        await store.adopt("a", [Record(4, "x", math.nan, 0.0)])
    with pytest.raises(StoreError):
        await store.adopt("", [Record(1, "x", 1, 0.0)])
    assert await store.head("a") == 3
    assert await store.snapshots("a") == [1, 2]
    await store.fork("a", 2, "b")
    await store.adopt("b", [Record(3, "own", 3, 7.0)], snapshots=[Snapshot(2, "b at 2")])
    assert plain(await store.read("b")) == [(1, {"x": 1}), (2, [2]), (3, 3)]
    assert await store.snapshots("b") == [1, 2]
    assert await store.snapshot("b") == Snapshot(2, "b at 2")
    with pytest.raises(StoreError, match="snapshot"):
        await store.adopt("b", [], snapshots=[Snapshot(1, "not its own")])


async def check_adopt_with_gaps(store: Store, clock: Clock) -> None:
    first = [Record(number, "kept", number, 1.0) for number in (1, 4, 9)]
    rest = [Record(number, "note", number, 1.0) for number in (10, 11, 12)]
    await store.adopt("a", first)
    await store.adopt("a", rest, snapshots=[Snapshot(4, "at 4"), Snapshot(10, "at 10")])
    assert [record.sequence for record in await store.read("a")] == [1, 4, 9, 10, 11, 12]
    assert [record.sequence for record in await store.read("a", after=2, limit=3)] == [4, 9, 10]
    assert await store.append("a", entries(13), expect=12) == 13
    for at in (7, 9):
        with pytest.raises(StoreError, match="pruned"):
            await store.fork("a", at, "b")
    await store.fork("a", 4, "b")
    await store.fork("a", 11, "c")
    assert plain(await store.read("c", after=10)) == [(11, 11)]
    [size] = [size for size in await store.sizes() if size.name == "a"]
    assert (size.first, size.head, size.records, size.snapshots) == (1, 13, 7, 2)


async def check_adopting_wakes_watchers(store: Store, clock: Clock) -> None:
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:

            async def later() -> None:
                await anyio.sleep(0.05)
                await store.adopt("a", [Record(1, "note", "adopted", 1.0)])

            group.start_soon(later)
            record = await anext(aiter(store.watch("a")))
    assert record == Record(1, "note", "adopted", 1.0)


_BLOBS = {
    "small": 10, "large": 100_000, "snap": 20, "letter": 30, "within": 40, "again": 50, "again large": 100_001,
    "gone": 60, "gone large": 100_002,
}  # fmt: skip

CHECKS: list[Check] = [value for name, value in dict(globals()).items() if name.startswith("check_")]
