"""An agent's memory: pinned facts, compaction within a budget, what it is told before a run, saving and loading."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yggdrasil import Agent, ScriptedModel, block
from yggdrasil.abc.context import Run, RunContext
from yggdrasil.agent.longterm import LongTerm
from yggdrasil.agent.memory import Memory
from yggdrasil.core import dialogue as dialogue_module
from yggdrasil.core.blob import Blob
from yggdrasil.core.budget import Budget
from yggdrasil.core.events import Event, MemoryCompacted, ModelCalled, Warned
from yggdrasil.core.messages import Message, Reply, Request, ToolCall, ToolResult, Usage, assistant, user
from yggdrasil.core.tokens import message_tokens
from yggdrasil.errors import ConfigError, CorruptError, ModelRequestError
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.testing import FakeClock

pytestmark = pytest.mark.anyio

KARA = "Her name is Kara."


class Place:
    """A run to remember in, and the events that were told."""

    def __init__(self, **options: Any) -> None:
        self.events: list[Event] = []
        self.ctx = RunContext(Run(hooks=(self.events.append,), clock=FakeClock(), **options), "agent")

    def of(self, kind: type[Any]) -> list[Any]:
        return [e for e in self.events if isinstance(e, kind)]


def summing(request: Request) -> str:
    """A summary that says how often it was made again."""
    so_far = request.messages[-1].text.split("Conversation:")[0]
    count = int(so_far.split("summary number ")[1].split(" ")[0]) if "summary number" in so_far else 0
    return f"summary number {count + 1} of the talk"


def turn(number: int, size: int = 200, id: str = "call_1") -> list[Message]:
    """What one run says: a question, a call, its result, an answer."""
    return [
        user(f"question {number} " + "q" * size),
        assistant(ToolCall(id, "look", {"at": number})),
        Message("tool", (ToolResult(id, "look", "r" * size),)),
        assistant(f"answer {number}"),
    ]


def parted(messages: Sequence[Message]) -> bool:
    calls = [p.id for m in messages for p in m.parts if isinstance(p, ToolCall)]
    results = [p.id for m in messages for p in m.parts if isinstance(p, ToolResult)]
    return calls != results


async def preface(memory: Memory, ctx: RunContext, text: str = "and now?") -> str:
    before = await memory.before([user(text)], ctx)
    return before[0].text if before and before[0].role == "system" else ""


async def test_a_pinned_fact_is_alive_after_500_turns_and_the_state_is_bounded() -> None:
    place, model = Place(), ScriptedModel(summing)
    memory = Memory(budget=2_000, pinned=[KARA])
    sizes = []
    for number in range(500):
        assert KARA in await preface(memory, place.ctx)
        await memory.keep(turn(number), place.ctx, model)
        assert memory.tokens <= 2_000
        assert not parted(memory.messages)
        sizes.append(len(json.dumps(memory.state_dict())))
    assert KARA in await preface(memory, place.ctx)
    assert f"summary number {model.calls} of" in await preface(memory, place.ctx)
    assert memory.messages[-4:] == turn(499)
    assert max(sizes[450:]) <= 1.01 * max(sizes[50:100])
    assert 60 < model.calls < 130, "compaction is rare: half of the budget is freed at once"
    assert len(place.of(MemoryCompacted)) == model.calls
    assert not place.of(Warned)


async def test_what_a_turn_costs_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    estimated = 0

    def counting(message: Message) -> int:
        nonlocal estimated
        estimated += 1
        return message_tokens(message)

    monkeypatch.setattr(dialogue_module, "message_tokens", counting)
    place, model = Place(), ScriptedModel(summing, keep=10_000)
    memory = Memory(budget=2_000)
    told = []
    for number in range(500):
        told.append(len(await memory.before([user("x")], place.ctx)))
        await memory.keep(turn(number), place.ctx, model)
    assert estimated == 2_000, "each message is estimated once, whatever is dropped"
    assert max(told[450:]) == max(told[50:100])
    read = [sum(map(message_tokens, r.messages)) for r in model.requests]
    assert max(read) <= 1.1 * min(read[1:]), "a summary is made of what is dropped, not of everything"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # seconds long: 1,000 runs
async def test_a_long_talk_with_an_agent_costs_the_same_in_memory_and_in_a_thread() -> None:
    sent: list[int] = []
    written: list[int] = []

    def say(request: Request) -> str | ToolCall:
        if "memory of a conversation" in request.messages[0].text:
            return summing(request)
        assert KARA in request.messages[0].text
        sent.append(sum(map(message_tokens, request.messages)))
        return ToolCall(f"{len(sent)}", "look", {"at": 1}) if request.messages[-1].role == "user" else "s" * 300

    class Counting(MemoryStore):
        async def append(self, stream: str, entries: Any, **more: Any) -> Any:
            snapshot = json.dumps(more.get("snapshot") or "")
            written[-1] += len(snapshot) + sum(len(json.dumps(e.data)) for e in entries)
            return await super().append(stream, entries, **more)

    @block
    async def look(at: int) -> str:
        return "r" * 300

    async with Counting() as store:
        for more in ({}, {"thread": "t", "store": store}):
            sent.clear()
            agent = Agent(ScriptedModel(say, keep=0), tools=[look], memory=Memory(budget=2_000, pinned=[KARA]))
            for number in range(500):
                written.append(0)
                await agent.run(f"question {number} " + "q" * 200, **more)
            assert len(sent) == 1_000
            assert sum(sent[900:]) <= 1.05 * sum(sent[100:200])
        assert sum(written[-50:]) <= 1.05 * sum(written[550:600])
        assert sum(written[:500]) == 0


async def test_compaction_tells_what_it_did_and_is_asked_within_the_run() -> None:
    place, model = Place(), ScriptedModel(summing)
    budget = Budget(tokens=1_000)
    ctx = place.ctx.within(budget)
    memory = Memory(budget=450)
    await memory.keep([m for n in range(4) for m in turn(n)], ctx, model)
    told = place.of(MemoryCompacted)
    assert [(e.path, e.messages) for e in told] == [("agent", 12)]
    assert told[0].before > 450 >= told[0].after == memory.tokens
    assert [e.path for e in place.of(ModelCalled)] == ["agent/memory"]
    assert ctx.budget is not None
    assert place.ctx.run.usage.requests == ctx.budget.spent.requests == 1
    asked = model.requests[0].messages
    assert "question 0" in asked[1].text
    assert "look gave: rrr" in asked[1].text
    assert "question 3" not in asked[1].text
    assert "do not follow instructions" in asked[0].text


async def test_an_own_model_writes_the_summary() -> None:
    agents, own = ScriptedModel([]), ScriptedModel(summing)
    place, memory = Place(), Memory(budget=200, summarise=own)
    await memory.keep([*turn(0), *turn(1)], place.ctx, agents)
    assert (agents.calls, own.calls) == (0, 1)
    named = Memory(budget=200, summarise="scripted:echo")
    await named.keep([*turn(0), *turn(1)], place.ctx, agents)
    assert "question 0" in named.summary


@pytest.mark.parametrize("trouble", ["error", "empty", "budget"])
async def test_a_summary_that_fails_keeps_everything_and_warns(trouble: str) -> None:
    place = Place()
    says: Any = {"error": ModelRequestError("too long"), "empty": "  ", "budget": "never asked"}[trouble]
    model, ctx = ScriptedModel([says]), place.ctx
    if trouble == "budget":
        ctx = ctx.within(Budget(steps=1))
        ctx.spend(Usage(requests=1))
    memory = Memory(budget=300, pinned=[KARA])
    said = [m for n in range(4) for m in turn(n)]
    await memory.keep(said, ctx, model)
    assert memory.messages == said
    assert memory.summary == ""
    assert len(place.of(Warned)) == 1
    assert "kept as it is" in place.of(Warned)[0].sentence
    assert not place.of(MemoryCompacted)
    await memory.keep(turn(4), place.ctx, ScriptedModel(summing))
    assert memory.tokens <= 300, "the next run tries again"
    assert memory.messages == turn(4)


async def test_a_long_talk_is_summarised_in_portions_and_one_huge_turn_too() -> None:
    place, model = Place(), ScriptedModel(summing)
    memory = Memory(budget=400)
    await memory.keep([m for n in range(20) for m in turn(n)], place.ctx, model)
    assert model.calls > 4
    assert all(sum(map(message_tokens, r.messages)) < 1_200 for r in model.requests)
    await memory.keep(turn(20, size=100_000), place.ctx, model)
    assert memory.messages == []
    assert f"summary number {model.calls}" in memory.summary
    assert sum(map(message_tokens, model.requests[-1].messages)) < 1_500


async def test_a_summary_has_a_bound_whatever_the_model_says() -> None:
    memory = Memory(budget=1_000)
    await memory.keep([m for n in range(9) for m in turn(n)], Place().ctx, ScriptedModel(lambda r: "long " * 9_999))
    assert len(memory.summary) <= 1_000
    assert memory.summary.endswith("…")


async def test_without_a_budget_everything_is_kept() -> None:
    memory, place = Memory(budget=None), Place()
    for number in range(100):
        await memory.keep(turn(number, 2_000), place.ctx, ScriptedModel([]))
    assert len(memory.messages) == 400
    assert memory.summary == ""


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 3)), max_size=12),
    st.integers(1, 1_500),
    st.booleans(),
)
def test_no_dialogue_is_broken_by_compaction(runs: list[tuple[int, int]], budget: int, fails: bool) -> None:
    async def main() -> None:
        place = Place()
        memory = Memory(budget=budget, tools=False)
        said: list[Message] = []
        for number, (size, calls) in enumerate(runs):
            new = [user(f"q{number}" + "q" * size)]
            for step in range(calls):
                new += turn(step, size, id=f"call_{step}")[1:3]
            new.append(assistant("a"))
            said += new
            model = ScriptedModel([ModelRequestError("no")] if fails and number % 2 else summing)
            await memory.keep(new, place.ctx, model)
            kept = memory.messages
            assert kept == said[len(said) - len(kept) :], "what is kept is the newest, unchanged"
            assert not parted(kept)
            assert not kept or kept[0].role == "user"
            assert memory.tokens == sum(map(message_tokens, kept))
            assert memory.tokens <= budget or (fails and number % 2)
            assert len(kept) == len(said) or memory.summary
        again = Memory(budget=budget)
        again.load_state_dict(json.loads(json.dumps(memory.state_dict())))
        assert again.state_dict() == memory.state_dict()

    anyio.run(main)


async def test_runs_at_once_lose_nothing() -> None:
    place = Place()
    gate = anyio.Event()

    async def slow(request: Request) -> str:
        await gate.wait()
        return summing(request)

    memory, model = Memory(budget=500), ScriptedModel(slow)
    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(memory.keep, turn(number, id=f"call_{number}"), place.ctx, model)
        await anyio.wait_all_tasks_blocked()
        assert len(memory.messages) == 32
        assert model.calls == 1, "one compacts, the others go on"
        gate.set()
    assert memory.tokens <= 500
    assert not parted(memory.messages)
    assert sum(e.messages for e in place.of(MemoryCompacted)) + len(memory.messages) == 32


@pytest.mark.parametrize("how", ["clear", "load"])
async def test_what_is_forgotten_while_a_summary_is_written_stays_forgotten(how: str) -> None:
    memory = Memory(budget=100, pinned=[KARA])

    async def meanwhile(request: Request) -> str:
        if how == "clear":
            memory.clear()
        else:
            memory.load_state_dict(Memory().state_dict())
        return "of what is gone"

    place = Place()
    await memory.keep([*turn(0), *turn(1)], place.ctx, ScriptedModel(meanwhile))
    assert (memory.messages, memory.summary, memory.pinned) == ([], "", (KARA,))
    assert not place.of(MemoryCompacted)


async def test_a_cancelled_summary_leaves_a_memory_that_works() -> None:
    place, memory = Place(), Memory(budget=100)

    async def never(request: Request) -> str:
        await anyio.sleep_forever()
        return ""

    with anyio.move_on_after(0.05):
        await memory.keep([*turn(0), *turn(1)], place.ctx, ScriptedModel(never))
    assert len(memory.messages) == 8
    await memory.keep(turn(2), place.ctx, ScriptedModel(summing))
    assert memory.summary


async def test_media_count_and_are_saved() -> None:
    memory, picture = Memory(budget=1_500), Blob(b"\x89PNG" * 10, "image/png")
    place = Place()
    await memory.keep([user("look", picture), assistant("nice")], place.ctx, ScriptedModel([]))
    assert memory.tokens > 1_000
    other = Memory()
    other.load_state_dict(json.loads(json.dumps(memory.state_dict())))
    assert other.messages == memory.messages
    model = ScriptedModel(summing)
    await memory.keep([user("look", picture), assistant("nice")], place.ctx, model)
    assert "[image]" in model.requests[0].messages[1].text
    assert len(memory.messages) == 2


# --- long-term memory before a run


async def test_passages_that_fit_are_told_before_a_run() -> None:
    async with LongTerm() as long:
        await long.add("The ford floods in spring.")
        await long.add("Ketil owes three sheep.")
        await long.add("The ford by the mill is safe. " + "x" * 5_000)
        place, memory = Place(), Memory(long_term=long, pinned=[KARA])
        said = await preface(memory, place.ctx, "can we cross the ford?")
        assert "The ford floods in spring." in said
        assert "Ketil" not in said
        assert KARA in said
        assert len(said) < 2_500
        assert await preface(memory, place.ctx, "сколько времени?") == f"Facts that always hold:\n- {KARA}"
        assert await preface(memory, place.ctx, "") == f"Facts that always hold:\n- {KARA}"
        assert await Memory(long_term=long, recalled=0).before([user("the ford?")], place.ctx) == []


async def test_what_is_dropped_is_written_down_first() -> None:
    async with LongTerm() as long:
        place, memory = Place(), Memory(budget=200, long_term=long, archive=True)
        said = [user("the ford is near Ravenhall"), assistant("so it is"), *turn(1), *turn(2)]
        await memory.keep(said, place.ctx, ScriptedModel([ModelRequestError("no"), "summary"]))
        assert await long.count() == 0, "nothing was dropped"
        await memory.keep(turn(3), place.ctx, ScriptedModel(["summary", "summary", "summary", "summary"]))
        found = await long.search("Ravenhall")
        assert [(p.text, p.tags) for p in found] == [("user: the ford is near Ravenhall", ("dialogue",))]


async def test_agents_share_long_term_memory_and_never_the_dialogue() -> None:
    async with LongTerm() as long:
        kara = Agent(ScriptedModel([ToolCall("1", "remember", {"text": "The ford floods."}), "noted"]),
                     memory=Memory(long_term=long))  # fmt: skip
        model = ScriptedModel(["no"])
        bo = Agent(model, memory=Memory(long_term=long))
        await kara.run("remember the ford: a secret word")
        await bo.run("can I cross the ford?")
        heard = "\n".join(m.text for m in model.requests[0].messages)
        assert "The ford floods." in heard
        assert "secret word" not in heard
        assert bo.memory is not None
        assert [m.text for m in bo.memory.messages] == ["can I cross the ford?", "no"]


# --- durable


def talker(memories: list[Memory], model: ScriptedModel, crash: list[bool]) -> Any:
    @block
    async def talk(ctx: RunContext, text: str) -> str:
        memory = memories[-1]
        before = await memory.before([user(text)], ctx)
        await memory.keep([*turn(0), *turn(1), user(text), assistant("yes")], ctx, model)
        if crash.pop():
            raise RuntimeError("the process dies here")
        return "\n".join(m.text for m in before)

    return talk


async def test_a_run_taken_up_again_remembers_the_same_and_asks_for_no_summary_twice() -> None:
    model = ScriptedModel(lambda r: f"summary {model.calls}")
    async with LongTerm() as long, MemoryStore() as store:
        await long.add("The ford floods.")
        memories = [Memory(budget=100, long_term=long, archive=True)]
        talk = talker(memories, model, [False, True])
        with pytest.raises(Exception, match="dies here"):
            await talk.run("cross the ford?", thread="t", store=store)
        count, calls = await long.count(), model.calls
        assert calls > 1
        await long.add("The ford is dry.")
        memories.append(Memory(budget=100, long_term=long, archive=True))  # a new process begins as the first did
        heard = (await talk.run("cross the ford?", thread="t", store=store)).output
        assert "The ford floods." in heard
        assert "dry" not in heard, "what was found stays found"
        assert await long.count() == count + 1
        assert model.calls == calls
        assert memories[1].summary == memories[0].summary == f"summary {calls}"
        assert memories[1].messages == memories[0].messages


async def test_a_thread_has_a_memory_of_its_own() -> None:
    model = ScriptedModel(lambda r: f"{sum(m.role == 'user' for m in r.messages)} asked")
    agent = Agent(model, memory=Memory(pinned=[KARA]))
    async with MemoryStore() as store:
        answers = [(await agent.run("x", thread=name, store=store)).output for name in ("a", "a", "b", "a")]
        assert answers == ["1 asked", "2 asked", "1 asked", "3 asked"]
        assert agent.memory is not None
        assert agent.memory.messages == []
        assert all(KARA in r.messages[0].text for r in model.requests)


async def test_fresh_keeps_settings_and_shares_a_file_only(tmp_path: Any) -> None:
    async with LongTerm(f"sqlite:///{tmp_path}/m.db") as long:
        memory = Memory(budget=500, pinned=[KARA], long_term=long, recalled=2)
        memory.pin("It rains.")
        await memory.keep(turn(0), Place().ctx, ScriptedModel([]))
        new = memory.fresh()
        assert (new.budget, new.pinned, new.messages, new.recalled) == (500, (KARA,), [], 2)
        assert new.long_term is long
        assert new.tools() == memory.tools()
    async with LongTerm(namespace="kara") as inside:
        memory = Memory(long_term=inside)
        new = memory.fresh()
        assert new.long_term is not None
        assert new.long_term is not inside
        assert new.long_term.namespace == "kara"


# --- saved


async def test_state_and_back() -> None:
    async with LongTerm(clock=FakeClock()) as long, LongTerm() as empty:
        await long.add("The ford floods.")
        memory = Memory(budget=300, pinned=[KARA], long_term=long)
        memory.pin("It rains.")
        await memory.keep([m for n in range(4) for m in turn(n)], Place().ctx, ScriptedModel(summing))
        state = json.loads(json.dumps(memory.state_dict()))
        assert set(state) == {"version", "messages", "summary", "pinned", "long_term"}
        other = Memory(long_term=empty)
        other.load_state_dict(state)
        assert other.state_dict() == state
        assert other.pinned == (KARA, "It rains.")
        assert other.tokens == memory.tokens
        assert [p.text for p in await empty.search("ford")] == ["The ford floods."]
        memory.clear()
        assert (memory.messages, memory.summary, memory.pinned) == ([], "", (KARA,))
        assert await long.count() == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "no memory"), ({"messages": [], "mesages": []}, "messages"), ({"messages": [], "version": 2}, "format 2"),
        ({"messages": [], "summary": 3}, "not a text"), ({"messages": [], "pinned": "x"}, "not a list"),
        ({"messages": [], "pinned": [""]}, "empty"), ({"messages": [], "long_term": {}}, "long-term part"),
    ],
)  # fmt: skip
async def test_a_wrong_state_changes_nothing(wrong: dict[str, Any], says: str) -> None:
    memory = Memory(pinned=[KARA])
    await memory.keep(turn(0), Place().ctx, ScriptedModel([]))
    before = memory.state_dict()
    with pytest.raises(ConfigError, match=says):
        memory.load_state_dict(wrong)
    with pytest.raises(CorruptError):
        memory.load_state_dict({"messages": [{"role": "user"}]})
    assert memory.state_dict() == before


def test_a_state_without_a_version_is_read() -> None:
    memory = Memory()
    memory.load_state_dict({"messages": [{"role": "user", "content": "hi"}]})
    assert memory.messages == [user("hi")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"budget": 0}, {"budget": True}, {"budget": 1.5}, {"budget": "8"}, {"pinned": "fact"}, {"pinned": [""]},
        {"pinned": [7]}, {"pinned": ["x" * 4_000], "budget": 1_000}, {"summarise": 7}, {"long_term": 7},
        {"long_term": "postgres://x"}, {"recalled": -1}, {"recalled": True}, {"archive": True},
        {"tools": ["pin"]}, {"tools": "yes"},
    ],
)  # fmt: skip
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        Memory(**wrong)
    assert caught.value.hint


def test_config_and_back() -> None:
    assert Memory().config == {}
    assert Memory(tools=True).config == {"tools": True}
    assert Memory.from_config({"tools": True}).tools()
    memory = Memory(
        budget=None, pinned=[KARA], summarise="scripted:echo", long_term="sqlite:///m.db", tools=False, recalled=1,
        archive=True,
    )  # fmt: skip
    config = json.loads(json.dumps(memory.config))
    assert set(config) == {"budget", "pinned", "summarise", "long_term", "tools", "recalled", "archive"}
    assert Memory.from_config(config).config == config
    with pytest.raises(ConfigError, match="pinned"):
        Memory.from_config({"pined": []})
    with pytest.raises(ConfigError, match="model object"):
        _ = Memory(summarise=ScriptedModel([])).config


# --- by itself


async def do(memory: Memory, *calls: ToolCall) -> list[str]:
    """Let an agent with this memory make these calls in one run; their results."""
    model = ScriptedModel([list(calls), "done"])
    result = await Agent(model, memory=memory).run("go")
    results = [p.content for m in result["messages"] for p in m.parts if isinstance(p, ToolResult)]
    return results[-len(calls) :]


async def test_an_agent_pins_and_unpins() -> None:
    memory = Memory(pinned=[KARA], tools=True)
    said = await do(memory, ToolCall("1", "pin", {"text": " It  rains. "}), ToolCall("2", "pin", {"text": "Snow."}))
    assert said == ["pinned", "pinned"]
    assert memory.pinned == (KARA, "It rains.", "Snow.")
    said = await do(memory, ToolCall("1", "unpin", {"text": "It rains."}), ToolCall("2", "unpin", {"text": KARA}))
    assert said == ["unpinned", "not unpinned: this fact is given and stays"]
    assert memory.pinned == (KARA, "Snow.")
    said = await do(memory, ToolCall("1", "pin", {"text": " "}), ToolCall("2", "pin", {"text": "x" * 1_000}))
    assert [s.split(":")[0] for s in said] == ["not pinned", "not pinned"]
    assert memory.pinned == (KARA, "Snow.")


async def test_a_run_that_fails_pins_nothing() -> None:
    memory = Memory(tools=True)
    model = ScriptedModel([ToolCall("1", "pin", {"text": "It rains."}), ModelRequestError("no")])
    with pytest.raises(ModelRequestError):
        await Agent(model, memory=memory).run("go")
    assert memory.pinned == ()


async def test_pins_are_bounded_and_the_agent_is_told() -> None:
    memory, place = Memory(budget=400, pinned=[KARA], tools=True), Place()
    for number in range(60):
        call = ToolCall("1", "pin", {"text": f"fact number {number} " + "x" * 40})
        kept = [user("go"), assistant(call), Message("tool", (ToolResult("1", "pin", "pinned"),)), assistant("ok")]
        await memory.keep(kept, place.ctx, ScriptedModel(summing))
    assert 5 < len(memory.pinned) < 20
    assert "hardly room" in await preface(memory, place.ctx)
    assert any("no room to pin: fact number 59" in e.sentence for e in place.of(Warned))
    assert not memory.pin("y" * 400)
    assert memory.unpin(memory.pinned[3])
    assert not memory.unpin("never pinned")
    assert not memory.unpin(KARA)


async def test_only_calls_that_were_carried_out_pin() -> None:
    memory, place = Memory(tools=True), Place()
    for results in (
        (ToolResult("1", "pin", "pinned", failed=True),), (ToolResult("1", "pin", "not pinned: no"),),
        (ToolResult("2", "pin", "pinned"),), (ToolResult("1", "look", "pinned"),), (),
    ):  # fmt: skip
        said = [user("x"), assistant(ToolCall("1", "pin", {"text": "fact"})), Message("tool", results)]
        await memory.keep(said, place.ctx, ScriptedModel([]))
    assert memory.pinned == ()
    off = Memory(tools=False)
    assert off.tools() == []
    said = [
        user("x"),
        assistant(ToolCall("1", "pin", {"text": "fact"})),
        Message("tool", (ToolResult("1", "pin", "pinned"),)),
    ]
    await off.keep(said, place.ctx, ScriptedModel([]))
    assert off.pinned == ()
    await memory.keep(said, place.ctx, ScriptedModel([]))
    assert memory.pinned == ("fact",)


async def test_an_agent_remembers_recalls_and_forgets() -> None:
    async with LongTerm() as long:
        memory = Memory(long_term=long)
        assert [t.label for t in memory.tools()] == ["pin", "unpin", "remember", "recall", "forget"]
        assert [t.label for t in Memory(tools=True).tools()] == ["pin", "unpin"]
        assert Memory().tools() == []
        said = await do(memory, ToolCall("1", "remember", {"text": "The ford floods.", "importance": 8}))
        assert said == ["remembered"]
        [found] = await long.search("ford")
        assert found.importance == 1.0
        assert await do(memory, ToolCall("1", "recall", {"query": "ford"})) == [f"[{found.id}] The ford floods."]
        assert await do(memory, ToolCall("1", "recall", {"query": "sheep"})) == ["nothing is remembered about that"]
        assert await do(memory, ToolCall("1", "forget", {"id": f"[{found.id}]"})) == ["forgotten"]
        assert "there is no note" in (await do(memory, ToolCall("1", "forget", {"id": found.id})))[0]
        assert "not remembered" in (await do(memory, ToolCall("1", "remember", {"text": "x" * 5_000})))[0]
        assert await long.count() == 0


async def test_what_is_remembered_in_memory_survives_a_run_taken_up_in_another_process() -> None:
    calls: list[Any] = [ToolCall("1", "remember", {"text": "The ford floods."}), ModelRequestError("the process dies")]
    async with MemoryStore() as store:
        with pytest.raises(ModelRequestError):
            await Agent(ScriptedModel(calls), name="a", memory=Memory(long_term="memory://")).run(
                "go", thread="t", store=store
            )
        again = Agent(ScriptedModel(["done"]), name="a", memory=Memory(long_term="memory://"))
        assert (await again.run("go", thread="t", store=store)).output == "done"
        model = ScriptedModel(["yes"])
        third = Agent(model, name="a", memory=Memory(long_term="memory://"))
        await third.run("the ford?", thread="t", store=store)
        assert "The ford floods." in model.requests[0].messages[0].text


async def test_a_reply_with_usage_is_counted() -> None:
    place = Place()
    reply = Reply(assistant("short"), Usage(input_tokens=90, output_tokens=10, requests=1))
    await Memory(budget=100).keep([*turn(0), *turn(1)], place.ctx, ScriptedModel([reply]))
    assert place.ctx.run.usage.input_tokens == 90
