"""A world's past is pruned as its `keep` says, and the world is none the worse for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.levels.toy_world import toy
from yggdrasil import World
from yggdrasil.abc.store import Record, Store
from yggdrasil.core.blob import KEY, references
from yggdrasil.core.content import next_tick_hash
from yggdrasil.core.facts import EffectDone, Finished, StageDone
from yggdrasil.core.retention import DAY, Keep
from yggdrasil.errors import ConfigError, CorruptError, LeaseError, StoreError
from yggdrasil.levels.recovery import recover
from yggdrasil.levels.retention import Retention
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.storage.sqlite import SqliteStore
from yggdrasil.testing import FakeClock

pytestmark = pytest.mark.anyio


def kept(**keep: Any) -> World:
    world = toy()
    world.set_keep(**keep)
    return world


@pytest.fixture
def store(anyio_backend_name: str, tmp_path: Path) -> Store:
    return MemoryStore() if anyio_backend_name == "trio" else SqliteStore(tmp_path / "toy.db")


async def live(store: Store, ticks: int, world: World | None = None, **options: Any) -> str:
    async with World.open(world or toy(), store=store, seed=7, **options) as living:
        await living.run(ticks=ticks)
        return living.tick_hash


async def ends(store: Store, stream: str = "toy") -> dict[int, Record]:
    return {record.data["tick"]: record for record in await store.read(stream, kinds=[Finished.kind])}


async def whole(store: Store, tick: int, stream: str = "toy") -> bool:
    """Whether the world can be folded as it was after a tick."""
    end = (await ends(store, stream))[tick]
    try:
        found = await recover(store, stream, toy().cycle, upto=end.sequence)
    except CorruptError:
        return False
    return found is not None and found.status.tick_hash == end.data["tick_hash"]


async def checked(store: Store, stream: str = "toy") -> int:
    """How many ticks the chain of hashes has, each following from the one before."""
    last, number = "", 0
    for record in (await ends(store, stream)).values():
        number += 1
        assert record.data["tick"] == number
        last = next_tick_hash(last, record.data["content_hash"], record.data["state_hash"])
        assert record.data["tick_hash"] == last
    return number


async def test_a_pruned_world_lives_on_as_if_nothing_had_gone(store: Store) -> None:
    other = MemoryStore()
    async with store, other:
        for ticks in (70, 40, 50):
            pruned = await live(store, ticks, kept(last=5, every=20))
            assert pruned == await live(other, ticks)
        assert await checked(store) == 160
        async with World.open(toy(), store=store, read_only=True) as living:
            history = await living.history()
            assert living.status.pruned.tick == 128
        async with World.open(toy(), store=other, read_only=True) as living:
            assert history == await living.history()
        looked_at = (*range(20, 121, 20), 1, 59, 61, 64, 119, 121, 127, 128, 129, 150, 160)
        there = [tick for tick in looked_at if await whole(store, tick)]
        assert there == [20, 40, 60, 80, 100, 120, 128, 129, 150, 160]
        [ours], [theirs] = await store.sizes(), await other.sizes()
        assert ours.records < theirs.records / 2
        done = await store.read("toy", kinds=[StageDone.kind])
        assert done[0].sequence > (await ends(store))[128].sequence


async def test_any_tick_that_is_left_can_be_forked_and_comes_to_the_same(store: Store) -> None:
    async with store:
        last = await live(store, 80, kept(last=5, every=30))
        ended = await ends(store)
        with pytest.raises(StoreError, match="pruned"):
            await store.fork("toy", ended[31].sequence, "no")
        for tick in (30, 60, 64, 70, 80):
            await store.fork("toy", ended[tick].sequence, f"from {tick}")
            assert await live(store, 80 - tick, kept(last=5, every=30), name=f"from {tick}") == last
        assert await live(store, 70, kept(last=5, every=30), name="from 30") == await live(store, 70)
        assert await checked(store, "from 30") == 150


async def test_the_beginning_can_be_forked_for_ever(store: Store) -> None:
    async with store:
        last = await live(store, 80, kept(last=5))
        await store.fork("toy", 1, "again")
        assert await live(store, 80, name="again") == last


async def test_forks_made_before_pruning_live_on(store: Store) -> None:
    async with store:
        await live(store, 30)
        ended = await ends(store)
        await store.fork("toy", ended[20].sequence, "fork")
        last = await live(store, 60, kept(last=5))
        looked_at = (1, 10, 20, 21, 40, 63, 64, 65, 90)
        assert [tick for tick in looked_at if await whole(store, tick)] == [1, 10, 20, 64, 65, 90]
        assert await live(store, 70, kept(last=5), name="fork") == last
        assert [tick for tick in looked_at if await whole(store, tick, "fork")] == [1, 10, 20, 64, 65, 90]
        assert await checked(store, "fork") == 90


async def test_nothing_younger_than_some_days_goes() -> None:
    clock = FakeClock()
    async with MemoryStore(clock=clock) as store:
        await live(store, 100)
        assert len(await store.read("toy", kinds=[StageDone.kind])) > 100 * 3
        found = await recover(store, "toy", toy().cycle)
        assert found is not None
        retention = Retention(Keep(last=5, days=3), toy().cycle, store, "toy")
        assert await retention.prune(found.status, None, clock() + 2 * DAY) is None
        retention = Retention(Keep(last=5, days=3), toy().cycle, store, "toy")
        pruned = await retention.prune(found.status, None, clock() + 4 * DAY)
        assert pruned is not None
        assert pruned.tick == 64


async def test_what_was_cut_off_is_done_again(store: Store) -> None:
    """A world that was killed after its records went, before it could note that they did."""
    async with store:
        await live(store, 100)
        found = await recover(store, "toy", toy().cycle)
        assert found is not None
        retention = Retention(Keep(last=5, every=10), toy().cycle, store, "toy", batch=1)
        pruned = await retention.prune(found.status, None, 0.0)
        before, sizes = await store.read("toy"), await store.sizes()
        assert await retention.prune(found.status, None, 0.0) == pruned
        assert (await store.read("toy"), await store.sizes()) == (before, sizes)
        async with MemoryStore() as other:
            assert await live(store, 20, kept(last=5, every=10)) == await live(other, 120)


async def test_a_stale_holder_prunes_nothing(store: Store) -> None:
    async with store:
        await live(store, 80)
        lease = await store.acquire("toy", "Kara")
        await store.release(lease)
        found = await recover(store, "toy", toy().cycle)
        assert found is not None
        before = len(await store.read("toy"))
        with pytest.raises(LeaseError):
            await Retention(Keep(last=5), toy().cycle, store, "toy").prune(found.status, lease, 0.0)
        assert len(await store.read("toy")) == before


async def test_what_only_pruned_records_named_goes_with_vacuum(store: Store) -> None:
    async with store:
        await live(store, 80, kept(last=5, every=30))
        freed = await store.vacuum(older=-10)
        assert freed > 50 * 100, "the pictures of ticks that went"
        for tick in (30, 60, 64, 80):
            assert await whole(store, tick)
        assert await store.vacuum(older=-10) == 0
        async with World.open(toy(), store=store) as living:
            for reference in references(living.state):
                assert len(await living.blob(reference[KEY])) == reference["size"]


async def test_effects_of_pruned_ticks_go_too(tmp_path: Path) -> None:
    from tests.levels.toy_world import Log, effect_world

    log = Log(tmp_path / "log")
    world = effect_world(log, 0.0)
    world.set_keep(last=3)
    async with MemoryStore() as store:
        async with World.open(world, store=store) as living:
            await living.run(ticks=70)
        effects = await store.read("toy", kinds=[EffectDone.kind])
        assert {record.data["scope"] for record in effects} == {f"tick:{tick}" for tick in range(65, 71)}


@pytest.mark.parametrize("durability", ["stage", "tick", "none"])
async def test_on_every_level_of_durability(store: Store, durability: str) -> None:
    world = kept(last=5, every=20)
    world.set_durability(durability)
    async with store, MemoryStore() as other:
        assert await live(store, 150, world) == await live(other, 150)
        assert await checked(store) == 150
        assert await live(store, 10, world) == await live(other, 10)
        assert await whole(store, 20)


def test_keep_is_wrong() -> None:
    with pytest.raises(ConfigError, match="at least 1") as told:
        World.from_config({"kind": "world", "name": "w", "execution": {"keep": {"last": 0}}})
    assert "execution/keep/last" in told.value.path
    with pytest.raises(ConfigError, match="at least 1") as told:
        kept(every=0)
    assert told.value.path == "toy/keep/every"
