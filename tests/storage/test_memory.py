from __future__ import annotations

import pytest

from tests.contract.store_contract import CHECKS, Check, Clock
from yggdrasil.storage.memory import MemoryStore


@pytest.mark.anyio
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_contract(check: Check) -> None:
    clock = Clock()
    async with MemoryStore(clock=clock) as store:
        await check(store, clock)
