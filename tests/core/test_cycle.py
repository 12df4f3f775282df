"""The cycle: the canon's table as a test of the pure reducer, and the rules around it."""

from __future__ import annotations

from typing import Any

import pytest

from yggdrasil.core.content import content_of
from yggdrasil.core.cycle import (
    CANON,
    DEVELOPMENT,
    UPDATE,
    Cycle,
    Note,
    RunStage,
    Status,
    Step,
    Wait,
    advance,
    decide,
    fold,
    static_problems,
)
from yggdrasil.core.facts import (
    KINDS,
    ActionTaken,
    Fact,
    Finished,
    Parked,
    Paused,
    Resumed,
    Retried,
    StageDone,
    StageSkippedOver,
    StateDroppedOut,
    TickBegun,
    Updated,
    fact_of,
)
from yggdrasil.core.state import BLOCKS, StateSchema
from yggdrasil.errors import ConfigError, CorruptError

REST = [DEVELOPMENT, "architect", "creator"]

# blocks handed in -> what runs before development, whether a partial state is dropped
TABLE = [
    pytest.param((), [], (), id="none or empty"),
    pytest.param(BLOCKS[:1], [], BLOCKS[:1], id="1"),
    pytest.param(BLOCKS[:2], [], BLOCKS[:2], id="1,2"),
    pytest.param(BLOCKS[:3], ["philosopher", "author", UPDATE], (), id="1,2,3"),
    pytest.param(BLOCKS[:4], ["author", UPDATE], (), id="1-4"),
    pytest.param(BLOCKS[:5], [UPDATE], (), id="1-5"),
]


def new() -> Status:
    content, _ = content_of({"count": {"n": 0}})
    return Status(content, content_hash=content.hash)


def tick(cycle: Cycle, status: Status, **begin: Any) -> tuple[Status, list[str], list[Fact]]:
    """One tick with stages that always fill their block: the status after, what ran, and every fact."""
    ran, facts = [], []
    fact: Fact = TickBegun(status.tick + 1, **begin)
    while True:
        facts.append(fact)
        status, command = advance(cycle, status, fact)
        match command:
            case Note():
                fact = command.fact
            case RunStage():
                step = command.step
                ran.append(step.name)
                if step.name == UPDATE:
                    fact = Updated(status.running, (), status.state, status.content.hash)
                else:
                    fact = StageDone(step.name, step.fills, f"{step.fills} of tick {status.running}")
            case Wait():
                return status, ran, facts


@pytest.mark.parametrize("given", ["handed in", "inside"])
@pytest.mark.parametrize(("blocks", "before", "dropped"), TABLE)
def test_the_canons_table(blocks: tuple[str, ...], before: list[str], dropped: tuple[str, ...], given: str) -> None:
    state = {block: f"given {block}" for block in blocks}
    status = new()
    if given == "inside":
        status, ran, facts = tick(Cycle(), Status(status.content, state=state, content_hash=status.content_hash))
    else:
        status, ran, facts = tick(Cycle(), status, state=state)
    assert ran == before + REST
    assert [fact.filled for fact in facts if isinstance(fact, StateDroppedOut)] == ([dropped] if dropped else [])
    updates = [fact for fact in facts if isinstance(fact, Updated)]
    assert len(updates) == (1 if len(blocks) >= 3 else 0)
    for update in updates:
        assert tuple(update.state) == BLOCKS, "the full state is saved with the update"
        assert update.state["intent"] == "given intent"
    assert status.state == {block: f"{block} of tick 1" for block in BLOCKS[:3]}, "a new state"
    assert status.tick == 1


def test_what_was_dropped_is_the_proposal_of_this_tick_alone() -> None:
    cycle, status = Cycle(), new()
    status, command = advance(cycle, status, TickBegun(1, state={"intent": "a feast", "blueprint": "b"}))
    while not isinstance(command, RunStage):
        assert isinstance(command, Note)
        status, command = advance(cycle, status, command.fact)
    assert command.step.name == DEVELOPMENT
    assert status.proposal == {"intent": "a feast", "blueprint": "b"}
    assert status.state == {}
    status, _, _ = tick(cycle, status)
    assert status.proposal is None


def test_from_an_empty_start_the_first_update_is_in_tick_two() -> None:
    cycle, status, saved = Cycle(), new(), []
    for _ in range(5):
        status, ran, facts = tick(cycle, status)
        saved += [fact for fact in facts if isinstance(fact, Updated)]
        assert ran == (REST if status.tick == 1 else [step.name for step in CANON])
    assert [fact.tick for fact in saved] == [2, 3, 4, 5], "four saved full states"
    assert len({status.tick_hash}) == 1
    assert status.tick_hash


def test_the_status_is_a_fold_over_the_journal() -> None:
    cycle, status, journal = Cycle(), new(), []
    for action in ("a", None, "b"):
        if action:
            journal.append(ActionTaken(action))
            status = fold(cycle, status, journal[-1])
        status, _, facts = tick(cycle, status, action=action)
        journal += facts
    again = new()
    for fact in journal:
        again = fold(cycle, again, fact_of(fact.kind, fact.to_json()))
    assert again == status


def test_an_action_waits_for_its_tick() -> None:
    cycle, status = Cycle(), new()
    for text in ("first", "second"):
        status = fold(cycle, status, ActionTaken(text))
    assert status.actions == ("first", "second")
    status = fold(cycle, status, TickBegun(1, action="first"))
    assert (status.action, status.actions) == ("first", ("second",))


def test_parked_and_paused_worlds_wait() -> None:
    cycle = Cycle()
    status, command = advance(cycle, new(), TickBegun(1))
    while isinstance(command, Note):
        status, command = advance(cycle, status, command.fact)
    before = status.state
    status, command = advance(cycle, status, Parked(1, DEVELOPMENT, "toy/x", "no", "BlockError", "digest"))
    assert command == Wait("retried")
    assert status.state == before
    status, command = advance(cycle, status, Retried(DEVELOPMENT))
    assert command == RunStage(cycle.step(DEVELOPMENT)), "the stage that failed is tried again"
    status, command = advance(cycle, status, Paused())
    assert command == Wait("resumed")
    status, command = advance(cycle, status, Resumed())
    assert command == RunStage(cycle.step(DEVELOPMENT))


def test_a_stage_whose_block_is_filled_is_skipped() -> None:
    state = {block: "x" for block in BLOCKS if block != "description"}
    _, ran, facts = tick(Cycle(), new(), state=state)
    assert ran == ["philosopher", UPDATE, *REST]
    reasons = {fact.stage: fact.reason for fact in facts if isinstance(fact, StageSkippedOver)}
    assert reasons == {"author": "chronicle is filled already"}


def test_another_cycle_is_data() -> None:
    schema = StateSchema.from_config({"blocks": {"mood": {}}})
    seen: list[Any] = []

    def often(state: Any) -> bool:
        seen.append(dict(state))
        return "blueprint" not in state

    steps = (*CANON[:4], Step("poet", "mood", ["intent"]), *CANON[4:], Step("critic", "extra", often))
    _, ran, facts = tick(Cycle(steps, schema), new())
    assert ran == [DEVELOPMENT, "poet", "architect", "creator"]
    assert seen
    assert [f.reason for f in facts if isinstance(f, StageSkippedOver) and f.stage == "critic"] == [
        "its condition does not hold"
    ]
    with pytest.raises(ConfigError, match="did you mean 'author'"):
        _ = Step("x", "y", "autor").needs


def test_the_state_contract_is_proved_on_the_cycle() -> None:
    reads = {"philosopher": ["artifacts"], "author": ["intent"], "creator": ["blueprint"]}
    assert static_problems(Cycle(), reads) == []
    without = Cycle(tuple(step for step in CANON if step.name != "architect"))
    assert ("creator", "blueprint") in static_problems(without, reads)
    early = Cycle((*CANON[3:4], CANON[5], CANON[4], *CANON[:3]))
    assert static_problems(early, reads) == [("creator", "blueprint")]


def test_facts_survive_their_records() -> None:
    fact = Parked(3, "author", "toy/author", "no", "BlockError", "d")
    assert fact_of("parked", fact.to_json()) == fact
    assert TickBegun(1).to_json() == {"tick": 1}
    for kind, data in (("nonsense", {}), ("parked", {"tick": 1}), ("parked", None), ("tick", {"tick": 1, "tack": 2})):
        with pytest.raises(CorruptError):
            fact_of(kind, data, "record 7")
    assert Finished.kind in KINDS
    assert decide(Cycle(), new()) == Wait("tick")
