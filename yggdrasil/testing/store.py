"""The contract of every store: what memory, SQLite and PostgreSQL pass, to be run on a store of one's own.

Each check is given an empty, open store, and the clock that the store was made with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from yggdrasil.abc.store import Store
from yggdrasil.testing import store_basics, store_upkeep
from yggdrasil.testing.doubles import FakeClock

StoreCheck = Callable[[Store, FakeClock], Awaitable[None]]

STORE_CHECKS: tuple[StoreCheck, ...] = tuple(
    check
    for module in (store_basics, store_upkeep)
    for name, check in vars(module).items()
    if name.startswith("check_")
)
"""The contract of every store, one check each."""


async def check_store(make: Callable[[FakeClock], AbstractAsyncContextManager[Store]]) -> None:
    """Run every check, each on a store that `make(clock)` gives: an empty one each time, opened by `async with`.

    AssertionErrors say what is broken, and a note in which check.
    """
    for check in STORE_CHECKS:
        clock = FakeClock()
        try:
            async with make(clock) as store:
                await check(store, clock)
        except Exception as error:
            error.add_note(f"in {check.__name__}")
            raise
