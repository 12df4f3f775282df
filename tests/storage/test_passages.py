"""Passages in SQLite: what is found, whose it is, hostile text, damage, other processes, sudden death."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yggdrasil.abc.store import Entry
from yggdrasil.core.recall import Passage, passage_id
from yggdrasil.errors import CorruptError, FormatError, PortError, StoreError
from yggdrasil.storage import passages
from yggdrasil.storage.passages import Shelf, add, all_of, count, find, forget, give_back, holds, opened, replace_all
from yggdrasil.storage.sqlite import SqliteStore
from yggdrasil.storage.vectors import cosines, packed

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]


def note(text: str, importance: float = 0.5, time: float = 1.0, *tags: str) -> Passage:
    return Passage(passage_id(text), text, importance, time, tags)


@asynccontextmanager
async def shelf(path: Path | None = None) -> AsyncIterator[Shelf]:
    one = await opened(path)
    try:
        yield one
    finally:
        await anyio.to_thread.run_sync(lambda: give_back(one, wait=True))


async def put(one: Shelf, *texts: str, namespace: str = "a") -> None:
    for number, text in enumerate(texts):
        await one.do(add(namespace, note(text, time=float(number)), None, ""))


async def texts(one: Shelf, query: str, *tags: str, namespace: str = "a") -> list[str]:
    found = await one.do(find(namespace, query, tags, None, ""))
    return [p.text for p, _ in sorted(found, key=lambda pair: -pair[1])]


@pytest.mark.parametrize("where", ["memory", "file"])
async def test_words_are_found(where: str, tmp_path: Path) -> None:
    async with shelf(None if where == "memory" else tmp_path / "m.db") as one:
        await put(one, "The ford floods in spring.", "Рыжая кошка спит на печи.", "東京都に行った", "Ünïcode naïveté")
        assert await texts(one, "flooded FORDS?") == ["The ford floods in spring."]
        assert await texts(one, "где кошки") == ["Рыжая кошка спит на печи."]
        assert await texts(one, "京都") == ["東京都に行った"]
        assert await texts(one, "unicode") == ["Ünïcode naïveté"]
        assert await texts(one, "nothing like it") == []
        assert (await texts(one, "?!"))[0] == "Ünïcode naïveté", "no words: the newest first"
        assert len(await texts(one, "")) == 4


async def test_the_best_fit_has_relevance_one() -> None:
    async with shelf() as one:
        await put(one, "apples and pears", "apples apples apples", "stones")
        found = await one.do(find("a", "apples pears", (), None, ""))
        assert {p.text: round(r, 9) for p, r in found}["apples and pears"] == 1.0
        assert all(0 < r <= 1 for _, r in found)
        assert len(found) == 2


async def test_namespaces_and_tags() -> None:
    async with shelf() as one:
        await put(one, "a secret ford", namespace="a")
        await put(one, "a secret ford", namespace="b")
        await one.do(add("a", note("another ford", 0.5, 1.0, "place", "water"), None, ""))
        assert sorted(await texts(one, "ford")) == ["a secret ford", "another ford"]
        assert await texts(one, "ford", namespace="b") == ["a secret ford"]
        assert await texts(one, "ford", namespace="c") == []
        assert await texts(one, "a", namespace="6e61") == [], "a namespace is no word"
        assert await texts(one, "ford", "place", "water") == ["another ford"]
        assert await texts(one, "", "place") == ["another ford"]
        assert await texts(one, "ford", "place", "fire") == []
        assert await one.do(forget("b", passage_id("a secret ford")))
        assert not await one.do(forget("b", passage_id("a secret ford")))
        assert await texts(one, "ford", namespace="b") == []
        assert await one.do(count("a")) == 2
        assert await one.do(holds("a", passage_id("another ford")))
        assert not await one.do(holds("b", passage_id("another ford")))


async def test_the_same_text_is_one_passage() -> None:
    async with shelf() as one:
        await one.do(add("a", note("ford", 0.9, 5.0, "x"), packed([1, 0]), "m"))
        merged = await one.do(add("a", note("ford", 0.2, 9.0, "y", "x"), None, ""))
        assert merged == note("ford", 0.9, 9.0, "x", "y")
        assert await one.do(all_of("a")) == [(merged, packed([1, 0]), "m")]
        await one.do(add("a", note("ford", 0.2, 3.0), packed([0, 1]), "n"))
        assert await one.do(all_of("a")) == [(merged, packed([0, 1]), "n")]
        assert await texts(one, "ford") == ["ford"]


async def test_replacing_all_leaves_other_namespaces() -> None:
    async with shelf() as one:
        await put(one, "old one", namespace="a")
        await put(one, "old two", namespace="b")
        await one.do(replace_all("a", [(note("new"), None, "")]))
        assert await texts(one, "old", namespace="a") == []
        assert await texts(one, "new", namespace="a") == ["new"]
        assert await texts(one, "old", namespace="b") == ["old two"]


async def test_vectors_find_what_words_do_not() -> None:
    async with shelf() as one:
        for text, vector in (("puss", [1, 0, 0]), ("feline", [0.9, 0.1, 0]), ("stone", [0, 0, 1]), ("dog", [-1, 0, 0])):
            await one.do(add("a", note(text), packed(vector), "m"))
        await one.do(add("a", note("of another model"), packed([1, 0, 0]), "n"))
        await one.do(add("a", note("of another length"), packed([1, 0]), "m"))
        await one.do(add("a", note("without a vector, a stone"), None, ""))
        found = {p.text: r for p, r in await one.do(find("a", "cat", (), packed([1, 0, 0]), "m"))}
        assert found == {"puss": pytest.approx(0.5), "feline": pytest.approx(0.497, abs=1e-3)}
        both = {p.text: r for p, r in await one.do(find("a", "stone", (), packed([1, 0, 1]), "m"))}
        assert both["stone"] == pytest.approx(0.5 + 0.7071 / 2, abs=1e-3)
        assert 0 < both["without a vector, a stone"] <= 0.5
        assert await one.do(find("a", "", ("none",), packed([1, 0, 0]), "m")) == []


def test_cosines_by_hand_and_by_numpy_agree() -> None:
    pick = random.Random(3)
    vectors = [packed([pick.gauss(0, 1) for _ in range(64)]) for _ in range(1_000)]
    many, few = cosines(vectors[0], vectors), cosines(vectors[0], vectors[:10])
    assert many[:10] == pytest.approx(few, abs=1e-6)
    assert many[0] == pytest.approx(1.0)
    assert cosines(vectors[0], [packed([1.0]), vectors[0]]) == [0.0, pytest.approx(1.0)]
    assert cosines(vectors[0], []) == []


@pytest.mark.parametrize("vector", [[], [0, 0], [float("nan")], [float("inf"), 1], [1e308, 1e308]])
def test_no_direction(vector: list[float]) -> None:
    with pytest.raises(PortError, match="no direction"):
        packed(vector)


_FUZZED = passages.borrow(None)
_FUZZED.now(add("a", note("anything at all OR NEAR AND NOT"), None, ""))


@settings(max_examples=300)
@given(st.text(st.characters()) | st.text("\"*^:(){}+-ANDORNTE \0'\\;%_", max_size=60))
def test_no_text_reaches_the_query_language(text: str) -> None:
    found = _FUZZED.now(find("a", text, (), None, ""))
    assert all(0 <= r <= 1 for _, r in found)
    if text.strip() and text.encode(errors="ignore").decode() == text:
        _FUZZED.now(add("b", note(text), None, ""))
        assert passage_id(text) in {p.id for p, _, _ in _FUZZED.now(all_of("b"))}
        hits = _FUZZED.now(find("b", text, (), None, ""))
        words = passages.words(text)
        assert not words or len(words) > 24 or passage_id(text) in {p.id for p, _ in hits} or len(hits) == 64
        _FUZZED.now(forget("b", passage_id(text)))


# --- the file


async def refused(path: Path) -> StoreError:
    with pytest.raises(StoreError) as caught:
        await opened(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint
    return caught.value


def statement(path: Path, text: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(text)
    connection.commit()
    connection.close()


async def test_foreign_files_are_left_as_they_are(tmp_path: Path) -> None:
    text, foreign, runs, newer = (tmp_path / name for name in ("text", "foreign.db", "runs.db", "newer.db"))
    text.write_text("hello, this is no database at all")
    statement(foreign, "CREATE TABLE mine (x)")
    async with SqliteStore(runs) as store:
        await store.append("a", [Entry("note", 1)])
    async with shelf(newer) as one:
        await put(one, "x")
    statement(newer, "PRAGMA user_version=99")
    for path, words in (
        (text, "nor any SQLite"),
        (foreign, "not an agent's memory"),
        (runs, "holds runs"),
        (newer, "99"),
    ):
        before = path.read_bytes()
        error = await refused(path)
        assert isinstance(error, FormatError), path
        assert words in str(error)
        assert path.read_bytes() == before
    assert "is a folder" in str(await refused(tmp_path))
    assert "there is no folder" in str(await refused(tmp_path / "no" / "m.db"))
    with pytest.raises(FormatError, match="not a Yggdrasil store"):
        await SqliteStore(newer).open()


async def test_a_changed_text_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with shelf(path) as one:
        await put(one, "the ford floods")
    statement(path, "UPDATE passage SET text = 'the ford is safe'")
    async with shelf(path) as one:
        with pytest.raises(CorruptError, match="not what was written"):
            await texts(one, "ford")
    statement(path, "UPDATE passage SET tags = 'broken'")
    async with shelf(path) as one:
        with pytest.raises(CorruptError, match="damaged"):
            await texts(one, "ford")


WRITTEN = [f"passage number {n} about the ford {'x' * 200}" for n in range(200)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of passages, before it is damaged."""
    path = tmp_path_factory.mktemp("whole") / "m.db"

    async def write() -> None:
        async with shelf(path) as one:
            await one.do(replace_all("a", [(note(text), None, "") for text in WRITTEN]))

    anyio.run(write)
    return path.read_bytes()


@pytest.mark.parametrize("seed", range(12))
async def test_a_damaged_file_is_a_typed_error_or_gives_what_was_written(
    seed: int, whole: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "m.db"
    content = bytearray(whole)
    pick = random.Random(seed)
    for _ in range(200):
        content[pick.randrange(len(content) if seed % 2 else 4096 * 4)] = pick.randrange(256)
    path.write_bytes(content)
    with suppress(CorruptError, FormatError):
        async with shelf(path) as one:
            found = [p.text for p, _, _ in await one.do(all_of("a"))] + await texts(one, "ford")
            assert set(found) <= set(WRITTEN)


async def test_users_in_one_process_share_a_thread(tmp_path: Path) -> None:
    async with shelf(tmp_path / "m.db") as one, shelf(tmp_path / "." / "m.db") as other:
        assert one is other
        async with anyio.create_task_group() as group:
            for n in range(50):
                group.start_soon(put, one, f"number {n}")
        assert await other.do(count("a")) == 50
    with pytest.raises(StoreError, match="closed"):
        await one.do(count("a"))


# --- other processes


@contextmanager
def writer(path: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.storage.passage_writer", str(path), name]
    started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def heard(started: subprocess.Popen[bytes]) -> set[str]:
    started.kill()
    assert started.stdout is not None
    return {json.loads(line) for line in started.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")}


def killed(path: Path, times: int) -> None:
    pick = random.Random(5)
    known: set[str] = set()

    async def check() -> None:
        async with shelf(path) as one:
            stored = {p.text for p, _, _ in await one.do(all_of("a"))}
            assert known <= stored
            assert len(stored - known) <= 2 * times, "one in flight for each writer"
            for text in random.Random(1).sample(sorted(known), 5):
                assert (await texts(one, text))[0] == text, "words and passages are written together"

    for turn in range(times):
        with writer(path, f"one{turn}") as one, writer(path, f"two{turn}") as two:
            for process in (one, two):
                assert process.stdout is not None
                known.add(json.loads(process.stdout.readline()))
            time.sleep(pick.random() * 0.2)
            known |= heard(one) | heard(two)
        anyio.run(check)
    assert len(known) > 10 * times
    statement(path, "INSERT INTO passage_words (passage_words) VALUES ('integrity-check')")


def test_two_writers_killed_at_random_instants(tmp_path: Path) -> None:
    killed(tmp_path / "m.db", 3)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_two_writers_killed_a_hundred_times(tmp_path: Path) -> None:
    killed(tmp_path / "m.db", 100)


async def test_what_another_process_adds_is_found(tmp_path: Path) -> None:
    async with shelf(tmp_path / "m.db") as one:
        with writer(tmp_path / "m.db", "elsewhere") as process:
            assert process.stdout is not None
            first: Any = json.loads(await anyio.to_thread.run_sync(process.stdout.readline))
            assert first in await texts(one, "elsewhere note")
            await put(one, "mine meanwhile")
        assert await texts(one, "mine") == ["mine meanwhile"]
