"""The engine, on both event loops."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel
import numpy as np
import pytest

from yggdrasil import (
    Block,
    BlockError,
    ConfigError,
    Graph,
    PortError,
    RunError,
    RunTimeoutError,
    ValidationError,
    block,
)
from yggdrasil.abc.context import RunContext
from yggdrasil.core.events import LoopIterated, NodeFailed, NodeFinished, NodeRetried, NodeSkipped, NodeStarted
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import BudgetError, ModelAuthError, RateLimitError

pytestmark = pytest.mark.anyio


async def add_one(x: int) -> int:
    return x + 1


class Maybe(Block):
    """Gives `y` only when asked."""

    spec = Spec.declare([port("x", int), port("give", bool, default=True)], [port("y", int, optional=True)])

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        return {"y": inputs["x"]} if inputs["give"] else {}


class Barrier:
    """Lets go when as many have come."""

    def __init__(self, parties: int) -> None:
        self.parties, self.event = parties, anyio.Event()

    async def wait(self, x: int) -> int:
        self.parties -= 1
        if not self.parties:
            self.event.set()
        with anyio.fail_after(5):
            await self.event.wait()
        return x


async def test_independent_nodes_run_at_once() -> None:
    barrier = Barrier(10)
    graph = Graph()
    graph.add_node("source", add_one)
    for i in range(10):
        graph.add_node(f"n{i}", barrier.wait)
        graph.add_edge("source", f"n{i}")
    result = await graph.run(1)
    assert dict(result) == {f"n{i}.output": 2 for i in range(10)}


async def test_a_step_starts_when_its_inputs_are_there() -> None:
    """No level barriers: the end of the short way runs before the long way's start has ended."""
    graph, gate = Graph(), anyio.Event()

    async def slow(x: int) -> int:
        with anyio.fail_after(5):
            await gate.wait()
        return x

    async def opens(x: int) -> int:
        gate.set()
        return x

    graph.add_node("slow", slow)
    graph.add_node("short1", add_one)
    graph.add_node("short2", opens)
    graph.add_edge("short1", "short2")
    result = await graph.run({"slow.x": 1, "short1.x": 2})
    assert dict(result) == {"slow.output": 1, "short2.output": 3}


async def test_what_does_not_come_is_skipped_onwards() -> None:
    graph, events = Graph(), []
    graph.add_node("maybe", Maybe())
    graph.add_node("after", add_one)
    graph.add_node("last", add_one)
    graph.add_node("tolerant", Maybe())
    graph.add_edge("maybe", "after")
    graph.add_edge("after", "last")
    assert graph.spec.outputs["last.output" if "last.output" in graph.spec.outputs else "output"].optional
    named = {"maybe.x": 1, "tolerant.x": 5, "tolerant.give": True}
    full = await graph.run({**named, "maybe.give": True})
    assert full["output"] == 3
    short = await graph.run({**named, "maybe.give": False}, hooks=events.append)
    assert "output" not in short
    skipped = {e.path: e.reason for e in events if isinstance(e, NodeSkipped)}
    assert skipped == {"graph/after": "nothing came for x", "graph/last": "nothing came for x"}


async def test_a_default_stands_in_for_what_does_not_come() -> None:
    class Seen(Block):
        spec = Spec.declare([port("x", int, default=7), port("z", int, optional=True)], [port("seen", dict)])

        async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
            return {"seen": dict(inputs)}

    graph = Graph()
    graph.add_node("maybe", Maybe())
    graph.add_node("seen", Seen())
    graph.add_edge("maybe.y", "seen.x")
    assert (await graph.run({"x": 1, "give": False}))["seen"] == {"x": 7}
    assert (await graph.run({"x": 1, "give": True, "z": 2}))["seen"] == {"x": 1, "z": 2}
    assert (await Seen().run())["seen"] == {"x": 7}
    alone = Graph()
    alone.add_node("seen", Seen())
    alone.expose_output("seen.seen", name="seen")
    alone.expose_input("seen.z", name="z")
    assert (await alone.run(z=1))["seen"] == {"x": 7, "z": 1}


async def test_a_gate() -> None:
    graph = Graph()
    graph.add_node("is_big", lambda n: n > 10)
    graph.add_node("shrink", add_one, gate=True)
    graph.add_edge("is_big", "shrink.when")
    graph.expose_input("is_big.n", name="n")
    graph.expose_input("shrink.x", name="n")
    graph.expose_output("shrink.output", name="small")
    assert dict(await graph.run(n=11)) == {"small": 12}
    assert dict(await graph.run(n=3)) == {}
    with pytest.raises(ConfigError, match="'when' already"):
        Graph().add_node("x", lambda when: when, gate=True)


async def test_the_first_failure_cancels_its_siblings_and_comes_alone() -> None:
    cancelled: list[str] = []
    started = anyio.Event()

    async def waits(x: int) -> int:
        started.set()
        try:
            await anyio.sleep(30)
        except BaseException:
            cancelled.append("waits")
            raise
        return x

    async def fails(x: int) -> int:
        await started.wait()
        raise LookupError("no such rune")

    inner = Graph("inner")
    inner.add_node("fails", fails)
    inner.add_node("waits", waits)
    inner.expose_input("fails.x", name="x")
    inner.expose_input("waits.x", name="x")
    graph = Graph("outer")
    graph.add_node("deep", inner)
    graph.add_node("beside", waits)
    graph.expose_input("deep.x", name="x")
    graph.expose_input("beside.x", name="x")
    events: list[Any] = []
    with pytest.raises(BlockError, match="LookupError: no such rune") as caught:
        await graph.run(x=1, hooks=events.append)
    assert caught.value.path == "outer/deep/fails"
    assert isinstance(caught.value.__cause__, LookupError)
    assert cancelled == ["waits", "waits"]
    assert [e.path for e in events if isinstance(e, NodeFailed)] == ["outer/deep/fails", "outer/deep"]


async def test_a_run_inside_a_block_says_where() -> None:
    def fails(x: int) -> int:
        raise LookupError("no such rune")

    inner = Graph("inner")
    inner.add_node("fails", fails)

    @block
    async def calls(x: int) -> int:
        return (await inner.run(x)).output

    graph = Graph("outer")
    graph.add_node("calls", calls)
    with pytest.raises(BlockError) as caught:
        await graph.run(1)
    assert caught.value.path == "outer/calls/inner/fails"


async def test_a_value_that_types_only_allowed_is_checked_when_it_comes() -> None:
    graph = Graph()
    graph.add_node("loose", lambda x: x)
    graph.add_node("strict", add_one)
    graph.add_edge("loose", "strict")
    assert (await graph.run(1)).output == 2
    with pytest.raises(PortError, match=r"input 'x' is str, not int \(from loose.output\)") as caught:
        await graph.run("one")
    assert caught.value.path == "graph/strict"


async def test_a_failing_merge_or_cast_says_where() -> None:
    @block(many={"parts": "sum"})
    def total(parts: Any) -> Any:
        return parts

    graph = Graph("g")
    graph.add_node("a", lambda x: 1)
    graph.add_node("b", lambda x: "two")
    graph.add_node("total", total)
    graph.add_edge(["a", "b"], "total.parts")
    with pytest.raises(PortError, match=r"a\.output \(int\), b\.output \(str\)") as caught:
        await graph.run({"a.x": 0, "b.x": 0})
    assert caught.value.path == "g/total"


class Wrong(Block):
    spec = Spec.declare({}, {"y": int})

    def __init__(self, gives: Any = None) -> None:
        self.gives = gives

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        return self.gives  # type: ignore[no-any-return]


@pytest.mark.parametrize("gives", [None, 3, {}, {"y": "x"}, {"z": 1}])
async def test_outputs_that_are_not_declared_so(gives: Any) -> None:
    graph = Graph("g")
    graph.add_node("wrong", Wrong(gives), retry=5)
    with pytest.raises(PortError) as caught:
        await graph.run()
    assert caught.value.path == "g/wrong"
    with pytest.raises(PortError):
        await Wrong(gives).run()


# --- loops


def counter(**options: Any) -> Graph:
    graph = Graph("count", **options)
    graph.add_node("step", add_one)
    graph.add_edge("step.output", "step.x")
    graph.expose_input("step.x", name="start")
    graph.expose_output("step.output", name="n")
    return graph


async def test_a_loop_counts() -> None:
    graph = counter(num_loop_steps=3)
    assert (await graph.run(start=0))["n"] == 3
    assert (await graph.run(start=0, num_loop_steps=5))["n"] == 5
    graph.num_loop_steps = 7
    assert (await graph.run(start=0))["n"] == 7


async def test_a_loop_ends_when_a_condition_holds() -> None:
    graph = counter(until=lambda values: values["step.output"] >= 4)
    assert (await graph.run(start=0))["n"] == 4
    graph = counter(until="big.output", num_loop_steps=50)
    graph.add_node("big", lambda n: n >= 6)
    graph.add_edge("step", "big")
    with pytest.raises(ValidationError, match="lies in no loop"):
        await graph.run(start=0)


async def test_a_condition_inside_the_loop() -> None:
    class Step(Block):
        spec = Spec.declare({"x": int}, {"y": int, "done": bool})

        async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
            return {"y": inputs["x"] * 2, "done": inputs["x"] > 20}

    graph = Graph("g", until="step.done")
    graph.add_node("step", Step())
    graph.add_edge("step.y", "step.x")
    graph.expose_input("step.x", name="x")
    graph.expose_output("step.y", name="y")
    assert (await graph.run(x=1))["y"] == 64


async def test_a_loop_without_a_bound_is_refused_before_anything_runs() -> None:
    called = []
    graph = counter()
    graph.add_node("before", lambda x: called.append(x) or x)
    graph.expose_input("before.x", name="start")
    with pytest.raises(RunError, match="the loop of step has no bound") as caught:
        await graph.run(start=0)
    assert "num_loop_steps" in caught.value.hint
    assert called == []


async def test_a_schedule_length_that_a_block_brings_along() -> None:
    class Solver(Block):
        spec = Spec.declare({"x": int}, {"y": int})
        num_loop_steps = 4

        async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
            return {"y": inputs["x"] + 1}

    graph = Graph("g")
    graph.add_node("solver", Solver(), retry=2, timeout=5)
    graph.add_edge("solver.y", "solver.x")
    graph.expose_input("solver.x", name="x")
    graph.expose_output("solver.y", name="y")
    assert (await graph.run(x=0))["y"] == 4
    assert (await graph.run(x=0, num_loop_steps=2))["y"] == 2


async def test_what_comes_after_a_loop_runs_once_and_before_too() -> None:
    seen: list[str] = []

    def note(name: str) -> Any:
        def noted(x: int) -> int:
            seen.append(name)
            return x + 1

        return noted

    graph = Graph("g", num_loop_steps=3)
    for name in ("encode", "a", "b", "decode"):
        graph.add_node(name, note(name))
    graph.add_edge("encode", "a")
    graph.add_edge("a", "b")
    graph.add_edge("b", "a")
    graph.add_edge("b", "decode")
    graph.expose_input("encode.x", name="x")
    graph.expose_output("decode.output", name="y")
    assert (await graph.run(x=0))["y"] == 8
    assert seen == ["encode", *["a", "b"] * 3, "decode"]


async def test_each_turn_of_a_loop_has_its_own_randomness() -> None:
    @block
    def draw(x: list[int], ctx: RunContext) -> list[int]:
        return [*x, ctx.random().randrange(10**9)]

    graph = Graph("g", num_loop_steps=4)
    graph.add_node("draw", draw)
    graph.add_edge("draw", "draw.x")
    graph.expose_input("draw.x", name="x")
    graph.expose_output("draw.output", name="xs")
    xs = (await graph.run(x=[], seed=7))["xs"]
    assert len(set(xs)) == 4
    assert (await graph.run(x=[], seed=7))["xs"] == xs
    assert (await graph.run(x=[], seed=8))["xs"] != xs


async def test_an_endless_loop_can_be_cancelled() -> None:
    graph = counter(until=lambda values: False)
    with pytest.raises(RunTimeoutError):
        await graph.run(start=0, timeout=0.05)


async def test_events_of_a_loop() -> None:
    events: list[Any] = []
    await counter(num_loop_steps=2).run(start=0, hooks=events.append)
    kinds = [type(e) for e in events][1:-1]
    assert kinds == [LoopIterated, NodeStarted, NodeFinished] * 2
    assert [e.iteration for e in events if isinstance(e, LoopIterated)] == [0, 1]


# --- policies


async def test_a_node_that_takes_too_long() -> None:
    graph = Graph("g")
    graph.add_node("slow", lambda x: anyio.sleep(30), timeout=0.02)
    with pytest.raises(RunTimeoutError, match=r"longer than 0\.02 s") as caught:
        await graph.run(1)
    assert caught.value.path == "g/slow"


async def test_a_timeout_while_siblings_fail_and_clean_up() -> None:
    async def stubborn(x: int) -> int:
        try:
            await anyio.sleep(30)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.02)
        return x

    graph = Graph("g")
    for i in range(5):
        graph.add_node(f"n{i}", stubborn)
        graph.expose_input(f"n{i}.x", name="x")
    for _ in range(3):
        with pytest.raises(RunTimeoutError):
            await graph.run(x=1, timeout=0.01)
    await anyio.lowlevel.checkpoint()  # the task is not left cancelled


class Flaky:
    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls, self.times = list(errors), 0, []

    async def __call__(self, x: int) -> int:
        self.calls += 1
        self.times.append(time.monotonic())
        if self.errors:
            raise self.errors.pop(0)
        return x


async def test_a_retry() -> None:
    flaky, events = Flaky(LookupError("one"), LookupError("two")), []
    graph = Graph("g")
    graph.add_node("flaky", flaky, retry=3)
    assert (await graph.run(5, hooks=events.append)).output == 5
    assert [(e.path, e.attempt, e.error) for e in events if isinstance(e, NodeRetried)] == [
        ("g/flaky", 1, "one"), ("g/flaky", 2, "two"),
    ]  # fmt: skip
    flaky.errors = [LookupError(str(i)) for i in range(3)]
    with pytest.raises(BlockError, match="LookupError: 2") as caught:
        await graph.run(5)
    assert caught.value.path == "g/flaky"


async def test_retry_after_is_honoured() -> None:
    flaky = Flaky(RateLimitError("slow down", retry_after=0.15))
    graph = Graph("g")
    graph.add_node("flaky", flaky, retry=2)
    await graph.run(5)
    assert flaky.times[1] - flaky.times[0] >= 0.15


@pytest.mark.parametrize("error", [PortError("x"), BudgetError("x"), ModelAuthError("x"), ConfigError("x")])
async def test_what_another_try_cannot_mend_is_not_retried(error: Exception) -> None:
    flaky = Flaky(error)
    graph = Graph("g")
    graph.add_node("flaky", flaky, retry=5)
    with pytest.raises(type(error)):
        await graph.run(5)
    assert flaky.calls == 1


async def test_a_cancelled_node_is_not_retried() -> None:
    flaky = Flaky()

    async def sleeps(x: int) -> int:
        await flaky(x)
        await anyio.sleep(30)
        return x

    graph = Graph("g")
    graph.add_node("sleeps", sleeps, retry=5)
    with anyio.move_on_after(0.05):
        await graph.run(1)
    assert flaky.calls == 1


async def test_a_cache_goes_by_inputs_and_seed() -> None:
    calls: list[Any] = []

    @block
    def look(x: Any, ctx: RunContext) -> int:
        calls.append(x)
        return len(calls)

    graph = Graph("g")
    graph.add_node("look", look, cache=True)
    array = np.arange(4)
    for value in (1, 1.0, "1", True, None, [1], {"a": 1}, {"a": (1,)}, b"1", array, array + 1, array.reshape(2, 2)):
        before = len(calls)
        first = (await graph.run({"x": value})).output
        assert (await graph.run({"x": value})).output == first
        assert len(calls) == before + 1, value
    before = len(calls)
    assert calls[(await graph.run({"x": np.arange(4)})).output - 1] is array
    await graph.run({"x": 1}, seed=1)
    await graph.run({"x": 1}, seed=1)
    await graph.run({"x": 1}, seed=2)
    assert len(calls) == before + 2


@pytest.mark.parametrize("value", [object(), np.array([object()]), np.random.default_rng()])
async def test_what_has_no_signature_is_not_cached(value: Any) -> None:
    calls: list[Any] = []
    warned: list[Any] = []
    graph = Graph("g")
    graph.add_node("look", lambda x: calls.append(1) or 3, cache=True)
    await graph.run({"x": value}, hooks=warned.append)
    await graph.run({"x": value})
    assert len(calls) == 2
    assert any("not cached" in getattr(e, "sentence", "") for e in warned)


async def test_a_cache_forgets_the_oldest() -> None:
    calls: list[int] = []
    graph = Graph("g")
    graph.add_node("look", lambda x: calls.append(x) or x, cache=2)
    for x in (1, 2, 1, 3, 1, 2):
        await graph.run(x)
    assert calls == [1, 2, 3, 2]


async def test_resources_bound_how_many_run_at_once() -> None:
    """20 calls of an API that takes 20 at once, and 2 of a GPU that takes one: the wall is the longer of the two."""
    running: dict[str, int] = {"api": 0, "gpu": 0}
    most = dict(running)

    def use(resource: str, seconds: float) -> Any:
        async def used(x: int) -> int:
            running[resource] += 1
            most[resource] = max(most[resource], running[resource])
            await anyio.sleep(seconds)
            running[resource] -= 1
            return x

        return used

    graph = Graph("g", resources={"api": 20, "gpu": 1})
    for i in range(20):
        graph.add_node(f"api{i}", use("api", 0.4), limit="api")
    for i in range(2):
        graph.add_node(f"gpu{i}", use("gpu", 0.2), limit="gpu")
    for name in graph.nodes:
        graph.expose_input(f"{name}.x", name="x")
    start = time.monotonic()
    await graph.run(x=1)
    wall = time.monotonic() - start
    assert most == {"api": 20, "gpu": 1}
    assert wall < 0.75  # one after another: 8.4 s; the two resources one after the other: 0.8 s; at once: 0.4 s


async def test_who_holds_a_resource_does_not_wait_for_itself() -> None:
    graph = Graph("g", resources={"gpu": 1})
    graph.add_node("inner", add_one, limit="gpu")
    inner_runnable = graph.nodes["inner"].runnable(graph.limits)

    @block
    async def outer(x: int, ctx: RunContext) -> int:
        return int((await inner_runnable.execute({"x": x}, ctx))["output"])

    graph.add_node("outer", outer, limit="gpu")
    graph.expose_input("inner.x", name="x")
    graph.expose_input("outer.x", name="x")
    with anyio.fail_after(5):
        await graph.run(x=1)


async def test_an_unknown_resource() -> None:
    graph = Graph("g", resources={"gpu": 1})
    graph.add_node("a", add_one, limit="gpus")
    with pytest.raises(ValidationError, match="no resource 'gpus'"):
        await graph.run(1)


async def test_one_graph_runs_many_times_at_once() -> None:
    graph = counter(num_loop_steps=20)
    found: dict[int, int] = {}

    async def one(start: int) -> None:
        found[start] = (await graph.run(start=start))["n"]

    async with anyio.create_task_group() as group:
        for start in range(50):
            group.start_soon(one, start)
    assert found == {start: start + 20 for start in range(50)}


async def test_blocking_functions_do_not_hold_the_loop() -> None:
    @block(blocking=True)
    def sleeps(x: int) -> int:
        time.sleep(0.3)
        return x

    @block(blocking=True)
    def counts(x: int) -> Any:
        yield from range(x)

    graph = Graph("g")
    for name in "abc":
        graph.add_node(name, sleeps)
        graph.expose_input(f"{name}.x", name="x")
    start = time.monotonic()
    await graph.run(x=1)
    assert time.monotonic() - start < 0.85  # one after another: 0.9 s
    assert (await counts.run(3)).output == [0, 1, 2]
