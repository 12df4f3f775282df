"""One tree of spans for a run: names, parents, attributes, errors, times; on worlds, graphs and agents."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from tests.levels.toy_world import CONTENT, toy
from tests.runtime.spans import Recorder, attributes
from yggdrasil import (
    Agent,
    Graph,
    ModelTransientError,
    ParkedError,
    RunContext,
    RunTimeoutError,
    ScriptedModel,
    SuspendedError,
    ToolCall,
    ToolRetryError,
    Traces,
    block,
    tool,
)
from yggdrasil.abc.model import Delta, Model
from yggdrasil.core.events import (
    EVENTS,
    Event,
    ModelCalled,
    ModelReplied,
    NodeStarted,
    RunFinished,
    RunStarted,
    TickFinished,
)
from yggdrasil.core.messages import Reply, Request, Usage, assistant
from yggdrasil.testing import Sleeper

pytestmark = pytest.mark.anyio

KEY = "sk-ant-abcdefgh12345678"


@pytest.fixture
def spans() -> Recorder:
    return Recorder()


@pytest.fixture
def traces(spans: Recorder) -> Traces:
    return Traces(provider=spans.provider)


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    if a > 100:
        raise ValueError(f"{a} is too much, {KEY}")
    return a + b


def calls(*arguments: dict[str, Any], name: str = "add") -> list[ToolCall]:
    return [ToolCall(f"call{i}", name, given) for i, given in enumerate(arguments)]


async def test_an_agents_turns_and_tools(spans: Recorder, traces: Traces) -> None:
    replies = [
        Reply(assistant(*calls({"a": 1, "b": 2})), Usage(10, 5, 4, 2, 1, 0.5), "tool_calls", "big-2026", "resp-1"),
        Reply(assistant("three"), Usage(20, 1, requests=1), "stop", "", "resp-2"),
    ]
    agent = Agent(ScriptedModel(lambda request: replies.pop(0)), tools=[add], name="clerk")
    await agent.run("1 + 2?", hooks=traces)
    assert spans.tree() == ["invoke_agent clerk", "  chat script", "  execute_tool add", "  chat script"]
    root = spans.one("invoke_agent clerk")
    assert attributes(root) == {"operation.name": "invoke_agent", "agent.name": "clerk"}
    assert attributes(root, "yggdrasil.usage.") == {
        "input_tokens": 30, "output_tokens": 6, "cached_tokens": 4, "reasoning_tokens": 2, "requests": 2, "cost": 0.5,
    }  # fmt: skip
    assert len(attributes(root, "yggdrasil.")["run.id"]) == 8
    first, second = spans.all("chat script")
    assert attributes(first) == {
        "operation.name": "chat", "provider.name": "scripted", "request.model": "script",
        "response.model": "big-2026", "response.id": "resp-1", "response.finish_reasons": ("tool_calls",),
        "usage.input_tokens": 10, "usage.output_tokens": 5,
    }  # fmt: skip
    assert attributes(first, "yggdrasil.usage.") == {"cost": 0.5, "cached_tokens": 4, "reasoning_tokens": 2}
    assert attributes(second)["response.model"] == "script"
    assert first.kind is SpanKind.CLIENT
    assert attributes(spans.one("execute_tool add")) == {
        "operation.name": "execute_tool", "tool.name": "add", "tool.type": "function", "tool.call.id": "call0",
    }  # fmt: skip
    assert {span.status.status_code for span in spans.spans} == {StatusCode.UNSET}
    assert len({span.context.trace_id for span in spans.spans}) == 1


async def test_parallel_calls_of_one_name_keep_apart(spans: Recorder, traces: Traces) -> None:
    @tool
    async def nap(n: int, ctx: RunContext) -> int:
        """Sleep."""
        with spans.provider.get_tracer("the tool's own").start_as_current_span(f"own {n}"):
            await anyio.sleep(0.001 * (7 - n))
            await double.run(n, context=ctx)
        return n

    @block
    async def double(x: int) -> int:
        await anyio.sleep(0.001 * (x % 3))
        return 2 * x

    agent = Agent(ScriptedModel([calls(*({"n": n} for n in range(7)), name="nap"), "rested"]), tools=[nap])
    await agent.run("sleep", hooks=[traces])
    by_id = {span.context.span_id: span for span in spans.spans}
    for n in range(7):
        own = spans.one(f"own {n}")
        called = by_id[own.parent.span_id]
        assert attributes(called)["tool.call.id"] == f"call{n}"
        assert by_id[called.parent.span_id].name.startswith("invoke_agent")
    below = [by_id[span.parent.span_id].name for span in spans.all("run double")]
    assert sorted(below) == [f"own {n}" for n in range(7)]
    ends = {span.context.span_id: span.end_time for span in spans.spans}
    assert all(span.end_time <= ends[span.parent.span_id] for span in spans.all("execute_tool nap"))


async def test_one_tree_with_the_callers_own_and_with_runs_inside(spans: Recorder, traces: Traces) -> None:
    inner = Agent(ScriptedModel(["in"] * 2), name="inner")

    @block
    async def asks(x: str, ctx: RunContext) -> str:
        await inner.run(x, context=ctx)
        return str((await inner.run(x, hooks=traces)).output)  # a run of its own, by its place in the code

    graph = Graph("g")
    graph.add_node("asks", asks)
    before = trace.get_current_span()
    with spans.provider.get_tracer("the caller's own").start_as_current_span("request") as request:
        await graph.run("x", hooks=traces)
        assert trace.get_current_span() is request
    assert trace.get_current_span() is before
    assert spans.tree() == [
        "request", "  invoke_workflow g", "    node asks",
        "      invoke_agent inner", "        chat script",
        "      invoke_agent inner", "        chat script",
    ]  # fmt: skip
    assert attributes(spans.one("invoke_workflow g")) == {"operation.name": "invoke_workflow", "workflow.name": "g"}


async def test_an_agent_or_a_graph_as_a_tool(spans: Recorder, traces: Traces) -> None:
    graph = Graph("sums")
    graph.add_node("add", add)
    helper = Agent(ScriptedModel(["hm"]), name="helper")
    turn = [ToolCall("1", "helper", {"prompt": "?"}), ToolCall("2", "sums", {"a": 1, "b": 1})]
    agent = Agent(ScriptedModel([turn, "so"]), tools=[helper, graph.as_tool()], name="boss")
    await agent.run("go", hooks=[traces])
    names = spans.tree()
    assert names[:2] == ["invoke_agent boss", "  chat script"]
    at = names.index("  execute_tool helper")
    assert names[at : at + 3] == ["  execute_tool helper", "    invoke_agent helper", "      chat script"]
    at = names.index("  execute_tool sums")
    assert names[at : at + 3] == ["  execute_tool sums", "    invoke_workflow sums", "      node add"]


async def test_a_failing_tool_and_a_failing_run(spans: Recorder, traces: Traces) -> None:
    agent = Agent(ScriptedModel([calls({"a": 101, "b": 0})] * 3), tools=[add], max_retries=1, name="clerk")
    with pytest.raises(ToolRetryError):
        await agent.run("go", hooks=[traces])
    for span in spans.all("execute_tool add"):
        assert (span.status.status_code, span.attributes["error.type"]) == (StatusCode.ERROR, "ValueError")
        assert "101 is too much" in (span.status.description or "")
    root = spans.one("invoke_agent clerk")
    assert root.attributes["error.type"] == "ToolRetryError"
    assert (root.status.description or "").startswith("clerk: tool add failed 2 times")
    assert KEY not in spans.said()


class Unsteady(Model):
    """Fails `times` times, then answers; remembers whether it was asked to stream."""

    name = "demo:unsteady:7b"

    def __init__(self, times: int) -> None:
        self.times, self.streamed = times, []
        self.asked = 0

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        self.streamed.append(delta is not None)
        self.asked += 1
        if self.asked <= self.times:
            raise ModelTransientError(f"no luck, {KEY}")
        return Reply(assistant("here"))


async def test_retries_and_failed_model_calls(spans: Recorder, traces: Traces) -> None:
    graph = Graph("g")
    model = Unsteady(1)
    graph.add_node("ask", Agent(model), retry=2)
    await graph.run("x", hooks=[traces])
    assert spans.tree() == ["invoke_workflow g", "  invoke_agent ask", "    chat unsteady:7b", "    chat unsteady:7b"]
    failed, fine = spans.all("chat unsteady:7b")
    assert (failed.status.status_code, failed.attributes["error.type"]) == (StatusCode.ERROR, "ModelTransientError")
    assert (attributes(fine)["provider.name"], attributes(fine)["response.model"]) == ("demo", "unsteady:7b")
    (again,) = spans.one("invoke_agent ask").events
    assert again.name == "node_retried"
    assert again.attributes["yggdrasil.error_type"] == "ModelTransientError"
    assert model.streamed == [False, False]
    assert KEY not in spans.said()


async def test_traces_alone_do_not_make_models_stream(traces: Traces) -> None:
    model = Unsteady(0)
    await Agent(model).run("x", hooks=[traces])
    await Agent(model).run("x", hooks=[traces, lambda event: None])
    assert model.streamed == [False, True]


async def test_what_is_cancelled_ends_with_what_is_around_it(spans: Recorder, traces: Traces) -> None:
    inner = Graph("inner")
    inner.add_node("sleeper", Sleeper(30.0))
    graph = Graph("g")
    graph.add_node("inner", inner)
    with pytest.raises(RunTimeoutError):
        await graph.run(1, timeout=0.05, hooks=[traces])
    assert not trace.get_current_span().is_recording()
    with anyio.move_on_after(0.05):
        await Sleeper(30.0).run(1, hooks=[traces])
    assert spans.tree() == ["invoke_workflow g", "  invoke_workflow inner", "    node sleeper", "run sleeper"]
    first, second = (span for span in spans.spans if span.parent is None)
    assert (first.name, first.attributes["error.type"]) == ("invoke_workflow g", "RunTimeoutError")
    assert first.end_time - first.start_time >= 0.04e9
    assert (second.name, second.attributes["error.type"]) == ("run sleeper", "cancelled")
    assert {span.attributes["error.type"] for span in spans.spans if span.parent is not None} == {"cancelled"}
    assert not trace.get_current_span().is_recording()


async def test_a_node_timeout_and_another_try(spans: Recorder, traces: Traces) -> None:
    tries: list[int] = []

    class Slow(Unsteady):
        async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
            tries.append(1)
            await anyio.sleep(30 if len(tries) == 1 else 0)
            return Reply(assistant("at last"))

    graph = Graph("g")
    graph.add_node("ask", Agent(Slow(0)), retry=2, timeout=0.05)
    await graph.run("x", hooks=[traces])
    assert spans.tree() == ["invoke_workflow g", "  invoke_agent ask", "    chat unsteady:7b", "    chat unsteady:7b"]
    assert [s.attributes.get("error.type") for s in spans.all("chat unsteady:7b")] == ["cancelled", None]
    assert spans.one("invoke_agent ask").status.status_code is StatusCode.UNSET


async def test_a_world_of_two_ticks(spans: Recorder, traces: Traces) -> None:
    world = toy("earth")
    world.set_initial_world(CONTENT)
    hashes: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, TickFinished):
            hashes.append(event.content_hash)

    await world.run(ticks=2, hooks=[traces, hear])
    stages = ["philosopher", "author", "environment/update", "environment/development", "architect", "creator"]
    names = spans.tree()
    assert (names[0], names[1]) == ("invoke_workflow earth", "  tick")
    assert names.count("  tick") == 2
    assert {name.strip().removeprefix("stage ") for name in names if "stage" in name} <= set(stages)
    assert all(name.startswith("    stage ") for name in names if "stage" in name)
    assert [span.attributes["yggdrasil.tick"] for span in spans.all("tick")] == [1, 2]
    assert {span.status.status_code for span in spans.spans} == {StatusCode.UNSET}
    assert len({span.context.trace_id for span in spans.spans}) == 1
    assert spans.all("tick")[-1].attributes["yggdrasil.content_hash"] == hashes[-1]


async def test_a_world_that_parks(spans: Recorder, traces: Traces) -> None:
    @block
    def architect(intent: dict[str, Any]) -> dict[str, Any]:
        raise ValueError("no plan")

    world = toy("earth", architect=architect)
    world.set_initial_world(CONTENT)
    with pytest.raises(ParkedError):
        await world.run(ticks=1, hooks=[traces])
    failed = {span.name: span.attributes["error.type"] for span in spans.spans if "error.type" in span.attributes}
    assert failed == {"stage architect": "BlockError", "tick": "BlockError", "invoke_workflow earth": "ParkedError"}


async def test_contents_only_when_asked_for(spans: Recorder, traces: Traces) -> None:
    def agent() -> Agent:
        turn = [ToolCall("1", "keep", {"note": "the magpie", "password": "swordfish"})]
        return Agent(ScriptedModel([turn, "an answer of gold"]), tools=[keep], instructions="be a raven", name="x")

    @tool
    async def keep(note: str, password: str) -> str:
        """Keep a note."""
        return f"kept {note} {KEY}"

    secret = ["the magpie", "swordfish", "an answer of gold", "be a raven", "a question", KEY]
    await agent().run(f"a question, {KEY}", hooks=[traces])
    assert [word for word in secret if word in spans.said()] == []
    await agent().run(f"a question, {KEY}", hooks=[Traces(provider=spans.provider, contents=True)])
    said = spans.said()
    assert [word for word in secret if word in said] == ["the magpie", "an answer of gold", "be a raven", "a question"]
    last = attributes(spans.all("chat script")[-1])
    assert json.loads(last["output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "an answer of gold"}]}
    ]
    assert json.loads(last["system_instructions"]) == [{"type": "text", "content": "be a raven"}]
    assert [message["role"] for message in json.loads(last["input.messages"])] == ["user", "assistant", "tool"]
    (call,) = (span for span in spans.all("execute_tool keep") if "gen_ai.tool.call.result" in span.attributes)
    assert json.loads(call.attributes["gen_ai.tool.call.arguments"])["note"] == "the magpie"


def test_times_are_those_of_the_events(spans: Recorder, traces: Traces) -> None:
    watch = traces.watch("r")
    watch(RunStarted(path="a", time=1000.0, block="agent/llm", thread="talk-1"))
    watch(ModelCalled(path="a", time=1000.5, model="m"))
    watch(ModelReplied(path="a", time=1002.25, model="m"))
    watch(RunFinished(path="a", time=1003.0))
    assert [(s.name, s.start_time, s.end_time) for s in spans.spans] == [
        ("invoke_agent a", 1000 * 10**9, 1003 * 10**9), ("chat m", 1000_500_000_000, 1002_250_000_000),
    ]  # fmt: skip
    assert attributes(spans.one("invoke_agent a"))["conversation.id"] == "talk-1"
    assert "gen_ai.provider.name" not in spans.one("chat m").attributes


async def test_hand_offs(spans: Recorder, traces: Traces) -> None:
    def desk(name: str, *said: Any, to: Any = ()) -> Agent:
        return Agent(ScriptedModel(list(said)), name=name, handoffs=to)

    leave = {to: ToolCall("1", f"transfer_to_{to}", {"reason": "a long story"}) for to in ("money", "law")}
    law = desk("law", "settled")
    money = desk("money", leave["law"], to=[law])
    await desk("front", leave["money"], to=[money]).run("help", hooks=[traces])
    assert spans.tree() == [
        "invoke_agent front", "  chat script", "  invoke_agent money", "    chat script", "  invoke_agent law",
        "    chat script",
    ]  # fmt: skip
    assert {span.status.status_code for span in spans.spans} == {StatusCode.UNSET}
    assert [event.name for span in spans.spans for event in span.events] == ["handed_off", "handed_off"]
    assert "a long story" not in spans.said()


async def test_what_waits_for_a_person_has_not_failed(spans: Recorder, traces: Traces) -> None:
    @tool(approval=True)
    async def pay(amount: int) -> int:
        """Pay."""
        return amount

    def agent(*said: Any) -> Agent:
        return Agent(ScriptedModel(list(said)), tools=[pay], name="clerk")

    asks = [ToolCall("1", "pay", {"amount": 5})]
    with pytest.raises(SuspendedError):
        await agent(asks).run("go", thread="talk-1", store="memory://", hooks=[traces])
    assert {span.status.status_code for span in spans.spans} == {StatusCode.UNSET}
    assert spans.one("execute_tool pay").attributes["yggdrasil.suspended"] is True
    assert attributes(spans.one("invoke_agent clerk"))["conversation.id"] == "talk-1"
    await agent(asks, "paid").run("go", approve=lambda approval: True, hooks=[traces])
    events = spans.all("execute_tool pay")[-1].events
    assert [event.name for event in events] == ["approval_asked", "approval_given"]
    assert events[1].attributes["yggdrasil.approved"] is True


def test_without_an_sdk_nothing_happens() -> None:
    watch = Traces(provider=trace.NoOpTracerProvider()).watch("r")
    watch(RunStarted(path="a"))
    watch(NodeStarted(path="a/b"))
    watch(RunFinished(path="a"))
    assert trace.get_current_span() is trace.INVALID_SPAN


PATHS = st.sampled_from(["w", "w/a", "w/a/b", "w/a/b.2", "w/c", "v"])


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(sorted(EVENTS)), PATHS, st.integers(0, 50), st.sampled_from([None, 1, 2]))))
def test_any_events_in_any_order_leave_nothing_open(script: list[tuple[str, str, int, int | None]]) -> None:
    spans = Recorder()
    begun = []

    class Counting:
        """The tracer provider, counting what begins."""

        def get_tracer(self, name: str) -> Any:
            tracer = spans.provider.get_tracer(name)
            start = tracer.start_span

            def counted(*args: Any, **named: Any) -> Any:
                begun.append(1)
                return start(*args, **named)

            tracer.start_span = counted  # type: ignore[method-assign]
            return tracer

    watch = Traces(provider=Counting(), contents=True).watch("r")  # type: ignore[arg-type]
    before = trace.get_current_span()
    for kind, path, time, tick in script:
        watch(EVENTS[kind](path=path, time=float(time), tick=tick))
    watch.close(ValueError("the end"), 60.0)
    assert len(spans.spans) == len(begun)
    assert trace.get_current_span() is before
    assert all(span.end_time >= span.start_time for span in spans.spans)
