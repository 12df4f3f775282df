"""Chance, drawn from a run's own generator by `random()` alone, so that every Python gives the same throws."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")


class Dice:
    """Throws from one generator, in order."""

    __slots__ = ("roll",)

    def __init__(self, generator: Random) -> None:
        self.roll = generator.random

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.roll() < probability

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self.roll() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[int(self.roll() * len(items))]

    def weighted(self, pairs: Sequence[tuple[float, T]]) -> T:
        """One of the items of (weight, item) pairs, by weight; at least one weight is above zero."""
        left = self.roll() * sum(weight for weight, _ in pairs)
        for weight, item in pairs:
            left -= weight
            if left < 0:
                return item
        return pairs[-1][1]


def dice_of(ctx: Any) -> Dice:
    """The dice of a place in a run; without a context they fall as seed 0 says."""
    return Dice(ctx.random() if ctx is not None else Random(0))
