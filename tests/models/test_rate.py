"""Limits by the minute: never more than allowed in any window, first come first served, and pauses for all."""

from __future__ import annotations

import time
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil import ConfigError
from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import Request, ToolSpec, Usage, assistant, user
from yggdrasil.errors import ModelTransientError, RateLimitError
from yggdrasil.models.clients import LONGEST_PAUSE, Client
from yggdrasil.models.rate import Limits, Window, estimate

STEPS = st.lists(st.tuples(st.floats(0, 30), st.integers(0, 200)), min_size=1, max_size=40)


@given(STEPS, st.integers(1, 6), st.integers(1, 300))
def test_no_window_holds_more_than_allowed(steps: Any, requests: int, tokens: int) -> None:
    limits, window = Limits(None, requests, tokens), Window(60.0)
    now, sent = 0.0, []
    for pause, size in steps:
        now += pause
        wait = window.wait(now, size, limits)
        if wait > 1e-6:
            assert window.wait(now + wait / 2, size, limits) > 0, "it waits no longer than it must"
        now += wait
        while window.wait(now, size, limits) > 0:  # a float that falls just short of the moment
            now += 1e-6
        window.take(now, size)
        sent.append((now, size))
        inside = [s for t, s in sent if t > now - 60.0 + 1e-6]
        assert len(inside) <= requests
        assert sum(inside) <= tokens or len([s for s in inside if s]) <= 1 or sum(inside) - min(size, tokens) <= 0


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=30))
def test_what_was_estimated_is_corrected(pairs: Any) -> None:
    window = Window(60.0)
    taken = [(window.take(0.0, estimated), real) for estimated, real in pairs]
    for entry, real in taken:
        window.settle(entry, real)
    assert window.tokens == sum(real for _, real in pairs)
    assert window.wait(60.0, 1, Limits(None, None, 1)) == 0.0
    for entry, _ in taken:  # those that have left the window count no more
        window.settle(entry, 10_000)
    assert window.tokens == 0


def test_the_lowest_of_all_holds() -> None:
    assert Limits(5, None, 100).lowest(Limits(None, 7, 60)) == Limits(5, 7, 60)
    for wrong in (0, -1, 1.5, True, "3"):
        with pytest.raises(ConfigError):
            Limits(wrong)  # type: ignore[arg-type]


def test_an_estimate_counts_all_that_is_sent() -> None:
    tool = ToolSpec("weather", "The weather.", {"type": "object"})
    plain = estimate(Request([user("a" * 400)]))
    assert plain == 104
    assert estimate(Request([user("a" * 400)], tools=(tool,))) > plain
    assert estimate(Request([user("a" * 400, Blob(b"x", "image/png"))])) == plain + 1000
    assert estimate(Request([user("a" * 400)], params={"max_tokens": 50})) == plain + 50
    assert estimate(Request([user("a" * 400), assistant("b" * 40)])) == plain + 14


# --- the queue of a client


async def take(client: Client, limits: Limits, tokens: int = 0, used: int | None = None) -> float:
    async with client.place(limits, lambda: tokens) as place:
        now = time.monotonic()
        if used is not None:
            place.used(Usage(used))
    return now


@pytest.mark.anyio
async def test_first_come_first_served() -> None:
    client, limits, order = Client("sdk", minute=0.2), Limits(None, 4, None), []

    async def one(number: int) -> None:
        await take(client, limits)
        order.append((number, time.monotonic()))

    began = time.monotonic()
    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(one, number)
            await anyio.sleep(0.001)
    assert [n for n, _ in order] == list(range(10))
    times = [t - began for _, t in order]
    assert times[3] < 0.15
    assert times[4] >= 0.19
    assert times[8] >= 0.39
    assert times[9] < 1.5


@pytest.mark.anyio
async def test_who_is_cancelled_leaves_the_queue() -> None:
    client, limits = Client("sdk", minute=0.4), Limits(1, 1, None)
    await take(client, limits)
    with anyio.move_on_after(0.05) as scope:
        await take(client, limits)
    assert scope.cancelled_caught
    began = time.monotonic()
    await take(client, limits)
    assert time.monotonic() - began < 0.5, "the one who left has taken nothing"


@pytest.mark.anyio
async def test_fewer_tokens_than_estimated_make_room_at_once() -> None:
    client, limits = Client("sdk", minute=30.0), Limits(None, None, 100)
    began = time.monotonic()
    async with anyio.create_task_group() as group, client.place(limits, lambda: 90) as place:
        group.start_soon(take, client, limits, 60)
        await anyio.sleep(0.05)
        place.used(Usage(5, 5))
    assert time.monotonic() - began < 5
    with anyio.move_on_after(0.05) as scope:
        await take(client, limits, 60)
    assert scope.cancelled_caught, "70 of 100 are taken"
    await take(Client("sdk", minute=30.0), limits, 5000)  # alone in the window: it would wait for ever otherwise


@pytest.mark.anyio
async def test_tokens_are_estimated_only_where_they_are_limited() -> None:
    def never() -> int:
        raise AssertionError("estimated for nothing")

    async with Client("sdk").place(Limits(None, 5, None), never) as place:
        assert place.sdk == "sdk"


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [RateLimitError, ModelTransientError])
async def test_a_pause_is_for_all(kind: Any) -> None:
    client = Client("sdk")
    with pytest.raises(kind):
        async with client.place():
            raise kind("slow down", retry_after=0.3)
    began, times = time.monotonic(), []

    async def one() -> None:
        times.append(await take(client, Limits()) - began)

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(one)
    assert min(times) >= 0.25
    assert max(times) < 2


@pytest.mark.anyio
async def test_a_long_pause_is_an_error_at_once() -> None:
    client = Client("sdk", name="openai at home")
    with pytest.raises(RateLimitError):
        async with client.place():
            raise RateLimitError("slow down", retry_after=LONGEST_PAUSE * 10)
    began = time.monotonic()
    with pytest.raises(RateLimitError, match="openai at home asked for a pause, of which 600 s are left") as caught:
        await take(client, Limits())
    assert time.monotonic() - began < 1
    assert caught.value.retry_after == pytest.approx(600, abs=1)
