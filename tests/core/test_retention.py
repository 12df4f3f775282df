"""What of a world's past may go, decided without waiting or storing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil.core.retention import DAY, Done, Keep, due, prune
from yggdrasil.errors import ConfigError


def ticks(first: int, last: int, *, seconds: float = 60.0) -> list[Done]:
    return [Done(tick, tick * 8, tick * seconds) for tick in range(first, last + 1)]


def test_nothing_said_keeps_all() -> None:
    assert Keep().all
    assert not due(Keep(), 10**6, 0)
    assert prune(Keep(), ticks(1, 100), 100, 1e9, 1) is None


def test_the_last_ones_stay() -> None:
    plan = prune(Keep(last=10), ticks(1, 100), 100, 1e9, 1)
    assert plan is not None
    assert (plan.to.tick, plan.kept) == (90, ())


def test_every_so_many_stay() -> None:
    plan = prune(Keep(last=5, every=20), ticks(41, 100), 100, 1e9, 1)
    assert plan is not None
    assert plan.to.tick == 95
    assert [one.tick for one in plan.kept] == [60, 80]
    edge = prune(Keep(last=20, every=20), ticks(41, 100), 100, 1e9, 1)
    assert edge is not None
    assert (edge.to.tick, [one.tick for one in edge.kept]) == (80, [60]), "the last one that goes has a snapshot anyway"


def test_nothing_young_goes() -> None:
    done = ticks(1, 100, seconds=DAY / 10)
    plan = prune(Keep(last=5, days=3), done, 100, 100 * DAY / 10, 1)
    assert plan is not None
    assert plan.to.tick == 70
    assert prune(Keep(last=5, days=30), done, 100, 100 * DAY / 10, 1) is None


def test_a_clock_that_was_set_back_makes_nothing_go_early() -> None:
    done = [Done(1, 8, 0.0), Done(2, 16, 50 * DAY), Done(3, 24, 0.0)]
    plan = prune(Keep(last=1, days=10), done, 10, 55 * DAY, 1)
    assert plan is not None
    assert plan.to.tick == 1


def test_a_batch_at_a_time() -> None:
    assert not due(Keep(last=50), 113, 0)
    assert due(Keep(last=50), 114, 0)
    assert not due(Keep(last=50), 177, 64)
    assert due(Keep(every=7), 65, 0), "at least the last tick keeps its records"
    assert prune(Keep(last=50), ticks(1, 113), 113, 1e9) is None
    assert prune(Keep(last=50), ticks(1, 64), 114, 1e9) is not None


@given(
    last=st.integers(1, 20), every=st.integers(1, 9) | st.none(), days=st.floats(0, 5) | st.none(),
    tick=st.integers(0, 60), now=st.floats(0, 10 * DAY), batch=st.integers(1, 10),
)  # fmt: skip
def test_what_was_promised_is_kept(
    last: int, every: int | None, days: float | None, tick: int, now: float, batch: int
) -> None:
    keep = Keep(last, every, days)
    done = ticks(1, tick, seconds=DAY / 7)
    plan = prune(keep, done, tick, now, batch)
    if plan is None:
        return
    gone = [one for one in done if one.tick <= plan.to.tick]
    assert len(gone) >= batch
    assert plan.to.tick <= tick - last
    assert days is None or all(one.time <= now - days * DAY for one in gone)
    there = {plan.to.tick, *(one.tick for one in plan.kept)}
    assert every is None or all(one.tick in there for one in gone if one.tick % every == 0)


@pytest.mark.parametrize(
    ("data", "place", "said"),
    [
        ({"last": 0}, "w.yaml/keep/last", "at least 1"),
        ({"last": "ten"}, "w.yaml/keep/last", "whole number"),
        ({"last": True}, "w.yaml/keep/last", "whole number"),
        ({"last": 2.5}, "w.yaml/keep/last", "whole number"),
        ({"every": -1}, "w.yaml/keep/every", "at least 1"),
        ({"days": -0.5}, "w.yaml/keep/days", "at least 0"),
        ({"days": float("nan")}, "w.yaml/keep/days", "at least 0"),
        ({"days": float("inf")}, "w.yaml/keep/days", "at least 0"),
        ({"lats": 5}, "w.yaml/keep", "'last'"),
        ({1: 5}, "w.yaml/keep", "no 1"),
        ([50], "w.yaml/keep", "keep is"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(data: Any, place: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as told:
        Keep.from_config(data, "w.yaml/keep")
    assert told.value.path == place


def test_to_and_from_a_file() -> None:
    for data in ({}, {"last": 5}, {"last": 5, "every": 10, "days": 0.5}):
        assert Keep.from_config(data).to_config() == data
    assert Keep.from_config({"last": None, "every": 3}) == Keep(every=3)
