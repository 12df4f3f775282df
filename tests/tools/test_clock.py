"""The stock tool `clock`: it reads the run's clock, and a durable run reads it once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import available_timezones

import pytest

from yggdrasil import PortError, Runnable
from yggdrasil.abc.catalog import find
from yggdrasil.abc.context import Run, RunContext
from yggdrasil.abc.effects import Effect, Effects
from yggdrasil.runtime.registry import active_registry

pytestmark = pytest.mark.anyio
NOON = 1_700_000_000.25


@pytest.fixture
def clock() -> Iterator[Any]:
    with find("clock", "tool").scope():
        yield active_registry().build("tool/clock", {})


class Recorded(Effects):
    """Keeps the first result of each place."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    async def call(self, ctx: RunContext, effect: Effect) -> Any:
        if ctx.path not in self.kept:
            self.kept[ctx.path] = effect.encode(await effect.perform("key"))
        return effect.decode(self.kept[ctx.path])

    async def asked(self, ctx: RunContext, tool: str, arguments: Any) -> Any:
        raise NotImplementedError

    async def answered(self, approval: Any, answer: Any) -> None:
        raise NotImplementedError

    async def blob(self, digest: str) -> bytes:
        raise NotImplementedError

    def mark(self, path: str) -> Any:
        return None

    def rewind(self, path: str, mark: Any) -> None:
        pass


async def read(clock: Any, now: float, effects: Effects | None = None, **inputs: str) -> dict[str, Any]:
    ctx = RunContext(Run(clock=lambda: now, effects=effects), "here")
    found: dict[str, Any] = (await clock.execute(inputs, ctx))["output"]
    return found


async def test_it_is_the_clock_of_the_run(clock: Any) -> None:
    assert await read(clock, NOON) == {
        "time": "2023-11-14T22:13:20+00:00",
        "date": "2023-11-14",
        "weekday": "Tuesday",
        "zone": "UTC",
        "epoch": NOON,
    }


@pytest.mark.parametrize(
    ("zone", "time"),
    [
        ("+05:30", "2023-11-15T03:43:20+05:30"),
        ("-08:00", "2023-11-14T14:13:20-08:00"),
        ("Europe/Oslo", "2023-11-14T23:13:20+01:00"),
    ],
)
async def test_zones(clock: Any, zone: str, time: str) -> None:
    if "/" in zone and not available_timezones():
        pytest.skip("this machine knows no zones by name")
    assert (await read(clock, NOON, zone=zone))["time"] == time


@pytest.mark.parametrize("zone", ["Midgard/Hrafndal", "../../etc/passwd", "+99:00", "+x", "/etc/localtime"])
async def test_an_unknown_zone_is_said(clock: Runnable, zone: str) -> None:
    with pytest.raises(PortError, match="time zone"):
        await clock.run(zone=zone)


async def test_a_durable_run_records_what_it_read(clock: Any) -> None:
    effects = Recorded()
    first = await read(clock, NOON, effects)
    assert await read(clock, NOON + 3600, effects) == first
    assert effects.kept == {"here/reading": NOON}
