"""A world as it was: any tick, by a look at few records; forks that go their own way; what differs, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.levels import toy_world as worlds
from yggdrasil import ConfigError, ConflictError, EndWorldError, StoreError, World, WorldError, block
from yggdrasil.abc.store import Entry, Record, Store
from yggdrasil.core.diff import tell
from yggdrasil.levels.past import end_of, last_end
from yggdrasil.levels.view import view
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.storage.sqlite import SqliteStore

pytestmark = pytest.mark.anyio

toy = worlds.toy


async def lived(store: Store, ticks: int, world: World | None = None, **options: Any) -> list[dict[str, Any]]:
    """Live tick by tick; what the world was after each, tick 0 first."""
    seen = []
    async with World.open(world or toy(), store=store, **options) as live:
        for tick in range(ticks + 1):
            if tick:
                await live.run(action=f"deed {tick}" if tick % 3 == 0 else None)
            seen.append({
                "tick": live.tick, "content": dict(live.content), "state": dict(live.state), "seed": live.seed,
                "hashes": (live.content_hash, live.state_hash, live.tick_hash), "history": await live.history(),
                "export": await live.export_content(),
            })  # fmt: skip
    return seen


def reading(world: Any) -> dict[str, Any]:
    return {
        "tick": world.tick, "content": dict(world.content), "state": dict(world.state), "seed": world.seed,
        "hashes": (world.content_hash, world.state_hash, world.tick_hash),
    }  # fmt: skip


async def test_every_tick_is_what_it_was() -> None:
    async with MemoryStore() as store:
        seen = await lived(store, 40, seed=5)
        async with World.open(toy(), store=store, read_only=True) as world:
            for tick, was in enumerate(seen):
                past = await world.at(tick)
                there = {**reading(past), "history": await past.history(), "export": await past.export_content()}
                assert there == was
                if past.state.get("artifacts"):
                    reference = past.state["artifacts"]["texts"][1]
                    assert await past.blob(reference["$blob"]) == past.state["artifacts"]["texts"][0].encode() * 10
            assert (await (await world.at(30)).at(7)).tick_hash == seen[7]["hashes"][2]
            assert await world.resolve("ygg://toy@12/state/intent/what") == seen[12]["state"]["intent"]["what"]
            assert await world.resolve("ygg://toy@4/history/1") == seen[4]["history"][0]


async def test_actions_that_wait_and_blocks_that_are_carried_are_part_of_it() -> None:
    @block(outputs={"style": str})
    def stylist(intent: dict[str, Any]) -> str:
        return f"as on {intent['what']}"

    kept = toy()
    kept.set_state_schema({"blocks": {"style": {"keep": True}}})
    kept.add_stage("stylist", stylist)
    kept.set_cycle(["philosopher", "author", "environment", "stylist", "architect", "creator"])
    for world in (toy(), kept):
        seen = []
        async with MemoryStore() as store, World.open(world, store=store) as live:
            for tick in range(1, 12):
                for number in range(tick % 3):
                    await live.act(f"deed {tick}.{number}")
                await live.run({"state": {"intent": {"what": "given", "luck": 1}}} if tick == 7 else None)
                seen.append(live.status)
            for status in seen:
                past = await live.at(status.tick)
                assert past.status.values() == status.values()


async def test_it_is_read_while_the_world_lives_and_a_tick_is_under_way() -> None:
    told = []
    async with MemoryStore() as store:

        @block
        async def looking(blueprint: dict[str, Any]) -> dict[str, Any]:
            past = await view(store, "toy", 2) if len(told) > 2 else None
            told.append(past and past.tick)
            return {"texts": [blueprint["scene"]]}

        world = toy(creator=looking)
        world.set_durability("none")
        async with World.open(world, store=store) as live:
            await live.run(ticks=2)
            assert (await live.at(2)).tick_hash == live.tick_hash, "what waited to be written is written first"
            await live.run(ticks=3)
    assert told == [None, None, None, 2, 2]


async def test_a_tick_that_is_not_there_names_those_that_are() -> None:
    async with MemoryStore() as store:
        await lived(store, 4)
        async with World.open(toy(), store=store) as live:
            with pytest.raises(WorldError, match="tick 9 is not there: the nearest that is: 4") as caught:
                await live.at(9)
            assert caught.value.hint == "at(4)"
            for wrong in (-1, True, "3", 2.0):
                with pytest.raises(WorldError, match="no tick"):
                    await live.at(wrong)  # type: ignore[arg-type]
            with pytest.raises(WorldError, match="tick 9 is not there"):
                await live.fork(at=9, name="other")
        with pytest.raises(StoreError, match="no world 'nobody'"):
            await view(store, "nobody")
        assert [info.name for info in await store.streams()] == ["toy"]
    async with World.open({"kind": "world", "version": 1, "name": "ended", "content": {"a": {"b": 1}}}) as ended:
        with pytest.raises(EndWorldError):
            await ended.at(0)
        with pytest.raises(EndWorldError):
            await ended.fork(name="other")


class Counting:
    """How many records a search was given."""

    def __init__(self, store: Store) -> None:
        self.store, self.records, self.reads = store, 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def read(self, stream: str, *, after: int = 0, limit: int | None = None, kinds: Sequence[str] = ()) -> Any:
        found: list[Record] = await self.store.read(stream, after=after, limit=limit, kinds=kinds)
        self.records += len(found)
        self.reads += 1
        return found


@pytest.mark.parametrize("sizes", [[3], [1, 900, 2, 40], [700, 1, 1, 1]], ids=str)
async def test_few_records_are_looked_at(sizes: list[int]) -> None:
    ticks = 3000 // (sum(sizes) // len(sizes)) + 5
    places = {}
    async with MemoryStore() as store:
        for tick in range(1, ticks + 1):
            filling = [Entry("effect", tick)] * sizes[tick % len(sizes)]
            hashes = {"tick": tick, "content_hash": "", "state_hash": "", "tick_hash": str(tick)}
            places[tick] = await store.append("long", [*filling, Entry("finished", hashes)])
        for tick, place in places.items():
            counting: Any = Counting(store)
            found = await end_of(counting, "long", tick)
            assert (found.tick, found.sequence, found.tick_hash) == (tick, place, str(tick))
            assert counting.records <= counting.reads <= 40
        assert (await last_end(store, "long")).tick == ticks
        await store.append("long", [Entry("effect", 0)] * 5000)
        assert (await last_end(store, "long")).tick == ticks
        assert (await last_end(store, "long", places[2])).tick == 2


async def test_a_fork_goes_its_own_way_from_any_tick(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "w.db") as store:
        seen = await lived(store, 12, seed=11)
        before = await store.read("toy")
        async with World.open(toy(), store=store, read_only=True) as world:
            made = await world.fork(at=5, name="other")
            assert (made.parent, made.parent_sequence) == ("toy", made.head)
            await (await world.at(3)).fork(name="third")
            await world.fork(name="now")
            with pytest.raises(ConflictError):
                await world.fork(name="now")
        infos = {info.name: info for info in await store.streams()}
        assert infos["other"] == made
        assert infos["now"].parent == "toy"
        async with World.open(toy(), store=store, name="other") as other:
            assert reading(other) == {k: v for k, v in seen[5].items() if k not in ("history", "export")}
            with pytest.raises(ConfigError, match="seed 11"):
                await other.run(seed=1)
            await other.run(action="deed 6")
            assert other.tick_hash != seen[6]["hashes"][2] or seen[6]["state"] == dict(other.state)
            await other.run(ticks=2, action="another deed")
            assert (await other.at(4)).tick_hash == seen[4]["hashes"][2]
            assert (await other.at(8)).tick_hash == other.tick_hash
        async with World.open(toy(), store=store, name="third") as third:
            assert reading(third)["hashes"] == seen[3]["hashes"]
        async with World.open(toy(), store=store, name="now") as now:
            assert now.tick == 12
        assert await store.read("toy") == before, "nothing is taken back"


async def test_a_fork_that_is_given_the_same_lives_the_same() -> None:
    async with MemoryStore() as store:
        seen = await lived(store, 9)
        async with World.open(toy(), store=store, read_only=True) as world:
            await world.fork(at=2, name="again")
        async with World.open(toy(), store=store, name="again") as again:
            for tick in range(3, 10):
                await again.run(action=f"deed {tick}" if tick % 3 == 0 else None)
                assert again.tick_hash == seen[tick]["hashes"][2]
            async with World.open(toy(), store=store, read_only=True) as world:
                found = await world.diff(again)
                assert found.same
                assert found.parted is None


async def test_what_differs_and_since_when() -> None:
    async with MemoryStore() as store:
        await lived(store, 12)
        async with World.open(toy(), store=store, read_only=True) as world:
            await world.fork(at=5, name="other")
            async with World.open(toy(), store=store, name="other") as other:
                await other.run(ticks=3, action="Kara swims")
                found = await world.diff(other)
            assert found.parted is not None
            assert (found.parted.tick, found.parted.stage) == (6, "")
            assert [c.path for c in found.parted.changes] == ["/action"]
            assert found.of("content")[0].path == "/content/count/n"
            told = "\n".join(tell(found))
            assert "they part in tick 6" in told
            assert 'changed' not in told
            assert '~ /content/count/n: 11 -> 7' in told
            assert "/history/6" in told
            assert "/history/5:" not in told
            two = await (await world.at(3)).diff(await world.at(5))
            assert two.parted is None
            assert [(c.path, c.kind) for c in two.of("history")] == [("/history/3", "added"), ("/history/4", "added")]
            back = await (await world.at(5)).diff(await world.at(3))
            assert [(c.path, c.kind) for c in back.of("history")] == [
                ("/history/3", "removed"), ("/history/4", "removed")
            ]  # fmt: skip
            assert found.to_json()["parted"]["tick"] == 6


async def test_the_stage_and_the_effect_where_two_lives_part() -> None:
    asked = "what now"

    @block
    async def creator(blueprint: dict[str, Any], *, ctx: Any) -> dict[str, Any]:
        async def perform(key: str) -> str:
            return f"<{asked}>"

        return {"texts": [await ctx.child("painter").effect("model", blueprint["scene"], perform)]}

    async with MemoryStore() as store:
        world = toy(creator=creator)
        async with World.open(world, store=store) as live:
            await live.run(ticks=6)
            await live.fork(at=3, name="other")
            asked = "something else"
            async with World.open(world, store=store, name="other") as other:
                await other.run(ticks=2)
                parted = (await live.diff(other)).parted
    assert parted is not None
    assert (parted.tick, parted.stage, parted.path) == (4, "creator", "creator/painter")
    assert [(c.path, c.before, c.after) for c in parted.changes] == [
        ("/artifacts/texts/0", "<what now>", "<something else>")
    ]


async def test_worlds_that_have_nothing_in_common() -> None:
    async with MemoryStore() as store, MemoryStore() as far:
        await lived(store, 3)
        strange = toy("strange")
        strange.set_initial_world({**worlds.CONTENT, "sea": {"depth": 3}})
        await lived(far, 2, strange)
        async with World.open(toy(), store=store) as a, World.open(strange, store=far) as b:
            found = await a.diff(b)
        assert found.parted is not None
        assert found.parted.tick == 0
        assert ("/content/sea", "added") in [(c.path, c.kind) for c in found.changes]
        assert [c.path for c in found.of("history")][:1] == ["/history/1/text"] or found.of("history")
