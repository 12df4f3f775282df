"""Replay: the same hashes from the journal alone, a loud end where anything was changed; and what if it had been."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.levels import toy_world as worlds
from yggdrasil import (
    Agent,
    ConfigError,
    EffectMismatchError,
    Graph,
    ParkedError,
    Pipeline,
    ReplayError,
    RunContext,
    ScriptedModel,
    Stage,
    ValidationError,
    World,
    block,
    tool,
)
from yggdrasil.core.messages import Reply, ToolCall, Usage, assistant
from yggdrasil.levels.swap import downstream
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.storage.sqlite import SqliteStore

pytestmark = pytest.mark.anyio

toy = worlds.toy


async def test_every_tick_comes_out_the_same_and_nothing_is_asked_or_written(tmp_path: Path) -> None:
    log = worlds.Log(tmp_path / "log")
    world = worlds.effect_world(log)
    async with SqliteStore(tmp_path / "w.db") as store:
        async with World.open(world, store=store, seed=3) as live:
            for tick in range(1, 13):
                await live.run(action="Kara swims" if tick % 4 == 0 else None)
            asked, before = len(log.lines()), await store.read("toy")
            found = await live.replay()  # while it is held: a replay needs no lease
            assert (found.first, found.last, found.tick_hash) == (1, 12, live.tick_hash)
            assert found.effects == asked
            assert (await (await live.at(7)).replay(first=5)).tick_hash == (await live.at(7)).tick_hash
            assert (await live.replay(first=5, last=9)).first == 5
        assert len(log.lines()) == asked
        assert await store.read("toy") == before
        assert [info.name for info in await store.streams()] == ["toy"]


async def test_what_went_wrong_on_the_way_is_replayed_too() -> None:
    state = {"intent": {"what": "a given one", "luck": 1}, "blueprint": {"scene": "as given"}}
    weak: list[bool] = []

    @block
    async def author(intent: dict[str, Any], description: dict[str, Any], *, ctx: RunContext) -> str:
        async def perform(key: str) -> str:
            return "told"

        said = await ctx.effect("model", intent["what"], perform)
        if weak:
            weak.pop()
            raise RuntimeError("after the effect")
        return said

    world = toy(author=author)
    async with MemoryStore() as store:
        async with World.open(world, store=store, seed=8) as live:
            await live.run(ticks=2)
            await live.pause()
            await live.resume()
            await live.run({"state": state}, ticks=3)
            weak.append(True)
            with pytest.raises(ParkedError):
                await live.run(ticks=2)
            await live.run(ticks=2)
            await live.fork(name="other", at=4)
            found = await live.replay()
            assert found.tick_hash == live.tick_hash
        async with World.open(world, store=store, name="other") as other:
            await other.run(ticks=2, action="another")
            assert (await other.replay()).tick_hash == other.tick_hash
    assert not weak


async def test_a_tick_under_way_is_left_out() -> None:
    broken = [False]

    @block
    def creator(blueprint: dict[str, Any]) -> dict[str, Any]:
        if broken[0]:
            raise RuntimeError("no clay")
        return {"texts": ["clay"]}

    async with MemoryStore() as store, World.open(toy(creator=creator), store=store) as live:
        await live.run(ticks=2)
        broken[0] = True
        with pytest.raises(ParkedError):
            await live.run()
        broken[0] = False
        assert (await live.replay()).last == 2


def speaking(model: ScriptedModel, instructions: str, done: list[str]) -> World:
    @tool(approval=lambda what: what == "nail")
    def forge(what: str) -> str:
        """Forge it."""
        done.append(what)
        return f"a {what}"

    smith = Agent(model, name="smith", tools=[forge], instructions=instructions)

    @block
    async def creator(blueprint: dict[str, Any], *, ctx: RunContext) -> dict[str, Any]:
        made = await smith.run("make", context=ctx)
        return {"texts": [made.output]}

    world: World = toy(creator=creator)
    return world


def reply(*said: Any) -> Reply:
    message = assistant(*said)
    return Reply(message, Usage(10, 0, requests=1), "tool_calls" if message.tool_calls else "stop")


async def test_a_changed_prompt_fails_at_its_path_and_tick() -> None:
    done: list[str] = []
    script = [reply(ToolCall("1", "forge", {"what": what})) for what in ("nail", "hook")]
    model = ScriptedModel([script[0], reply("one"), script[1], reply("two"), reply("three")])
    async with MemoryStore() as store, World.open(speaking(model, "Work.", done), store=store) as live:
        await live.run(ticks=3, approve=lambda question: True)
        silent = ScriptedModel([])
        again = World.open(speaking(silent, "Work.", done), store=store, read_only=True)
        async with again as other:
            assert (await other.replay()).tick_hash == live.tick_hash
        assert done == ["nail", "hook"]
        async with World.open(speaking(silent, "Work hard.", done), store=store, read_only=True) as other:
            with pytest.raises(ReplayError, match="tick 1: effect 0") as caught:
                await other.replay()
        assert caught.value.tick == 1
        assert caught.value.path.startswith("toy/creator/smith")
        assert isinstance(caught.value.__cause__.__cause__, EffectMismatchError)  # type: ignore[union-attr]


async def test_one_more_question_to_the_outside_is_refused() -> None:
    curious, asked = [False], []

    @block
    async def creator(blueprint: dict[str, Any], *, ctx: RunContext) -> dict[str, Any]:
        async def perform(key: str) -> str:
            asked.append(key)
            return "an answer"

        for number in range(1 + (curious[0] and ctx.run.tick == 3)):
            said = await ctx.effect("model", number, perform)
        return {"texts": [said]}

    async with MemoryStore() as store, World.open(toy(creator=creator), store=store) as live:
        await live.run(ticks=4)
        curious[0] = True
        with pytest.raises(ReplayError, match="never recorded") as caught:
            await live.replay()
        assert (caught.value.tick, caught.value.path, len(asked)) == (3, "toy/creator", 4)


@pytest.mark.parametrize("what", ["block", "seed", "dice", "patch"])
async def test_whatever_is_changed_is_found_where_it_is(what: str) -> None:
    @block
    def architect(intent: dict[str, Any]) -> dict[str, Any]:
        return {"scene": f"{intent['what']}! ({intent['luck']})"}

    @block
    def dicing(
        world: dict[str, Any], action: str | None = None, proposal: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        return {"what": action or f"day {world['count']['n']}", "luck": random.random()}

    @block
    def other_update(chronicle: str, world: dict[str, Any]) -> list[dict[str, Any]]:
        patch = list(worlds.update(chronicle, world))
        return patch if world["count"]["n"] < 2 else [*patch, {"op": "add", "path": "/new", "value": 1}]

    wanted = {
        "block": (toy(architect=architect), None, 1, "toy/architect"),
        "seed": (toy(), 6, 1, "toy/environment/development"),
        "dice": (toy(development=dicing), None, 1, "toy/environment/development"),
        "patch": (toy(update=other_update), None, 4, "toy/environment/update"),
    }
    changed, seed, tick, path = wanted[what]
    async with MemoryStore() as store:
        async with World.open(toy(), store=store, seed=5) as live:
            await live.run(ticks=5)
        async with World.open(changed, store=store, read_only=True) as other:
            with pytest.raises(ReplayError, match=f"tick {tick}: stage") as caught:
                await other.replay(seed=seed)
        assert (caught.value.tick, caught.value.path) == (tick, path)


async def test_midgard_is_replayed() -> None:
    async with World.open("midgard", overlay="text", seed=7) as world:
        await world.run(ticks=6, action="Kara lights the beacon")
        found = await world.replay()
        assert found.tick_hash == world.tick_hash
        assert (await world.replay(first=4)).stages < found.stages


# --- what if


def deep() -> World:
    """The Author is a stage of a pipeline of a graph with two nodes."""

    @block
    def scribe(intent: dict[str, Any]) -> str:
        return f"It came to pass: {intent['what']}"

    @block
    def polish(text: str) -> str:
        return f"{text}."

    graph = Graph("draft")
    graph.add_node("scribe", scribe)
    graph.add_node("polish", polish)
    graph.add_edge("scribe", "polish.text")
    graph.expose_input("scribe.intent", name="intent")
    graph.expose_output("polish.output", name="text")
    pipeline = Pipeline("tell")
    pipeline.add_graph("draft", graph)
    pipeline.expose_input("draft.intent", name="intent")
    pipeline.expose_output("draft.text", name="text")
    stage = Stage("author")
    stage.add_pipeline("tell", pipeline)
    stage.expose_input("tell.intent", name="intent")
    stage.expose_output("tell.text", name="chronicle")
    world: World = toy(author=stage)
    return world


async def test_what_if_a_block_had_been_another() -> None:
    @block
    def poet(intent: dict[str, Any]) -> str:
        return f"O {intent['what']}"

    world = deep()
    async with MemoryStore() as store, World.open(world, store=store, seed=2) as live:
        for tick in range(1, 9):
            await live.run(action=f"deed {tick}" if tick == 6 else None)
        found = await live.counterfactual("author/tell/draft/scribe", poet, at=4, name="poet", ticks=3)
        assert found.downstream == (
            "author/tell/draft/polish", "environment/update", "environment/development", "architect", "creator",
            "philosopher", "author",
        )  # fmt: skip
        parted = found.difference.parted
        assert parted is not None
        assert (parted.tick, parted.stage) == (5, "author")
        assert found.difference.a.tick == found.difference.b.tick == 7
        assert {c.part for c in found.difference.changes} == {"history"}, "a poet changes the words, not the world"
        told = "\n".join(found.tell())
        assert "author/tell/draft/scribe was another from tick 5 on" in told
        assert "they part in tick 5, at author" in told
        async with World.open(world, store=store, name="poet") as fork:
            assert fork.tick == 7
            assert [entry["text"][:4] for entry in await fork.history()] == ["It c"] * 3 + ["O da"] * 2 + ["O de"]
        assert live.tick == 8
        assert (await live.replay()).tick_hash == live.tick_hash, "the world itself has its own block still"


async def test_the_same_block_parts_nothing() -> None:
    async with MemoryStore() as store, World.open(toy(), store=store) as live:
        await live.run(ticks=4, action="Kara swims")
        found = await live.counterfactual("creator", worlds.creator, at=1, name="same", ticks=5)
        assert found.difference.parted is None
        assert found.difference.same
        assert found.downstream == ("philosopher", "author", "environment/update", "environment/development",
                                    "architect", "creator")  # fmt: skip


async def test_what_cannot_stand_there_leaves_no_fork() -> None:
    @block
    def wrong(nobody: str) -> str:
        return nobody

    async with MemoryStore() as store, World.open(deep(), store=store) as live:
        await live.run(ticks=2)
        for path, kind in (("author/tell/nobody", ConfigError), ("author", ValidationError)):
            with pytest.raises(kind):
                await live.counterfactual(path, wrong, at=1, name="other")
        assert [info.name for info in await store.streams()] == ["toy"]
    assert downstream(deep(), "author/tell/draft/polish")[0] == "environment/update"


async def test_what_a_person_gave_or_left_out_is_replayed_so() -> None:
    wrong: list[str] = []

    def failing(name: str) -> Any:
        @block
        def philosopher(artifacts: dict[str, Any]) -> dict[str, Any]:
            return _or_fail(name, worlds.philosopher(artifacts))

        @block
        def update(chronicle: str, world: dict[str, Any]) -> list[dict[str, Any]]:
            return _or_fail(name, worlds.update(chronicle, world))

        @block
        def architect(intent: dict[str, Any]) -> dict[str, Any]:
            return _or_fail(name, worlds.architect(intent))

        return {"philosopher": philosopher, "update": update, "architect": architect}[name]

    def _or_fail(name: str, value: Any) -> Any:
        if wrong == [name]:
            raise ValueError(f"{name} has no idea")
        return value

    async with World.open(toy(**{n: failing(n) for n in ("philosopher", "update", "architect")})) as live:
        await live.run(ticks=2)
        for name, value in (
            ("philosopher", None),
            ("architect", {"scene": "by hand"}),
            ("update", [{"op": "replace", "path": "/count/n", "value": 40},
                        {"op": "add", "path": "/history/-", "value": {"told": "by hand"}}]),
        ):  # fmt: skip
            wrong[:] = [name]
            with pytest.raises(ParkedError):
                await live.run(ticks=1)
            await (live.skip() if value is None else live.edit(value))
            wrong.clear()
            await live.run(ticks=1)
            await live.run(ticks=1)
        assert {"told": "by hand"} in await live.history()
        found = await live.replay()
        assert (found.last, found.tick_hash) == (live.tick, live.tick_hash)
