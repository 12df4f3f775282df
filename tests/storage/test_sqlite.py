from __future__ import annotations

from pathlib import Path

import pytest

from yggdrasil.storage.sqlite import SqliteStore
from yggdrasil.testing import STORE_CHECKS, FakeClock, StoreCheck


@pytest.mark.anyio
@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
async def test_contract(check: StoreCheck, tmp_path: Path) -> None:
    clock = FakeClock()
    async with SqliteStore(tmp_path / "world.db", clock=clock) as store:
        await check(store, clock)
