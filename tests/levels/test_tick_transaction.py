"""A tick is a transaction: a failure three levels down changes nothing, and nobody writes but through his contract."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

import pytest

from tests.levels import toy_world as worlds
from yggdrasil import Agent, Graph, ParkedError, Pipeline, RunContext, ScriptedModel, Stage, World, block, tool
from yggdrasil.abc.block import Block
from yggdrasil.core.canonical import digest
from yggdrasil.core.frozen import thaw
from yggdrasil.core.messages import Reply, ToolCall, Usage, assistant
from yggdrasil.core.state import state_hash
from yggdrasil.levels.verify import verify
from yggdrasil.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio

STAGES = {
    "philosopher": "description", "author": "chronicle", "environment/update": "patch",
    "environment/development": "intent", "architect": "blueprint", "creator": "artifacts",
}  # fmt: skip


class Failing:
    """Fails in tick `tick`, as often as it is told to, after it has asked the outside."""

    def __init__(self, tick: int, times: int) -> None:
        self.tick, self.times, self.tried, self.asked = tick, times, 0, 0

    def block(self) -> Any:
        @block
        async def check(value: Any, *, ctx: RunContext) -> Any:
            async def perform(key: str) -> str:
                self.asked += 1
                return "fine"

            await ctx.effect("tool", "is it fine?", perform)
            if ctx.run.tick == self.tick and self.tried < self.times:
                self.tried += 1
                raise RuntimeError("three levels down")
            return value

        return check


def deep(name: str, failing: Failing, retry: int | None) -> World:
    """The toy world, where stage `name` is a stage of a pipeline of a graph of its function and a check after it."""
    inner = worlds.STAGES[name]
    fills = STAGES[name]
    graph = Graph("inner")
    graph.add_node("work", inner)
    graph.add_node("check", failing.block(), retry=retry)
    graph.add_edge("work", "check.value")
    pipeline, stage = Pipeline("middle"), Stage("outer")
    for port in inner.spec.inputs:
        graph.expose_input(f"work.{port}", name=port)
    graph.expose_output("check", name=fills)
    pipeline.add_graph("inner", graph)
    stage.add_pipeline("middle", pipeline)
    for port in inner.spec.inputs:
        pipeline.expose_input(f"inner.{port}", name=port)
        stage.expose_input(f"middle.{port}", name=port)
    pipeline.expose_output(f"inner.{fills}", name=fills)
    stage.expose_output(f"middle.{fills}", name=fills)
    world: World = worlds.toy(**{name.rpartition("/")[2]: stage})
    return world


def hashes(world: Any) -> tuple[str, str, str, int]:
    return world.state_hash, world.content_hash, world.tick_hash, world.tick


@pytest.mark.parametrize("retry", [None, 3], ids=["once", "three times"])
@pytest.mark.parametrize("name", STAGES)
async def test_a_failure_three_levels_down_leaves_everything_as_before(name: str, retry: int | None) -> None:
    failing = Failing(tick=3, times=retry or 1)
    calm = Failing(tick=0, times=0)
    async with MemoryStore() as quiet, World.open(deep(name, calm, retry), store=quiet, seed=1) as undisturbed:
        await undisturbed.run(ticks=3)
        wanted = hashes(undisturbed)
    async with MemoryStore() as store, World.open(deep(name, failing, retry), store=store, seed=1) as world:
        await world.run(ticks=2)
        known = {"": hashes(world)}
        at_stage: list[tuple[str, str, str, int]] = []

        def hear(event: Any) -> None:
            if event.kind == "stage_started" and event.stage == name:
                at_stage.append(hashes(world))

        before = await store.head("toy")
        with pytest.raises(ParkedError, match="three levels down") as caught:
            await world.run(hooks=[hear])
        assert caught.value.path == f"toy/{name}/middle/inner/check"
        assert failing.tried == (retry or 1)
        assert hashes(world) == at_stage[-1], "the state is what it was when the stage began"
        assert hashes(world)[1:] == known[""][1:] or name not in ("philosopher", "author", "environment/update")
        recorded = await store.read("toy", after=before)
        assert not [r for r in recorded if r.data.get("stage") == name and r.kind == "stage"]
        assert [r.kind for r in recorded][-1] == "parked"
        async with World.open(deep(name, failing, retry), store=store, read_only=True) as other:
            assert hashes(other) == hashes(world), "and so it is for whoever opens it"
        await world.run(ticks=1)
        assert hashes(world) == wanted, "then it is as if nothing had happened"
        assert failing.asked == calm.asked, "and nothing was asked twice"
        assert (await verify(store, "toy", world.definition)).whole


async def test_a_patch_is_applied_as_a_whole_or_not_at_all() -> None:
    bad = [True]

    @block
    def update(chronicle: str, world: dict[str, Any]) -> list[dict[str, Any]]:
        patch = list(worlds.update(chronicle, world))
        return [*patch, {"op": "replace", "path": "/nowhere/at/all", "value": 1}] if bad[0] else patch

    async with MemoryStore() as store, World.open(worlds.toy(update=update), store=store) as world:
        await world.run(ticks=1)
        before = world.content_hash, await world.history(), thaw(world.content)
        with pytest.raises(ParkedError, match="operation 3"):
            await world.run()
        assert (world.content_hash, await world.history(), thaw(world.content)) == before
        bad[0] = False
        await world.run()
        assert (await verify(store, "toy", world.definition)).whole


# --- hostile blocks and tools

Attack = Callable[[Any], Any]


def _containers(value: Any) -> list[Any]:
    found = [value]
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            found += _containers(item)
    return found


def politely(value: Any) -> None:
    """What a program does by mistake: refused with a reason."""
    if isinstance(value, dict):
        for change in (
            lambda: value.__setitem__("evil", 1), lambda: value.update(evil=1), lambda: value.setdefault("evil", 1),
            value.clear, value.popitem, lambda: value.__ior__({"evil": 1}), lambda: value.pop(next(iter(value))),
        ):  # fmt: skip
            with pytest.raises(TypeError, match="belongs to the world"):
                change()
    else:
        for change in (
            lambda: value.append(1), lambda: value.extend([1]), lambda: value.insert(0, 1), value.clear, value.sort,
            value.reverse, lambda: value.__iadd__([1]), lambda: value.__imul__(2), lambda: value.__setitem__(0, 1),
        ):  # fmt: skip
            with pytest.raises(TypeError, match="belongs to the world"):
                change()


def by_force(value: Any) -> None:
    """Past every guard: what C code and unbound methods do."""
    if isinstance(value, dict):
        dict.__setitem__(value, "evil", {"by": "force"})
        dict.pop(value, next(iter(value)))
    else:
        heapq.heappush(value, "evil") if all(isinstance(item, str) for item in value) else list.append(value, "evil")
        list.reverse(value)


def anew(value: Any) -> None:
    """Made again in its place."""
    value.__init__({"evil": 1} if isinstance(value, dict) else ["evil"])


def in_disguise(value: Any) -> None:
    """Of another class, that allows everything."""

    class Open(type(value).__mro__[1]):  # type: ignore[misc]
        __slots__ = ()

    try:
        object.__setattr__(value, "__class__", Open)
    except TypeError:
        by_force(value)
    else:
        value.clear()


ATTACKS = [by_force, anew, in_disguise]


def attacked(stage: str, attack: Attack, done: list[int]) -> World:
    inner = worlds.STAGES[stage]

    async def hostile(inputs: dict[str, Any], ctx: RunContext) -> Any:
        outputs = thaw(await inner.execute(dict(inputs), ctx))
        for value in inputs.values():
            for container in _containers(value) if isinstance(value, dict | list) else []:
                attack(container)
                done.append(1)
        return outputs

    class Wrapped(Block):
        block_type = "test/hostile"

        @property
        def spec(self) -> Any:
            return inner.spec

        async def execute(self, inputs: Any, ctx: RunContext) -> Any:
            return await hostile(dict(inputs), ctx)

    return worlds.toy(**{stage.rpartition("/")[2]: Wrapped()})  # type: ignore[no-any-return]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_a_hostile_block_changes_neither_state_nor_content(stage: str, attack: Attack) -> None:
    done: list[int] = []
    async with MemoryStore() as store:
        seen: list[tuple[str, str, str, int]] = []
        async with World.open(attacked(stage, attack, done), store=store, seed=1) as world:
            for _ in range(3):
                try:
                    await world.run()
                except ParkedError:  # it broke its own copy of the content, and stumbled over that
                    assert stage.startswith("environment")
                    break
                seen.append(hashes(world))
                assert world.state_hash == state_hash(world.state)
                sections = {name: digest(value) for name, value in world.content.items() if name != "history"}
                assert sections == dict(world.status.content.digests)
                assert "evil" not in str(thaw(world.content)) + str(thaw(world.state))
        assert done
        found = await verify(store, "toy", worlds.toy())
        assert found.whole, found.problems
        async with World.open(worlds.toy(), store=store, read_only=True) as again:
            assert not seen or hashes(again)[3] >= seen[-1][3]


@pytest.mark.parametrize("stage", STAGES)
async def test_a_block_that_errs_is_told_so(stage: str) -> None:
    done: list[int] = []
    async with World.open(attacked(stage, politely, done)) as world:
        await world.run(ticks=3)
        plain = worlds.toy()
    async with World.open(plain) as calm:
        await calm.run(ticks=3)
        assert hashes(world) == hashes(calm)
    assert done


async def test_what_a_block_gave_is_no_longer_its_own() -> None:
    kept: list[Any] = []

    @block
    def architect(intent: dict[str, Any], world: dict[str, Any]) -> dict[str, Any]:
        given = {"scene": f"{intent['what']} ({intent['luck']})", "places": world["places"], "list": [1]}
        kept.append(given)
        return given

    @block
    def creator(blueprint: dict[str, Any]) -> dict[str, Any]:
        for container in _containers(kept[-1]):
            by_force(container)
        return {"texts": [blueprint["scene"]]}

    made = worlds.toy(architect=architect, creator=creator)
    async with MemoryStore() as store, World.open(made, store=store) as world:
        await world.run(ticks=3)
        assert "evil" not in str(thaw(world.state)) + str(thaw(world.content))
        assert (await verify(store, "toy", world.definition)).whole


async def test_a_tool_inside_a_stage_writes_nothing_either() -> None:
    seen: list[Any] = []

    @tool
    def meddle(place: str) -> str:
        """Meddle."""
        for container in _containers(seen[-1]):
            by_force(container)
        return "meddled"

    model = ScriptedModel([
        Reply(message, Usage(1, 1, requests=1), "tool_calls" if message.tool_calls else "stop")
        for message in (assistant(ToolCall("1", "meddle", {"place": "ford"})), assistant("done"))
    ])  # fmt: skip
    agent = Agent(model, tools=[meddle])

    @block
    async def architect(intent: dict[str, Any], world: dict[str, Any], *, ctx: RunContext) -> dict[str, Any]:
        seen.append({"intent": intent, "world": world})
        said = await agent.run("Go.", context=ctx)
        return {"scene": said.output}

    async with MemoryStore() as store, World.open(worlds.toy(architect=architect), store=store) as world:
        await world.run()
        assert set(world.state) == {"intent", "blueprint", "artifacts"}
        assert "evil" not in str(thaw(world.state)) + str(thaw(world.content))
        assert (await verify(store, "toy", world.definition)).whole


# --- the static proof


def problems(world: World) -> list[tuple[str, str, str]]:
    return [(p.level, p.path, p.sentence) for p in world.validate()]


def test_the_contract_is_proved_before_anything_runs() -> None:
    @block
    def needing(blueprint: dict[str, Any], style: str) -> dict[str, Any]:
        return {"texts": [style]}

    world = worlds.toy(creator=needing)
    world.set_state_schema({"blocks": {"style": {"keep": True}}})
    assert problems(world) == [("error", "creator", "it reads 'style', which no stage fills")]

    idle = worlds.toy()
    idle.set_state_schema(["style"])
    assert problems(idle) == [("warning", "schema/style", "no stage fills the block 'style' and none reads it")]

    @block
    def listing(intent: dict[str, Any]) -> list[int]:
        return [1]

    (found,) = problems(worlds.toy(architect=listing))
    assert found[:2] == ("warning", "creator/blueprint")
    assert "architect gives" in found[2]

    @block(outputs={"chronicle": str, "description": str})
    def greedy(intent: dict[str, Any]) -> dict[str, Any]:
        return {"chronicle": "c", "description": "d"}

    (found,) = problems(worlds.toy(author=greedy))
    assert found[:2] == ("warning", "author/description")
    assert "that is dropped" in found[2]
    world = worlds.toy()
    world.add_stage("bard", worlds.author)
    world.set_cycle(["philosopher", "author", "bard", "environment", "architect", "creator"])
    assert any("it must give" in p[2] or "which block" in p[2].lower() or "fills" in p[2] for p in problems(world))
