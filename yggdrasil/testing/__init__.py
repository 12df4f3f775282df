"""For tests of one's own blocks and levels: public doubles, and the contract of everything that runs.

::

    @pytest.mark.anyio
    @pytest.mark.parametrize("check", RUNNABLE_CHECKS, ids=lambda check: check.__name__)
    async def test_my_block(check):
        await check(Case(lambda: MyBlock(factor=2), {"x": 1}))

or, all at once, `await check_runnable(lambda: MyBlock(factor=2), {"x": 1})`.
"""

from __future__ import annotations

from yggdrasil.models.scripted import ScriptedModel
from yggdrasil.testing.contract import RUNNABLE_CHECKS, Case, Check, check_runnable
from yggdrasil.testing.doubles import CallCounter, Failing, FakeClock, Sleeper

__all__ = [
    "RUNNABLE_CHECKS",
    "CallCounter",
    "Case",
    "Check",
    "Failing",
    "FakeClock",
    "ScriptedModel",
    "Sleeper",
    "check_runnable",
]
