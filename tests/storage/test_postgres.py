"""The contract of every store, on a real PostgreSQL; and what is PostgreSQL's own."""

from __future__ import annotations

import pytest

from tests.postgres import postgres
from yggdrasil.storage.postgres import PostgresStore
from yggdrasil.testing import STORE_CHECKS, FakeClock, StoreCheck


@pytest.mark.anyio
@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
async def test_contract(check: StoreCheck) -> None:
    clock = FakeClock()
    async with PostgresStore(postgres().create(), clock=clock) as store:
        await check(store, clock)
