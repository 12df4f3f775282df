"""The stock tool `calculator`, had by its name as a user has it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil import PortError, Runnable
from yggdrasil.abc.catalog import find
from yggdrasil.runtime.registry import active_registry

pytestmark = pytest.mark.anyio


@pytest.fixture
def calculator() -> Iterator[Runnable]:
    with find("calculator", "tool").scope():
        yield active_registry().build("tool/calculator", {})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        (" (1 + 2) * 3 ", 9),
        ("-2 ** 2", -4),
        ("7 // 2 + 7 % 2", 4),
        ("10 / 4", 2.5),
        ("2 ** 100", 2**100),
        ("sqrt(2) ** 2", 2.0000000000000004),
        ("round(17 / 3, 2)", 5.67),
        ("max(1, min(5, 3))", 3),
        ("log(8, 2) + log10(1000)", 6.0),
        ("sin(pi / 2)", 1.0),
        ("1_000 + 1e3", 2000.0),
    ],
)
async def test_it_works_out(calculator: Runnable, expression: str, value: float) -> None:
    found = (await calculator.run(expression=expression)).output
    assert found == pytest.approx(value)
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "two",
        "1 +",
        "__import__('os')",
        "(1).__class__",
        "[1][0]",
        "x := 1",
        "1 if 1 else 2",
        "lambda: 1",
        "'a' * 3",
        "True + 1",
        "1j",
        "pow(2, 3)",
        "round(1, ndigits=2)",
        "max(*[1])",
        "max()",
        "sqrt(-1)",
        "(-8) ** 0.5",
        "1 / 0",
        "1e308 * 10",
        "9 ** 9 ** 9",
        "((((((2**2000)**2000)**2000))))",
        "exp(10000)",
        "1\x00",
        "(" * 200 + "1" + ")" * 200,
        "-" * 250 + "1",
        "1" * 301,
    ],
)
async def test_what_is_no_arithmetic_is_said_and_costs_nothing(calculator: Runnable, expression: str) -> None:
    before = time.process_time()
    try:
        found = (await calculator.run(expression=expression)).output
    except PortError:
        found = None
    assert found is None or expression.startswith("-" * 250), "a long row of signs may be worked out"
    assert time.process_time() - before < 1


@given(
    expression=st.recursive(
        st.one_of(st.integers(0, 99).map(str), st.floats(0, 99).map(repr)),
        lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        max_leaves=8,
    )
)
def test_it_agrees_with_the_language(expression: str) -> None:
    with find("calculator", "tool").scope():
        tool: Any = active_registry().build("tool/calculator", {})
    if len(expression) <= 300:
        expected = eval(expression)
        assert math.isclose(tool.function(expression), expected)
