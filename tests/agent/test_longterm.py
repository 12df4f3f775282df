"""Long-term memory: shared or private, with and without an embedding, in durable runs, saved and loaded."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from yggdrasil import block
from yggdrasil.abc.context import Run, RunContext
from yggdrasil.agent.longterm import LONGEST, LongTerm
from yggdrasil.core.recall import HALF_LIFE, Passage, Weights
from yggdrasil.errors import ConfigError, CorruptError, FormatError, PortError, StoreError
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.testing import FakeClock

pytestmark = pytest.mark.anyio


def texts(found: list[Passage]) -> list[str]:
    return [p.text for p in found]


@block
def letters(text: str) -> list[float]:
    """How often each letter is in it."""
    return [1.0 + text.lower().count(c) for c in "abcdefghijklmnopqrstuvwxyz"]


@block
def many_letters(texts: list[str]) -> list[list[float]]:
    """Several at once, as providers have it."""
    return [letters(text) for text in texts]


async def test_recency_importance_and_relevance_decide() -> None:
    clock = FakeClock()
    async with LongTerm(clock=clock) as long:
        await long.add("a ford by the mill", importance=0.1)
        await long.add("a ford by the tower", importance=0.9)
        assert texts(await long.search("ford")) == ["a ford by the tower", "a ford by the mill"]
        clock.advance(20 * HALF_LIFE)
        await long.add("a ford by the church", importance=0.2)
        assert texts(await long.search("ford", 1)) == ["a ford by the church"]
        assert texts(await long.search("the mill", 1)) == ["a ford by the mill"]
        found = await long.search("ford")
        assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
        assert all(0 < p.score <= 1 for p in found)


async def test_shared_by_object_or_file_and_private_by_namespace(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/memory.db"
    async with (
        LongTerm(url, namespace="a") as one,
        LongTerm(url, namespace="a") as same,
        LongTerm(url, namespace="b") as b,
    ):
        await one.add("The ford floods.")
        assert texts(await same.search("ford")) == ["The ford floods."]
        assert await b.search("ford") == []
        assert await b.count() == 0
        id = (await same.search("ford"))[0].id
        assert not await b.forget(id)
        assert await same.forget(id)
        assert await one.count() == 0
    async with LongTerm() as mine, LongTerm() as yours:
        await mine.add("x")
        assert (await mine.count(), await yours.count()) == (1, 0)


async def test_it_opens_and_closes_itself(tmp_path: Path) -> None:
    long = LongTerm(f"sqlite:///{tmp_path}/memory.db")
    assert not (tmp_path / "memory.db").exists()
    await long.add("kept")
    await long.close()
    await long.close()
    assert texts(await long.search("kept")) == ["kept"]
    del long
    gc.collect()
    async with LongTerm(f"sqlite:///{tmp_path}/memory.db") as again:
        assert await again.count() == 1


@pytest.mark.parametrize("embedding", [letters, many_letters])
async def test_meaning_is_found_where_words_are_not(embedding: Any, tmp_path: Path) -> None:
    weights = Weights(recency=0, importance=0)
    async with LongTerm(f"sqlite:///{tmp_path}/m.db", embedding=embedding, weights=weights) as long:
        await long.add("zzzzzzzz")
        await long.add("qqqqqqqq")
        assert texts(await long.search("zz", 1)) == ["zzzzzzzz"]
        assert texts(await long.search("qq", 1)) == ["qqqqqqqq"]
        await long.search("  ")


@pytest.mark.parametrize("value", ["text", [], [[1.0], [2.0]], [["a"]], None, [0.0, 0.0], {"a": 1}])
async def test_an_embedding_that_gives_no_vector(value: Any) -> None:
    @block
    def broken(text: str) -> Any:
        return value

    async with LongTerm(embedding=broken) as long:
        with pytest.raises(PortError, match=r"broken gave no vector|no direction"):
            await long.add("x")
        assert await long.count() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "postgres://user:secret@host/db"}, {"url": "memory://name"}, {"url": "sqlite:///"}, {"url": 7},
        {"url": "memory.db"}, {"url": "sqlite:///a?b"}, {"namespace": ""}, {"namespace": 3}, {"half_life": 0},
        {"half_life": True}, {"half_life": math.nan}, {"weights": (1, 1, 1)}, {"embedding": len},
    ],
)  # fmt: skip
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        LongTerm(**wrong)
    assert caught.value.hint
    assert "secret" not in str(caught.value)


def test_an_embedding_with_other_ports() -> None:
    @block
    def two(text: str, language: str) -> list[float]:
        return []

    with pytest.raises(ConfigError, match="not one text and one vector"):
        LongTerm(embedding=two)


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": ""}, {"text": " "}, {"text": None}, {"text": "x" * (LONGEST + 1)}, {"text": "\ud800"},
        {"text": "x", "importance": 2}, {"text": "x", "importance": math.nan}, {"text": "x", "importance": "high"},
        {"text": "x", "importance": True}, {"text": "x", "tags": "place"}, {"text": "x", "tags": [1]},
    ],
)  # fmt: skip
async def test_wrong_passages(wrong: dict[str, Any]) -> None:
    async with LongTerm() as long:
        with pytest.raises(PortError):
            await long.add(**wrong)
        for query, limit in ((None, 5), ("x", 0), ("x", True), ("x", 1.5)):
            with pytest.raises(PortError):
                await long.search(query, limit)  # type: ignore[arg-type]
        assert await long.count() == 0


async def test_a_foreign_file(tmp_path: Path) -> None:
    (tmp_path / "m.db").write_text("no database, only words")
    long = LongTerm(f"sqlite:///{tmp_path}/m.db")
    with pytest.raises(FormatError, match=r"m\.db"):
        await long.search("x")


# --- durable runs


def remembering(long: LongTerm, crash: list[bool], seen: list[Any]) -> Any:
    @block
    async def work(ctx: RunContext, text: str) -> int:
        await long.add(text, ctx=ctx)
        found = await long.search(text, ctx=ctx)
        forgotten = await long.forget(found[0].id, ctx=ctx)
        seen.append((texts(found), forgotten))
        if crash.pop():
            raise RuntimeError("the process dies here")
        return len(found)

    return work


async def test_a_run_taken_up_again_adds_once_and_sees_the_same() -> None:
    seen: list[Any] = []
    async with LongTerm() as long, MemoryStore() as store:
        await long.add("the ford of old")
        work = remembering(long, [False, True], seen)
        with pytest.raises(Exception, match="dies here"):
            await work.run("the ford floods", thread="t", store=store)
        assert await long.count() == 1
        await long.add("a later ford")
        assert (await work.run("the ford floods", thread="t", store=store)).output == 2
        assert seen[0] == seen[1] == (["the ford floods", "the ford of old"], True)
        assert sorted(texts(await long.search("ford"))) == ["a later ford", "the ford of old"], "nothing was repeated"


async def test_a_run_has_its_own_clock() -> None:
    clock = FakeClock(5_000.0)
    ctx = RunContext(Run(clock=clock), "test")
    async with LongTerm(clock=FakeClock(1.0)) as long:
        assert (await long.add("x", ctx=ctx)).time == 5_000.0
        assert (await long.add("y")).time == 1.0


# --- saved


async def test_in_memory_the_passages_are_in_the_state() -> None:
    async with (
        LongTerm(namespace="kara", embedding=letters, clock=FakeClock()) as long,
        LongTerm(namespace="kara") as other,
    ):
        await long.add("The ford floods.", importance=0.8, tags=["place"])
        await long.add("кошка")
        state = json.loads(json.dumps(long.state_dict()))
        await other.add("something else")
        other.load_state_dict(state)
        assert other.state_dict() == long.state_dict()
        assert sorted(texts(await other.search("кошка ford"))) == ["The ford floods.", "кошка"]
        assert await other.search("something else") == []
    assert LongTerm(namespace="kara").state_dict() == {"namespace": "kara", "passages": []}


async def test_a_file_is_saved_by_reference(tmp_path: Path) -> None:
    async with LongTerm(f"sqlite:///{tmp_path}/a.db", namespace="kara") as long:
        await long.add("x")
        state = long.state_dict()
        assert state == {"url": f"sqlite:///{tmp_path}/a.db", "namespace": "kara"}
        LongTerm(f"sqlite:///{tmp_path}/moved.db", namespace="kara").load_state_dict(state)
        with pytest.raises(ConfigError, match="'kara'"):
            LongTerm(f"sqlite:///{tmp_path}/a.db").load_state_dict(state)
        with pytest.raises(ConfigError, match=r"a\.db"):
            LongTerm(namespace="kara").load_state_dict(state)
    with pytest.raises(ConfigError, match="passages"):
        long.load_state_dict({"namespace": "kara", "passages": []})


@pytest.mark.parametrize(
    "passages", [[{}], [3], ["x"], [{"id": "x", "text": "y", "importance": 1, "time": 1, "tags": 3}]]
)
def test_a_damaged_state(passages: Any) -> None:
    with pytest.raises(CorruptError):
        LongTerm().load_state_dict({"namespace": "default", "passages": passages})


def test_config_and_back() -> None:
    long = LongTerm("sqlite:///m.db", namespace="kara", half_life=60.0, weights=Weights(relevance=2.0))
    config: Mapping[str, Any] = json.loads(json.dumps(long.config))
    assert LongTerm.from_config(config).config == config
    assert LongTerm.from_config("sqlite:///m.db").url == "sqlite:///m.db"
    with pytest.raises(ConfigError, match="namespace"):
        LongTerm.from_config({"namespaces": "x"})
    with pytest.raises(ConfigError, match="relevance"):
        LongTerm.from_config({"weights": {"relevanc": 1}})
    with pytest.raises(ConfigError, match="type"):
        LongTerm.from_config({"embedding": {}})
    with pytest.raises(ConfigError, match="Python only"):
        _ = LongTerm(embedding=letters).config
    with pytest.raises(ConfigError, match="not a LongTerm"):
        LongTerm.from_config(7)


async def test_closing_while_others_use_the_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/m.db"
    one, other = LongTerm(url), LongTerm(url)
    await one.add("x")
    await other.add("y")
    await one.close()
    assert await other.count() == 2
    await other.close()
    with pytest.raises(StoreError, match="folder"):
        await LongTerm(f"sqlite:///{tmp_path}").count()
