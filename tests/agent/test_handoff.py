"""Agents that leave the talk to each other."""

from __future__ import annotations

from typing import Any

import pytest

from yggdrasil import Agent, ConfigError, ScriptedModel, StepLimitError, tool
from yggdrasil.core.events import Event, HandedOff, ModelCalled
from yggdrasil.core.messages import ToolCall, ToolResult

pytestmark = pytest.mark.anyio


def call(name: str, number: int = 0, /, **arguments: Any) -> ToolCall:
    return ToolCall(f"id{number}", name, arguments)


async def test_the_talk_goes_on_with_another_agent() -> None:
    @tool
    def refund(order: int) -> str:
        """Refund."""
        return f"refunded {order}"

    clerk = ScriptedModel([call("refund", 5, order=7), "Done: refunded."])
    money = Agent(clerk, name="money", description="Refunds.", instructions="You handle money.", tools=[refund])
    first = ScriptedModel([[call("look", 1), call("transfer_to_money", 2, reason="a refund")]])

    @tool
    def look() -> str:
        """Look."""
        return "order 7"

    front = Agent(first, name="front", instructions="You greet.", tools=[look], handoffs=[money])
    events: list[Event] = []
    result = await front.run("I want my money back", hooks=[events.append])
    assert result.output == "Done: refunded."
    spec = first.requests[0].tools[1]
    assert spec.name == "transfer_to_money"
    assert "Refunds." in spec.description
    seen = clerk.requests[0].messages
    assert seen[0].text == "You handle money."
    assert [m.role for m in seen] == ["system", "user", "assistant", "tool"]
    told = [p for p in seen[3].parts if isinstance(p, ToolResult)]
    assert [(p.content, p.failed) for p in told] == [("order 7", False), ("money goes on with this talk", False)]
    assert [m.role for m in result["messages"]] == ["user", "assistant", "tool", "assistant", "tool", "assistant"]
    assert [(e.path, e.agent, e.reason) for e in events if isinstance(e, HandedOff)] == [("front", "money", "a refund")]
    assert [e.path for e in events if isinstance(e, ModelCalled)] == ["front", "front/money", "front/money"]


async def test_agents_that_know_each_other_and_never_answer() -> None:
    def script(other: str) -> ScriptedModel:
        return ScriptedModel(lambda request: call(f"transfer_to_{other}"))

    one: Agent[str] = Agent(script("two"), name="one", handoffs=lambda: [two])
    two: Agent[str] = Agent(script("one"), name="two", handoffs=lambda: [one])
    with pytest.raises(StepLimitError, match="changed hands 16 times"):
        await one.run("go")


async def test_one_hand_off_is_enough() -> None:
    model = ScriptedModel(["mine"])
    a, b = Agent(model, name="a"), Agent(ScriptedModel(["never"]), name="b")
    front = Agent(ScriptedModel([[call("transfer_to_a", 1), call("transfer_to_b", 2)]]), handoffs=[a, b])
    assert (await front.run("go")).output == "mine"
    told = [p for p in model.requests[0].messages[-1].parts if isinstance(p, ToolResult)]
    assert [p.content for p in told] == ["a goes on with this talk", "not done: one is enough"]
    assert [p.failed for p in told] == [False, True]


def test_only_agents_take_over() -> None:
    @tool
    def look() -> str:
        """Look."""
        return "x"

    with pytest.raises(ConfigError, match="cannot hand over to look: it is no agent"):
        Agent("scripted:echo", handoffs=[look])._handoffs()  # type: ignore[list-item]


async def test_a_config_names_them() -> None:
    config = {"model": "scripted:echo", "handoffs": [{"type": "agent/llm", "model": "scripted:echo", "name": "other"}]}
    agent = Agent(**config)  # type: ignore[arg-type]
    assert (await agent.run("hello")).output == "hello"
    assert agent.config == config
