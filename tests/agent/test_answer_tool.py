"""A tool that takes an agent's answer: its ports are the schema, its result the response; what it raises goes back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from yggdrasil import Agent, ConfigError, Graph, OutputError, ScriptedModel, block, tool

pytestmark = pytest.mark.anyio


@block(outputs={"total": int})
def booked(item: str, count: int, shop: dict[str, Any], note: str | None = None) -> int:
    """Book an order.

    Args:
        item: what is ordered
        count: how many
    """
    if item not in shop:
        raise ValueError(f"there is no {item}; there are {', '.join(shop)}")
    return int(count * shop[item])


@tool
def price(item: str) -> int:
    """What one costs."""
    return 3


def clerk(*said: Any, **options: Any) -> tuple[Graph, ScriptedModel]:
    model = ScriptedModel([json.dumps(s) if isinstance(s, dict) else s for s in said])
    graph = Graph("clerk")
    graph.add("agent", Agent(model, tools=[price], answer="booked", **options))
    graph.add("booked", booked)
    graph.add_call("agent", "booked")
    graph.expose_input("agent", "prompt", name="prompt")
    graph.expose_input("booked", "shop", name="shop")
    graph.expose_output("agent", "response", name="total")
    return graph, model


async def test_what_the_tool_gives_is_the_response() -> None:
    graph, model = clerk({"item": "net", "count": 4})
    assert (await graph.run(prompt="four nets", shop={"net": 5}))["total"] == 20
    request = model.requests[0]
    assert [t.name for t in request.tools] == ["price"], "it is answered to, not called"
    assert request.output is not None
    assert list(request.output["properties"]) == ["item", "count", "note"], "what is bound is hidden"


async def test_what_it_raises_goes_back_to_the_model() -> None:
    said = ["well", {"item": "net"}, {"item": "axe", "count": 1}, {"item": "net", "count": "2"}]
    graph, model = clerk(*said, max_retries=3)
    assert (await graph.run(prompt="nets", shop={"net": 5}))["total"] == 10
    told = [request.messages[-1].text for request in list(model.requests)[1:]]
    assert "the answer is not JSON" in told[0]
    assert "count: it is missing" in told[1]
    assert "Call booked" not in told[1]
    assert told[2].startswith("the answer cannot be taken: there is no axe; there are net")


async def test_after_the_retries_it_is_an_error_with_the_transcript() -> None:
    graph, _ = clerk(*[{"item": "axe", "count": 1}] * 2, max_retries=1)
    with pytest.raises(OutputError, match=r"no valid answer in 2 tries; .*there is no axe") as caught:
        await graph.run(prompt="an axe", shop={"net": 5})
    assert len(caught.value.transcript) == 4


async def test_without_the_tool_nothing_is_asked() -> None:
    model = ScriptedModel(["1"])
    with pytest.raises(ConfigError, match="no tool 'booked' takes the answer"):
        await Agent(model, answer="booked").run("four nets")
    assert not model.requests


async def test_a_tool_of_its_own_may_take_it() -> None:
    @tool
    def double(number: int) -> int:
        """Twice."""
        return 2 * number

    agent = Agent(ScriptedModel(['{"number": 4}']), tools=[double], answer="double")
    assert (await agent.run("four")).output == 8


def test_one_way_to_answer() -> None:
    with pytest.raises(ConfigError, match="both say what the answer is"):
        Agent("scripted:echo", output=int, answer="booked")
    assert Agent("scripted:echo", answer="booked").config == {"model": "scripted:echo", "answer": "booked"}
