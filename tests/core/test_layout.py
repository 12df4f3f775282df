"""The layered layout: nothing overlaps, arrows lead from box to box, and order does not depend on chance."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil.core.layout import Layout, Spot, lay_out

NAMES = "abcdefgh"


def overlap(a: Spot, b: Spot) -> bool:
    apart = a.x + a.width <= b.x + 1e-6 or b.x + b.width <= a.x + 1e-6
    return not (apart or a.y + a.height <= b.y + 1e-6 or b.y + b.height <= a.y + 1e-6)


def on_edge(spot: Spot, x: float, y: float) -> bool:
    inside = spot.x - 1e-6 <= x <= spot.x + spot.width + 1e-6 and spot.y - 1e-6 <= y <= spot.y + spot.height + 1e-6
    return inside and (min(abs(x - spot.x), abs(x - spot.x - spot.width), abs(y - spot.y)) < 1e-6)


@given(
    st.lists(st.tuples(st.floats(20, 200), st.floats(20, 90)), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20),
)
def test_boxes_do_not_touch_and_arrows_begin_and_end_at_theirs(
    sizes: list[tuple[float, float]], pairs: list[tuple[int, int]]
) -> None:
    boxes = dict(zip(NAMES, sizes, strict=False))
    names = list(boxes)
    arrows = [(names[a % len(names)], names[b % len(names)]) for a, b in pairs]
    found = lay_out(boxes, arrows)
    assert found == lay_out(boxes, arrows)
    assert found.spots.keys() == boxes.keys()
    for a, b in combinations(found.spots.values(), 2):
        assert not overlap(a, b)
    for spot in found.spots.values():
        assert spot.x >= 0
        assert spot.y >= -1e-6
        assert spot.x + spot.width <= found.width + 1e-6
        assert spot.y + spot.height <= found.height + 1e-6
    for (source, target), way in zip(arrows, found.ways, strict=True):
        assert on_edge(found.spots[source], *way[0])
        assert on_edge(found.spots[target], *way[-1])


def columns(found: Layout) -> dict[str, float]:
    return {name: spot.x + spot.width / 2 for name, spot in found.spots.items()}


def test_arrows_lead_to_the_right_but_where_they_close_a_circle() -> None:
    boxes = dict.fromkeys("abcd", (40.0, 20.0))
    at = columns(lay_out(boxes, [("a", "b"), ("b", "c"), ("c", "a"), ("a", "d"), ("d", "c")]))
    assert at["a"] < at["b"] == at["d"] < at["c"]


def test_a_crossing_that_need_not_be_is_not() -> None:
    boxes = dict.fromkeys("abxy", (40.0, 20.0))
    spots = lay_out(boxes, [("a", "y"), ("b", "x")]).spots
    assert (spots["a"].y < spots["b"].y) == (spots["y"].y < spots["x"].y)


def test_a_straight_line_stays_straight() -> None:
    ways = lay_out(dict.fromkeys("abc", (40.0, 20.0)), [("a", "b"), ("b", "c")]).ways
    assert len({y for way in ways for _, y in way}) == 1


def test_nothing_and_a_wrong_end() -> None:
    assert lay_out({}, []) == Layout({}, (), 0.0, 0.0)
    with pytest.raises(KeyError):
        lay_out({"a": (1.0, 1.0)}, [("a", "b")])
