"""What everything that runs does, on every level: one body each, given a Case."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.events import Event, ModelCalled, NodeStarted, RunFailed, RunFinished, RunStarted, ToolCalled
from yggdrasil.core.ports import MISSING, misfit
from yggdrasil.core.result import Result
from yggdrasil.errors import ConfigError, PortError, RunTimeoutError, YggdrasilError
from yggdrasil.levels.container import Container
from yggdrasil.levels.graph import Graph
from yggdrasil.levels.pipeline import Pipeline
from yggdrasil.levels.stage import Stage
from yggdrasil.runtime.call import fold
from yggdrasil.runtime.fingerprint import fingerprint
from yggdrasil.testing.doubles import CallCounter, Failing, Sleeper


@dataclass(frozen=True)
class Case:
    """What a check is given.

    make            a fresh instance, each time the same
    inputs          what it is run with, by port
    options         what every run is given besides (`ticks=1` for a world)
    deterministic   the same inputs and seed give the same outputs
    saved           its config can be written and read back (its type is registered)
    remembers       one run changes the next one (an agent with memory)
    """

    make: Callable[[], Runnable]
    inputs: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    deterministic: bool = True
    saved: bool = True
    remembers: bool = False

    async def run(self, what: Runnable | None = None, **more: Any) -> Result:
        """Run a fresh one (or `what`) with a seed."""
        return await (what or self.make()).run(dict(self.inputs), **{"seed": 7, **self.options, **more})


Check = Callable[[Case], Awaitable[None]]


def expect(holds: bool, sentence: str) -> None:
    """AssertionError with a sentence, unless it holds."""
    if not holds:
        raise AssertionError(sentence)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, arrays and blobs included."""
    try:
        return fingerprint(one) == fingerprint(other)
    except PortError:
        return bool(one == other)


def around(case: Case, level: Container | None = None, what: Runnable | None = None) -> Container:
    """A level with one node, `it`, all of whose ports in use are exposed under their own names."""
    level = level if level is not None else Graph("around")
    made = what if what is not None else case.make()
    level.add("it", made)
    for name, port in made.spec.inputs.items():
        if port.required or name in case.inputs:
            level.expose_input("it", name, name=name)
    for name in made.spec.outputs:
        level.expose_output("it", name, name=name)
    if isinstance(level, Stage) and made.spec.outputs:
        level.set_state_contract(fills=next(iter(made.spec.outputs)))
    return level


async def refused(call: Callable[[], Awaitable[Any]], kind: type[YggdrasilError], what: str) -> YggdrasilError:
    """The error of a call that must be refused."""
    try:
        await call()
    except kind as error:
        return error
    raise AssertionError(f"{what} was not refused with {kind.__name__}")


# --- the contract


async def check_spec(case: Case) -> None:
    """Ports are named as they are listed, defaults fit, and two instances have the same ones."""
    one, other = case.make().spec, case.make().spec
    for side, ports in (("input", one.inputs), ("output", one.outputs)):
        for name, port in ports.items():
            expect(port.name == name, f"{side} {name!r} is called {port.name!r}")
            if port.default is not MISSING and port.default is not None:
                expect(not misfit(port.type, port.default), f"the default of {name!r} does not fit it")
    expect(list(one.inputs) == list(other.inputs), "two instances have different inputs")
    expect(list(one.outputs) == list(other.outputs), "two instances have different outputs")


async def check_forms_of_calling(case: Case) -> None:
    """A mapping, keywords and a bare value say the same."""
    expected = await case.run()
    keywords = {n: v for n, v in case.inputs.items() if n.isidentifier() and n not in case.options}
    rest = {n: v for n, v in case.inputs.items() if n not in keywords}
    found = await case.make().run(rest or None, seed=7, **keywords, **case.options)
    expect(set(found) == set(expected), "keywords and a mapping give different outputs")
    if len(case.inputs) == 1 and not isinstance(next(iter(case.inputs.values())), Mapping):
        bare = await case.make().run(next(iter(case.inputs.values())), seed=7, **case.options)
        expect(set(bare) == set(expected), "a bare value and a mapping give different outputs")
    if case.deterministic:
        expect(same(dict(found), dict(expected)), "keywords and a mapping give different values")


async def check_wrong_inputs(case: Case) -> None:
    """Unknown, missing and unfit inputs are refused by name, before anything runs."""
    made = CallCounter(case.make())
    error = await refused(lambda: case.run(made, no_such_input=1), PortError, "an unknown input")
    expect("no_such_input" in str(error), "the refusal does not name the input")
    for name, port in made.spec.inputs.items():
        if port.required:
            rest = {n: v for n, v in case.inputs.items() if n != name}
            less = Case(case.make, rest, case.options)
            error = await refused(lambda less=less: less.run(made), PortError, "a missing input")  # type: ignore[misc]
            expect(name in str(error), "the refusal does not name the input")
        if misfit(port.type, _Unfit()):
            wrong = Case(case.make, {**case.inputs, name: _Unfit()}, case.options)
            error = await refused(lambda wrong=wrong: wrong.run(made), PortError, "a value")  # type: ignore[misc]
            expect(bool(error.path), "the refusal has no path")
    expect(made.calls == 0, "something ran before its inputs were refused")


class _Unfit:
    """Fits no port that has a type."""


async def check_outputs(case: Case) -> None:
    """Every output that is not optional comes, fits, and no other one does."""
    result = await case.run()
    ports = case.make().spec.outputs
    for name in result:
        expect(name in ports, f"it gave {name!r}, which it does not declare")
    for name, port in ports.items():
        expect(name in result or port.optional, f"it did not give {name!r}")


async def check_stream(case: Case) -> None:
    """A stream begins and ends with the run, and folds to its result."""
    events = [e async for e in case.make().stream(dict(case.inputs), seed=7, **case.options)]
    expect(isinstance(events[0], RunStarted), "the first event is not RunStarted")
    expect(isinstance(events[-1], RunFinished), "the last event is not RunFinished")
    expected = await case.run()
    expect(set(fold(events)) == set(expected), "the stream folds to other outputs than run gives")
    if case.deterministic:
        expect(same(dict(fold(events)), dict(expected)), "the stream folds to another result than run gives")


async def check_stream_left_early(case: Case) -> None:
    """Who leaves a stream early leaves nothing running."""
    made = CallCounter(case.make())
    async with made.stream(dict(case.inputs), seed=7, **case.options) as events:
        await anext(events)
    expect(made.running == 0, "it goes on running after its stream was closed")


async def check_hooks(case: Case) -> None:
    """Hooks hear a whole run: sequence rising, every path under its own."""
    heard: list[Event] = []
    made = case.make()
    result = await case.run(made, hooks=[heard.append])
    expect(isinstance(heard[0], RunStarted), "RunStarted does not come first")
    expect(isinstance(heard[-1], RunFinished), "RunFinished does not come last")
    numbers = [e.sequence for e in heard]
    expect(numbers == sorted(set(numbers)), "the sequence of events does not rise")
    for event in heard:
        under = event.path == result.path or event.path.startswith(f"{result.path}/")
        expect(under, f"an event at {event.path!r} is not under {result.path!r}")


async def check_profile(case: Case) -> None:
    """A profile has seconds by path, and the events."""
    result = await case.run(profile=True)
    expect(bool(result.events), "a profiled run has no events")
    for path, (calls, seconds) in result.profile.items():
        expect(calls >= 1 and seconds >= 0, f"the profile of {path} is {calls} calls in {seconds} s")


async def check_dry_run(case: Case) -> None:
    """A dry run gives the order and calls nothing."""
    heard: list[Event] = []
    made = CallCounter(case.make())
    level = around(case, what=made)
    result = await case.run(level, dry_run=True, hooks=[heard.append])
    expect(made.calls == 0, "a dry run called it")
    expect(list(result["order"]) == ["around/it"], f"the order is {result['order']}")
    result = await case.run(dry_run=True, hooks=[heard.append])
    expect(bool(result["order"]), "a dry run gives no order")
    called = [e for e in heard if isinstance(e, NodeStarted | ModelCalled | ToolCalled)]
    expect(not called, f"a dry run called {called[:1]}")


async def check_seed(case: Case) -> None:
    """The same seed gives the same outputs."""
    if case.deterministic:
        one, other = await case.run(seed=11), await case.run(seed=11)
        expect(same(dict(one), dict(other)), "two runs with one seed give different outputs")


async def check_inputs_untouched(case: Case) -> None:
    """What is handed in is never changed."""
    given = copy.deepcopy(dict(case.inputs))
    before = copy.deepcopy(given)
    await case.make().run(given, seed=7, **case.options)
    expect(same(given, before), "its inputs were changed")


async def check_cancellation(case: Case) -> None:
    """Cancelled, it is gone when the caller goes on, and can run again."""
    made = CallCounter(case.make())
    for seconds in (0.0, 0.001):
        with anyio.move_on_after(seconds):
            await case.run(made)
        expect(made.running == 0, "it goes on running after it was cancelled")
    expect(set(await case.run()) <= set(made.spec.outputs), "it cannot run after it was cancelled")


async def check_timeout(case: Case) -> None:
    """With time enough it runs; beside something that never ends, it is refused in time, with a path."""
    await case.run(timeout=60)
    level = around(case, Graph("late"))
    level.add("sleeper", Sleeper(60))
    level.expose_input("sleeper.value", name="sleep")
    inputs = {**case.inputs, "sleep": 1}
    late = Case(case.make, inputs, case.options)
    error = await refused(lambda: late.run(level, timeout=0.02), RunTimeoutError, "a run that never ends")
    expect(error.path == "late", f"the timeout is at {error.path!r}")


async def check_failure_beside(case: Case) -> None:
    """A failure beside it comes out alone, with its path and its cause, and is told."""
    level = around(case, Graph("broken"))
    level.add("failing", Failing(lambda: LookupError("no such rune")))
    level.expose_input("failing.value", name="fail")
    heard: list[Event] = []
    broken = Case(case.make, {**case.inputs, "fail": 1}, case.options)
    error = await refused(lambda: broken.run(level, hooks=[heard.append]), YggdrasilError, "a failure")
    expect(error.path == "broken/failing", f"the failure is at {error.path!r}")
    expect(isinstance(error.__cause__, LookupError), "the failure has lost its cause")
    expect(isinstance(heard[-1], RunFailed), "the failure was not told")


async def check_nesting(case: Case) -> None:
    """Inside a graph, a pipeline, a stage, and three levels deep, it gives what it gives alone."""
    expected = await case.run()
    levels = [around(case, Graph("graph")), around(case, Pipeline("pipeline")), around(case, Stage("stage"))]
    deep = around(case, Pipeline("deep"), around(case, Graph("inner")))
    for level in (*levels, deep):
        errors = [p for p in level.validate() if p.level == "error"]
        expect(not errors, f"inside a {level.kind} it does not validate: {errors}")
        found = await case.run(level)
        expect(set(found) == set(expected), f"inside a {level.kind} it gives {sorted(found)}")


async def check_side_by_side(case: Case) -> None:
    """One instance runs several times at once."""
    made = around(case)
    found: list[Result] = []

    async def one() -> None:
        found.append(await case.run(made))

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(one)
    if case.deterministic and not case.remembers:
        expect(all(same(dict(r), dict(found[0])) for r in found), "runs side by side disturb each other")


async def check_config(case: Case) -> None:
    """Its config rebuilds it: what is written, read and written again is the same, and runs."""
    level = around(case)
    if not case.saved:
        try:
            level.to_config()
        except ConfigError as error:
            expect(bool(error.hint), "the refusal to save does not say what to write instead")
        return
    document = level.to_config()
    again = Graph.from_config(document)
    expect(again.to_config() == document, "its config is not the same after writing and reading")
    found, expected = await case.run(again), await case.run(around(case))
    expect(set(found) == set(expected), "rebuilt from its config it gives other outputs")
    if case.deterministic:
        expect(same(dict(found), dict(expected)), "rebuilt from its config it gives other values")


async def check_state(case: Case) -> None:
    """Its state goes over to a new instance."""
    one, other = around(case), around(case)
    other.load_state_dict(one.state_dict())
    expect(same(one.state_dict(), other.state_dict()), "its state does not go over")


RUNNABLE_CHECKS: tuple[Check, ...] = (
    check_spec,
    check_forms_of_calling,
    check_wrong_inputs,
    check_outputs,
    check_stream,
    check_stream_left_early,
    check_hooks,
    check_profile,
    check_dry_run,
    check_seed,
    check_inputs_untouched,
    check_cancellation,
    check_timeout,
    check_failure_beside,
    check_nesting,
    check_side_by_side,
    check_config,
    check_state,
)
"""The contract of everything that runs, one check each."""


async def check_runnable(
    make: Callable[[], Runnable],
    inputs: Mapping[str, Any],
    *,
    deterministic: bool = True,
    saved: bool = True,
    remembers: bool = False,
    **options: Any,
) -> None:
    """Run every check. AssertionErrors say what is broken."""
    for check in RUNNABLE_CHECKS:
        try:
            given = copy.deepcopy(dict(inputs))  # what one check changes, the next one must not miss
            await check(Case(make, given, options, deterministic, saved, remembers))
        except Exception as error:
            error.add_note(f"in {check.__name__}")
            raise
