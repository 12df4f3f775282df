"""What agents remember, as changes: put one after the other they give what was there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil.core.canonical import canonical
from yggdrasil.core.frozen import freeze
from yggdrasil.core.kept import change, changed
from yggdrasil.errors import CorruptError

VALUES = st.recursive(
    st.text(max_size=3) | st.integers(-3, 3) | st.none(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
MEMORIES = st.dictionaries(st.sampled_from(["messages", "summary", "pinned", "long_term"]), VALUES, max_size=4)


@given(MEMORIES, MEMORIES)
def test_a_change_leads_from_one_to_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    steps = change(freeze(before), freeze(after))
    assert canonical(changed(freeze(before), steps)) == canonical(after)
    assert (steps == {}) == (before == after)


@given(st.lists(st.text(max_size=3), max_size=8), st.integers(0, 8), st.lists(st.text(max_size=3), max_size=4))
def test_a_dialogue_that_moves_on_is_told_by_what_went_and_what_came(
    old: list[str], drop: int, new: list[str]
) -> None:
    after = [*old[drop:], *new]
    steps = change({"messages": freeze(old)}, {"messages": freeze(after)})
    assert changed({"messages": freeze(old)}, steps)["messages"] == after
    if drop < len(old) and steps:
        assert len(steps["messages"]["add"]) <= len(new)


@pytest.mark.parametrize("steps", [{"x": {"gone": True}}, {"m": {"drop": 3, "add": []}}, {"m": {"in": {}}}, {"m": {}}])
def test_a_change_that_does_not_fit_is_no_change_of_this(steps: dict[str, Any]) -> None:
    with pytest.raises(CorruptError):
        changed({"m": freeze(["a"])}, steps)
