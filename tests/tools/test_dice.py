"""The stock tool `dice`, had by its name as a user has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil import PortError, Runnable
from yggdrasil.abc.catalog import find
from yggdrasil.abc.context import Run, RunContext
from yggdrasil.runtime.registry import active_registry

pytestmark = pytest.mark.anyio


@pytest.fixture
def dice() -> Iterator[Runnable]:
    with find("dice", "tool").scope():
        yield active_registry().build("tool/dice", {})


def roll(dice: Any, notation: str, seed: int = 7) -> dict[str, Any]:
    rolled: dict[str, Any] = dice.function(notation, RunContext(Run(seed=seed), "here"))
    return rolled


async def test_the_same_seed_rolls_the_same(dice: Runnable) -> None:
    first = (await dice.run(notation="20d6", seed=7)).output
    assert first == (await dice.run(notation="20d6", seed=7)).output
    assert first != (await dice.run(notation="20d6", seed=8)).output
    assert len(first["rolls"]) == 20
    assert first["total"] == sum(first["rolls"])


@pytest.mark.parametrize(
    ("notation", "count", "sides", "kept", "bonus"),
    [
        ("d20", 1, 20, 1, 0),
        ("2d6+1", 2, 6, 2, 1),
        ("4d6k3", 4, 6, 3, 0),
        (" 2 D 20 kl 1 - 3 ", 2, 20, 1, -3),
        ("d%", 1, 100, 1, 0),
    ],
)
def test_notation(dice: Runnable, notation: str, count: int, sides: int, kept: int, bonus: int) -> None:
    for seed in range(50):
        rolled = roll(dice, notation, seed)
        assert len(rolled["rolls"]) == count
        assert all(1 <= n <= sides for n in rolled["rolls"])
        ranked = sorted(rolled["rolls"], reverse="l" not in notation)
        assert sorted(rolled["kept"]) == sorted(ranked[:kept])
        assert rolled["total"] == sum(rolled["kept"]) + bonus


def test_every_side_falls(dice: Runnable) -> None:
    assert set(roll(dice, "1000d6")["rolls"]) == {1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize(
    "notation", ["", "two dice", "0d6", "2d1", "1001d6", "2d6k3", "2d6k0", "d6; import os", "9" * 300 + "d6"]
)
async def test_what_is_no_roll_is_said(dice: Runnable, notation: str) -> None:
    with pytest.raises(PortError, match="2d6"):
        await dice.run(notation=notation)


@given(notation=st.text(alphabet="0123456789dkhl+- %", max_size=12))
def test_any_text_rolls_or_is_refused(notation: str) -> None:
    with find("dice", "tool").scope():
        tool = active_registry().build("tool/dice", {})
    try:
        rolled = roll(tool, notation)
    except PortError:
        return
    assert rolled["rolls"]
