from __future__ import annotations

import asyncio
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from yggdrasil.errors import BlockError
from yggdrasil.runtime.group import concurrently

pytestmark = pytest.mark.anyio


async def fail(after: float = 0.0, path: str = "", error: BaseException | None = None) -> None:
    await anyio.sleep(after)
    raise error or BlockError("no", path=path)


async def test_all_run_to_the_end() -> None:
    done: list[int] = []

    async def work(i: int) -> None:
        await anyio.lowlevel.checkpoint()
        done.append(i)
        if i:
            spawn(work, i - 1)

    async with concurrently() as spawn:
        for i in range(5):
            spawn(work, i)
    assert sorted(done) == sorted(j for i in range(5) for j in range(i + 1))


async def test_one_failure_comes_alone_and_ends_the_rest() -> None:
    ended: list[str] = []

    async def waits() -> None:
        try:
            await anyio.sleep(30)
        finally:
            ended.append("waits")

    cause = LookupError("cause")
    failure = BlockError("no")
    failure.__cause__ = cause
    for _ in range(2):  # while the caller waits at the end
        with pytest.raises(BlockError) as caught:
            await _two(waits, failure, linger=0)
        assert caught.value.__cause__ is cause
    with pytest.raises(BlockError):  # while the caller is still inside
        await _two(waits, failure, linger=30)
    assert ended == ["waits"] * 3
    _unmarked()


async def _two(waits: Any, failure: BaseException, linger: float) -> None:
    async with concurrently() as spawn:
        spawn(waits)
        spawn(fail, 0.0, "", failure)
        await anyio.sleep(linger)


def _unmarked() -> None:
    """The caller is not left cancelled, as the library's own group leaves it."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # on trio
        return
    assert task is None or task.cancelling() == 0


async def test_the_body_may_fail_too() -> None:
    with pytest.raises(LookupError, match="body"):  # noqa: PT012 - a group is several statements
        async with concurrently() as spawn:
            spawn(anyio.sleep, 30)
            raise LookupError("body")
    _unmarked()


async def test_of_several_the_first_by_path_is_raised_and_the_others_noted() -> None:
    async def stubborn(path: str) -> None:
        try:
            await anyio.sleep(30)
        finally:
            raise BlockError("no", path=path)

    with pytest.raises(BlockError) as caught:  # noqa: PT012 - a group is several statements
        async with concurrently() as spawn:
            spawn(stubborn, "b")
            spawn(stubborn, "a")
            spawn(fail, 0.01, "c")
    assert caught.value.path == "a"
    assert len(caught.value.__notes__) == 2
    _unmarked()


async def test_a_deadline_from_outside() -> None:
    with anyio.move_on_after(0.01) as scope:
        async with concurrently() as spawn:
            spawn(anyio.sleep, 30)
            spawn(anyio.sleep, 30)
    assert scope.cancelled_caught
    _unmarked()
    with anyio.move_on_after(0.01) as scope:
        async with concurrently() as spawn:
            spawn(anyio.sleep, 30)
            await anyio.sleep(30)
    assert scope.cancelled_caught
    _unmarked()


async def test_cleaning_up_is_not_interrupted() -> None:
    cleaned: list[int] = []

    async def careful() -> None:
        try:
            await anyio.sleep(30)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.02)
                cleaned.append(1)

    with anyio.move_on_after(0.01):
        async with concurrently() as spawn:
            spawn(careful)
            spawn(careful)
    assert cleaned == [1, 1]
    _unmarked()


async def test_groups_in_groups() -> None:
    async def inner() -> None:
        async with concurrently() as spawn:
            spawn(fail, 0.005, "deep")
            spawn(anyio.sleep, 30)

    with pytest.raises(BlockError) as caught:  # noqa: PT012 - a group is several statements
        async with concurrently() as spawn:
            spawn(inner)
            spawn(inner)
            await anyio.sleep(30)
    assert caught.value.path == "deep"
    _unmarked()
