from __future__ import annotations

from yggdrasil import block, run_sync


@block
async def greet(name: str) -> str:
    return f"hail {name}"


def test_run_sync() -> None:
    assert run_sync(greet, "Kara").output == "hail Kara"
    assert run_sync(greet, name="Kara", seed=3).output == "hail Kara"
