"""Many worlds in one process: one's failure ends no other, resources are shared, all end at a safe point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.levels import toy_world
from tests.levels.toy_world import toy
from yggdrasil import ConfigError, EndWorldError, Supervisor, World, block
from yggdrasil.abc.store import Entry
from yggdrasil.core.events import Event, RunFailed, TickFinished, Warned
from yggdrasil.levels.keeper import kept_by
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.storage.sqlite import SqliteStore

pytestmark = pytest.mark.anyio


async def test_each_lives_its_ticks_and_the_store_is_kept_by_one(tmp_path: Path) -> None:
    names = [f"toy{n}" for n in range(30)]
    keepers = set()
    async with SqliteStore(tmp_path / "w.db") as store:
        def hear(event: Event) -> None:
            keepers.add(kept_by(store))

        supervisor = Supervisor([toy(name) for name in names], store=store, ticks=4, hooks=[hear])
        await supervisor.run()
        assert not supervisor.failed
        assert not supervisor.living
        assert kept_by(store) is None, "nobody renews what nobody holds"
        assert len(keepers) == 1
        for name in names:
            async with World.open(toy(name), store=store, read_only=True) as world:
                assert world.tick == 4


async def test_one_that_cannot_be_opened_is_given_up_and_the_others_live() -> None:
    async with MemoryStore() as store:
        told: list[Event] = []
        worse = toy("worse")
        await store.append("worse", [Entry("something", {})])
        supervisor = Supervisor([toy("well"), worse], store=store, ticks=3, hooks=[told.append])
        await supervisor.run()
        assert list(supervisor.failed) == ["worse"]
        assert [e.path for e in told if isinstance(e, RunFailed)] == ["worse"]
        assert [e.path for e in told if isinstance(e, TickFinished)] == ["well"] * 3


async def test_one_that_another_process_holds_is_opened_when_it_is_free() -> None:
    async with MemoryStore() as store:
        told: list[Event] = []
        held = toy("held")
        held.set_errors({"first": 0.05, "longest": 0.05})
        async with World.open(toy("held"), store=store), anyio.create_task_group() as group:
            supervisor = Supervisor([held], store=store, ticks=2, hooks=[told.append])
            group.start_soon(supervisor.run)
            with anyio.fail_after(10):
                while not told:  # noqa: ASYNC110 - until it was refused
                    await anyio.sleep(0.01)
            assert isinstance(told[0], Warned)
            group.cancel_scope.cancel()
        supervisor = Supervisor([toy("held")], store=store, ticks=2)
        await supervisor.run()
        assert not supervisor.failed


async def test_named_resources_are_shared_over_worlds() -> None:
    running, most = [0], [0]

    @block
    async def creator(blueprint: dict[str, Any]) -> dict[str, Any]:
        running[0] += 1
        most[0] = max(most[0], running[0])
        await anyio.sleep(0.002)
        running[0] -= 1
        return {"texts": [blueprint["scene"]]}

    def painting(name: str) -> World:
        world = World(name, resources={"gpu": 5})
        for stage, made in toy_world.STAGES.items():
            world.add_stage(stage, creator if stage == "creator" else made, limit="gpu" if stage == "creator" else None)
        world.set_initial_world(toy_world.CONTENT)
        return world

    supervisor = Supervisor([painting(f"w{n}") for n in range(8)], resources={"gpu": 2}, ticks=3)
    await supervisor.run()
    assert not supervisor.failed
    assert most == [2]


async def test_stop_ends_all_even_one_that_is_just_being_opened() -> None:
    supervisor = Supervisor([toy(f"toy{n}") for n in range(5)])
    async with anyio.create_task_group() as group:
        group.start_soon(supervisor.run)
        await anyio.lowlevel.checkpoint()
        await anyio.sleep(0.02)
        supervisor.add(toy("late"))
        supervisor.stop()
        with anyio.fail_after(10):
            while supervisor.living:  # noqa: ASYNC110 - until all are gone
                await anyio.sleep(0.01)
    assert not supervisor.failed


def test_what_it_does_not_take() -> None:
    with pytest.raises(ConfigError, match="already"):
        Supervisor([toy(), toy()])
    ended = World("ended")
    ended.set_initial_world({"places": {}})
    with pytest.raises(EndWorldError):
        Supervisor([ended])
    for wrong in ({"worlds": "midgard"}, {"ticks": 0}, {"clock": 3}, {"hooks": [3]}, {"resources": {"gpu": 0}}):
        with pytest.raises(ConfigError):
            Supervisor(**wrong)
