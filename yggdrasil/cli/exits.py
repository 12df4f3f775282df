"""What the exit code says. `yggdrasil --help` prints this table."""

from __future__ import annotations

from typing import NamedTuple

from yggdrasil.errors import (
    BudgetError,
    LeaseError,
    ParkedError,
    SpecError,
    StoreError,
    SuspendedError,
    ValidationError,
)


class Exit(NamedTuple):
    """One code: its number, and what it says to a person or a script."""

    code: int
    meaning: str


DONE = Exit(0, "done")
FAILED = Exit(1, "the run failed, or the world is parked and waits for a person")
USAGE = Exit(2, "the command was not understood")
INVALID = Exit(3, "a name, a config or a file is wrong: mend it, it can never run as it is")
HELD = Exit(4, "another process runs this world")
STORE = Exit(5, "the store refused or failed; nothing that was acknowledged is lost")
SPENT = Exit(6, "the budget is spent; the same command goes on")
WAITS = Exit(7, "tool calls wait for a person: yggdrasil approve; then the same command goes on")
STOPPED = Exit(130, "stopped by Ctrl-C or SIGTERM; the same command goes on")

EXITS = (DONE, FAILED, USAGE, INVALID, HELD, STORE, SPENT, WAITS, STOPPED)

# The first kind that fits counts.
_KINDS: tuple[tuple[type[BaseException], Exit], ...] = (
    (LeaseError, HELD),
    (StoreError, STORE),
    (BudgetError, SPENT),
    (SuspendedError, WAITS),
    (ValidationError, INVALID),
    (SpecError, INVALID),
)


def exit_of(error: BaseException) -> Exit:
    """The exit for an error that ended a command."""
    if isinstance(error, ParkedError) and isinstance(error.__cause__, SuspendedError):
        return WAITS
    return next((found for kind, found in _KINDS if isinstance(error, kind)), FAILED)


def table() -> str:
    """The codes as text, one a line."""
    return "\n".join(f"{each.code:>4}  {each.meaning}" for each in EXITS)
