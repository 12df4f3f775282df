"""What a person may say of a parked world; errors that may pass; budgets of a day."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil.core.budget import DAY, Budget
from yggdrasil.core.content import Content
from yggdrasil.core.cycle import DEVELOPMENT, UPDATE, Cycle, Note, RunStage, Status, Step, Trouble, decide, fold
from yggdrasil.core.facts import Finished, StageDone, TickBegun, Updated
from yggdrasil.core.frozen import FrozenDict
from yggdrasil.core.messages import Usage
from yggdrasil.core.patience import Patience, transient
from yggdrasil.core.remedy import REMEDIES, cannot_skip, remedy
from yggdrasil.errors import (
    BlockError,
    BudgetError,
    ConfigError,
    ModelAuthError,
    ModelTransientError,
    RunTimeoutError,
    WorldError,
)

NAMES = [step.name for step in Cycle().steps]
BLOCKS = {step.name: step.fills for step in Cycle().steps}


def live(cycle: Cycle, skipped: str, reads: dict[str, tuple[str, ...]], ticks: int) -> None:
    """Live so many ticks, in each of which `skipped` is left out by a person; no stage may lack what it reads."""
    status = Status(Content(FrozenDict(), {}))
    for tick in range(1, ticks + 1):
        status = fold(cycle, status, TickBegun(tick))
        while status.running:
            command = decide(cycle, status)
            if isinstance(command, Note):
                status = fold(cycle, status, command.fact)
                assert not isinstance(command.fact, Finished) or not status.running
                continue
            assert isinstance(command, RunStage)
            step = command.step
            if step.name == skipped:
                status = status.replace(trouble=Trouble(step.name, step.name, "it failed"))
                for fact in remedy(cycle, status, "skip", reads):
                    status = fold(cycle, status, fact)
                assert status.trouble is None
                continue
            lacking = [block for block in reads.get(step.name, ()) if block not in status.state]
            assert not lacking or step.name == DEVELOPMENT, f"{step.name} ran without {lacking}"
            done: Any = StageDone(step.name, step.fills, f"tick {tick}")
            if step.name == UPDATE:
                done = Updated(tick, (), status.state, "")
            status = fold(cycle, status, done, status.content)


@given(st.data(), st.sampled_from([n for n in NAMES if n not in (DEVELOPMENT, UPDATE)]))
def test_where_a_stage_may_be_left_out_no_other_runs_without_its_block(data: st.DataObject, skipped: str) -> None:
    steps, reads = [], {}
    there: list[str] = []
    order = [*NAMES[NAMES.index(DEVELOPMENT) :], *NAMES[: NAMES.index(DEVELOPMENT)]]
    for name in order:  # each reads some of what is filled before it, under a condition on some of it
        reads[name] = tuple(data.draw(st.lists(st.sampled_from(there), unique=True))) if there else ()
        needs = tuple(data.draw(st.lists(st.sampled_from(there), unique=True))) if there else ()
        # without trouble each condition holds when its turn comes, from the second tick on
        steps.append(Step(name, BLOCKS[name], needs if name not in (DEVELOPMENT, UPDATE) else Cycle().step(name).needs))
        there.append(BLOCKS[name])
    by_name = {step.name: step for step in steps}
    cycle = Cycle(tuple(by_name[name] for name in NAMES))
    reads = {name: tuple(b for b in reads[name] if name not in NAMES[:3] or b in by_name[name].needs) for name in NAMES}
    if not cannot_skip(cycle, skipped, reads):
        live(cycle, skipped, reads, 3)


@pytest.mark.parametrize("skipped", [n for n in NAMES if n not in (DEVELOPMENT, UPDATE)])
def test_in_the_canon_each_may_be_left_out_but_two(skipped: str) -> None:
    reads = {step.name: step.needs for step in Cycle().steps}
    assert cannot_skip(Cycle(), skipped, reads) == ""
    live(Cycle(), skipped, reads, 4)
    assert cannot_skip(Cycle(), DEVELOPMENT, reads)
    assert cannot_skip(Cycle(), UPDATE, reads)


def test_a_stage_that_does_not_ask_forbids_it() -> None:
    steps = tuple(Step("creator", "artifacts") if step.name == "creator" else step for step in Cycle().steps)
    said = cannot_skip(Cycle(steps), "architect", {"creator": ("blueprint",)})
    assert "creator runs without asking whether blueprint is there" in said


@pytest.mark.parametrize("how", REMEDIES)
def test_nothing_helps_a_world_that_is_well(how: str) -> None:
    with pytest.raises(WorldError, match="not parked"):
        remedy(Cycle(), Status(Content(FrozenDict(), {})), how, {})


def test_an_unknown_remedy_and_a_migration_of_nothing() -> None:
    parked = Status(Content(FrozenDict(), {}), trouble=Trouble("author", "w/author", "no", "ValueError"))
    with pytest.raises(WorldError, match="did you mean 'skip'"):
        remedy(Cycle(), parked, "skp", {})
    with pytest.raises(WorldError, match="no request changed"):
        remedy(Cycle(), parked, "migrate", {})


def test_what_may_pass() -> None:
    refused = BlockError("ConnectionRefusedError")
    refused.__cause__ = ConnectionRefusedError()
    missing = BlockError("FileNotFoundError")
    missing.__cause__ = FileNotFoundError()
    assert all(map(transient, (ModelTransientError("busy"), RunTimeoutError("late"), refused, TimeoutError())))
    assert not any(map(transient, (ModelAuthError("no"), ValueError("x"), missing, BlockError("x"))))


@given(st.integers(0, 10**6), st.floats(0.01, 100), st.floats(0.01, 1000))
def test_waits_grow_up_to_the_longest(failures: int, first: float, longest: float) -> None:
    patience = Patience(first=first, longest=longest)
    assert 0 < patience.wait(failures) <= longest
    assert patience.wait(failures) <= patience.wait(failures + 1) <= max(2 * patience.wait(failures), first)
    assert Patience.from_config(patience.to_config()) == patience


@pytest.mark.parametrize("data", [{"retry": 0}, {"retry": 1.5}, {"first": "1"}, {"longest": -1}, {"rety": 3}, 3])
def test_a_patience_that_cannot_be(data: Any) -> None:
    with pytest.raises(ConfigError):
        Patience.from_config(data)


@given(st.lists(st.tuples(st.floats(0, DAY), st.integers(0, 60)), max_size=40), st.integers(1, 100))
def test_a_day_never_costs_more_than_its_budget_and_one_call(calls: list[tuple[float, int]], limit: int) -> None:
    budget, now, spent = Budget(tokens=limit, per="day"), 1000.0 * DAY, dict[int, int]()
    for wait, tokens in calls:
        now += wait
        day = int(now // DAY)
        try:
            budget.require(now)
        except BudgetError:
            assert spent.get(day, 0) >= limit
            again = budget.refilled_at(now)
            assert again == (day + 1) * DAY
            continue
        assert spent.get(day, 0) < limit
        spent[day] = spent.get(day, 0) + tokens
        budget.spend(Usage(tokens, 0, requests=1))


def test_a_clock_that_is_set_back_gives_nothing_back() -> None:
    budget = Budget(tokens=10, per="day")
    budget.require(100.0 * DAY)
    budget.spend(Usage(10, 0))
    for now in (100.0 * DAY - 1, 100.5 * DAY, 20.0 * DAY):
        with pytest.raises(BudgetError):
            budget.require(now)
    budget.require(21.0 * DAY)  # set back by months, for good: the next day of that clock


@pytest.mark.parametrize("given", [{"per": "week", "tokens": 1}, {"per": "day", "seconds": 3}, {"per": 1}])
def test_a_budget_that_cannot_be(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Budget.of(given)
