from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.store_contract import CHECKS, Check, Clock
from yggdrasil.storage.sqlite import SqliteStore


@pytest.mark.anyio
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_contract(check: Check, tmp_path: Path) -> None:
    clock = Clock()
    async with SqliteStore(tmp_path / "world.db", clock=clock) as store:
        await check(store, clock)
