"""Training needs no event loop of its own kind: tests run on asyncio, those of stopping on trio too."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
