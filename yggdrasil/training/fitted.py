"""What a training tells while it goes, and what it leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from yggdrasil.core.value import Value
from yggdrasil.training.average import Average
from yggdrasil.training.plan import TrainPlan


class Step(Value):
    """One step: its number from 1, the weighted loss, each loss by name, the learning rate of each group.

    norm      the length of the gradient before it was clipped
    seconds   how long it took
    """

    step: int
    epoch: int
    loss: float
    losses: Mapping[str, float]
    rates: tuple[float, ...]
    norm: float
    seconds: float

    def to_json(self) -> list[Any]:
        """As a list, which is short."""
        return [self.step, self.epoch, self.loss, dict(self.losses), list(self.rates), self.norm, self.seconds]

    @classmethod
    def from_json(cls, data: Sequence[Any]) -> Step:
        """The reverse."""
        step, epoch, loss, losses, rates, norm, seconds = data
        return cls(step, epoch, loss, losses, tuple(rates), norm, seconds)


_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, repr=False)
class Fitted:
    """A training that ended. The level has learned in place.

    plan        what was trained
    curve       every step, those before a resume too
    average     the moving average of the weights, where `ema` was given
    unreached   parameters that were to learn and never got a gradient
    folder      where it is kept; None: nowhere
    """

    plan: TrainPlan
    curve: tuple[Step, ...]
    average: Average | None
    unreached: tuple[str, ...]
    folder: Path | None

    @property
    def loss(self) -> float:
        """The last step's loss."""
        return self.curve[-1].loss

    def __repr__(self) -> str:
        return f"<Fitted: {self}>"

    def __str__(self) -> str:
        first, last = self.curve[0], self.curve[-1]
        lost = f"; no gradient reached {', '.join(self.unreached)}" if self.unreached else ""
        return f"{last.step} steps: loss {first.loss:.4g} -> {last.loss:.4g} {sparkline(self.losses)}{lost}"

    @property
    def losses(self) -> list[float]:
        """The curve's losses."""
        return [step.loss for step in self.curve]


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """A curve in one line of text: averages of `width` stretches."""
    stretches = min(width, len(values))
    edges = [n * len(values) // stretches for n in range(stretches + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((mean - low) * scale)] for mean in means)
