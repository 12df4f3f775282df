"""Agents in a world: a tool that needs a person parks it until someone answers; budgets of the world's own run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.levels.toy_world import toy
from yggdrasil import Agent, Budget, ParkedError, RunContext, ScriptedModel, World, approve, block, pending, tool
from yggdrasil.core.messages import Reply, ToolCall, Usage, assistant
from yggdrasil.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio


def smithy(model: ScriptedModel, done: list[str]) -> World:
    @tool(approval=True)
    def forge(what: str) -> str:
        """Forge it."""
        done.append(what)
        return f"a {what}"

    smith = Agent(model, name="smith", tools=[forge])

    @block
    async def creator(blueprint: dict[str, Any], *, ctx: RunContext) -> dict[str, Any]:
        made = await smith.run(blueprint["scene"], context=ctx)
        return {"texts": [made.output]}

    world: World = toy(creator=creator)
    return world


def reply(*said: Any) -> Reply:
    message = assistant(*said)
    return Reply(message, Usage(10, 0, requests=1), "tool_calls" if message.tool_calls else "stop")


async def test_a_world_waits_for_a_person_and_goes_on_where_it_was() -> None:
    done: list[str] = []
    model = ScriptedModel([reply(ToolCall("1", "forge", {"what": "nail"})), reply("done")])
    async with MemoryStore() as store:
        async with World.open(smithy(model, done), store=store, seed=1) as world:
            with pytest.raises(ParkedError, match="waits for approval: forge"):
                await world.run(ticks=1)
            (asked,) = await pending(world.label, store=store)
            assert (asked.tool, asked.arguments) == ("forge", {"what": "nail"})
            with pytest.raises(ParkedError):
                await world.run(ticks=1)
            assert done == []
        await approve(world.label, store=store)
        async with World.open(smithy(model, done), store=store, seed=1) as world:
            await world.run(ticks=1)
            assert list(world.state["artifacts"]["texts"]) == ["done"]
    assert done == ["nail"]
    assert model.calls == 2, "what was recorded before the question is not asked again"


async def test_whoever_runs_the_world_may_answer_at_once() -> None:
    done: list[str] = []
    model = ScriptedModel([reply(ToolCall("1", "forge", {"what": "nail"})), reply("done")])
    async with World.open(smithy(model, done), store="memory://", seed=1) as world:
        await world.run(ticks=1, approve=lambda approval: approval.tool == "forge")
    assert done == ["nail"]


async def test_the_budget_of_a_call_is_not_spent_by_what_an_earlier_one_paid() -> None:
    done: list[str] = []
    model = ScriptedModel([reply(ToolCall("1", "forge", {"what": "nail"})), reply("done")])
    async with MemoryStore() as store:
        async with World.open(smithy(model, done), store=store, seed=1) as world:
            first = Budget(tokens=100)
            with pytest.raises(ParkedError):
                await world.run(ticks=1, budget=first)
            assert first.spent.input_tokens == 10
        await approve(world.label, store=store)
        async with World.open(smithy(model, done), store=store, seed=1) as world:
            second = Budget(tokens=11)
            await world.run(ticks=1, budget=second)
            assert second.spent.input_tokens == 10, "the turn that was recorded was paid by the first call"
