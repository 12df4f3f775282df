"""The world's cycle as a pure reducer: what happened (facts) and what to do next (commands), joined by functions.

    status = fold(status, fact)        what a fact changes; the status is a fold over the journal
    commands = decide(cycle, status)   what is to be done now

The loop carries the commands out, journals the facts that follow and hands them in again. Nothing here waits,
stores or looks at a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from yggdrasil.core.content import Content, apply, next_tick_hash
from yggdrasil.core.facts import (
    ActionTaken,
    Fact,
    Finished,
    Opened,
    Parked,
    Paused,
    Pruned,
    Remembered,
    Resumed,
    Retried,
    StageDone,
    StageSkippedOver,
    StateDroppedOut,
    TickBegun,
    Updated,
)
from yggdrasil.core.frozen import FrozenDict
from yggdrasil.core.state import BLOCKS, StateSchema, filled, filled_blocks, state_hash
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, close_names

PATCH = "patch"
UPDATE, DEVELOPMENT = "environment/update", "environment/development"

Condition = Sequence[str] | str | Callable[[Mapping[str, Any]], bool]

PRESETS: dict[str, tuple[str, ...]] = {
    "always": (),
    "philosopher": BLOCKS[:3],
    "author": BLOCKS[:4],
    "full": BLOCKS,
    "architect": BLOCKS[:1],
    "creator": BLOCKS[1:2],
}
"""Conditions by name: the blocks that must be filled."""


class Step(Value):
    """A place in the cycle: the stage's name, the block it fills, and when it runs."""

    name: str
    fills: str
    condition: Condition = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """The blocks that must be filled; none for a predicate."""
        return needs_of(self.condition)

    def unmet(self, state: Mapping[str, Any]) -> str:
        """Why the step cannot run on this state; "" when it can."""
        if callable(self.condition):
            return "" if self.condition(state) else "its condition does not hold"
        missing = [block for block in self.needs if not filled(state.get(block))]
        return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not filled" if missing else ""


def needs_of(condition: Condition) -> tuple[str, ...]:
    """The blocks a condition names. ConfigError for an unknown preset."""
    if isinstance(condition, str):
        if condition not in PRESETS:
            raise ConfigError(f"no condition is called {condition!r}; {close_names(condition, PRESETS)}")
        return PRESETS[condition]
    return () if callable(condition) else tuple(condition)


CANON: tuple[Step, ...] = (
    Step("philosopher", "description", "philosopher"),
    Step("author", "chronicle", "author"),
    Step(UPDATE, PATCH, "full"),
    Step(DEVELOPMENT, "intent", "always"),
    Step("architect", "blueprint", "architect"),
    Step("creator", "artifacts", "creator"),
)
"""The canonical cycle."""


class Cycle(Value):
    """The steps of a tick in their order, and the schema of the state they work on."""

    steps: tuple[Step, ...] = CANON
    schema: StateSchema = StateSchema()

    def step(self, name: str) -> Step:
        """The step of that name."""
        return next(step for step in self.steps if step.name == name)


# --- the status: a fold over the facts


class Trouble(Value):
    """Why a world is parked."""

    stage: str
    path: str
    error: str


class Status(Value):
    """Where a world stands.

    tick        the last finished tick; `running` the one under way, or 0
    position    index of the next step of the tick under way
    proposal    a partial state that was dropped in this tick
    actions     received and not yet given to a tick; `action` the one this tick has
    pruned      up to which tick the past was pruned; 0 for none
    """

    content: Content
    seed: int = 0
    tick: int = 0
    running: int = 0
    position: int = 0
    state: Mapping[str, Any] = FrozenDict()
    proposal: Mapping[str, Any] | None = None
    action: str | None = None
    actions: tuple[str, ...] = ()
    content_hash: str = ""
    tick_hash: str = ""
    trouble: Trouble | None = None
    paused: bool = False
    pruned: Pruned = Pruned()


def fold(cycle: Cycle, status: Status, fact: Fact, applied: Content | None = None) -> Status:
    """The status after a fact. `applied` is the content an Updated leads to, where the caller has it already."""
    match fact:
        case TickBegun():
            state = status.state if fact.state is None else fact.state
            actions = status.actions[1:] if fact.action is not None else status.actions
            return status.replace(
                running=fact.tick, position=0, state=state, proposal=None, action=fact.action, actions=actions
            )
        case StageDone():
            state = cycle.schema.begin(status.state, fact.output) if fact.stage == DEVELOPMENT else {
                **status.state,
                fact.block: fact.output,
            }
            return status.replace(state=FrozenDict(state), position=_after(cycle, fact.stage), trouble=None)
        case StageSkippedOver():
            return status.replace(position=_after(cycle, fact.stage))
        case StateDroppedOut():
            return status.replace(state=FrozenDict(), proposal=fact.state)
        case Remembered():
            return status.replace(content=status.content.remember(fact.entry))
        case Updated():
            content = applied if applied is not None else apply(status.content, fact.patch).content
            return status.replace(
                content=content, content_hash=fact.content_hash, position=_after(cycle, UPDATE), trouble=None
            )
        case Finished():
            return status.replace(
                tick=fact.tick, running=0, position=0, proposal=None, action=None, tick_hash=fact.tick_hash
            )
        case ActionTaken():
            return status.replace(actions=(*status.actions, fact.text))
        case Parked():
            return status.replace(trouble=Trouble(fact.stage, fact.path, fact.error))
        case Retried():
            return status.replace(trouble=None)
        case Paused():
            return status.replace(paused=True)
        case Resumed():
            return status.replace(paused=False)
        case Pruned():
            return status.replace(pruned=fact)
        case Opened():
            return status.replace(seed=fact.seed, content_hash=fact.content_hash)
    return status  # a stop changes nothing; effects concern the loop alone


def _after(cycle: Cycle, name: str) -> int:
    return next((i for i, step in enumerate(cycle.steps, 1) if step.name == name), len(cycle.steps))


def finished(status: Status) -> Finished:
    """How the tick under way ends: its hashes."""
    state = state_hash(status.state)
    chained = next_tick_hash(status.tick_hash, status.content_hash, state)
    return Finished(status.running, status.content_hash, state, chained)


# --- what to do


class Note(Value):
    """Journal this fact and fold it in: it follows from what is known."""

    fact: Fact


class RunStage(Value):
    """Run a stage on the status as it is; its output follows as StageDone, Updated, or Parked."""

    step: Step


class Wait(Value):
    """Nothing is to be done until something happens: a tick is asked for, a person resumes or retries."""

    until: Literal["tick", "resumed", "retried"]


Command = Note | RunStage | Wait


def decide(cycle: Cycle, status: Status) -> Command:
    """What to do next."""
    if status.trouble is not None:
        return Wait("retried")
    if status.paused:
        return Wait("resumed")
    if not status.running:
        return Wait("tick")
    if status.position >= len(cycle.steps):
        return Note(finished(status))
    step = cycle.steps[status.position]
    if step.name != DEVELOPMENT and step.name != UPDATE and filled(status.state.get(step.fills)):
        return Note(StageSkippedOver(step.name, f"{step.fills} is filled already"))
    reason = step.unmet(status.state)
    if not reason:
        return RunStage(step)
    partial = filled_blocks(status.state)
    if step.name == UPDATE and partial:
        return Note(StateDroppedOut(partial, status.state))
    return Note(StageSkippedOver(step.name, reason))


def advance(cycle: Cycle, status: Status, fact: Fact) -> tuple[Status, Command]:
    """The reducer: (status, fact) -> (status, what to do next)."""
    after = fold(cycle, status, fact)
    return after, decide(cycle, after)


def static_problems(cycle: Cycle, reads: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """(stage, block) for every block a stage reads or needs and that nobody fills before it in the cycle.

    `reads` gives the blocks each step's stage reads. Development begins a new state, so the walk starts there
    and ends where it comes back to it.
    """
    names = [step.name for step in cycle.steps]
    start = names.index(DEVELOPMENT) if DEVELOPMENT in names else 0
    order = (*cycle.steps[start:], *cycle.steps[:start])
    there = {name for name, extra in cycle.schema.extra.items() if extra.keep}
    missing = []
    for step in order:
        wanted = dict.fromkeys((*reads.get(step.name, ()), *step.needs))
        if step.name != DEVELOPMENT:
            missing += [(step.name, block) for block in wanted if block not in there]
        there.add(step.fills)
    return missing
