"""Worlds of function stages, in memory and on SQLite: opening, running, events, parking, actions, content."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from yggdrasil import (
    ConfigError,
    EndWorldError,
    Event,
    LeaseError,
    ParkedError,
    PatchError,
    PortError,
    ValidationError,
    World,
    WorldError,
    block,
    run_sync,
)
from yggdrasil.core.blob import references
from yggdrasil.core.events import (
    ActionReceived,
    RunFinished,
    StageFinished,
    StageSkipped,
    StageStarted,
    StateDropped,
    TickFinished,
    TickStarted,
    WorldOpened,
    WorldParked,
    WorldPaused,
    WorldResumed,
    WorldStopped,
    WorldUpdated,
)
from yggdrasil.core.state import BLOCKS
from yggdrasil.levels.live import LiveWorld
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.storage.sqlite import SqliteStore

pytestmark = pytest.mark.anyio


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


worlds = _load("toy_world")
toy = worlds.toy


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "worlds.db")
    async with made:
        yield made


async def collect(world: LiveWorld, **options: Any) -> list[Event]:
    return [event async for event in world.stream(**options)]


# --- living


async def test_an_empty_start_lives(store: Any) -> None:
    async with World.open(toy(), store=store) as world:
        assert (world.tick, dict(world.state), world.tick_hash) == (0, {}, "")
        result = await world.run(ticks=5)
        assert world.tick == 5
        assert result["state"] == world.state
        assert set(world.state) == set(BLOCKS[:3])
        assert world.content["count"]["n"] == 4
        assert world.content["history"]["length"] == 4
    records = await store.read("toy")
    assert [record.sequence for record in records] == list(range(1, len(records) + 1))
    saved = [record.data["state"] for record in records if record.kind == "updated"]
    assert len(saved) == 4, "empty start, 5 ticks: 4 saved full states"
    assert all(set(state) == set(BLOCKS) for state in saved)


async def test_reopened_it_goes_on(store: Any) -> None:
    async with World.open(toy(), store=store, seed=7) as world:
        await world.run(ticks=3)
        there = world.content_hash, world.tick_hash, dict(world.state)
    async with World.open(toy(), store=store) as world:
        assert (world.tick, world.seed) == (3, 7)
        assert (world.content_hash, world.tick_hash, dict(world.state)) == there
        await world.run(ticks=2)
        hashes = world.content_hash, world.tick_hash
    async with World.open(toy(), seed=7) as other:
        await other.run(ticks=5)
        assert (other.content_hash, other.tick_hash) == hashes
    async with World.open(toy(), seed=8) as other:
        await other.run(ticks=5)
        assert other.tick_hash != hashes[1]


async def test_another_seed_is_refused(store: Any) -> None:
    async with World.open(toy(), store=store, seed=7):
        pass
    with pytest.raises(ConfigError, match="lives with seed 7; it cannot go on with 8"):
        await toy().run(store=store, seed=8)
    async with World.open(toy(), store=store, seed=7) as world:
        with pytest.raises(ConfigError, match="seed 7"):
            await world.run(seed=9)


@pytest.mark.parametrize("blocks", [(), BLOCKS[:1], BLOCKS[:2], BLOCKS[:3], BLOCKS[:4], BLOCKS])
async def test_the_canons_table_with_a_state_handed_in(blocks: tuple[str, ...]) -> None:
    whole = {
        "intent": {"what": "a feast", "luck": 1},
        "blueprint": {"scene": "hall"},
        "artifacts": {"texts": ["a song"]},
        "description": {"seen": ["a song"]},
        "chronicle": "They feasted.",
    }
    given = {name: whole[name] for name in blocks}
    async with World.open(toy()) as world:
        events = [event async for event in world.stream(given)]
        before = [b for b in BLOCKS[3:] if b not in blocks] if len(blocks) >= 3 else []
        filled = [e.block for e in events if isinstance(e, StageFinished)]
        assert filled == [*before, *BLOCKS[:3]]
        assert sum(isinstance(e, WorldUpdated) for e in events) == (len(blocks) >= 3)
        dropped = [e.filled for e in events if isinstance(e, StateDropped)]
        assert dropped == ([blocks] if 0 < len(blocks) < 3 else [])
        expected = "a feast" if dropped else f"day {1 if before or len(blocks) == 5 else 0}"
        assert world.state["intent"]["what"] == expected, "a dropped state is development's proposal"


async def test_events_tell_what_happened() -> None:
    async with World.open(toy()) as world:
        events = await collect(world, ticks=2, action="Kara lights the beacon")
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    inside = [e for e in events if type(e).__name__ not in ("RunStarted", "RunFinished")]
    assert all(event.tick is not None for event in inside)
    first = [e for e in inside if e.tick in (0, 1)]
    assert [type(e) for e in first] == [
        WorldOpened, ActionReceived, TickStarted, *[StageSkipped] * 3, *[StageStarted, StageFinished] * 3, TickFinished
    ]  # fmt: skip
    assert [e.path for e in first if isinstance(e, StageStarted)] == [
        "toy/environment/development", "toy/architect", "toy/creator"
    ]  # fmt: skip
    staged = [event for event in inside if hasattr(event, "stage")]
    assert all(event.path == f"toy/{event.stage}" for event in staged)
    assert {event.path for event in inside if event not in staged} == {"toy", "toy/environment/update"}
    finished = [e for e in events if isinstance(e, TickFinished)]
    assert [e.tick for e in finished] == [1, 2]
    assert finished[-1].tick_hash == world.tick_hash
    assert finished[-1].state == world.state
    assert isinstance(events[-1], RunFinished)
    assert events[-1].result["state"] == world.state


async def test_an_action_reaches_development_only(store: Any) -> None:
    seen: dict[str, Any] = {}

    @block
    def curious(world: dict[str, Any], action: str | None = None) -> dict[str, Any]:
        seen[str(world["count"]["n"])] = action
        return {"what": action or "nothing", "luck": 0}

    async with World.open(toy(development=curious), store=store) as world:
        await world.act("sing")
        await world.act("dance")
        await world.run(ticks=1, action="jump")
        await world.run(ticks=3)
        assert seen == {"0": "sing", "1": "dance", "2": "jump", "3": None}
        assert await store.inbox("toy") == []
    actions = [record.data["text"] for record in await store.read("toy", kinds=("action",))]
    assert actions == ["sing", "dance", "jump"]


async def test_a_world_that_is_not_opened_opens_itself(store: Any) -> None:
    result = await toy().run(ticks=2, store=store, seed=3)
    assert result["state"]["intent"]["what"] == "day 1"
    assert result.path == "toy"
    async with World.open(toy(), store=store) as world:
        assert (world.tick, world.seed) == (2, 3)


def test_without_an_event_loop() -> None:
    assert run_sync(toy(), ticks=2)["state"]["intent"]["what"] == "day 1"


async def test_the_stream_leaves_nothing_behind() -> None:
    async with World.open(toy()) as world:
        events = world.stream(ticks=1000)
        async for event in events:
            if isinstance(event, StageFinished) and event.tick == 3:
                break
        await events.aclose()  # type: ignore[attr-defined]
        there = world.tick
        await anyio.sleep(0.02)
        assert world.tick == there
        await world.run(ticks=2)
        assert world.tick == there + 2
        hashes = world.tick_hash
    async with World.open(toy()) as other:
        await other.run(ticks=there + 2)
        assert other.tick_hash == hashes


async def test_one_run_at_a_time_and_closing_ends_it() -> None:
    started = anyio.Event()

    @block
    async def endless(blueprint: dict[str, Any]) -> dict[str, Any]:
        started.set()
        await anyio.sleep_forever()
        return {}

    failures: list[Exception] = []

    async def run(world: Any) -> None:
        try:
            await world.run()
        except WorldError as error:
            failures.append(error)

    async with anyio.create_task_group() as group, World.open(toy(creator=endless)) as world:
        group.start_soon(run, world)
        await started.wait()
        with pytest.raises(WorldError, match="runs already"):
            await world.run()
    assert "was closed while it ran" in str(failures[0])


# --- stopping, pausing


async def test_stop_ends_between_two_stages(store: Any) -> None:
    async with World.open(toy(), store=store) as world:
        events = []
        async for event in world.stream(ticks=100):
            events.append(event)
            if isinstance(event, StageFinished) and event.tick == 2 and event.stage == "author":
                world.stop("enough")
        assert [e.reason for e in events if isinstance(e, WorldStopped)] == ["enough"]
        assert world.tick < 4
    async with World.open(toy(), store=store) as world:
        await world.run(ticks=6 - world.tick)
        hashes = world.tick_hash
    async with World.open(toy()) as other:
        await other.run(ticks=6)
        assert other.tick_hash == hashes


async def test_commands_from_elsewhere(store: Any) -> None:
    slow = worlds.slow_toy(0.01)
    events: list[Event] = []
    seen = {kind: anyio.Event() for kind in (StageFinished, WorldPaused, WorldResumed)}

    def hear(event: Event) -> None:
        events.append(event)
        if type(event) in seen:
            seen[type(event)].set()

    async def run(world: LiveWorld) -> None:
        await world.run(ticks=10_000, hooks=[hear])

    async with (
        World.open(slow, store=store) as world,
        World.open(slow, store=store, name="toy", read_only=True) as other,
    ):
        async with anyio.create_task_group() as group:
            group.start_soon(run, world)
            with anyio.fail_after(10):
                await seen[StageFinished].wait()
                await other.pause()
                await seen[WorldPaused].wait()
                there = world.status
                await anyio.sleep(0.05)
                assert world.status is there
                await other.resume()
                await seen[WorldResumed].wait()
                await other.command("stop")
        assert isinstance(events[-2], WorldStopped)
        await other.refresh()
        assert other.tick == world.tick


async def test_a_stale_stop_does_not_stop_the_next_run(store: Any) -> None:
    async with World.open(toy(), store=store) as world:
        await world.command("stop")
        await world.run(ticks=2)
        assert world.tick == 2
        assert await store.inbox("toy") == []


# --- parking


async def test_a_failing_stage_parks_the_world_and_is_tried_again(store: Any) -> None:
    broken = True

    @block
    def moody(blueprint: dict[str, Any]) -> dict[str, Any]:
        if broken and "day 1" in blueprint["scene"]:
            raise ValueError("the brush broke")
        return {"texts": [blueprint["scene"]]}

    async with World.open(toy(creator=moody), store=store) as world:
        events: list[Event] = []
        with pytest.raises(ParkedError, match="the brush broke") as caught:
            await world.run(ticks=5, hooks=[events.append])
        assert caught.value.path == "toy/creator"
        parked = [e for e in events if isinstance(e, WorldParked)]
        assert [(e.stage, e.tick) for e in parked] == [("creator", 2)]
        there = world.tick, world.tick_hash, world.content_hash
        assert there[0] == 1
    record = (await store.read("toy", kinds=("parked",)))[0].data
    assert record["error"] == "ValueError: the brush broke"
    assert len(record["inputs"]) == 64
    async with World.open(toy(creator=moody), store=store) as world:
        assert world.parked is not None
        assert (world.tick, world.tick_hash, world.content_hash) == there
        with pytest.raises(ParkedError):
            await world.run()
        broken = False
        started = [e.stage for e in await collect(world, ticks=2) if isinstance(e, StageStarted) and e.tick == 2]
        assert started == ["creator"], "what was done in the tick is not done again"
        assert world.parked is None
        assert world.tick == 3


@pytest.mark.parametrize(
    ("stage", "gives", "said"),
    [
        ("architect", {}, "left its block blueprint empty"),
        ("creator", {"texts": [], "images": []}, "left its block artifacts empty"),
        ("author", "  ", "left its block chronicle empty"),
        ("creator", {"texts": [object()]}, "object cannot be stored"),
        ("update", [{"op": "remove", "path": "/nowhere"}], "operation 0 (remove /nowhere)"),
        ("update", [{"op": "replace", "path": "/history", "value": []}], "the history is only added to"),
        ("update", None, "gave no patch"),
        ("update", {"op": "add"}, "a patch is a list"),
    ],
)
async def test_what_does_not_fit_parks(stage: str, gives: Any, said: str) -> None:
    ports: dict[str, Any] = {"architect": "intent", "creator": "blueprint", "author": "intent", "update": "chronicle"}

    def function(**inputs: Any) -> Any:
        return gives

    made = block(eval(f"lambda {ports[stage]}: function()", {"function": function}))
    async with World.open(toy(**{stage: made})) as world:
        with pytest.raises(ParkedError) as caught:
            await world.run(ticks=2)
        assert said in str(caught.value)
        assert world.content_hash == (await _hash_of_new())
        if stage == "update" and gives:
            assert isinstance(caught.value.__cause__, PatchError)


async def _hash_of_new() -> str:
    async with World.open(toy()) as world:
        return world.content_hash


async def test_no_stage_can_change_the_world_but_by_its_output() -> None:
    @block
    def sly(chronicle: str, intent: dict[str, Any], world: dict[str, Any]) -> list[dict[str, Any]]:
        world["count"]["n"] = 99
        return []

    async with World.open(toy(update=sly)) as world:
        with pytest.raises(ParkedError, match="belongs to the world"):
            await world.run(ticks=2)
        assert world.content["count"]["n"] == 0


# --- artifacts


async def test_artifacts_are_blobs_in_the_store(store: Any) -> None:
    sizes: list[int] = []

    @block
    def looking(artifacts: dict[str, Any]) -> dict[str, Any]:
        sizes.append(len(artifacts["texts"][1].data))
        return {"seen": sizes[-1:]}

    async with World.open(toy(philosopher=looking), store=store) as world:
        await world.run(ticks=1)
        reference = next(references(world.state))
        assert len(await world.blob(reference["$blob"])) == reference["size"]
    async with World.open(toy(philosopher=looking), store=store) as world:
        await world.run(ticks=1)
    assert sizes == [reference["size"]]


# --- content


async def test_content_is_exported_with_its_history(store: Any) -> None:
    async with World.open(toy(), store=store) as world:
        await world.run(ticks=20)
        exported = await world.export_content()
        assert [entry["n"] for entry in exported["history"]] == list(range(1, 20))
        hashed = world.content_hash
        document = await world.export()
    async with World.open(toy(), store=store, read_only=True) as world:
        assert await world.export_content() == exported
    async with World.open(document) as end:
        assert end.content_hash == hashed
        assert end.content["count"]["n"] == 19
        assert await end.export_content() == exported
        assert end.definition.validate() == []
        for refused in (end.run(), end.act("x"), end.pause(), end.run(ticks=3)):
            with pytest.raises(EndWorldError, match="is an End World"):
                await refused


async def test_read_only(store: Any) -> None:
    with pytest.raises(Exception, match="there is no world 'toy' here"):
        async with World.open(toy(), store=store, read_only=True):
            pass
    async with World.open(toy(), store=store) as world:
        await world.run(ticks=2)
        async with World.open(toy(), store=store, read_only=True) as reader:
            assert reader.tick_hash == world.tick_hash
            with pytest.raises(WorldError, match="read-only"):
                await reader.run()
            await world.run()
            assert reader.tick == 2
            await reader.refresh()
            assert reader.tick == 3


# --- who holds it


async def test_the_second_to_open_it_is_told_who_holds_it(store: Any) -> None:
    async with World.open(toy(), store=store) as world:
        await world.run()
        with pytest.raises(LeaseError, match=r"is held by '\S+:\d+'"):
            async with World.open(toy(), store=store):
                pass
        async with World.open(toy(), store=store, name="other") as other:
            await other.run()
            assert other.tick_hash == world.tick_hash, "the stream's name is not the world's"
    async with World.open(toy(), store=store) as world:
        assert world.tick == 1


async def test_a_stale_holder_writes_nothing(tmp_path: Path) -> None:
    now = [1000.0]
    store = SqliteStore(tmp_path / "w.db", clock=lambda: now[0])
    async with store, World.open(toy(), store=store) as stale:
        await stale.run(ticks=2)
        now[0] += 60.0
        async with World.open(toy(), store=store) as holder:
            await holder.run(ticks=1)
            there = await store.head("toy")
            with pytest.raises(LeaseError, match="passed on"):
                await stale.run(ticks=1)
            assert await store.head("toy") == there
            await holder.run(ticks=1)
            assert holder.tick == 4


# --- building and checking


def sentences(world: World) -> list[str]:
    return [f"{p.path}: {p.sentence}" for p in world.validate() if p.level == "error"]


def test_a_whole_world_is_valid() -> None:
    assert toy().validate() == []
    assert list(toy().dry_order()) == [f"toy/{name}" for name in worlds.STAGES]


def test_a_missing_stage_and_a_block_nobody_fills() -> None:
    world = toy(architect=None)
    assert sentences(world) == ["architect: the cycle has no stage 'architect'"]
    world.set_cycle(["philosopher", "author", "environment", "creator"])
    found = sentences(world)
    assert "creator: it reads 'blueprint', which nobody fills before it in the cycle" in found
    with pytest.raises(ValidationError, match="toy/creator"):
        world.validate(strict=True)


async def test_a_broken_world_is_not_opened(store: Any) -> None:
    with pytest.raises(ValidationError):
        async with World.open(toy(creator=None), store=store):
            pass
    assert await store.streams() == []


def test_other_mistakes() -> None:
    @block
    def strange(intent: dict[str, Any], blueprnt: dict[str, Any]) -> dict[str, Any]:
        return {}

    assert "did you mean 'blueprint'" in sentences(toy(creator=strange))[0]

    @block
    def number(chronicle: str) -> int:
        return 1

    assert "a patch is a list of operations, not int" in sentences(toy(update=number))[0]

    @block
    def greedy(intent: dict[str, Any], action: str) -> dict[str, Any]:
        return {}

    assert "only environment/development is given the action" in sentences(toy(architect=greedy))[0]
    world = toy()
    with pytest.raises(ConfigError, match="is there already"):
        world.add_stage("author", worlds.author)
    with pytest.raises(ConfigError, match="twice"):
        world.set_cycle(["author", "author"])
    with pytest.raises(ConfigError, match="did you mean"):
        world.set_durability("effects")
    with pytest.raises(ConfigError):
        world.set_initial_world([])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="is no Stage"):
        world.set_state_contract("author", reads=["intent"])
    with pytest.raises(ConfigError, match="did you mean 'author'"):
        world.set_state_contract("autor", reads=["intent"])
    world.add_stage("poet", worlds.author)
    assert any("not in the cycle" in s for s in sentences(world))


async def test_bad_options() -> None:
    async with World.open(toy()) as world:
        await world.run("sing", ticks=0)
        assert [letter.data for letter in await world.store.inbox("toy")] == [{"text": "sing"}]
        with pytest.raises(PortError, match="the action is empty"):
            await world.act(" ")
        for options in ({"ticks": -1}, {"ticks": "3"}, {"ticks": True}, {"state": {"stat": 1}}, {"action": 3}):
            with pytest.raises(PortError):
                await world.run(**options)
        assert world.tick == 0


async def test_an_own_cycle_with_an_extra_block() -> None:
    @block
    def poet(intent: dict[str, Any]) -> str:
        return f"a verse on {intent['what']}"

    @block
    def painter(blueprint: dict[str, Any], verse: str) -> dict[str, Any]:
        return {"texts": [blueprint["scene"], verse]}

    world = toy(creator=painter)
    world.set_state_schema({"blocks": {"verse": {"doc": "a poem"}}})
    world.add_stage("verse_stage", _filling(poet, "verse"))
    world.set_state_contract("verse_stage", fills="verse")
    world.set_cycle(["philosopher", "author", "environment", "verse_stage", "architect", "creator"])
    assert world.validate() == []
    async with World.open(world) as live:
        await live.run(ticks=2)
        assert live.state["verse"] == "a verse on day 1"
        assert live.state["artifacts"]["texts"][1] == "a verse on day 1"


def _filling(what: Any, name: str) -> Any:
    from yggdrasil.levels.stage import Stage

    stage = Stage(name)
    stage.add("poet", what)
    stage.expose_input("poet", "intent", name="intent")
    stage.expose_output("poet", "output", name=name)
    return stage


@pytest.mark.parametrize("level", ["step", "effect", "stage", "tick", "none"])
async def test_every_durability_ends_alike(level: str, tmp_path: Path) -> None:
    world = toy()
    world.set_durability(level)
    async with World.open(world, store=f"sqlite:///{tmp_path / 'w.db'}") as live:
        await live.run(ticks=12)
        assert live.tick == 12
    async with World.open(toy(), store=f"sqlite:///{tmp_path / 'w.db'}") as again:
        assert again.tick == 12
        await again.run(ticks=3)
        hashes = again.tick_hash
    async with World.open(toy()) as other:
        await other.run(ticks=15)
        assert other.tick_hash == hashes
