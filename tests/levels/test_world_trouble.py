"""Effects in worlds, people who must decide, full disks, and the ends of processes in the middle of things."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.levels import toy_world as worlds
from yggdrasil import (
    EffectMismatchError,
    EffectUnknownError,
    ParkedError,
    RunContext,
    ScriptedModel,
    StoreFullError,
    World,
    block,
)
from yggdrasil.abc.store import Entry
from yggdrasil.errors import CorruptError, FormatError
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.storage.sqlite import SqliteStore

pytestmark = pytest.mark.anyio


toy = worlds.toy


def with_effect(perform: Callable[[str], Any], request: Callable[[], Any], **options: Any) -> World:
    @block
    async def creator(blueprint: dict[str, Any], *, ctx: RunContext) -> dict[str, Any]:
        first = await ctx.effect("model", "always the same", _answer)
        return {"texts": [first, await ctx.effect("tool", request(), perform, **options)]}

    world: World = toy(creator=creator)
    return world


async def _answer(key: str) -> str:
    return "an answer"


class Crash(BaseException):
    """The process ends here: nobody may handle it."""


async def test_one_that_must_not_be_repeated_parks_the_world_until_somebody_says() -> None:
    store = MemoryStore()
    done: list[str] = []

    async def pay(key: str) -> str:
        done.append(key)
        if len(done) == 1:
            raise Crash
        return "paid now"

    async with store:
        with pytest.raises(Crash):
            await with_effect(pay, lambda: "pay", idempotent=False).run(store=store)
        world = with_effect(pay, lambda: "pay", idempotent=False)
        async with World.open(world, store=store) as live:
            for _ in range(2):
                with pytest.raises(ParkedError, match="was under way when the process ended") as caught:
                    await live.run()
                assert isinstance(caught.value.__cause__, EffectUnknownError)
                assert "world.settle" in caught.value.hint
            assert len(done) == 1
            await live.settle("paid by hand")
            await live.run()
            assert live.state["artifacts"]["texts"][1] == "paid by hand"
            assert len(done) == 1


async def test_or_it_is_said_not_to_have_happened() -> None:
    store = MemoryStore()
    done: list[str] = []

    async def pay(key: str) -> str:
        done.append(key)
        if len(done) == 1:
            raise Crash
        return "paid now"

    world = with_effect(pay, lambda: "pay", idempotent=False)
    async with store:
        with pytest.raises(Crash):
            await world.run(store=store)
        async with World.open(world, store=store) as live:
            with pytest.raises(ParkedError):
                await live.run()
            await live.abandon()
        async with World.open(world, store=store) as live:
            await live.run()
            assert live.state["artifacts"]["texts"][1] == "paid now"


async def test_a_changed_request_parks_with_a_way_out() -> None:
    store = MemoryStore()
    asked, broken = "red", True

    async def paint(key: str) -> str:
        return asked

    @block
    async def creator(blueprint: dict[str, Any], *, ctx: RunContext) -> dict[str, Any]:
        first = await ctx.effect("model", asked, paint)
        if broken:
            raise RuntimeError("after the effect")
        return {"texts": [first]}

    async with store:
        with pytest.raises(ParkedError, match="after the effect"):
            await toy(creator=creator).run(store=store)
        asked, broken = "blue", False
        async with World.open(toy(creator=creator), store=store) as live:
            with pytest.raises(ParkedError, match="asks for something else") as caught:
                await live.run()
            assert isinstance(caught.value.__cause__, EffectMismatchError)
            asked = "red"
            await live.run()
            assert live.state["artifacts"]["texts"] == ["red"]


async def test_an_agent_in_a_stage_repeats_no_model_call() -> None:
    from yggdrasil import Agent, tool

    thrown: list[int] = []

    @tool
    def dice(sides: int) -> int:
        """Throw."""
        thrown.append(sides)
        return 4

    from yggdrasil.core.messages import ToolCall

    model = ScriptedModel(
        lambda request: "It was four." if request.messages[-1].role == "tool" else ToolCall("c1", "dice", {"sides": 6})
    )
    agent = Agent(model, tools=[dice])
    broken = True

    @block
    async def creator(blueprint: dict[str, Any], *, ctx: RunContext) -> dict[str, Any]:
        outputs = await agent.execute({"prompt": blueprint["scene"]}, ctx.child("agent"))
        if broken:
            raise RuntimeError("after the agent")
        return {"texts": [outputs["response"]]}

    async with MemoryStore() as store:
        with pytest.raises(ParkedError, match="after the agent"):
            await toy(creator=creator).run(store=store)
        assert (model.calls, thrown) == (2, [6])
        broken = False
        result = await toy(creator=creator).run(store=store)
        assert result["state"]["artifacts"]["texts"] == ["It was four."]
        assert (model.calls, thrown) == (2, [6])


async def test_a_full_disk_stops_it_and_nothing_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "w.db"
    async with SqliteStore(file, max_pages=60) as small:
        with pytest.raises(StoreFullError):
            await toy().run(ticks=2000, store=small)
    async with World.open(toy(), store=f"sqlite:///{file}") as world:
        there = world.tick
        assert there > 3
        await world.run(ticks=5)
        hashes = world.tick_hash
    async with World.open(toy()) as other:
        await other.run(ticks=there + 5)
        assert other.tick_hash == hashes


async def test_after_a_failed_write_the_world_does_not_go_on() -> None:
    async with MemoryStore() as store, World.open(toy(), store=store) as world:
        await world.run(ticks=2)
        await store.append("toy", [Entry("stopped", {"reason": "somebody else"})])
        for _ in range(2):
            with pytest.raises(Exception, match="somebody else wrote first"):
                await world.run()
        assert [r.kind for r in await store.read("toy")][-1] == "stopped"


async def test_a_stream_that_is_no_world(tmp_path: Path) -> None:
    async with MemoryStore() as store:
        await store.append("toy", [Entry("message", {"text": "hi"})])
        with pytest.raises(FormatError, match="holds 'message' records, not a world"):
            await toy().run(store=store)
        await store.append("other", [Entry("x", 1)], snapshot={"a": 1})
        with pytest.raises(FormatError, match="no snapshot of a world"):
            await toy("other").run(store=store)


@pytest.mark.parametrize("kind", ["finished", "updated"])
async def test_a_record_that_lies_is_found_by_its_hash(kind: str) -> None:
    async with MemoryStore() as store:
        await toy().run(ticks=3, store=store)
        records = await store.read("toy")
        async with MemoryStore() as forged:
            first = await store.snapshot("toy")
            assert first is not None
            for name in {item["base"] for item in first.data["sections"].values()}:
                await forged.put_blob(await store.get_blob(name))
            entries = [Entry(record.kind, record.data) for record in records]
            last = max(i for i, entry in enumerate(entries) if entry.kind == kind)
            data = dict(entries[last].data)
            data["tick_hash" if kind == "finished" else "patch"] = "0" * 64 if kind == "finished" else []
            entries[last] = Entry(kind, data)
            await forged.append("toy", entries)
            with pytest.raises(CorruptError, match=r"at tick 3 the hash of the \w+ is"):
                await toy().run(store=forged)


async def test_without_its_snapshots_it_is_folded_from_the_first_record() -> None:
    async with MemoryStore() as store, MemoryStore() as bare:
        async with World.open(toy(), store=store) as world:
            await world.run(ticks=30)
            there = world.tick_hash
        records = await store.read("toy")
        for name in set(records[0].data["sections"].values()):
            await bare.put_blob(await store.get_blob(name))
        await bare.append("toy", [Entry(record.kind, record.data) for record in records])
        async with World.open(toy(), store=bare, read_only=True) as world:
            assert (world.tick, world.tick_hash) == (30, there)


async def test_a_fork_goes_its_own_way() -> None:
    async with MemoryStore() as store:
        await toy().run(ticks=6, store=store)
        ends = [r.sequence for r in await store.read("toy", kinds=("finished",))]
        await store.fork("toy", ends[2], "toy-b")
        async with World.open(toy(), store=store, name="toy-b") as fork:
            assert fork.tick == 3
            await fork.run(ticks=3)
            same = fork.tick_hash
            await fork.run(ticks=1, action="otherwise")
        async with World.open(toy(), store=store) as world:
            assert (world.tick, world.tick_hash) == (6, same)


async def test_nothing_runs_on_after_the_world_is_closed() -> None:
    async with World.open(toy()) as world:
        stream = world.stream(ticks=10_000)
        await anext(aiter(stream))
    there = world.tick
    await anyio.sleep(0.02)
    assert world.tick == there
    await stream.aclose()  # type: ignore[attr-defined]


async def test_bytes_per_tick_do_not_grow_with_age(tmp_path: Path) -> None:
    import sqlite3

    file = tmp_path / "w.db"
    world = toy()
    world.set_durability("tick")
    sizes = []

    def used() -> int:
        with sqlite3.connect(file) as raw:
            pages = raw.execute("SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count")
            found: int = pages.fetchone()[0] * 4096
        raw.close()
        return found

    async with World.open(world, store=f"sqlite:///{file}") as live:
        for tick in (200, 400, 800, 1000):
            await live.run(ticks=tick - live.tick)
            sizes.append(await anyio.to_thread.run_sync(used))
    assert sizes[3] - sizes[2] <= 1.15 * (sizes[1] - sizes[0])
    async with SqliteStore(file) as store:
        snapshot = await store.snapshot("toy")
        assert snapshot is not None
        assert await store.head("toy") - snapshot.sequence < 400, "opening reads what came since the snapshot"
