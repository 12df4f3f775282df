"""When a tick is due: exactly, whatever the clock does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil.core.timers import DAY, Due, Timers, due, idle_at
from yggdrasil.errors import ConfigError
from yggdrasil.levels.life import zone_of

MIDNIGHT = 20_000 * DAY  # of some day, UTC
TIMES = st.floats(MIDNIGHT - 40 * DAY, MIDNIGHT + 40 * DAY)
TIMERS = st.builds(
    Timers,
    every=st.none() | st.floats(0.5, 3 * DAY),
    at=st.lists(st.integers(0, DAY - 1), max_size=4).map(lambda times: tuple(sorted(set(times)))),
)


def test_every_so_many_seconds_from_due_to_due() -> None:
    timers = Timers(every=10)
    assert due(timers, None, 1000.0) == Due(1000.0)
    assert due(timers, 1000.0, 1003.0) == Due(1010.0)
    assert due(timers, 1000.0, 1010.0) == Due(1010.0)
    assert due(timers, 1000.0, 1012.5) == Due(1010.0), "a late start does not shift the next"
    assert due(timers, 1000.0, 1047.0) == Due(1040.0, missed=3)


def test_at_times_of_the_day() -> None:
    timers = Timers.from_config({"at": ["06:00", "18:30"]})
    six, half_past = MIDNIGHT + 6 * 3600, MIDNIGHT + 18 * 3600 + 1800
    assert due(timers, None, MIDNIGHT) == Due(six)
    assert due(timers, None, six + 1) == Due(half_past), "what was before the first tick is not missed"
    assert due(timers, six, half_past - 1) == Due(half_past)
    assert due(timers, six, half_past) == Due(half_past)
    assert due(timers, six, six + 3 * DAY + 60) == Due(six + 3 * DAY + 60, missed=5)


def test_in_a_time_zone_with_summer_time() -> None:
    timers = Timers.from_config({"at": "02:30", "zone": "Europe/Oslo"})
    offset = zone_of(timers)
    spring = 1774746000  # 2026-03-29 01:00 UTC: the clocks go from 02:00 to 03:00
    found = due(timers, spring - DAY + 3600, spring - 3600, offset)
    assert found is not None
    assert found.time == spring, "02:30 does not exist on that day: it is due when the clocks go forward"
    autumn = 1792890000  # 2026-10-25 01:00 UTC: the clocks go from 03:00 back to 02:00
    first = autumn - 1800  # 02:30 for the first time
    assert due(timers, first - DAY, first, offset) == Due(first)
    assert due(timers, first, first + 3600, offset) == Due(first + 25 * 3600), "once a day, though the hour comes twice"


@given(TIMERS, st.none() | TIMES, TIMES)
def test_what_is_due_comes_once_and_the_next_lies_ahead(timers: Timers, last: float | None, now: float) -> None:
    found = due(timers, last, now)
    if found is None:
        assert timers.every is None
        assert not timers.at
        return
    assert found.missed >= 0
    if found.time <= now:  # a tick begins now, and is told when it was due
        again = due(timers, found.time, now)
        assert again is not None
        assert again.time > now, "no burst: it makes up for all that was missed"
        assert again.missed == 0


@given(TIMERS, TIMES, st.floats(-40 * DAY, 40 * DAY))
def test_a_clock_that_jumps_neither_repeats_much_nor_stops_a_world(timers: Timers, last: float, jump: float) -> None:
    now = last + jump
    found = due(timers, last, now)
    if found is None:
        return
    longest = min([*([timers.every] if timers.every else []), *([2 * DAY] if timers.at else [])])
    assert found.time <= now + longest + 1, "nobody waits for longer than the timers say"
    if jump < 0:
        assert found.time > now, "set back: what was lived is not lived again at once"


@given(st.lists(st.floats(-2 * DAY, 2 * DAY), min_size=1, max_size=30), TIMERS)
def test_however_the_clock_jumps_each_look_begins_one_tick_at_most(jumps: list[float], timers: Timers) -> None:
    now, last, ticks = float(MIDNIGHT), None, 0
    for jump in jumps:
        now += jump
        for _ in range(3):
            found = due(timers, last, now)
            if found is None or found.time > now:
                break
            last, ticks = found.time, ticks + 1
    assert ticks <= len(jumps)


@given(TIMERS, st.floats(-40 * DAY, -1), st.lists(st.floats(1, DAY), min_size=1, max_size=20))
def test_who_waits_while_the_clock_is_set_back_waits_no_longer(timers: Timers, jump: float, looks: list[float]) -> None:
    last, now = float(MIDNIGHT), MIDNIGHT + jump
    lowest = now
    if timers.every is None and not timers.at:
        return
    longest = min([*([timers.every] if timers.every else []), *([2 * DAY] if timers.at else [])])
    for look in looks:
        found = due(timers, last, now, lowest=lowest)
        assert found is not None
        if found.time <= now:
            return
        assert now < lowest + longest + 1, "it was due by now"
        now += look


def test_idle() -> None:
    assert idle_at(Timers(), 5.0, 10.0) is None
    assert idle_at(Timers(idle=60), 5.0, 10.0) == 65.0
    assert idle_at(Timers(idle=60), 500.0, 10.0) == 70.0, "the clock was set back"


@given(TIMERS)
def test_there_and_back(timers: Timers) -> None:
    assert Timers.from_config(timers.to_config()) == timers


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"evry": 3}, "every"),
        ({"every": 0}, "seconds"),
        ({"every": "3"}, "seconds"),
        ({"every": float("inf")}, "seconds"),
        ({"every": True}, "seconds"),
        ({"at": ["6"]}, "time of the day"),
        ({"at": [360]}, "in quotes"),
        ({"at": ["24:00"]}, "time of the day"),
        ({"zone": 3}, "zone"),
        ({"actions": "yes"}, "actions"),
        ("hourly", "mapping"),
    ],
)
def test_what_cannot_be_is_said(data: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Timers.from_config(data)
    assert said in str(caught.value)


def test_a_zone_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="no time zone 'Mars/Olympus'"):
        zone_of(Timers(zone="Mars/Olympus"))
