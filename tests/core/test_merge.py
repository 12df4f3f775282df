from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from yggdrasil.core.merge import merge
from yggdrasil.errors import PortError


@pytest.mark.parametrize(
    ("many", "values", "whole"),
    [
        ("first", [1, 2], 1),
        ("list", [1], [1]),
        ("list", [1, [2]], [1, [2]]),
        ("dict", [1, 2], {"a.x": 1, "b.x": 2}),
        ("sum", [1, 2.5], 3.5),
        ("sum", [3], 3),
        ("concat", ["a", "b"], "ab"),
        ("concat", [b"a", b"b"], b"ab"),
        ("concat", [[1], (2, 3)], [1, 2, 3]),
    ],
)
def test_values(many: Any, values: list[Any], whole: Any) -> None:
    sources = [f"{'abc'[i]}.x" for i in range(len(values))]
    assert merge(many, list(zip(sources, values, strict=True))) == whole


def test_arrays() -> None:
    pair = [("a.x", np.ones((1, 2))), ("b.x", np.zeros((2, 2)))]
    assert merge("concat", pair).shape == (3, 2)
    assert merge("sum", [("a.x", np.ones(2)), ("b.x", np.ones(2))]).tolist() == [2, 2]


@pytest.mark.parametrize(
    ("many", "one", "other"),
    [
        ("sum", 1, "a"),
        ("concat", "a", 1),
        ("concat", {"a": 1}, {"b": 1}),
        ("concat", np.ones((1, 2)), np.ones((1, 3))),
        ("sum", np.ones(2), np.ones(3)),
    ],
)
def test_what_cannot_be_put_together_names_its_sources(many: Any, one: Any, other: Any) -> None:
    with pytest.raises(PortError, match=r"a\.x .*b\.x") as caught:
        merge(many, [("a.x", one), ("b.x", other)], "graph/node")
    assert caught.value.path == "graph/node"
