"""What a run may spend: tokens, money, steps, seconds. Pure arithmetic; budgets nest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.core.messages import Usage
from yggdrasil.errors import BudgetError, ConfigError


class Budget:
    """Limits on what a run and everything under it may spend.

    tokens: input and output together; cost: US dollars; steps: model calls; seconds: of wall time.
    None is no limit. A child's spending counts towards its parent. A budget refuses *before* a call,
    once a limit has been reached. What a run had spent when it was killed counts when it is taken up again.
    """

    __slots__ = ("cost", "doubted", "parent", "seconds", "spent", "started", "steps", "tokens")

    def __init__(
        self,
        *,
        tokens: int | None = None,
        cost: float | None = None,
        steps: int | None = None,
        seconds: float | None = None,
        parent: Budget | None = None,
        spent: Usage | None = None,
    ) -> None:
        for name, limit in (("tokens", tokens), ("cost", cost), ("steps", steps), ("seconds", seconds)):
            if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float) or not limit >= 0):
                raise ConfigError(f"the budget's {name} is {limit!r}", hint=f"Budget({name}=1000)")
        self.tokens, self.cost, self.steps, self.seconds = tokens, cost, steps, seconds
        self.parent = parent
        self.spent = spent or Usage()
        self.started: float | None = None
        self.doubted = False

    @classmethod
    def of(cls, given: Any) -> Budget | None:
        """From a Budget or `{tokens: 1000}`; None is none. ConfigError for anything else."""
        if given is None or isinstance(given, Budget):
            return given
        limits = ("tokens", "cost", "steps", "seconds")
        if not isinstance(given, Mapping) or not given.keys() <= set(limits):
            raise ConfigError(f"budget is {given!r}", hint="budget=Budget(tokens=1000), of " + ", ".join(limits))
        return cls(**given)

    def under(self, parent: Budget | None) -> Budget:
        """The same limits, spending from `parent` too."""
        return Budget(tokens=self.tokens, cost=self.cost, steps=self.steps, seconds=self.seconds, parent=parent)

    def require(self, now: float, path: str = "") -> None:
        """BudgetError when any limit here or above has been reached. `now` in seconds."""
        if self.started is None:
            self.started = now
        spent = self.spent
        for name, limit, used in (
            ("tokens", self.tokens, spent.input_tokens + spent.output_tokens),
            ("cost", self.cost, spent.cost or 0.0),
            ("steps", self.steps, spent.requests),
            ("seconds", self.seconds, now - self.started),
        ):
            if limit is not None and used >= limit:
                sentence = f"the budget of {limit:g} {name} is spent ({used:g} used)"
                raise BudgetError(sentence, path=path, hint=f"budget=Budget({name}=...)")
        if self.parent is not None:
            self.parent.require(now, path)

    def doubt(self) -> bool:
        """Whether a limit in money, here or above, cannot be held: it is told once that a price is unknown."""
        mine = self.cost is not None and not self.doubted
        self.doubted = self.doubted or mine
        above = self.parent is not None and self.parent.doubt()
        return mine or above

    def spend(self, usage: Usage, *, recorded: bool = False) -> None:
        """Count `usage` here and in every parent. `recorded`: it was spent before the run was taken up again."""
        self.spent = self.spent + usage
        if self.parent is not None:
            self.parent.spend(usage, recorded=recorded)


class NewMoney(Budget):
    """No limits: above it only what is spent now counts, not what a record says was spent before.

    A world's run has one: its budget is for this call, and the tick that it takes up was paid for by another.
    """

    __slots__ = ()

    def spend(self, usage: Usage, *, recorded: bool = False) -> None:
        """Count `usage`, in the parents unless it is `recorded`."""
        self.spent = self.spent + usage
        if self.parent is not None and not recorded:
            self.parent.spend(usage)
