from __future__ import annotations

import pytest

from yggdrasil.storage.memory import MemoryStore
from yggdrasil.testing import STORE_CHECKS, FakeClock, StoreCheck


@pytest.mark.anyio
@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
async def test_contract(check: StoreCheck) -> None:
    clock = FakeClock()
    async with MemoryStore(clock=clock) as store:
        await check(store, clock)
