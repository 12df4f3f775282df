"""Budgets: an agent's own, nested, refused before the call, and the same after a kill."""

from __future__ import annotations

from typing import Any

import pytest

from yggdrasil import Agent, Budget, BudgetError, ConfigError, Graph, ScriptedModel, Usage, tool
from yggdrasil.core.events import Event, Warned
from yggdrasil.core.messages import Message, Reply, ToolCall, assistant
from yggdrasil.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio


def reply(*said: Any, tokens: int = 10, **usage: Any) -> Reply:
    message = assistant(*said)
    finish: Any = "tool_calls" if message.tool_calls else "stop"
    return Reply(message, Usage(tokens, 0, requests=1, **usage), finish)


@tool
def look(what: int) -> str:
    """Look."""
    return f"seen {what}"


def turns(count: int) -> list[Reply]:
    return [*(reply(ToolCall(f"{i}", "look", {"what": i})) for i in range(count)), reply("done")]


async def test_an_agents_own_budget_refuses_before_the_call_and_holds_for_each_run() -> None:
    model = ScriptedModel(turns(9))
    agent = Agent(model, tools=[look], budget={"tokens": 30})
    with pytest.raises(BudgetError, match="budget of 30 tokens is spent"):
        await agent.run("go")
    assert model.calls == 3
    with pytest.raises(BudgetError):
        await agent.run("go")
    assert model.calls == 6, "each run has the whole of it"
    with pytest.raises(ConfigError, match="budget is 5"):
        Agent(model, budget=5)  # type: ignore[call-overload]


async def test_a_child_counts_towards_its_parents() -> None:
    inner = Agent(ScriptedModel([reply("x", tokens=25)] * 9), name="inner", budget=Budget(tokens=1000))

    def ask(request: Any) -> Reply:
        number = str(len(request.messages))
        return reply(ToolCall(number, "inner", {"prompt": number}))

    outer = Agent(ScriptedModel(ask), tools=[inner], budget={"tokens": 100})
    graph = Graph("house")
    graph.add_node("boss", outer)
    budget = Budget(tokens=10_000)
    with pytest.raises(BudgetError, match="budget of 100 tokens is spent") as failure:
        await graph.run("go", budget=budget)
    assert failure.value.path.startswith("house/boss")
    assert budget.spent.input_tokens == 105, "three turns of 10 and three of 25: refused before the next"


async def test_a_killed_run_does_not_forget_what_it_has_spent() -> None:
    store = MemoryStore()
    await store.open()
    script: list[Any] = turns(6)
    script.insert(3, RuntimeError("the power is cut"))
    model = ScriptedModel(script)
    agent = Agent(model, tools=[look], budget={"steps": 5})
    with pytest.raises(Exception, match="power"):
        await agent.run("go", thread="t", store=store, budget=Budget(tokens=35))
    budget = Budget(tokens=35)
    with pytest.raises(BudgetError, match="budget of 35 tokens is spent"):
        await agent.run("go", thread="t", store=store, budget=budget)
    assert budget.spent.input_tokens == 40, "the three turns before the kill count"
    with pytest.raises(BudgetError, match="budget of 5 steps is spent"):
        await agent.run("go", thread="t", store=store, budget=Budget(tokens=1000))
    bigger = agent.replace(budget={"steps": 20})
    result = await bigger.run("go", thread="t", store=store)
    assert (result.output, result.usage.requests) == ("done", 7)


async def test_seconds_count_from_when_the_run_was_begun() -> None:
    store = MemoryStore()
    await store.open()
    model = ScriptedModel([reply(ToolCall("1", "look", {"what": 1})), RuntimeError("power"), reply("done")])
    agent = Agent(model, tools=[look])
    with pytest.raises(Exception, match="power"):
        await agent.run("go", thread="t", store=store)
    budget = Budget(seconds=1e-9)
    with pytest.raises(BudgetError, match="seconds is spent"):
        await agent.run("go", thread="t", store=store, budget=budget)


async def test_money_of_unknown_price_is_said_once_and_not_guessed() -> None:
    model = ScriptedModel([reply(ToolCall("1", "look", {"what": 1}), unpriced=1), reply("done", unpriced=1)])
    events: list[Event] = []
    result = await Agent(model, tools=[look]).run("go", budget=Budget(cost=1.0), hooks=[events.append])
    assert [e.sentence for e in events if isinstance(e, Warned)] == [
        "the price of scripted:script is unknown: the budget in money does not count it"
    ]
    assert (result.usage.cost, result.usage.unpriced) == (None, 2)


async def test_money_refuses_before_the_call() -> None:
    model = ScriptedModel([reply(ToolCall(str(i), "look", {"what": i}), cost=0.02) for i in range(9)])
    with pytest.raises(BudgetError, match=r"budget of 0\.05 cost is spent"):
        await Agent(model, tools=[look]).run("go", budget=Budget(cost=0.05))
    assert model.calls == 3


def test_usage_adds_up() -> None:
    one = Usage(1, 2, 3, 4, 5, 0.5, 1)
    assert one + one == Usage(2, 4, 6, 8, 10, 1.0, 2)
    assert (Usage(cost=None) + Usage(cost=0.5)).cost == 0.5
    assert Message("user", ()).text == ""
