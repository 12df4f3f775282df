"""When a world that lives by timers has its next tick: a pure function of the clock, which may jump both ways.

A tick that was missed (the process was down, the machine slept, the clock was set forward) is not made up for:
however many were due, one tick begins, and how many more there were is told once. A clock that was set back neither
repeats what was lived nor makes a world wait for longer than its timers say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import floor
from typing import Any

from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, close_names

DAY = 86_400
_KEYS = ("every", "at", "zone", "idle", "actions")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_HINT = 'timers: {every: 60}, or {at: ["06:00", "18:30"], zone: Europe/Oslo}'

Offset = Callable[[float], float]
"""A time zone: how many seconds it is east of UTC at a time (seconds since the epoch)."""


def utc(time: float) -> float:
    """The zone that is nowhere east of UTC."""
    return 0.0


class Timers(Value):
    """What makes a world tick.

    every     seconds from one tick's due time to the next
    at        times of the day, in seconds since midnight, in the time zone `zone`
    idle      the life ends after so many seconds in which nobody acted
    actions   an action that comes begins a tick at once
    """

    every: float | None = None
    at: tuple[int, ...] = ()
    zone: str = "UTC"
    idle: float | None = None
    actions: bool = True

    @classmethod
    def from_config(cls, data: Any, path: str = "timers") -> Timers:
        """From a world's file: `{every: 60}`, `{at: ["06:00"], zone: Europe/Oslo}`; a number alone is `every`."""
        if isinstance(data, int | float) and not isinstance(data, bool):
            data = {"every": data}
        if not isinstance(data, Mapping):
            raise ConfigError(f"timers is {type(data).__name__}, not a mapping", path=path, hint=_HINT)
        for key in data:
            if key not in _KEYS:
                raise ConfigError(f"timers has no {key!r}; {close_names(str(key), _KEYS)}", path=path, hint=_HINT)
        for key in ("every", "idle"):
            value = data.get(key)
            right = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
            if value is not None and not right:
                raise ConfigError(f"{key} is {value!r}; it counts seconds", path=path, hint=f"{key}: 60")
        zone, actions = data.get("zone", "UTC"), data.get("actions", True)
        if not isinstance(zone, str):
            raise ConfigError(f"zone is {zone!r}", path=path, hint="zone: Europe/Oslo")
        if not isinstance(actions, bool):
            raise ConfigError(f"actions is {actions!r}", path=path, hint="actions: false")
        at = data.get("at") or ()
        times = (at,) if isinstance(at, str | int) else at
        if not isinstance(times, Sequence):
            raise ConfigError(f"at is {at!r}", path=path, hint='at: ["06:00"]')
        seconds = tuple(sorted({_seconds(time, path) for time in times}))
        return cls(data.get("every"), seconds, zone, data.get("idle"), actions)

    def to_config(self) -> dict[str, Any]:
        """As in a world's file."""
        usual = Timers()
        found = {key: value for key, value in self.values().items() if value != getattr(usual, key)}
        return {**found, "at": [_clock(second) for second in self.at]} if self.at else found


def _seconds(time: Any, path: str) -> int:
    found = _TIME.fullmatch(time) if isinstance(time, str) else None
    if found is None:
        raise ConfigError(f"at is {time!r}, which is no time of the day", path=path, hint='at: ["06:00"], in quotes')
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def _clock(second: int) -> str:
    hours, rest = divmod(second, 3600)
    return f"{hours:02}:{rest // 60:02}" + (f":{rest % 60:02}" if rest % 60 else "")


class Due(Value):
    """When the next tick is due, by now or later (seconds since the epoch); and how many before it were missed."""

    time: float
    missed: int = 0


def due(
    timers: Timers, last: float | None, now: float, offset: Offset = utc, *, lowest: float | None = None
) -> Due | None:
    """The next tick by the timers; None when only an action begins one.

    last     when the last tick was due or began; None before the first: then `every` is due at once
    lowest   the earliest that the clock has said since then, where it was set back while one waited
    """
    lowest = now if lowest is None else min(lowest, now)
    found = [_every(timers.every, last, now, lowest)] if timers.every is not None else []
    if timers.at:
        found.append(_at(timers.at, last, now, lowest, offset))
    by_now = [each for each in found if each.time <= now]
    if by_now:
        return Due(max(each.time for each in by_now), sum(each.missed + 1 for each in by_now) - 1)
    return min(found, key=lambda each: each.time, default=None)


def _every(every: float, last: float | None, now: float, lowest: float) -> Due:
    if last is None:
        return Due(now)
    anchor = min(last, lowest)  # the clock was set back: not longer than `every` from then
    turns = floor((now - anchor) / every)
    return Due(anchor + every * max(turns, 1), max(turns - 1, 0))


def _at(times: tuple[int, ...], last: float | None, now: float, lowest: float, offset: Offset) -> Due:
    lived = lowest if last is None else last
    if lived > lowest + DAY:  # the clock was set back by more than a day: what it says counts
        lived = lowest
    here = now + offset(now)
    before = lived + offset(lived)
    if lived <= now:
        count = sum(floor((here - second) / DAY) - floor((before - second) / DAY) for second in times)
        if count > 0:
            return Due(now, count - 1)
    local = max(here, before)
    next_local = min((floor((local - second) / DAY) + 1) * DAY + second for second in times)
    return Due(_when(next_local, offset, max(now, lived)))


def _when(local: float, offset: Offset, near: float) -> float:
    """When the clocks of a zone first show `local` or later; to the second, where they are set on that day."""
    first = local - offset(near)
    early, late = sorted((first, local - offset(first)))
    if early + offset(early) >= local:
        return early
    while late - early > 1:  # they are set in between, or lie an hour apart: both only on two days of the year
        middle = floor((early + late) / 2)
        early, late = (early, middle) if middle + offset(middle) >= local else (middle, late)
    return late


def idle_at(timers: Timers, quiet_since: float, now: float) -> float | None:
    """When the life ends if nobody acts until then; None when it does not. `quiet_since` is the last action's time."""
    return None if timers.idle is None else min(quiet_since, now) + timers.idle
