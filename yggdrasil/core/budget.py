"""What a run may spend: tokens, money, steps, seconds. Pure arithmetic; budgets nest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.core.messages import Usage
from yggdrasil.errors import BudgetError, ConfigError

DAY = 86_400


class Budget:
    """Limits on what a run and everything under it may spend.

    tokens: input and output together; cost: US dollars; steps: model calls; seconds: of wall time.
    per: "day" refills it when the day changes (UTC), by the clock of the run; a world knows from its journal what was
    spent today, whatever became of the process that spent it.
    None is no limit. A child's spending counts towards its parent. A budget refuses *before* a call,
    once a limit has been reached. What a run had spent when it was killed counts when it is taken up again.
    """

    __slots__ = ("cost", "day", "doubted", "parent", "per", "seconds", "spent", "started", "steps", "tokens")

    def __init__(
        self,
        *,
        tokens: int | None = None,
        cost: float | None = None,
        steps: int | None = None,
        seconds: float | None = None,
        per: str | None = None,
        parent: Budget | None = None,
        spent: Usage | None = None,
    ) -> None:
        if per not in (None, "day"):
            raise ConfigError(f"the budget's per is {per!r}", hint='per="day"')
        if per is not None and seconds is not None:
            raise ConfigError("a budget of a day has no seconds", hint="tokens, cost or steps")
        for name, limit in (("tokens", tokens), ("cost", cost), ("steps", steps), ("seconds", seconds)):
            if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float) or not limit >= 0):
                raise ConfigError(f"the budget's {name} is {limit!r}", hint=f"Budget({name}=1000)")
        self.tokens, self.cost, self.steps, self.seconds = tokens, cost, steps, seconds
        self.per, self.parent = per, parent
        self.day: int | None = None
        self.spent = spent or Usage()
        self.started: float | None = None
        self.doubted = False

    @classmethod
    def of(cls, given: Any) -> Budget | None:
        """From a Budget or `{tokens: 1000}`; None is none. ConfigError for anything else."""
        if given is None or isinstance(given, Budget):
            return given
        limits = ("tokens", "cost", "steps", "seconds", "per")
        if not isinstance(given, Mapping) or not given.keys() <= set(limits):
            raise ConfigError(f"budget is {given!r}", hint="budget=Budget(tokens=1000), of " + ", ".join(limits))
        return cls(**given)

    def under(self, parent: Budget | None) -> Budget:
        """The same limits, spending from `parent` too."""
        return Budget(
            tokens=self.tokens, cost=self.cost, steps=self.steps, seconds=self.seconds, per=self.per, parent=parent
        )

    def to_config(self) -> dict[str, Any]:
        """As `of` reads it."""
        limits = {name: getattr(self, name) for name in ("tokens", "cost", "steps", "seconds", "per")}
        return {name: limit for name, limit in limits.items() if limit is not None}

    def refill(self, now: float, *, above: bool = True) -> None:
        """Begin anew when another day has begun, here and `above`. A clock that was set back gives nothing back."""
        if self.per is not None:
            day = int(now // DAY)
            if self.day is None or day < self.day - 1:  # set back by more than a day: what it says now counts
                self.day = day
            elif day > self.day:
                self.day, self.spent = day, Usage()
        if self.parent is not None and above:
            self.parent.refill(now)

    def take_up(self, day: int, spent: Usage) -> None:
        """Know what was spent on a day before this process; of another day than now it is refilled."""
        self.day, self.spent = day, spent

    def refilled_at(self, now: float) -> float | None:
        """When what is spent is refilled; None when waiting does not help, or nothing is spent."""
        later = [budget for budget in self.chain() if budget._reached(now) is not None]
        if not later or any(budget.per is None for budget in later):
            return None
        return max(float(((budget.day or 0) + 1) * DAY) for budget in later)

    def chain(self) -> list[Budget]:
        """This one and those above it."""
        return [self, *(self.parent.chain() if self.parent is not None else ())]

    def require(self, now: float, path: str = "") -> None:
        """BudgetError when any limit here or above has been reached. `now` in seconds."""
        self.refill(now)
        for budget in self.chain():
            budget._require(now, path)

    def _require(self, now: float, path: str) -> None:
        reached = self._reached(now)
        if reached is not None:
            name, limit, used = reached
            of = " of this day" if self.per else ""
            sentence = f"the budget of {limit:g} {name}{of} is spent ({used:g} used)"
            raise BudgetError(sentence, path=path, hint=f"budget=Budget({name}=...)")

    def _reached(self, now: float) -> tuple[str, float, float] | None:
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
                return name, limit, used
        return None

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
