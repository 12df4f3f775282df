"""Effects over a journal: recorded before they are seen, never repeated, known by path, ordinal and request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anyio
import pytest

from yggdrasil import Blob, EffectMismatchError, EffectUnknownError, ModelTransientError, PortError, RunContext, block
from yggdrasil.abc.context import Run
from yggdrasil.core.facts import EffectBegun, EffectDone, EffectsAbandoned, Fact
from yggdrasil.runtime.effects import JournalEffects
from yggdrasil.runtime.wrap import Retry

pytestmark = pytest.mark.anyio


class Memory:
    """A recorder that keeps facts in a list, as a journal would."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.blobs: dict[str, bytes] = {}

    async def record(self, fact: Fact, blobs: Iterable[Blob] = (), *, now: bool = False) -> None:
        self.blobs.update({blob.digest: blob.data for blob in blobs})
        self.facts.append(fact)

    async def blob(self, digest: str) -> bytes:
        return self.blobs[digest]


class World:
    """What lies outside: counts what is really done."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Any]] = []
        self.failing: list[Exception] = []

    async def ask(self, ctx: RunContext, request: Any, **options: Any) -> Any:
        async def perform(key: str) -> Any:
            self.done.append((key, request))
            if self.failing:
                raise self.failing.pop(0)
            return {"answer": request, "number": len(self.done)}

        return await ctx.effect("model", request, perform, **options)


def place(memory: Memory, scope: str = "tick:1") -> RunContext:
    """A context in a run (or in one taken up again) whose journal is `memory`."""
    effects = JournalEffects("toy", scope, memory, memory.facts)
    return RunContext(Run(effects=effects, scope=scope), "toy").child("author")


async def test_recorded_results_come_back() -> None:
    memory, outside = Memory(), World()
    ctx = place(memory)
    first = [await outside.ask(ctx, "a"), await outside.ask(ctx, "b")]
    again = place(memory)
    assert [await outside.ask(again, "a"), await outside.ask(again, "b")] == first
    assert [request for _, request in outside.done] == ["a", "b"]
    assert [type(f) for f in memory.facts] == [EffectDone, EffectDone]


async def test_results_are_what_the_record_gives_back() -> None:
    memory = Memory()
    picture = Blob(b"pixels", "image/png")

    async def perform(key: str) -> Any:
        return {"pair": (1, 2), "picture": picture}

    for _ in range(2):
        result = await place(memory).effect("tool", "x", perform)
        assert result == {"pair": [1, 2], "picture": picture}
        result["pair"].append(3)
    with pytest.raises(PortError, match="object cannot be stored"):
        await place(memory).child("other").effect("tool", "x", _odd)


async def _odd(key: str) -> Any:
    return object()


async def test_another_request_at_the_same_place_is_a_mismatch() -> None:
    memory, outside = Memory(), World()
    await outside.ask(place(memory), "a")
    with pytest.raises(EffectMismatchError, match="asks for something else") as caught:
        await outside.ask(place(memory), "b")
    assert caught.value.path == "toy/author"
    memory.facts.append(EffectsAbandoned("tick:1", "toy/author"))
    assert (await outside.ask(place(memory), "b"))["answer"] == "b"


async def test_what_was_in_flight_is_repeated_with_the_same_key() -> None:
    memory, outside = Memory(), World()

    async def never(key: str) -> Any:
        outside.done.append((key, "a"))
        await anyio.sleep_forever()

    with anyio.move_on_after(0.01):
        await place(memory).effect("model", "a", never)
    await outside.ask(place(memory), "a")
    keys = [key for key, _ in outside.done]
    assert len(keys) == 2
    assert keys[0] == keys[1]
    others = {
        (await _key(place(Memory(), "tick:2"), "a")),
        (await _key(place(Memory()), "b")),
        (await _key(place(Memory()).child("x"), "a")),
    }
    assert len(others | {keys[0]}) == 4, "scope, request and path make the key"


async def _key(ctx: RunContext, request: str) -> str:
    outside = World()
    await outside.ask(ctx, request)
    return outside.done[0][0]


async def test_what_must_not_be_repeated_waits_for_a_person() -> None:
    memory, outside = Memory(), World()

    async def never(key: str) -> Any:
        assert isinstance(memory.facts[-1], EffectBegun), "the intent is recorded before it is performed"
        await anyio.sleep_forever()

    with anyio.move_on_after(0.01):
        await place(memory).effect("tool", "pay", never, idempotent=False)
    with pytest.raises(EffectUnknownError, match="was under way when the process ended"):
        await outside.ask(place(memory), "pay", idempotent=False)
    assert not outside.done
    begun = memory.facts[-1]
    assert isinstance(begun, EffectBegun)
    settled = [*memory.facts, EffectDone("tick:1", begun.path, begun.ordinal, begun.request, "tool", "paid")]
    effects = JournalEffects("toy", "tick:1", memory, settled)
    ctx = RunContext(Run(effects=effects, scope="tick:1"), "toy").child("author")

    async def refuse(key: str) -> Any:
        raise AssertionError("performed again")

    assert await ctx.effect("tool", "pay", refuse, idempotent=False) == "paid"


async def test_one_that_failed_for_certain_may_be_tried_again() -> None:
    memory, outside = Memory(), World()
    outside.failing = [ModelTransientError("no")]
    ctx = place(memory)
    with pytest.raises(ModelTransientError):
        await outside.ask(ctx, "pay", idempotent=False)
    again = place(memory)
    assert (await outside.ask(again, "pay", idempotent=False))["answer"] == "pay"


async def test_a_failed_call_gives_its_ordinal_back() -> None:
    memory, outside = Memory(), World()
    outside.failing = [ModelTransientError("no")]
    ctx = place(memory)
    with pytest.raises(ModelTransientError):
        await outside.ask(ctx, "a")
    await outside.ask(ctx, "a")
    assert [f.ordinal for f in memory.facts if isinstance(f, EffectDone)] == [0]
    assert outside.done[0][0] == outside.done[1][0]
    await outside.ask(place(memory), "a")
    assert len(outside.done) == 2


async def test_what_was_survived_fails_again_on_resume() -> None:
    memory, outside = Memory(), World()
    outside.failing = [ModelTransientError("busy")]

    async def with_fallback(ctx: RunContext) -> Any:
        try:
            return await outside.ask(ctx, "dear model")
        except ModelTransientError as error:
            return await outside.ask(ctx, f"cheap model, for the dear one was {error.sentence}")

    first = await with_fallback(place(memory))
    assert first["answer"] == "cheap model, for the dear one was busy"
    assert await with_fallback(place(memory)) == first
    assert len(outside.done) == 2


async def test_parallel_calls_keep_their_places() -> None:
    memory, outside = Memory(), World()

    async def all_at_once(ctx: RunContext) -> dict[str, Any]:
        found: dict[str, Any] = {}

        async def one(name: str, wait: float) -> None:
            await anyio.sleep(wait)
            found[name] = await outside.ask(ctx.child(name), name)

        async with anyio.create_task_group() as group:
            for number, name in enumerate("abc"):
                group.start_soon(one, name, 0.01 * (3 - number) if not memory.facts else 0.01 * number)
        return found

    first = await all_at_once(place(memory))
    assert await all_at_once(place(memory)) == first
    assert len(outside.done) == 3


async def test_retry_repeats_nothing_that_is_recorded() -> None:
    memory, outside = Memory(), World()

    @block
    async def two_calls(*, ctx: RunContext) -> Any:
        first = await outside.ask(ctx, "a")
        inner = await outside.ask(ctx.child("inner"), "i")
        if len(outside.done) == 2:
            outside.failing = [ModelTransientError("no")]
        second = await outside.ask(ctx, "b")
        return [first["answer"], inner["answer"], second["answer"]]

    for _ in range(2):
        outputs = await Retry(two_calls, 3, first=0.001).execute({}, place(memory))
        assert outputs["output"] == ["a", "i", "b"]
    assert [request for _, request in outside.done] == ["a", "i", "b", "b"]
