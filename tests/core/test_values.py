"""Canonical JSON, blobs, addresses, budgets, results, events."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil.core.address import matches
from yggdrasil.core.blob import Blob, detach, is_reference, references
from yggdrasil.core.budget import Budget
from yggdrasil.core.canonical import canonical, derive, digest, parse
from yggdrasil.core.events import EVENTS, Event, NodeFinished, RunFinished, event_to_json, kind_of
from yggdrasil.core.messages import Usage
from yggdrasil.core.result import Result
from yggdrasil.core.typed import revive
from yggdrasil.errors import BudgetError, ConfigError, CorruptError, PortError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON)
def test_canonical_json_reads_back(value: Any) -> None:
    assert parse(canonical(value)) == value


def test_order_does_not_matter_and_what_is_no_json_is_refused() -> None:
    assert digest({"a": 1, "b": [1.5]}) == digest({"b": [1.5], "a": 1})
    for bad in (math.nan, {1, 2}, b"x", {"a": object()}):
        with pytest.raises(PortError, match="JSON"):
            digest(bad)
    with pytest.raises(PortError, match="Unicode"):
        digest("\ud800")
    for text in ("", "{", "[1,]", "NaN", "[Infinity]"):
        with pytest.raises(CorruptError):
            parse(text, path="record 3")


def test_seeds_are_derived_by_name() -> None:
    seeds = {derive(s, *names) for s in (1, 2) for names in ((), ("a",), ("a", "b"), ("ab",), ("a", 0), ("a", 1))}
    assert len(seeds) == 12
    assert all(0 <= s < 2**63 for s in seeds)


@given(JSON.map(lambda value: {"a": [value, Blob(b"x", "text/plain")]}))
def test_blobs_leave_and_come_back(value: Any) -> None:
    kept: dict[str, bytes] = {}
    plain = detach(value, lambda blob: kept.update({blob.digest: blob.data}))
    assert parse(canonical(plain)) == plain
    assert [r["size"] for r in references(plain)][-1] == 1
    assert revive(plain, kept) == value


def test_data_that_looks_like_a_blob_is_data() -> None:
    for value in ({"$blob": "hello"}, {"$blob": "a" * 64}, {"$blob": 3, "media_type": "x", "size": 1}):
        assert not is_reference(value)
        assert revive(detach(value, lambda blob: None), {}) == value
    with pytest.raises(CorruptError, match="not in the store"):
        revive(Blob(b"x").reference(), {})


def test_what_cannot_be_stored_says_where() -> None:
    with pytest.raises(PortError, match="bytes cannot be stored") as caught:
        detach({"a": [1, b"x"]}, lambda blob: None, "state")
    assert caught.value.path == "state/a/1"
    with pytest.raises(PortError, match="key 1 is int"):
        detach({1: 2}, lambda blob: None)
    with pytest.raises(PortError, match="nan is not JSON"):
        detach(math.nan, lambda blob: None)


@pytest.mark.parametrize(
    ("select", "path", "found"),
    [
        ("a/b", "a/b", True),
        ("a/*", "a/b", True),
        ("a/*", "a/b/c", False),
        ("a/**", "a/b/c", True),
        ("**", "a/b", True),
        ("**/c", "c", True),
        ("**/c", "a/b/c", True),
        ("a/**/c", "a/c", True),
        ("a/**/c", "a/b/b/c", True),
        ("a/**/c", "b/c", False),
        ("x|a/?", "a/b", True),
        ("a.b", "axb", False),
        ("draft*", "drafts", True),
    ],
)
def test_addresses(select: str, path: str, found: bool) -> None:
    assert matches(select, path) is found


def test_budgets_refuse_before_and_nest() -> None:
    outer = Budget(tokens=100, steps=3)
    inner = Budget(tokens=50).under(outer)
    inner.require(0)
    inner.spend(Usage(input_tokens=30, output_tokens=30, requests=1))
    with pytest.raises(BudgetError, match=r"50 tokens is spent \(60 used"):
        inner.require(1, "graph/llm")
    outer.require(1)
    other = Budget().under(outer)
    other.spend(Usage(input_tokens=40, requests=1))
    with pytest.raises(BudgetError, match="100 tokens"):
        other.require(1)
    timed = Budget(seconds=2)
    timed.require(10)
    with pytest.raises(BudgetError, match="2 seconds"):
        timed.require(12.5)
    with pytest.raises(ConfigError, match="cost is 'much'"):
        Budget(cost="much")  # type: ignore[arg-type]


def test_results() -> None:
    result = Result({"text": "x", "n": 1}, path="graph")
    assert dict(result) == {"text": "x", "n": 1}
    assert result == Result({"text": "x", "n": 1})
    with pytest.raises(KeyError, match="did you mean 'text'"):
        result["txt"]
    with pytest.raises(PortError, match="2 outputs"):
        _ = result.output
    assert Result({"output": 1, "n": 2}).output == 1
    assert Result({"response": 1, "n": 2}).output == 1
    assert Result({"n": 2}).output == 2
    assert isinstance(result, Result)
    assert not hasattr(result, "__setitem__")


def test_events() -> None:
    assert set(EVENTS) == {kind_of(e) for e in EVENTS.values()}
    assert event_to_json(NodeFinished(path="a/b", sequence=2, outputs=("x",))) == {
        "event": "node_finished", "path": "a/b", "time": 0.0, "sequence": 2, "tick": None, "outputs": ["x"],
    }  # fmt: skip
    assert "result" not in event_to_json(RunFinished(result=Result({})))
    assert all(issubclass(e, Event) for e in EVENTS.values())
