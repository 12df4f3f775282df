"""What every test shares: async tests run on both event loops."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both event loops; a test whose library forbids one says so by its own fixture."""
    return str(request.param)
