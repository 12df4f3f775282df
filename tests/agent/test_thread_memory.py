"""Durable runs: what a thread remembers, what is unknown after a kill, large results across runs, flat cost."""

from __future__ import annotations

import re
from typing import Any

import anyio
import pytest

from yggdrasil import Agent, ConfigError, EffectUnknownError, Graph, LeaseError, Memory, RunContext, ScriptedModel, tool
from yggdrasil.abc.store import Store
from yggdrasil.core.messages import Request, ToolCall, ToolResult
from yggdrasil.runtime.mending import abandon, settle, unknown
from yggdrasil.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store() -> Any:
    async with MemoryStore() as opened:
        yield opened


def call(name: str, number: int = 0, /, **arguments: Any) -> ToolCall:
    return ToolCall(f"id{number}", name, arguments)


def said(request: Request) -> list[str]:
    return [m.text for m in request.messages]


async def test_each_thread_has_a_memory_of_its_own(store: Store) -> None:
    model = ScriptedModel(lambda r: f"{len(r.messages)} messages")
    agent = Agent(model, memory=Memory(pinned=["Her name is Kara."], tools=False))
    for _ in range(3):
        await agent.run("hello", thread="a", store=store)
    await agent.run("hello", thread="b", store=store)
    assert [len(r.messages) for r in model.requests] == [2, 4, 6, 2], "the pinned fact, the dialogue, the prompt"
    assert all("Kara" in said(r)[0] for r in model.requests)
    assert agent.state_dict()["memory"]["messages"] == [], "the agent's own memory is another one"


async def test_a_new_process_goes_on_with_the_thread(store: Store) -> None:
    def agent(*replies: Any) -> tuple[Agent[str], ScriptedModel]:
        model = ScriptedModel(list(replies))
        return Agent(model, memory=Memory(tools=False)), model

    first, _ = agent("Noted.")
    await first.run("The rider is called Kara.", thread="t", store=store)
    second, model = agent(RuntimeError("the power is cut"))
    with pytest.raises(Exception, match="power"):
        await second.run("Who is it?", thread="t", store=store)
    third, model = agent("Kara.")
    assert (await third.run("Who is it?", thread="t", store=store)).output == "Kara."
    assert said(model.requests[0]) == ["The rider is called Kara.", "Noted.", "Who is it?"]


async def test_agents_in_a_graph_remember_by_their_place(store: Store) -> None:
    models = {name: ScriptedModel(lambda r: f"{len(r.messages)}") for name in ("one", "two")}
    graph = Graph("house")
    for name, model in models.items():
        graph.add_node(name, Agent(model, memory=Memory(tools=False)))
    graph.add_edge("one.response", "two.prompt")
    for _ in range(2):
        await graph.run("go", thread="t", store=store)
    assert [said(r)[-1] for r in models["two"].requests] == ["1", "3"]
    assert [len(r.messages) for r in models["two"].requests] == [1, 3]


async def test_what_must_not_be_repeated_waits_for_a_person(store: Store) -> None:
    done: list[str] = []

    @tool(idempotent=False)
    async def pay(amount: int, ctx: RunContext) -> str:
        """Pay."""
        done.append(ctx.key)
        await anyio.sleep(60 if len(done) == 1 else 0)
        return f"paid {amount}"

    model = ScriptedModel([call("pay", amount=5), "thanks"])
    agent = Agent(model, tools=[pay])
    assert await unknown("t", store=store) is None
    for answer in ("settle", "abandon"):
        thread = f"t-{answer}"
        model.calls = 0
        done.clear()
        with anyio.move_on_after(0.05):  # as a kill would: nothing is recorded but that it was begun
            await agent.run("go", thread=thread, store=store)
        with pytest.raises(EffectUnknownError, match="is not to be repeated by itself") as failure:
            await agent.run("go", thread=thread, store=store)
        assert "yggdrasil.runtime.mending" in failure.value.hint
        begun = await unknown(thread, store=store)
        assert begun is not None
        assert (begun.path, begun.what, begun.key) == ("agent/pay", "tool", done[0])
        if answer == "settle":
            await settle(thread, store=store, result="paid 5, says the bank")
        else:
            await abandon(thread, store=store)
        result = await agent.run("go", thread=thread, store=store)
        told = [p.content for m in result["messages"] for p in m.parts if isinstance(p, ToolResult)]
        assert told == (["paid 5, says the bank"] if answer == "settle" else ["paid 5"])
        assert len(done) == (1 if answer == "settle" else 2)
        with pytest.raises(ConfigError, match="is unknown"):
            await settle(thread, store=store, result="x")


async def test_a_thread_that_runs_is_not_mended(store: Store) -> None:
    lease = await store.acquire("thread:t", "somebody")
    with pytest.raises(LeaseError, match="somebody"):
        await settle("t", store=store, result="x")
    await store.release(lease)


async def test_large_results_are_read_again_after_a_restart(store: Store) -> None:
    text = "0123456789" * 1000

    @tool
    def saga() -> str:
        """Tell all."""
        return text

    inner = Agent(ScriptedModel([text]), name="teller")

    def script(request: Request) -> Any:
        links = re.findall(r"ygg://blob/[0-9a-f]{64}", " ".join(p.content for m in request.messages for p in m.parts
                                                                 if isinstance(p, ToolResult)))  # fmt: skip
        turn = sum(m.role == "assistant" for m in request.messages)
        if turn == 0:
            return [call("saga", 1), call("teller", 2, prompt="tell")]
        if turn == 1:
            return "told"
        if turn == 2:
            return [call("read_result", i, link=link, offset=5, length=8) for i, link in enumerate(links)]
        return "read"

    model = ScriptedModel(script)
    agent = Agent(model, tools=[saga, inner], max_result=3000, memory=Memory(tools=False, budget=None))
    await agent.run("tell", thread="t", store=store)
    again = Agent(model, tools=[saga, inner], max_result=3000, memory=Memory(tools=False, budget=None))
    result = await again.run("read it", thread="t", store=store)
    read = [p.content for m in result["messages"] for p in m.parts if isinstance(p, ToolResult)][-2:]
    assert [r[:8] for r in read] == ["56789012"] * 2, "of another run of the thread, by its digest"


async def test_a_run_costs_the_same_however_many_came_before(store: Store) -> None:
    class Counting(MemoryStore):
        reads = 0

        async def read(self, *args: Any, **more: Any) -> Any:
            found = await super().read(*args, **more)
            Counting.reads += len(found)
            return found

    agent = Agent(ScriptedModel(lambda r: "yes"), memory=Memory(budget=200, tools=False))
    async with Counting() as counted:
        costs = []
        for number in range(60):
            Counting.reads = 0
            await agent.run(f"question {number}", thread="t", store=counted)
            costs.append(Counting.reads)
        assert max(costs) <= 2, "records read at the start of a run"
        snapshot = await counted.snapshot("thread:t")
        assert snapshot is not None
        assert len(str(snapshot.data)) < 8000
