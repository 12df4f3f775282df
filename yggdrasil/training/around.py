"""Learning around blocks that give no gradient: a prompt adapter before a model, a head behind it, found by trying.

`search` is a (1 + lambda) evolution strategy (Rechenberg 1973): of `tries` variants of what is there the best stays,
when it is no worse. Numbers are varied by steps of a normal distribution whose length follows the one-fifth rule
(Kern et al. 2004: times 1.5 after a success, times 1.5 ** -0.25 after a failure).
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import Run, RunContext
from yggdrasil.abc.hook import Hook
from yggdrasil.core.canonical import derive
from yggdrasil.core.events import Progress
from yggdrasil.core.ports import Spec, port
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError
from yggdrasil.levels.places import places
from yggdrasil.training.data import Rows
from yggdrasil.training.forward import Forward
from yggdrasil.training.places import Level
from yggdrasil.training.plan import TrainPlan, train_plan


@runtime_checkable
class Tried(Protocol):
    """What learns by trying. A variant is JSON."""

    variant: Any

    def varied(self, luck: random.Random) -> Any:
        """Another variant, near the present one."""
        ...

    def adopt_variant(self, variant: Any) -> None:
        """Be that one from now on."""
        ...


class PromptAdapter(Block):
    """A prompt with what was learned to say around it: `before`, the prompt, `after`, by lines.

    before, after   the wordings to choose from; "" is nothing. Which are chosen is its state, and is saved with it
    """

    block_type = "adapter/prompt"

    def __init__(self, before: Sequence[str] = ("",), after: Sequence[str] = ("",)) -> None:
        if not before or not after or isinstance(before, str) or isinstance(after, str):
            raise ConfigError("a prompt adapter chooses among wordings", hint='before: ["", "Think step by step."]')
        self.before, self.after = list(before), list(after)
        self.variant: list[int] = [0, 0]

    @property
    def spec(self) -> Spec:
        """In: prompt. Out: prompt."""
        return PROMPT

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """The prompt in the wording that was chosen."""
        first, last = self.variant
        lines = (self.before[first], inputs["prompt"], self.after[last])
        return {"prompt": "\n".join(line for line in lines if line)}

    def varied(self, luck: random.Random) -> list[int]:
        """Another wording in one of the two places."""
        places = [n for n, wordings in enumerate((self.before, self.after)) if len(wordings) > 1]
        if not places:
            raise ConfigError("there is one wording only", path=self.label, hint='before: ["", "Be brief."]')
        place, found = luck.choice(places), list(self.variant)
        others = [n for n in range(len((self.before, self.after)[place])) if n != found[place]]
        found[place] = luck.choice(others)
        return found

    def adopt_variant(self, variant: list[int]) -> None:
        """Use these wordings; ConfigError when they are not there."""
        first, last = variant
        if not (0 <= first < len(self.before) and 0 <= last < len(self.after)):
            raise ConfigError(f"there is no wording {variant}", path=self.label)
        self.variant = [first, last]

    def state_dict(self) -> dict[str, Any]:
        """Which wordings were chosen."""
        return {"variant": list(self.variant)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The reverse."""
        self.adopt_variant(state["variant"])


PROMPT = Spec.declare([port("prompt", "text")], [port("prompt", "text")], doc="A prompt, worded as was learned.")


class Found(Value):
    """What a search came to: the loss before and after, of each round, and the variants that stayed, by path."""

    plan: TrainPlan
    before: float
    losses: tuple[float, ...]
    variants: Mapping[str, Any]

    @property
    def loss(self) -> float:
        """The loss now."""
        return self.losses[-1] if self.losses else self.before

    def __repr__(self) -> str:
        return f"<Found: loss {self.before:.4g} -> {self.loss:.4g} in {len(self.losses)} rounds>"


async def search(
    level: Level,
    data: Any,
    *,
    losses: Any,
    select: str = "**",
    rounds: int = 20,
    tries: int = 4,
    step: float = 0.1,
    batch_size: int = 8,
    rows: int | None = None,
    seed: int = 0,
    collate: Callable[[list[Any]], Mapping[str, Any]] | None = None,
    hooks: Iterable[Hook] = (),
) -> Found:
    """Make losses small without gradients: blocks that are `Tried`, and neural blocks that `select` names.

    losses   as for `fit`; they need no gradient: "mismatch", or a function that gives a number
    rounds   how many times the best stays; `tries` variants are tried in each, on the same rows
    step     how far numbers are varied at first, in standard deviations
    rows     how many rows a variant is tried on; by default all

    What is learned stays in the blocks. A failure leaves the best so far. Same seed, same search, where what is asked
    answers the same. ConfigError when nothing is selected that could be tried.
    """
    if min(rounds, tries, batch_size) < 1:
        raise ConfigError("rounds, tries and batch_size are at least one", path=level.label)
    plan = train_plan(level, select, losses=losses)
    forward = Forward(level, plan.losses)
    tried = {p.path: p.block for p in places(level) if p.path in plan.searched}
    weights = {p.name: p.parameter for p in _around(level, plan, select)}
    if not tried and not weights:
        raise ConfigError(f"nothing that {select!r} names can be tried", path=level.label, hint="PromptAdapter([...])")
    ctx = RunContext(Run(seed=seed, hooks=tuple(hooks)), level.label)
    among = Rows(data, batch_size, 1, seed, True, collate)
    length = among.steps or 1
    batches = length if rows is None else max(1, min(length, rows // batch_size))

    async def loss(number: int) -> float:
        start = number * batches if rows else 0
        return await _loss(forward, plan, among, range(start, start + batches), ctx)

    before = best = await loss(0)
    found: list[float] = []
    for number in range(rounds):
        if rows:
            best = await loss(number)  # other rows than before
        scores = []
        for attempt in range(tries):
            luck = random.Random(derive(seed, "search", number, attempt))
            kept = _state(tried, weights)
            _vary(tried, weights, luck, step)
            try:
                scores.append((await loss(number), attempt, _state(tried, weights)))
            finally:
                _restore(tried, weights, kept)
        score, _, state = min(scores, key=lambda one: one[:2])
        if score <= best:
            _restore(tried, weights, state)
            step *= 1.5 if score < best else 1.0
            best = score
        else:
            step *= 1.5**-0.25
        found.append(best)
        ctx.emit(Progress, done=number + 1, total=rounds, note=f"loss {best:.4g}")
    return Found(plan, before, tuple(found), {path: copy.copy(block.variant) for path, block in tried.items()})


def _around(level: Level, plan: TrainPlan, select: str) -> Iterable[Any]:
    """Parameters that are chosen by name; with "**" only what is tried is, since weights of models are too many."""
    if select == "**" and plan.searched:
        return ()
    again = train_plan(level, select)  # what no gradient reaches can be tried too
    return again.learning


async def _loss(forward: Forward, plan: TrainPlan, among: Rows, steps: range, ctx: RunContext) -> float:
    import torch

    total = share = 0.0
    for number in steps:
        for piece in among.step(number, 0, 1):
            outputs = await forward(piece.batch, ctx)
            with torch.no_grad():
                values = [float(one.value(outputs, piece.batch)) * one.weight for one in plan.losses]
            total += sum(values) * piece.share
            share += piece.share
    return total / share


def _vary(tried: Mapping[str, Any], weights: Mapping[str, Any], luck: random.Random, step: float) -> None:
    import torch

    for block in tried.values():
        block.adopt_variant(block.varied(luck))
    drawn = torch.Generator().manual_seed(luck.getrandbits(63))
    with torch.no_grad():
        for parameter in weights.values():
            noise = torch.randn(parameter.shape, generator=drawn, dtype=torch.float32)
            parameter.add_(noise.to(parameter), alpha=step)


def _state(tried: Mapping[str, Any], weights: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    variants = {path: copy.copy(block.variant) for path, block in tried.items()}
    return variants, {name: p.detach().clone() for name, p in weights.items()}


def _restore(
    tried: Mapping[str, Any], weights: Mapping[str, Any], state: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> None:
    import torch

    for path, block in tried.items():
        block.adopt_variant(state[0][path])
    with torch.no_grad():
        for name, parameter in weights.items():
            parameter.copy_(state[1][name])
