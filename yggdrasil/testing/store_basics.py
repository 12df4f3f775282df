"""Checks of a store: appending, reading, leases, letters, watching, forks, blobs."""

from __future__ import annotations

import math
from typing import Any

import anyio
import anyio.lowlevel

from yggdrasil.abc.store import Entry, Lease, Record, Store
from yggdrasil.errors import ConflictError, CorruptError, LeaseError, PortError, StoreError
from yggdrasil.testing.doubles import FakeClock
from yggdrasil.testing.store_words import entries, plain, refused


async def check_append_and_read(store: Store, clock: FakeClock) -> None:
    """Append and read."""
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


async def check_read_parts(store: Store, clock: FakeClock) -> None:
    """Read parts."""
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


async def check_a_long_stream(store: Store, clock: FakeClock) -> None:
    """A long stream."""
    for start in range(0, 6000, 100):
        await store.append("a", entries(*range(start, start + 100)))
        await store.append("b", entries(start))
    records = await store.read("a")
    assert plain(records) == [(number + 1, number) for number in range(6000)]
    for after in range(4000, 4100, 7):
        assert plain(await store.read("a", after=after, limit=2)) == [(after + 1, after), (after + 2, after + 1)]
    assert plain(await store.read("b")) == [(number + 1, number * 100) for number in range(60)]
    assert [info.head for info in await store.streams()] == [6000, 60]


async def check_what_is_kept_is_what_was_given(store: Store, clock: FakeClock) -> None:
    """What is kept is what was given."""
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


async def check_nobody_changes_what_is_kept(store: Store, clock: FakeClock) -> None:
    """Nobody changes what is kept."""
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


async def check_what_is_not_json_is_refused(store: Store, clock: FakeClock) -> None:
    """What is not json is refused."""
    itself: list[Any] = []
    itself.append(itself)
    for wrong in (math.nan, math.inf, b"bytes", object(), {1}, {1: "a"}, {None: 1}, 1j, itself, "\ud800", 10**5000):
        with refused(PortError):
            await store.append("a", entries("fine", {"deep": [0, wrong]}))
        with refused(PortError):
            await store.append("a", entries("fine"), snapshot=[wrong])
        with refused(PortError):
            await store.post("a", Entry("note", wrong))
    with refused(PortError, match="deep/1"):
        await store.append("a", entries({"deep": [0, b"bytes"]}))
    assert await store.head("a") == 0
    assert await store.inbox("a") == []


async def check_conflict(store: Store, clock: FakeClock) -> None:
    """Conflict."""
    await store.append("a", entries(1, 2))
    letter = await store.post("a", Entry("note", 0))
    for wrong in (0, 1, 3):
        with refused(ConflictError, match=r"stream a"):
            await store.append("a", entries(3), expect=wrong, snapshot={"s": 3}, taken=[letter])
    assert await store.head("a") == 2
    assert await store.snapshot("a") is None
    assert len(await store.inbox("a")) == 1
    with refused(ConflictError):
        await store.append("new", entries(1), expect=1)
    assert "new" not in [info.name for info in await store.streams()]


async def check_snapshots(store: Store, clock: FakeClock) -> None:
    """Snapshots."""
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


async def check_a_fork_has_its_snapshots(store: Store, clock: FakeClock) -> None:
    """A fork has its snapshots."""
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


async def check_fork(store: Store, clock: FakeClock) -> None:
    """Fork."""
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


async def check_fork_refusals(store: Store, clock: FakeClock) -> None:
    """Fork refusals."""
    await store.append("a", entries(1, 2))
    await store.append("b", entries(1))
    with refused(ConflictError, match=r"stream b"):
        await store.fork("a", 1, "b")
    with refused(ConflictError):
        await store.fork("a", 1, "a")
    for at in (3, -1):
        with refused(StoreError, match="1 to 2"):
            await store.fork("a", at, "c")
    with refused(StoreError, match="no such stream"):
        await store.fork("nothing", 1, "c")
    assert [info.name for info in await store.streams()] == ["a", "b"]
    await store.fork("a", 0, "empty")
    assert await store.read("empty") == []
    assert await store.append("empty", entries("own")) == 1


async def check_streams(store: Store, clock: FakeClock) -> None:
    """Streams."""
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


async def check_names(store: Store, clock: FakeClock) -> None:
    """Names."""
    for wrong in ("", "two\nlines", "nul\0", "\ud800"):
        with refused(StoreError):
            await store.append(wrong, entries(1))
        with refused(StoreError):
            await store.post(wrong, Entry("note", 1))
        with refused(StoreError):
            await store.acquire(wrong, "me")
    assert await store.streams() == []


async def check_lease(store: Store, clock: FakeClock) -> None:
    """Lease."""
    lease = await store.acquire("a", "Kara", seconds=10)
    assert (lease.stream, lease.holder, lease.expires) == ("a", "Kara", clock.now + 10)
    for name in ("Bo", "Kara"):
        with refused(LeaseError, match="Kara") as refusal:
            await store.acquire("a", name)
        assert refusal.value.holder == "Kara"
    other = await store.acquire("b", "Bo")
    assert await store.append("a", entries(1), lease=lease) == 1
    with refused(LeaseError, match="'b'"):
        await store.append("a", entries(2), lease=other)
    clock.now += 9
    renewed = await store.renew(lease, seconds=10)
    assert (renewed.token, renewed.expires) == (lease.token, clock.now + 10)
    assert await store.append("a", entries(2), lease=lease) == 2, "a renewed lease keeps its token"
    await store.release(renewed)
    with refused(LeaseError, match="released"):
        await store.append("a", entries(3), lease=lease)
    with refused(LeaseError, match="released"):
        await store.renew(lease)
    again = await store.acquire("a", "Bo")
    assert again.token > lease.token
    assert await store.head("a") == 2


async def check_fencing(store: Store, clock: FakeClock) -> None:
    """Fencing."""
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
        with refused(LeaseError, match="Bo") as refusal:
            await forbidden()
        assert refusal.value.holder == "Bo"
    await store.release(old)
    assert await store.append("a", entries("new"), lease=new) == 2, "a stale holder releases nothing"
    assert await store.snapshot("a") is None
    made_up = Lease("a", "nobody", new.token + 1, clock.now + 99)
    with refused(LeaseError):
        await store.append("a", entries("forged"), lease=made_up)
    tokens = [old.token, new.token]
    for _ in range(3):
        clock.now += 60
        tokens.append((await store.acquire("a", "next")).token)
    assert tokens == sorted(set(tokens)), "tokens only grow"


async def check_inbox(store: Store, clock: FakeClock) -> None:
    """Inbox."""
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
        with refused(ConflictError, match=str(gone)):
            await store.append("a", entries("again"), taken=[ids[1], gone])
    assert await store.append("a", [], taken=[ids[1], ids[1]]) == 1
    assert await store.inbox("a") == []
    assert await store.post("a", Entry("action", 3)) > ids[2], "ids are never used again"
    assert len(await store.inbox("b")) == 1
    assert await store.head("b") == 0


async def check_posted(store: Store, clock: FakeClock) -> None:
    """The streams that have letters, and no others."""
    assert await store.posted() == []
    first = await store.post("a", Entry("action", {"text": "one"}))
    await store.post("b", Entry("action", {"text": "two"}))
    second = await store.post("a", Entry("action", {"text": "three"}))
    await store.append("c", [Entry("k", {})])
    assert sorted(await store.posted()) == ["a", "b"]
    await store.append("a", [], taken=[first])
    assert sorted(await store.posted()) == ["a", "b"]
    await store.append("a", [], taken=[second])
    assert await store.posted() == ["b"]


async def check_waiting_for_post(store: Store, clock: FakeClock) -> None:
    """Waiting for post."""
    with anyio.fail_after(10):
        await store.wait_for_post(0.01)  # nothing comes: it returns all the same
        async with anyio.create_task_group() as group:
            group.start_soon(store.wait_for_post, 0.5)
            await store.post("a", Entry("action", 1))
    assert len(await store.inbox("a")) == 1, "it takes nothing away"


async def check_watch(store: Store, clock: FakeClock) -> None:
    """Watch."""
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


async def check_watch_what_does_not_exist_yet(store: Store, clock: FakeClock) -> None:
    """Watch what does not exist yet."""
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:

            async def later() -> None:
                await anyio.sleep(0.05)
                await store.append("new", entries("first"))

            group.start_soon(later)
            async for record in store.watch("new"):
                assert (record.sequence, record.data) == (1, "first")
                break


async def check_closing_ends_a_watch(store: Store, clock: FakeClock) -> None:
    """Closing ends a watch."""

    async def watch() -> None:
        with refused(StoreError, match="not open"):
            await anext(aiter(store.watch("a")))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            await anyio.sleep(0.05)
            await store.close()


async def check_blobs(store: Store, clock: FakeClock) -> None:
    """Blobs."""
    for size in (0, 1, 64 * 1024, 64 * 1024 + 1, 1_000_000):
        data = bytes(index * 7 % 251 for index in range(size))
        digest = await store.put_blob(data)
        assert len(digest) == 64
        assert await store.get_blob(digest) == data
        assert await store.put_blob(data) == digest, "put twice is kept once"
    for missing in ("0" * 64, "", "../../etc/passwd", "A" * 64):
        with refused(CorruptError, match="blob"):
            await store.get_blob(missing)


async def check_closed(store: Store, clock: FakeClock) -> None:
    """Closed."""
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
        with refused(StoreError, match="not open"):
            await forbidden()
    await store.open()
    assert plain(await store.read("a")) == [(1, 1)]
    assert await store.get_blob(blob) == b"bytes"
    assert "password" not in store.url
    assert "://" in store.url


async def check_many_at_once(store: Store, clock: FakeClock) -> None:
    """Many at once."""
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


async def check_cancelled_callers(store: Store, clock: FakeClock) -> None:
    """Cancelled callers."""

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


async def check_a_cancelled_acquire_holds_nothing(store: Store, clock: FakeClock) -> None:
    """A cancelled acquire holds nothing."""
    for _ in range(20):
        with anyio.CancelScope() as scope:
            scope.cancel()
            lease = await store.acquire("a", "cancelled")
            await store.release(lease)  # only a store that does not wait gets here
    with anyio.fail_after(5):
        assert (await store.acquire("a", "Kara")).holder == "Kara"
