"""The door: options, streams, dry runs, profiles, hooks, budgets, seeds."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from yggdrasil import (
    Block,
    BlockError,
    Budget,
    BudgetError,
    Graph,
    PortError,
    Result,
    RunError,
    RunTimeoutError,
    block,
    run_sync,
)
from yggdrasil.abc.context import RunContext
from yggdrasil.core.events import NodeFinished, Progress, RunFailed, RunFinished, RunStarted
from yggdrasil.core.messages import Usage
from yggdrasil.core.ports import Spec
from yggdrasil.runtime.call import fold

pytestmark = pytest.mark.anyio


@block
async def greet(name: str, times: int = 1) -> str:
    return "hail " * times + name


def chain(*functions: Any, name: str = "chain") -> Graph:
    graph = Graph(name)
    for i, function in enumerate(functions):
        graph.add_node(f"n{i}", function)
        if i:
            graph.add_edge(f"n{i - 1}", f"n{i}")
    return graph


async def waits(x: int) -> int:
    await anyio.sleep(30)
    return x


def plain(events: list[Any]) -> list[tuple[str, str]]:
    return [(e.kind, e.path) for e in events]


async def test_inputs_in_every_form() -> None:
    assert (await greet.run("Kara")).output == "hail Kara"
    assert (await greet.run(name="Kara", times=2)).output == "hail hail Kara"
    assert (await greet.run({"name": "Kara", "times": 2})).output == "hail hail Kara"
    assert (await greet.run("Kara", times=2)).output == "hail hail Kara"


async def test_options_that_say_nothing_are_as_if_not_there() -> None:
    none = dict.fromkeys(("seed", "timeout", "budget", "hooks", "context", "store", "thread", "num_loop_steps"))
    assert (await greet.run("Kara", dry_run=False, profile=False, **none)).output == "hail Kara"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("seed", "seven"), ("seed", True), ("timeout", 0), ("timeout", "1"), ("num_loop_steps", 0),
        ("num_loop_steps", 1.5), ("budget", 3), ("budget", {"token": 1}), ("hooks", 3), ("hooks", [3]), ("context", 3),
        ("store", "memory://"),
    ],
)  # fmt: skip
async def test_options_that_cannot_be(option: str, value: Any) -> None:
    called: list[int] = []
    graph = chain(lambda x: called.append(x))
    with pytest.raises(PortError):
        await graph.run(1, **{option: value})
    assert called == []


async def test_a_dry_run_calls_nothing() -> None:
    called: list[int] = []
    inner = chain(lambda x: called.append(x), lambda x: called.append(x), name="inner")
    graph = chain(lambda x: called.append(x), inner, name="outer")
    result = await graph.run(1, dry_run=True)
    assert result["order"] == ["outer/n0", "outer/n1/n0", "outer/n1/n1"]
    assert (await greet.run("Kara", dry_run=True))["order"] == ["greet"]
    assert called == []
    with pytest.raises(PortError, match="missing"):
        await graph.run(dry_run=True)


async def test_a_profile() -> None:
    async def naps(x: int) -> int:
        await anyio.sleep(0.02)
        return x

    result = await chain(naps, lambda x: x).run(1, profile=True)
    assert set(result.profile) == {"chain/n0", "chain/n1"}
    calls, seconds = result.profile["chain/n0"]
    assert calls == 1
    assert 0.02 <= seconds < 2
    assert [e.path for e in result.events if isinstance(e, NodeFinished)] == ["chain/n0", "chain/n1"]


async def test_hooks_hear_everything_and_one_may_stand_alone() -> None:
    heard: list[Any] = []
    await chain(lambda x: x).run(1, hooks=heard.append)
    assert plain(heard) == [
        ("run_started", "chain"), ("node_started", "chain/n0"), ("node_finished", "chain/n0"),
        ("run_finished", "chain"),
    ]  # fmt: skip
    assert [e.sequence for e in heard] == [1, 2, 3, 4]
    assert len({e.time for e in heard}) >= 1


async def test_a_hook_that_raises_fails_the_run() -> None:
    def hook(event: Any) -> None:
        raise LookupError("no ear")

    with pytest.raises((BlockError, LookupError), match="no ear"):
        await greet.run("Kara", hooks=hook)


async def test_a_failure_is_told_and_raised() -> None:
    heard: list[Any] = []
    with pytest.raises(BlockError, match="ZeroDivisionError"):
        await chain(lambda x: 1 // x).run(0, hooks=[heard.append])
    assert isinstance(heard[-1], RunFailed)
    assert "ZeroDivisionError" in heard[-1].error


async def test_a_timeout_cancels_what_runs() -> None:
    ended: list[str] = []

    async def sleeps(x: int) -> int:
        try:
            await anyio.sleep(30)
        finally:
            ended.append("sleeps")
        return x

    with pytest.raises(RunTimeoutError, match=r"longer than 0\.02 s"):
        await chain(sleeps).run(1, timeout=0.02)
    assert ended == ["sleeps"]

    @block
    async def late(x: int) -> int:
        raise TimeoutError("its own")

    with pytest.raises(BlockError, match="TimeoutError: its own"):
        await late.run(1, timeout=5)


async def test_seeds() -> None:
    @block
    def draw(x: int, ctx: RunContext) -> float:
        return ctx.random().random()

    graph = Graph("g")
    for name in "ab":
        graph.add_node(name, draw)
        graph.expose_input(f"{name}.x", name="x")
    once, again, other = [dict(await graph.run(x=1, seed=s)) for s in (7, 7, 8)]
    assert once == again
    assert set(once.values()).isdisjoint(other.values())
    assert len(set(once.values())) == 2
    assert dict(await graph.run(x=1)) != dict(await graph.run(x=1))


async def test_a_budget_reaches_down_and_refuses_before() -> None:
    @block
    def spend(x: int, ctx: RunContext) -> int:
        ctx.require()
        ctx.spend(Usage(input_tokens=10, requests=1))
        return x

    graph = chain(spend, spend, spend)
    assert (await graph.run(1)).usage.input_tokens == 30
    budget = Budget(tokens=15)
    with pytest.raises(BudgetError, match="15 tokens") as caught:
        await graph.run(1, budget=budget)
    assert caught.value.path == "chain/n2"
    assert budget.spent.input_tokens == 20
    with pytest.raises(BudgetError):
        await graph.run(1, budget={"steps": 2})


async def test_a_run_inside_a_run_keeps_what_it_was_told() -> None:
    heard: list[Any] = []

    @block
    def spend(x: int, ctx: RunContext) -> str:
        ctx.spend(Usage(input_tokens=10))
        return f"{ctx.seed} {ctx.path}"

    @block
    async def calls(x: int, ctx: RunContext) -> Any:
        plain = await spend.run(x, context=ctx)
        seeded = await spend.run(x, context=ctx, seed=3, hooks=heard.append)
        streamed = [e async for e in spend.stream(x, context=ctx)]
        dry = await spend.run(x, context=ctx, dry_run=True)
        return [plain.output, seeded.output, fold(streamed).output, dry["order"], seeded.usage.input_tokens]

    outside: list[Any] = []
    result = await chain(calls).run(1, seed=1, hooks=outside.append)
    plain_said, seeded_said, streamed_said, order, inner_usage = result.output
    assert plain_said == streamed_said != seeded_said
    assert seeded_said.endswith(" chain/n0/spend")
    assert order == ["spend"]
    assert inner_usage == 10
    assert result.usage.input_tokens == 30
    assert plain(heard) == [("run_started", "chain/n0/spend"), ("run_finished", "chain/n0/spend")]
    assert [e.sequence for e in outside] == sorted(e.sequence for e in outside)


async def test_a_stream_folds_to_the_run() -> None:
    graph = chain(lambda x: x + 1, lambda x: x * 2)
    events = [e async for e in graph.stream(3, seed=1)]
    assert fold(events) == await graph.run(3, seed=1) == {"output": 8}
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    with pytest.raises(PortError, match="no finished run"):
        fold(events[:-1])


async def test_a_stream_comes_as_it_happens() -> None:
    go = anyio.Event()

    @block
    async def works(x: int, ctx: RunContext) -> int:
        ctx.progress(1, 2)
        with anyio.fail_after(5):
            await go.wait()
        return x

    kinds = []
    async for event in works.stream(1):
        kinds.append(type(event))
        if isinstance(event, Progress):
            go.set()
    assert kinds == [RunStarted, Progress, RunFinished]


async def test_a_stream_raises_what_the_run_raises() -> None:
    seen: list[Any] = []

    async def read() -> None:
        async for event in chain(lambda x: 1 // x).stream(0):
            seen.append(event)  # noqa: PERF401

    with pytest.raises(BlockError, match="ZeroDivisionError") as caught:
        await read()
    assert caught.value.path == "chain/n0"
    assert isinstance(seen[-1], RunFailed)
    with pytest.raises(PortError, match="missing"):
        async for _ in greet.stream():
            pass


class Watched:
    """A node that says when it has begun and ended."""

    def __init__(self) -> None:
        self.running = 0
        self.ended = anyio.Event()

    async def __call__(self, x: int) -> int:
        self.running += 1
        try:
            await anyio.sleep(30)
        finally:
            self.running -= 1
            self.ended.set()
        return x


async def test_leaving_a_stream_early_leaves_nothing_behind() -> None:
    watched = Watched()
    async for event in chain(watched).stream(1):
        if event.kind == "node_started":
            break
    gc.collect()
    with anyio.fail_after(5):
        await watched.ended.wait()
    assert watched.running == 0


async def test_closing_a_stream_waits_until_it_is_gone() -> None:
    watched = Watched()
    async with chain(watched).stream(1) as events:
        async for event in events:
            if event.kind == "node_started":
                await anyio.sleep(0.01)
                break
    assert watched.ended.is_set()
    assert watched.running == 0
    with pytest.raises(StopAsyncIteration):
        await anext(events)
    await events.aclose()


async def test_a_cancelled_reader_ends_the_run() -> None:
    watched = Watched()
    with anyio.move_on_after(0.05):
        async for _ in chain(watched).stream(1):
            pass
    assert watched.running == 0


async def test_an_error_in_the_readers_body_ends_the_run() -> None:
    watched = Watched()

    async def read() -> None:
        async for event in chain(watched).stream(1):
            if event.kind == "node_started":
                raise LookupError("reader")

    with pytest.raises(LookupError):
        await read()
    gc.collect()
    with anyio.fail_after(5):
        await watched.ended.wait()


async def test_a_stream_that_was_never_read_runs_nothing() -> None:
    called: list[int] = []
    stream = chain(lambda x: called.append(x)).stream(1)
    del stream
    gc.collect()
    await anyio.lowlevel.checkpoint()
    assert called == []


async def test_a_run_that_cancels_itself_is_told(anyio_backend_name: str) -> None:
    if anyio_backend_name == "trio":
        pytest.skip("trio's cancellation cannot be raised by hand")

    async def gives_up(x: int) -> int:
        raise anyio.get_cancelled_exc_class()

    with pytest.raises(RunError, match="cancelled from inside"):
        async for _ in chain(gives_up).stream(1):
            pass


async def test_inputs_are_never_mutated() -> None:
    given = {"name": "Kara"}
    await greet.run(given, times=2)
    assert given == {"name": "Kara"}


async def test_results_name_what_there_is() -> None:
    result = await greet.run("Kara")
    assert isinstance(result, Result)
    assert (result.path, result.output, dict(result)) == ("greet", "hail Kara", {"output": "hail Kara"})


async def test_a_block_that_gives_an_exception_group() -> None:
    class Many(Block):
        spec = Spec.declare({"x": int}, {"y": int})

        async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
            async with anyio.create_task_group() as group:
                group.start_soon(self.fail)
            return {"y": 1}

        async def fail(self) -> None:
            raise LookupError("inside a group")

    with pytest.raises(BlockError, match="inside a group"):
        await Many().run(1)


async def test_run_sync_inside_a_loop() -> None:
    with pytest.raises(BlockError, match="inside an event loop") as caught:
        run_sync(greet, "Kara")
    assert caught.value.hint == "await greet.run(...)"
