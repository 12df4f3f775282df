"""A world that lives by itself: timers, steering, what a person says of a parked one, budgets of a day, followers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from tests.levels.toy_world import toy
from yggdrasil import (
    Agent,
    Budget,
    BudgetError,
    ModelTransientError,
    ParkedError,
    PortError,
    RunContext,
    ScriptedModel,
    World,
    WorldError,
    approve,
    block,
    tool,
)
from yggdrasil.abc.store import Entry
from yggdrasil.core.events import EventsMissed, TickFinished, TicksMissed, WorldMended, WorldParked
from yggdrasil.core.messages import Reply, ToolCall, Usage, assistant
from yggdrasil.levels.live import LiveWorld
from yggdrasil.levels.standing import standings
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.testing import FakeClock

pytestmark = pytest.mark.anyio


async def soon(holds: Callable[[], bool]) -> None:
    """Until it holds; TimeoutError when it does not come to that."""
    with anyio.fail_after(10):
        while not holds():  # noqa: ASYNC110 - what is waited for is whatever the world does
            await anyio.sleep(0.002)


class Life:
    """A world that is lived in a task of its own, and what it told."""

    def __init__(self, world: LiveWorld) -> None:
        self.world = world
        self.events: list[Any] = []
        self.error: Exception | None = None
        self.ended = anyio.Event()

    async def live(self, options: dict[str, Any]) -> None:
        try:
            await self.world.live(hooks=[self.events.append], **options)
        except Exception as error:
            self.error = error
        self.ended.set()

    async def until(self, kind: type[Any], count: int = 1) -> None:
        """Until it has told so many events of a kind."""
        await soon(lambda: len(self.of(kind)) >= count)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def at_rest(self, tick: int) -> None:
        """Until that tick is done; and that it stays so."""
        await self.until_tick(tick)
        await anyio.sleep(0.02)
        assert self.world.tick == tick

    async def until_tick(self, tick: int) -> None:
        await soon(lambda: self.world.tick >= tick)


@asynccontextmanager
async def lived(
    made: World, clock: FakeClock | None = None, store: Any = None, **options: Any
) -> AsyncIterator[Life]:
    more = {} if clock is None else {"clock": clock}
    async with World.open(made, store=store, **more) as world, anyio.create_task_group() as group:
        life = Life(world)
        group.start_soon(life.live, options)
        yield life
        world.stop()
        with anyio.fail_after(10):
            await life.ended.wait()


def timed(**timers: Any) -> World:
    world: World = toy()
    world.set_timers(timers)
    return world


# --- timers


async def test_it_ticks_when_the_clock_says_so_and_not_before() -> None:
    clock = FakeClock()
    async with lived(timed(every=60), clock) as life:
        await life.at_rest(1)
        clock.advance(59)
        await life.at_rest(1)
        clock.advance(1)
        await life.at_rest(2)
        clock.advance(300)
        await life.at_rest(3)
        assert [event.missed for event in life.of(TicksMissed)] == [4]
        clock.advance(-100)
        await life.at_rest(3)
        clock.advance(60)
        await life.at_rest(4)


async def test_an_action_begins_a_tick_at_once_unless_it_is_told_to_wait() -> None:
    clock = FakeClock()
    async with lived(timed(every=60), clock) as life:
        await life.at_rest(1)
        await life.world.act("Kara lights the beacon")
        await life.at_rest(2)
        assert life.world.state["intent"]["what"] == "Kara lights the beacon"
    async with lived(timed(every=60, actions=False), clock) as life:
        await life.at_rest(1)
        await life.world.act("Kara lights the beacon")
        await life.at_rest(1)
        clock.advance(60)
        await life.at_rest(2)
        assert life.world.state["intent"]["what"] == "Kara lights the beacon"


async def test_a_letter_posted_by_somebody_else_wakes_it() -> None:
    store = MemoryStore()
    async with store, lived(timed(every=3600), FakeClock(), store) as life:
        await life.at_rest(1)
        await store.post("toy", Entry("action", {"text": "a storm"}))  # as another process does: nobody rings
        await life.until_tick(2)
        assert life.world.state["intent"]["what"] == "a storm"


async def test_when_nobody_acts_for_long_enough_its_life_ends() -> None:
    clock = FakeClock()
    async with lived(timed(every=60, idle=100), clock) as life:
        await life.at_rest(1)
        clock.advance(60)
        await life.at_rest(2)
        await life.world.act("x")
        await life.at_rest(3)
        clock.advance(99)
        await life.at_rest(4)
        assert not life.ended.is_set()
        clock.advance(1)
        with anyio.fail_after(10):
            await life.ended.wait()
        assert life.error is None


async def test_what_it_missed_while_nobody_ran_it_is_counted_once() -> None:
    clock, store = FakeClock(), MemoryStore()
    async with store:
        async with lived(timed(every=60), clock, store) as life:
            await life.at_rest(1)
        clock.advance(605)
        async with lived(timed(every=60), clock, store) as life:
            await life.at_rest(2)
            assert [event.missed for event in life.of(TicksMissed)] == [9]
            clock.advance(54)
            await life.at_rest(2)
            clock.advance(1)
            await life.at_rest(3)


async def test_without_timers_tick_follows_tick_until_it_is_stopped() -> None:
    async with lived(toy()) as life:
        await life.until_tick(20)
        await life.world.command("stop")
        with anyio.fail_after(10):
            await life.ended.wait()


# --- steering


async def test_pause_step_resume() -> None:
    store = MemoryStore()
    async with store, lived(toy(), None, store) as life:
        await life.until_tick(2)
        await life.world.pause()
        await soon(lambda: life.world.status.resting)
        await life.world.step()
        await anyio.sleep(0.1)
        (standing,) = await standings(store)
        assert standing.state == "paused"
        here = life.world.tick
        for number in range(1, 4):
            await life.world.step()
            await life.at_rest(here + number)
        await life.world.resume()
        await life.until_tick(here + 6)


async def test_a_step_that_waits_for_a_timer_does_not_wait() -> None:
    async with lived(timed(every=3600), FakeClock()) as life:
        await life.at_rest(1)
        await life.world.step()
        await life.at_rest(2)
        await life.world.step()
        await life.at_rest(3)


async def test_a_step_survives_the_process() -> None:
    store = MemoryStore()
    async with store:
        async with World.open(toy(), store=store) as world:
            await world.run(ticks=1)
            await world.pause()
            await world.step()
        async with lived(toy(), None, store) as life:
            await life.at_rest(2)
            assert life.world.status.paused


# --- a parked world


def failing(errors: list[Exception], stage: str = "architect", **more: Any) -> World:
    @block
    def architect(intent: dict[str, Any]) -> dict[str, Any]:
        if errors:
            raise errors.pop()
        return {"scene": intent["what"]}

    @block
    def philosopher(artifacts: dict[str, Any]) -> dict[str, Any]:
        if errors:
            raise errors.pop()
        return {"seen": ["nothing"]}

    world: World = toy(**{stage: architect if stage == "architect" else philosopher})
    if more:
        world.set_errors(more)
    return world


async def test_what_may_pass_is_tried_again_by_the_stage_and_then_parks() -> None:
    errors: list[Exception] = [ModelTransientError("busy")] * 2
    async with World.open(failing(errors, retry=3, first=0.001)) as world:
        await world.run(ticks=1)
        assert world.tick == 1
    errors[:] = [ModelTransientError("busy")] * 3
    async with World.open(failing(errors, retry=3, first=0.001)) as world:
        with pytest.raises(ParkedError, match="busy"):
            await world.run(ticks=1)
        assert world.parked is not None
        assert world.parked.transient
    errors[:] = [ValueError("wrong")] * 2
    async with World.open(failing(errors, retry=3, first=0.001)) as world:
        with pytest.raises(ParkedError, match="wrong"):
            await world.run(ticks=1)
        assert len(errors) == 1, "another try would not have mended it"


async def test_a_patient_life_tries_again_after_longer_and_longer() -> None:
    clock = FakeClock()
    errors: list[Exception] = [ModelTransientError("busy")] * 3
    async with lived(failing(errors, first=10, longest=30), clock, patient=True) as life:
        for number, wait in enumerate((10, 20, 30), 1):
            await life.until(WorldParked, number)
            await anyio.sleep(0.02)
            clock.advance(wait - 1)
            await anyio.sleep(0.02)
            assert len(life.of(WorldParked)) == number
            clock.advance(1)
        await life.until_tick(1)


async def test_a_life_that_is_not_patient_parks_and_says_so() -> None:
    store = MemoryStore()
    async with store:
        for _ in range(2):
            async with lived(failing([ValueError("wrong")]), None, store) as life:
                with anyio.fail_after(10):
                    await life.ended.wait()
                assert isinstance(life.error, ParkedError)
                assert "wrong" in str(life.error)
        (standing,) = await standings(store)
        assert (standing.state, standing.running) == ("parked", 1)
        assert "wrong" in standing.why


async def test_a_person_gives_the_block_by_hand() -> None:
    async with lived(failing([ValueError("wrong")] * 9), patient=True) as life:
        await life.until(WorldParked)
        with pytest.raises(PortError, match="blueprint"):
            await life.world.edit(["no", "mapping"])
        with pytest.raises(PortError, match="empty"):
            await life.world.edit({})
        await life.world.edit({"scene": "a hall by hand"})
        await life.until(TickFinished)
        assert life.of(TickFinished)[0].state["artifacts"]["texts"][0] == "a hall by hand"
        assert [event.how for event in life.of(WorldMended)] == ["edit"]


async def test_a_stage_is_left_out_where_the_cycle_allows_it() -> None:
    errors: list[Exception] = [ValueError("wrong")]
    async with lived(failing(errors), patient=True) as life:
        await life.until(WorldParked)
        await life.world.skip()
        await life.until(TickFinished)
        assert set(life.of(TickFinished)[0].state) == {"intent"}
        await life.until_tick(4)
    errors = []
    async with World.open(failing(errors, "philosopher")) as world:
        await world.run(ticks=1)
        errors.append(ValueError("blind"))
        with pytest.raises(ParkedError):
            await world.run(ticks=1)
        await world.skip()
        assert world.parked is None
        await world.run(ticks=1)
        assert world.content["count"]["n"] == 0, "without a description there was no chronicle, and no update"


async def test_development_and_world_update_are_not_left_out() -> None:
    @block
    def development(world: dict[str, Any], action: str | None = None) -> dict[str, Any]:
        raise ValueError("no idea")

    async with World.open(toy(development=development)) as world:
        with pytest.raises(ParkedError):
            await world.run(ticks=1)
        with pytest.raises(WorldError, match="begins the new state"):
            await world.skip()
        await world.edit({"what": "by hand", "luck": 1})
        await world.run(ticks=1)
        assert world.state["intent"]["what"] == "by hand"

    @block
    def update(chronicle: str, world: dict[str, Any]) -> list[dict[str, Any]]:
        raise ValueError("no patch")

    async with World.open(toy(update=update)) as world:
        with pytest.raises(ParkedError):
            await world.run(ticks=2)
        with pytest.raises(WorldError, match="empty patch"):
            await world.skip()
        with pytest.raises(Exception, match="/nowhere"):
            await world.edit([{"op": "replace", "path": "/nowhere/n", "value": 1}])
        await world.edit([{"op": "replace", "path": "/count/n", "value": 7}])
        await world.run(ticks=1)
        assert world.content["count"]["n"] == 7


async def test_by_letter_too_and_one_that_does_not_fit_changes_nothing() -> None:
    store = MemoryStore()
    async with store, lived(failing([ValueError("wrong")]), None, store, patient=True) as life:
        await life.until(WorldParked)
        for data in ({"command": "edit", "value": 3}, {"command": "migrate"}, {"command": "edit"}):
            await store.post("toy", Entry("command", data))
        await anyio.sleep(0.6)
        assert life.world.parked is not None
        assert await store.inbox("toy") == []
        await life.world.command("skip")
        await life.until(TickFinished)


async def test_what_was_recorded_is_taken_for_a_request_that_changed() -> None:
    store, asked, done = MemoryStore(), ["red"], []

    def painting(broken: bool) -> World:
        @block
        async def creator(blueprint: dict[str, Any], *, ctx: RunContext) -> dict[str, Any]:
            async def paint(key: str) -> str:
                done.append(asked[0])
                return asked[0]

            first = await ctx.effect("model", asked[0], paint)
            if broken:
                raise RuntimeError("after the effect")
            return {"texts": [first]}

        world: World = toy(creator=creator)
        return world

    async with store:
        with pytest.raises(ParkedError, match="after the effect"):
            await painting(True).run(store=store)
        async with World.open(painting(False), store=store) as world:
            with pytest.raises(WorldError, match="no request changed"):
                await world.migrate()
            asked[0] = "blue"
            with pytest.raises(ParkedError, match="asks for something else"):
                await world.run()
            await world.migrate()
        async with World.open(painting(False), store=store) as world:  # it is a fact of the journal
            await world.run()
            assert world.state["artifacts"]["texts"] == ["red"]
        assert done == ["red"]


async def test_an_approval_is_waited_for_and_wakes_it() -> None:
    made: list[str] = []

    @tool(approval=True)
    def forge(what: str) -> str:
        """Forge it."""
        made.append(what)
        return f"a {what}"

    usage = Usage(10, 0, requests=1)
    replies = [Reply(assistant(ToolCall("1", "forge", {"what": "nail"})), usage, "tool_calls"),
               Reply(assistant("done"), usage, "stop")]  # fmt: skip
    smith = Agent(ScriptedModel(replies), name="smith", tools=[forge])

    @block
    async def creator(blueprint: dict[str, Any], *, ctx: RunContext) -> dict[str, Any]:
        return {"texts": [(await smith.run(blueprint["scene"], context=ctx)).output]}

    store = MemoryStore()
    async with store, lived(toy(creator=creator), None, store, patient=True, ticks=1) as life:
        await life.until(WorldParked)
        (standing,) = await standings(store)
        assert standing.state == "waiting"
        assert standing.why.startswith("forge (")
        await anyio.sleep(0.3)
        assert len(life.of(WorldParked)) == 1, "it is not tried again before the answer"
        await approve("toy", store=store)
        with anyio.fail_after(10):
            await life.ended.wait()
        assert made == ["nail"]
        assert life.world.state["artifacts"]["texts"] == ["done"]


# --- budgets of a day


def talking(calls: list[int], **budget: Any) -> World:
    def say(request: Any) -> Reply:
        calls.append(1)
        return Reply(assistant(f"the {len(calls)}. word"), Usage(6, 4, requests=1, cost=0.01), "stop")

    bard = Agent(ScriptedModel(say), name="bard")

    @block
    async def creator(blueprint: dict[str, Any], *, ctx: RunContext) -> dict[str, Any]:
        return {"texts": [(await bard.run(blueprint["scene"], context=ctx)).output]}

    world: World = toy(creator=creator)
    world.set_budget(budget)
    return world


async def test_a_budget_of_a_day_is_refused_across_runs_and_refilled_when_the_day_changes() -> None:
    clock, store, calls = FakeClock(20_000 * 86_400 + 3600), MemoryStore(clock=lambda: clock()), []
    async with store:
        async with World.open(talking(calls, tokens=25, per="day"), store=store, clock=clock) as world:
            await world.run(ticks=2)
        async with World.open(talking(calls, tokens=25, per="day"), store=store, clock=clock) as world:
            await world.run(ticks=1)
            with pytest.raises(BudgetError, match="of this day"):
                await world.run(ticks=1)
            assert len(calls) == 3
        clock.advance(86_400)
        async with World.open(talking(calls, tokens=25, per="day"), store=store, clock=clock) as world:
            await world.run(ticks=1)
            assert len(calls) == 4


async def test_a_life_waits_for_the_next_day() -> None:
    clock, calls = FakeClock(20_000 * 86_400 + 3600), []
    async with lived(talking(calls, tokens=15, per="day"), clock) as life:
        await life.until_tick(2)
        await anyio.sleep(0.1)
        assert (life.world.tick, len(calls)) == (2, 2)
        clock.advance(86_400 - 3600)
        await life.until_tick(4)
        await anyio.sleep(0.1)
        assert (life.world.tick, len(calls)) == (4, 4)


async def test_a_run_may_bring_one_of_its_own() -> None:
    clock, calls = FakeClock(), []
    async with World.open(talking(calls, tokens=10_000), clock=clock) as world:
        with pytest.raises(BudgetError, match=r"0\.02 cost of this day"):
            await world.run(ticks=9, budget=Budget(cost=0.02, per="day"))
        with pytest.raises(BudgetError):
            await world.run(ticks=9, budget={"cost": 0.02, "per": "day"})
        assert len(calls) == 2


# --- followers


async def test_a_slow_follower_loses_its_place_and_is_told_where_to_read() -> None:
    store = MemoryStore()
    async with store, World.open(toy(), store=store) as world:
        slow, quick = world.events(limit=5), world.events()
        await world.run(ticks=3)
        heard = []
        async for event in quick:
            heard.append(event)
            if isinstance(event, TickFinished) and event.tick == 3:
                break
        first = await anext(slow)
        assert isinstance(first, EventsMissed)
        late = [await anext(slow) for _ in range(5)]
        assert late == heard[-5:] or late[-1].sequence >= heard[-1].sequence
        assert first.missed + 5 >= len(heard)
        assert len(await store.read(first.stream, after=first.after)) > 0
        await quick.aclose()
        before = world.tick
        await world.run(ticks=1)
        with pytest.raises(StopAsyncIteration):
            await anext(quick)
        assert world.tick == before + 1
    left = [event async for event in slow]
    assert isinstance(left[0], EventsMissed)
    assert left[-1].tick == 4, "what was told before the world was closed is still given"


async def test_a_follower_may_come_while_it_runs() -> None:
    async with lived(toy()) as life:
        await life.until_tick(2)
        follower = life.world.events()
        with anyio.fail_after(10):
            assert (await anext(follower)).tick is not None
        await follower.aclose()
