"""The agent: tools, errors, limits, typed output, memory, durability, cancellation."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from pydantic import BaseModel

from yggdrasil import (
    Agent,
    Blob,
    Budget,
    BudgetError,
    ConfigError,
    ModelRequestError,
    OutputError,
    PortError,
    RunContext,
    ScriptedModel,
    StepLimitError,
    ToolRetryError,
    UnknownTypeError,
    block,
    tool,
)
from yggdrasil.abc.context import Run
from yggdrasil.abc.model import Model
from yggdrasil.agent.memory import Memory
from yggdrasil.core.events import Event, ModelCalled, ModelReplied, Token, ToolCalled, ToolReturned, Warned
from yggdrasil.core.messages import Reply, Request, ToolCall, ToolResult, Usage, assistant, system, user

pytestmark = pytest.mark.anyio


def call(name: str, number: int = 0, /, **arguments: Any) -> ToolCall:
    return ToolCall(f"id{number}", name, arguments)


def results(model: ScriptedModel, request: int = -1) -> list[ToolResult]:
    """The tool results that the model was shown last."""
    return [p for p in model.requests[request].messages[-1].parts if isinstance(p, ToolResult)]


@tool
def add(a: int, b: int = 10) -> int:
    """Add two numbers.

    Args:
        a: the first
    """
    return a + b


@tool
def fail(why: str = "it is broken") -> str:
    """Fail."""
    raise ValueError(why)


# --- the same body for every kind of model


async def test_a_tool_is_called_and_the_answer_comes_back(any_model: Callable[[], Model]) -> None:
    called: list[str] = []

    @tool
    def weather(city: str) -> str:
        """The weather in a city."""
        called.append(city)
        return f"rain in {city}"

    agent = Agent(any_model(), tools=[weather], instructions="Be brief.", params={"max_tokens": 50})
    result = await agent.run("What is the weather?")
    assert len(called) == 1
    assert isinstance(result.output, str)
    assert result.output
    assert result.usage.requests == 2
    assert [m.role for m in result["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert result["messages"][2].parts[0].content == f"rain in {called[0]}"
    assert result["tool_calls"] == []


async def test_streaming_gives_the_same(any_model: Callable[[], Model]) -> None:
    agent = Agent(any_model(), tools=[add])
    events: list[Event] = [event async for event in agent.stream("Add.")]
    kinds = [type(e) for e in events]
    assert kinds.count(ModelCalled) == kinds.count(ModelReplied) == 2
    assert kinds.count(ToolCalled) == kinds.count(ToolReturned) == 1
    told = "".join(e.text for e in events if isinstance(e, Token) and e.part == "text")
    final = events[-1].result  # type: ignore[attr-defined]
    assert told == final.output
    assert [m.role for m in final["messages"]] == ["user", "assistant", "tool", "assistant"]


class Hero(BaseModel):
    name: str
    age: int


async def test_a_typed_answer(any_model: Callable[[], Model], request: pytest.FixtureRequest) -> None:
    if "scripted" not in request.node.name:
        request.getfixturevalue("llmock").reply('{"name": "Kara", "age": 30}')
    result = await Agent(any_model(), output=Hero).run("Who?")
    assert isinstance(result.output, Hero)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_broken_tool_json_is_told_to_the_model(provider: str, llmock: Any) -> None:
    llmock.call_tool("add", {"a": 1}).break_tool_call()
    agent = Agent({"name": f"{provider}:m", "endpoint_url": llmock.base_url(provider)}, tools=[add])
    events = [event async for event in agent.stream("Add 1.")]  # streamed, so that both SDKs hand on what came
    returned = next(e for e in events if isinstance(e, ToolReturned))
    assert returned.failed
    assert "not a JSON object" in returned.content
    assert events[-1].result.output  # type: ignore[attr-defined]


# --- tools


async def test_anything_that_runs_is_a_tool() -> None:
    def plain(x: int) -> int:
        """A plain function."""
        return x + 1

    async def waits(x: int, ctx: RunContext) -> str:
        await anyio.lowlevel.checkpoint()
        return ctx.path

    def items() -> Iterator[int]:
        yield from (1, 2)

    async def later() -> AsyncIterator[int]:
        yield 3

    class Adder:
        def method(self, x: int) -> int:
            return x + 100

    helper = Agent(ScriptedModel(lambda r: "helper says: " + r.messages[-1].text), name="helper", description="Helps.")
    calls = [
        call("plain", 1, x=1),
        call("waits", 2, x=1),
        call("items", 3),
        call("later", 4),
        call("method", 5, x=1),
        call("helper", 6, prompt="well?"),
        call("add", 7, a=1),
    ]
    model = ScriptedModel([calls, "done"])
    agent = Agent(model, name="main", tools=[plain, waits, items, later, Adder().method, helper, add])
    await agent.run("go")
    shown = [(r.content, r.failed) for r in results(model)]
    assert shown == [
        ("2", False),
        ("main/waits", False),
        ("[1, 2]", False),
        ("[3]", False),
        ("101", False),
        ("helper says: well?", False),
        ("11", False),
    ]
    described = {t.name: t for t in model.requests[0].tools}
    assert described["helper"].description == "Helps."
    assert described["add"].parameters["properties"]["a"]["description"] == "the first"


async def test_tools_run_at_the_same_time_and_results_keep_their_order() -> None:
    running = peak = 0

    @tool
    async def slow(seconds: float) -> float:
        """Wait."""
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await anyio.sleep(seconds)
        running -= 1
        return seconds

    waits = [0.08, 0.02, 0.06, 0.01]
    model = ScriptedModel([[call("slow", i, seconds=s) for i, s in enumerate(waits)], "done"])
    await Agent(model, tools=[slow]).run("go")
    assert peak == 4
    assert [(r.id, float(r.content)) for r in results(model)] == [(f"id{i}", s) for i, s in enumerate(waits)]


async def test_every_call_has_a_place_and_a_seed_of_its_own() -> None:
    seen: list[tuple[str, int | None]] = []

    @tool
    def where(ctx: RunContext) -> str:
        """Say where."""
        seen.append((ctx.path, ctx.seed))
        return ctx.path

    def script() -> ScriptedModel:
        return ScriptedModel([[call("where", 1), call("where", 2)], call("where", 3), "done"])

    for _ in range(2):
        await Agent(script(), tools=[where]).run("go", seed=7)
    first, second = sorted(seen[:3]), sorted(seen[3:])  # trio starts tasks in any order
    assert [path for path, _ in first] == ["agent/where", "agent/where.2", "agent/where.3"]
    assert len({seed for _, seed in first}) == 3
    assert first == second


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (call("ad", a=1), "there is no tool 'ad'; did you mean 'add'?"),
        (call("add", a="x"), "a: Input should be a valid integer"),
        (call("add"), "a: it is missing"),
        (ToolCall("id0", "add", '{"a": 1'), "not a JSON object"),
        (call("fail"), "ValueError: it is broken"),
    ],
)
async def test_what_goes_wrong_goes_back_to_the_model(bad: ToolCall, says: str) -> None:
    model = ScriptedModel([bad, "I see."])
    result = await Agent(model, tools=[add, fail]).run("go")
    (shown,) = results(model)
    assert (shown.id, shown.name, shown.failed) == ("id0", bad.name, True)
    assert says in shown.content
    assert result.output == "I see."


async def test_one_failing_tool_does_not_stop_its_siblings() -> None:
    model = ScriptedModel([[call("fail", 1), call("add", 2, a=1)], "done"])
    await Agent(model, tools=[add, fail]).run("go")
    assert [(r.content, r.failed) for r in results(model)] == [("ValueError: it is broken", True), ("11", False)]


async def test_a_tool_that_keeps_failing_ends_the_run() -> None:
    model = ScriptedModel([call("fail", n, why=f"number {n}") for n in range(9)])
    with pytest.raises(ToolRetryError, match=r"tool fail failed 3 times.*number 2") as caught:
        await Agent(model, name="worker", tools=[fail]).run("go")
    assert model.calls == 3
    assert caught.value.path == "worker"
    assert [m.role for m in caught.value.transcript] == ["user"] + ["assistant", "tool"] * 3
    none = ScriptedModel([call("fail"), "unreached"])
    with pytest.raises(ToolRetryError):
        await Agent(none, tools=[fail], max_retries=0).run("go")


async def test_two_tools_of_one_name_and_things_that_are_no_tool() -> None:
    with pytest.raises(ConfigError, match="two tools are called 'add'"):
        Agent("scripted:echo", tools=[add, add])
    for nothing in (3, int, {"sides": 6}):
        with pytest.raises(ConfigError, match="tool"):
            Agent("scripted:echo", tools=[nothing])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="not a list"):
        Agent("scripted:echo", tools="add")
    with pytest.raises(UnknownTypeError, match="no tool 'ad'"):
        Agent("scripted:echo", tools=["tool/ad"])

    def needs(x: int, *, key: str) -> int:
        return x

    with pytest.raises(ConfigError, match="without a value: key"):
        Agent("scripted:echo", tools=[needs])


# --- limits


async def test_the_step_limit_is_an_error_with_the_transcript() -> None:
    model = ScriptedModel(lambda r: call("add", len(r.messages), a=len(r.messages)))
    with pytest.raises(StepLimitError, match="4 model turns were not enough") as caught:
        await Agent(model, tools=[add], max_steps=4).run("go")
    assert model.calls == 4
    assert [m.role for m in caught.value.transcript] == ["user"] + ["assistant", "tool"] * 3 + ["assistant"]


async def test_the_step_limit_can_ask_for_an_answer() -> None:
    def say(request: Request) -> Any:
        return call("add", len(request.messages), a=len(request.messages)) if request.tools else "As far as I got."

    model = ScriptedModel(say)
    result = await Agent(model, tools=[add], max_steps=3, on_limit="answer").run("go")
    assert result.output == "As far as I got."
    assert model.calls == 4
    assert "not run: 3 model turns" in results(model)[0].content
    stubborn = ScriptedModel(lambda r: call("add", len(r.messages), a=len(r.messages)))
    with pytest.raises(StepLimitError):
        await Agent(stubborn, tools=[add], max_steps=3, on_limit="answer").run("go")
    assert stubborn.calls == 4


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_a_last_call_without_tools_is_one_that_providers_take(provider: str, llmock: Any) -> None:
    for _ in range(2):
        llmock.call_tool("add", {"a": 1})
    llmock.reply("Done with it.")
    agent = Agent(
        {"name": f"{provider}:m", "endpoint_url": llmock.base_url(provider)},
        tools=[add],
        max_steps=2,
        on_limit="answer",
    )
    assert (await agent.run("go")).output == "Done with it."
    body = llmock.last_request.body
    if provider == "openai":
        assert "tools" not in body
    else:  # the Messages API refuses tool blocks whose tools are not declared
        assert [t["name"] for t in body["tools"]] == ["add"]
        assert body["tool_choice"] == {"type": "none"}


async def test_the_same_call_five_times_is_stopped_before_the_sixth() -> None:
    done: list[int] = []

    @tool
    def poll(x: int) -> int:
        """Look."""
        done.append(x)
        return len(done)

    model = ScriptedModel(lambda r: call("poll", len(r.messages), x=1))
    with pytest.raises(StepLimitError, match="same arguments 5 turns in a row"):
        await Agent(model, tools=[poll]).run("go")
    assert len(done) == 5


async def test_a_spent_budget_refuses_the_next_call() -> None:
    reply = Reply(assistant(call("add", a=1)), Usage(100, 20, requests=1), "tool_calls")
    model = ScriptedModel([reply, "unreached"])
    budget = Budget(tokens=110)
    with pytest.raises(BudgetError, match="110 tokens"):
        await Agent(model, tools=[add]).run("go", budget=budget)
    assert model.calls == 1
    assert budget.spent.requests == 1


async def test_a_helpers_spent_budget_ends_the_whole_run() -> None:
    costly = Reply(assistant("ok"), Usage(100, 20, requests=1))
    helper = Agent(ScriptedModel([costly, costly]), name="helper")
    model = ScriptedModel([call("helper", 1, prompt="a"), call("helper", 2, prompt="b"), "unreached"])
    with pytest.raises(BudgetError):
        await Agent(model, tools=[helper]).run("go", budget={"tokens": 100})
    assert model.calls == 1


@pytest.mark.parametrize(
    "options",
    [{"max_steps": 0}, {"max_steps": True}, {"max_retries": -1}, {"on_limit": "stop"}, {"model": 3}],
)
def test_nonsense_is_refused_before_anything_runs(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Agent(**{"model": "scripted:echo", **options})


# --- answers


async def test_an_unfit_answer_is_sent_back_with_the_error() -> None:
    model = ScriptedModel(["Kara, thirty", '{"name": "Kara"}', '{"name": "Kara", "age": 30}'])
    result = await Agent(model, output=Hero).run("Who?")
    assert result.output == Hero(name="Kara", age=30)
    assert "not JSON" in model.requests[1].messages[-1].text
    assert "age: Field required" in model.requests[2].messages[-1].text
    assert model.requests[0].output is not None


async def test_an_answer_that_never_fits_is_an_error() -> None:
    model = ScriptedModel(["no"] * 9)
    with pytest.raises(OutputError, match="in 3 tries") as caught:
        await Agent(model, output=Hero).run("Who?")
    assert model.calls == 3
    assert len(caught.value.transcript) == 6


async def test_tools_and_a_typed_answer_go_together() -> None:
    model = ScriptedModel([call("add", a=20), '{"result": 30}'])
    assert (await Agent(model, tools=[add], output=int).run("go")).output == 30


@pytest.mark.parametrize(
    ("reply", "says"),
    [(Reply(assistant("half an ans"), finish="length"), "cut off"), (Reply(assistant("")), "with nothing")],
)
async def test_an_odd_answer_is_warned_of(reply: Reply, says: str) -> None:
    events: list[Event] = []
    await Agent(ScriptedModel([reply])).run("go", hooks=[events.append])
    assert any(isinstance(e, Warned) and says in e.sentence for e in events)


# --- what goes in


async def test_instructions_context_history_and_pictures() -> None:
    model = ScriptedModel(lambda r: "ok")
    picture = Blob(b"\x89PNG", "image/png")
    agent = Agent(model, instructions="Be kind.")
    await agent.run(
        {"prompt": ["Look:", picture], "context": {"place": "Midgard"}, "messages": [user("a"), assistant("b")]}
    )
    sent = list(model.requests[0].messages)
    assert sent[0] == system('Be kind.\n\n{"place": "Midgard"}')
    assert [m.role for m in sent] == ["system", "user", "assistant", "user"]
    assert sent[3] == user("Look:", picture)
    await agent.run([user("only this")])
    assert list(model.requests[1].messages) == [system("Be kind."), user("only this")]
    await agent.run(picture)
    assert model.requests[2].messages[-1] == user(picture)
    with pytest.raises(PortError, match="nothing to do"):
        await agent.run()


async def test_the_history_of_one_run_opens_the_next() -> None:
    model = ScriptedModel([call("add", a=1), "11", "still 11"])
    agent = Agent(model, tools=[add], instructions="Sum.")
    first = await agent.run("go")
    await agent.run({"messages": first["messages"], "prompt": "again?"})
    assert [m.role for m in model.requests[-1].messages] == ["system", "user", "assistant", "tool", "assistant", "user"]


async def test_inputs_and_transcripts_are_never_changed() -> None:
    history = [user("a"), assistant("b")]
    model = ScriptedModel([call("add", a=1), "done"])
    await Agent(model, tools=[add]).run({"messages": history, "prompt": "c"})
    assert history == [user("a"), assistant("b")]
    assert [len(r.messages) for r in model.requests] == [3, 5]  # what was sent, not what it grew into


# --- memory


async def test_memory_is_kept_saved_and_loaded() -> None:
    model = ScriptedModel(lambda r: f"{sum(m.role == 'user' for m in r.messages)} asked")
    agent = Agent(model, memory=True, instructions="Remember.")
    assert (await agent.run("one")).output == "1 asked"
    assert (await agent.run("two")).output == "2 asked"
    state = json.loads(json.dumps(agent.state_dict()))
    other = Agent(model, memory=True)
    other.load_state_dict(state)
    assert (await other.run("three")).output == "3 asked"
    assert [m.text for m in agent.memory.messages] == ["one", "1 asked", "two", "2 asked"]  # type: ignore[union-attr]
    forgetful = Agent(model)
    assert forgetful.state_dict() == {}
    with pytest.raises(ConfigError, match="memory=True"):
        forgetful.load_state_dict(state)


async def test_a_failed_run_leaves_no_trace_in_memory() -> None:
    memory = Memory()
    agent = Agent(ScriptedModel([call("fail")]), tools=[fail], max_retries=0, memory=memory)
    with pytest.raises(ToolRetryError):
        await agent.run("go")
    assert memory.messages == []


async def test_calling_gives_a_copy_that_shares_model_and_memory() -> None:
    model = ScriptedModel([call("add", a=1), "done"])
    agent = Agent(model, memory=True)
    caller = agent.calling([add])
    assert (await caller.run("go")).output == "done"
    assert caller.memory is agent.memory
    assert len(agent.memory.messages) == 4  # type: ignore[union-attr]
    assert [t.name for t in model.requests[0].tools] == ["add"]
    assert agent.tools == ()


async def test_contracts_are_made_once_however_often_tools_are_handed_over() -> None:
    agent = Agent(ScriptedModel(lambda r: "x"))
    assert agent.calling([add])._loop.toolbox.specs[0] is agent.calling([add])._loop.toolbox.specs[0]


# --- durable runs


async def test_a_recorded_run_repeats_no_call(journal: Any) -> None:
    done: list[str] = []

    @tool
    def send(text: str, ctx: RunContext) -> str:
        """Send it."""
        done.append(ctx.key)
        return f"sent {text}"

    @tool(idempotent=False)
    def pay(amount: int) -> str:
        """Pay."""
        done.append("paid")
        raise OSError("no answer")

    def agent() -> tuple[Agent, ScriptedModel]:
        model = ScriptedModel(
            [[call("send", 1, text="a"), call("send", 2, text="b"), call("pay", 3, amount=1)], "done"]
        )
        return Agent(model, tools=[send, pay]), model

    first, _ = agent()
    outputs = await first.execute({"prompt": "go"}, RunContext(Run(effects=journal), "agent"))
    assert sorted(done) == ["key-agent/send-1", "key-agent/send.2-1", "paid"]
    assert {(kind, path, idempotent) for kind, path, idempotent in journal.kinds} == {
        ("model", "agent", True),
        ("tool", "agent/send", True),
        ("tool", "agent/send.2", True),
        ("tool", "agent/pay", False),
    }
    second, model = agent()
    again = await second.execute({"prompt": "go"}, RunContext(Run(effects=journal.again()), "agent"))
    assert again == outputs
    assert len(done) == 3
    assert model.calls == 0


async def test_a_recorded_run_counts_what_it_spent(journal: Any) -> None:
    reply = Reply(assistant("done"), Usage(7, 3, requests=1))
    for records in (journal, journal.again()):
        run = Run(effects=records)
        await Agent(ScriptedModel([reply])).execute({"prompt": "go"}, RunContext(run, "agent"))
        assert run.usage == Usage(7, 3, requests=1)


async def test_agents_as_tools_record_their_own_calls(journal: Any) -> None:
    helper = Agent(ScriptedModel([call("add", a=1), "eleven"]), name="helper", tools=[add])
    agent = Agent(ScriptedModel([call("helper", prompt="1 + 10?"), "done"]), name="main", tools=[helper])
    await agent.execute({"prompt": "go"}, RunContext(Run(effects=journal), "main"))
    assert [path for _, path, _ in journal.kinds] == ["main", "main/helper", "main/helper/add", "main/helper", "main"]


# --- cancellation


async def test_cancelling_ends_the_tools() -> None:
    ended: list[str] = []
    started = anyio.Event()

    @tool
    async def hang(name: str) -> str:
        """Hang."""
        try:
            if name == "b":
                started.set()
            await anyio.sleep(60)
        finally:
            ended.append(name)
        return ""

    model = ScriptedModel([[call("hang", 1, name="a"), call("hang", 2, name="b")], "unreached"])
    began = time.monotonic()
    async with anyio.create_task_group() as group:
        group.start_soon(Agent(model, tools=[hang]).run, "go")
        await started.wait()
        group.cancel_scope.cancel()
    assert sorted(ended) == ["a", "b"]
    assert time.monotonic() - began < 30
    assert model.calls == 1


async def test_what_ends_the_run_cancels_the_siblings() -> None:
    ended: list[str] = []

    @tool
    async def hang() -> str:
        """Hang."""
        try:
            await anyio.sleep(60)
        finally:
            ended.append("hang")
        return ""

    @tool
    async def broke() -> str:
        """Spend."""
        await anyio.sleep(0.01)
        raise BudgetError("spent")

    model = ScriptedModel([[call("hang", 1), call("broke", 2)]])
    with pytest.raises(BudgetError, match="spent"):
        await Agent(model, tools=[hang, broke]).run("go")
    assert ended == ["hang"]


# --- errors of the model, and configs


async def test_a_models_error_carries_the_path() -> None:
    with pytest.raises(ModelRequestError) as caught:
        await Agent(ScriptedModel([]), name="scribe").run("go")
    assert caught.value.path == "scribe"


async def test_a_config_rebuilds_the_agent() -> None:
    @block("tool/test-double")
    def double(x: int, *, times: int = 2) -> int:
        """Multiply."""
        return x * times

    agent = Agent(
        {"name": "scripted:tools"},
        name="counter",
        description="Counts.",
        instructions="Count.",
        tools=["test-double"],
        max_steps=5,
        on_limit="answer",
        params={"temperature": 0},
        output="str",
        memory=True,
    )
    config = json.loads(json.dumps(agent.config))
    other = Agent(**config)
    assert other.config == config
    assert (await other.run("go")).output == "double: 2"
    by_object = Agent("scripted:tools", tools=[double.configured(times=3)], output=int)
    assert by_object.config["tools"] == [{"type": "tool/test-double", "times": 3}]
    assert by_object.config["output"] == "int"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Agent(ScriptedModel(["x"])), "model object"),
        (lambda: Agent("scripted:echo", tools=[lambda x: x]), "Python only"),
        (lambda: Agent("scripted:echo", tools=[add]), "the tool add"),
        (lambda: Agent("scripted:echo", output=Hero), "output type"),
    ],
)
def test_what_exists_only_in_python_cannot_be_saved(make: Callable[[], Agent], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        _ = make().config
