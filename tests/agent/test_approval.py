"""A person says whether a tool may run: at once, or days later and from another process; nothing is done twice."""

from __future__ import annotations

import contextlib
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from yggdrasil import Agent, ConfigError, Graph, PortError, ScriptedModel, StoreError, SuspendedError, tool
from yggdrasil.core.approval import Answer, Approval
from yggdrasil.core.events import ApprovalAsked, ApprovalGiven, Event
from yggdrasil.core.messages import ToolCall, ToolResult
from yggdrasil.runtime.approvals import approve, pending
from yggdrasil.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio


def call(name: str, number: int = 0, /, **arguments: Any) -> ToolCall:
    return ToolCall(f"id{number}", name, arguments)


def results(model: ScriptedModel, request: int = -1) -> list[ToolResult]:
    return [p for p in model.requests[request].messages[-1].parts if isinstance(p, ToolResult)]


class Shop:
    """Counts what is done."""

    def __init__(self, *said: Any, **options: Any) -> None:
        self.done: list[str] = []
        self.model = ScriptedModel(list(said))

        @tool
        def look(what: str) -> str:
            """Look at it."""
            self.done.append(f"look {what}")
            return f"{what} is fine"

        @tool(approval=True)
        def buy(what: str, count: int = 1) -> str:
            """Buy it."""
            self.done.append(f"buy {count} {what}")
            return f"bought {count} {what}"

        @tool(approval=lambda arguments: arguments["amount"] > 10)
        def pay(amount: int) -> str:
            """Pay."""
            self.done.append(f"pay {amount}")
            return f"paid {amount}"

        self.agent = Agent(self.model, tools=[look, buy, pay], **options)


async def test_a_run_that_nobody_can_approve_is_refused_before_anything_is_spent() -> None:
    shop = Shop("never")
    with pytest.raises(PortError, match="must approve each call of buy") as failure:
        await shop.agent.run("go")
    assert "approve=ask_me" in failure.value.hint
    assert shop.model.calls == 0
    with pytest.raises(PortError, match="approve is str"):
        await shop.agent.run("go", approve="yes")


async def test_whoever_is_there_is_asked_at_once() -> None:
    asked: list[Approval] = []

    async def ask(approval: Approval) -> Any:
        asked.append(approval)
        await anyio.lowlevel.checkpoint()
        if approval.tool == "pay":
            return Answer(False, "too much")
        return Answer(True, arguments={"what": "nets", "count": 2})

    shop = Shop([call("buy", 1, what="axes"), call("pay", 2, amount=50), call("pay", 3, amount=5)], "done")
    events: list[Event] = []
    await shop.agent.run("go", approve=ask, hooks=[events.append])
    assert sorted(shop.done) == ["buy 2 nets", "pay 5"]
    assert {a.tool: dict(a.arguments) for a in asked} == {"buy": {"what": "axes"}, "pay": {"amount": 50}}
    bought, paid, small = results(shop.model)
    assert bought.content == "bought 2 nets"
    assert paid.content.endswith("and said no: too much")
    assert not paid.failed, "a no is no failure of the tool"
    assert small.content == "paid 5"
    assert len([e for e in events if isinstance(e, ApprovalAsked)]) == 2
    assert sorted(e.approved for e in events if isinstance(e, ApprovalGiven)) == [False, True]


async def test_an_approver_that_answers_nonsense_does_not_approve() -> None:
    shop = Shop(call("buy", what="axes"))
    with pytest.raises(PortError, match="approve gave str"):
        await shop.agent.run("go", approve=lambda approval: "yes")
    assert shop.done == []


async def test_a_durable_run_waits_and_goes_on_without_repeating_anything() -> None:
    store = MemoryStore()
    await store.open()
    shop = Shop(call("look", 1, what="axes"), [call("buy", 2, what="axes"), call("look", 3, what="nets")], "done")
    with pytest.raises(SuspendedError, match=r"1 tool call waits for approval: buy \(\w{12}\)") as waiting:
        await shop.agent.run("go", thread="t", store=store)
    assert shop.done == ["look axes", "look nets"], "what needs no approval in the same turn is done"
    assert shop.model.calls == 2
    (one,) = await pending("t", store=store)
    assert (one.id, one.tool, one.arguments) == (waiting.value.pending[0].id, "buy", {"what": "axes"})

    with pytest.raises(SuspendedError) as again:
        await shop.agent.run("go", thread="t", store=store)
    assert again.value.pending[0].id == one.id, "asked once, however often it is run"
    assert shop.model.calls == 2

    assert [a.id for a in await approve("t", store=store)] == [one.id]
    assert await pending("t", store=store) == []
    assert (await shop.agent.run("go", thread="t", store=store)).output == "done"
    assert shop.done == ["look axes", "look nets", "buy 1 axes"]
    assert shop.model.calls == 3
    with pytest.raises(ConfigError, match="nothing waits in 't'"):
        await approve("t", store=store)


async def test_two_approvals_wait_at_once_and_are_answered_apart() -> None:
    store = MemoryStore()
    await store.open()
    shop = Shop([call("buy", 1, what="axes"), call("pay", 2, amount=99), call("buy", 3, what="nets")], "done")
    with pytest.raises(SuspendedError, match="3 tool calls wait"):
        await shop.agent.run("go", thread="t", store=store)
    waiting_now = await pending("t", store=store)
    assert len(waiting_now) == 3
    first, second, third = (
        next(a for a in waiting_now if wanted in a.arguments.values()) for wanted in ("axes", 99, "nets")
    )
    await approve("t", store=store, approval=second.id, approved=False, note="not today")
    with pytest.raises(SuspendedError) as waiting:
        await shop.agent.run("go", thread="t", store=store)
    assert [a.id for a in waiting.value.pending] == [first.id, third.id]
    await approve("t", store=store, approval=third.id, arguments={"what": "rope", "count": 3})
    with pytest.raises(ConfigError, match="no approval 'nonsense'"):
        await approve("t", store=store, approval="nonsense")
    with pytest.raises(SuspendedError):
        await shop.agent.run("go", thread="t", store=store)
    assert shop.done == ["buy 3 rope"]
    await approve("t", store=store)
    await shop.agent.run("go", thread="t", store=store)
    assert shop.done == ["buy 3 rope", "buy 1 axes"]
    assert [r.content for r in results(shop.model)][1].endswith("and said no: not today")


async def test_approvals_inside_agents_inside_graphs() -> None:
    store = MemoryStore()
    await store.open()
    shop = Shop(call("buy", what="axes"), "bought", name="buyer")
    boss = ScriptedModel([call("buyer", prompt="buy axes"), "all done"])
    graph = Graph("house")
    graph.add_node("boss", Agent(boss, tools=[shop.agent]))
    with pytest.raises(SuspendedError) as waiting:
        await graph.run("go", thread="t", store=store)
    assert waiting.value.pending[0].path == "house/boss/buyer/buy"
    await approve("t", store=store)
    assert (await graph.run("go", thread="t", store=store))["response"] == "all done"
    assert (boss.calls, shop.model.calls, shop.done) == (2, 2, ["buy 1 axes"])


async def test_a_durable_run_with_someone_there_records_the_answer() -> None:
    store = MemoryStore()
    await store.open()
    shop = Shop(call("buy", what="axes"), RuntimeError("the power is cut"), "done")
    asked: list[Approval] = []

    def ask(approval: Approval) -> bool:
        asked.append(approval)
        return True

    with pytest.raises(Exception, match="power"):
        await shop.agent.run("go", thread="t", store=store, approve=ask)
    assert (await shop.agent.run("go", thread="t", store=store)).output == "done"
    assert len(asked) == 1
    assert shop.done == ["buy 1 axes"]


async def test_answers_to_nobody() -> None:
    store = MemoryStore()
    await store.open()
    with pytest.raises(StoreError, match="no thread 'x' here"):
        await pending("x", store=store)
    shop = Shop([call("buy", 1, what="a"), call("buy", 2, what="b")], "done")
    with pytest.raises(SuspendedError):
        await shop.agent.run("go", thread="t", store=store)
    with pytest.raises(ConfigError, match="2 approvals wait: say which"):
        await approve("t", store=store, arguments={"what": "c"})


@pytest.mark.parametrize("data", [None, {"approval": "?", "approved": "yes"}, {"approved": True}, [1]])
async def test_a_letter_that_is_no_yes_approves_nothing(data: Any) -> None:
    from yggdrasil.abc.store import Entry
    from yggdrasil.errors import YggdrasilError

    store = MemoryStore()
    await store.open()
    shop = Shop(call("buy", what="axes"), "done")
    with pytest.raises(SuspendedError) as waiting:
        await shop.agent.run("go", thread="t", store=store)
    if isinstance(data, dict) and "approval" in data:
        data = {**data, "approval": waiting.value.pending[0].id}
    await store.post("thread:t", Entry("approval_given", data))
    with contextlib.suppress(YggdrasilError):
        await shop.agent.run("go", thread="t", store=store)
    assert shop.done == [], "nothing but a plain yes is a yes"
