"""For tests of one's own blocks, levels and stores: public doubles, and the contracts they keep.

::

    @pytest.mark.anyio
    @pytest.mark.parametrize("check", RUNNABLE_CHECKS, ids=lambda check: check.__name__)
    async def test_my_block(check):
        await check(Case(lambda: MyBlock(factor=2), {"x": 1}))

or, all at once, `await check_runnable(lambda: MyBlock(factor=2), {"x": 1})`. The contract of every store
is there in the same way: `STORE_CHECKS` and `check_store`.
"""

from __future__ import annotations

from yggdrasil.models.scripted import ScriptedModel
from yggdrasil.testing.contract import RUNNABLE_CHECKS, Case, Check, check_runnable
from yggdrasil.testing.doubles import CallCounter, Failing, FakeClock, Sleeper
from yggdrasil.testing.store import STORE_CHECKS, StoreCheck, check_store

__all__ = [
    "RUNNABLE_CHECKS",
    "STORE_CHECKS",
    "CallCounter",
    "Case",
    "Check",
    "Failing",
    "FakeClock",
    "ScriptedModel",
    "Sleeper",
    "StoreCheck",
    "check_runnable",
    "check_store",
]
