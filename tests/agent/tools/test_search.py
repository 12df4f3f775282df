"""Search over content: what fits best comes first, and anything at all can be searched."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yggdrasil.agent.tools.search import LONGEST, MOST, PASSAGES, passages, search, words
from yggdrasil.errors import PortError

WORLD = {
    "name": "Hrafndal",
    "characters": {
        "ketil": {"name": "Ketil", "trade": "shipwright", "story": "Built the long ship in the winter of the wolves."},
        "kara": {"name": "Kara", "trade": "shepherd", "story": "Lost three sheep in the snow and found two."},
    },
    "places": [
        {"id": "varden", "text": "The headland where the beacon burns."},
        {"id": "fell", "text": "High pasture."},
    ],
    "law": "Of sheep. " + "A ram is worth two ewes. " * 60 + "\n\nOf beacons. Whoever lets a beacon die pays a cow.",
}


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("who is the shipwright", "characters/ketil"),
        ("WOLVES in winters", "characters/ketil"),
        ("snow", "characters/kara"),
        ("varden", "places/varden"),
        ("beacon dies, cow", "law"),
        ("Hrafndal", "name"),
    ],
)
def test_the_best_comes_first(query: str, path: str) -> None:
    assert search(WORLD, query)[0].passage.path == path


def test_rare_words_count_for_more_and_long_passages_for_less() -> None:
    texts = ["the ram and the ewe", "the ram and the raven", "a ram " + "of many words " * 20]
    found = search(texts, "ram raven")
    assert [f.passage.path for f in found] == ["1", "0", "2"]
    assert found[0].score > found[1].score > found[2].score > 0


def test_a_bm25_score_is_what_the_formula_says() -> None:
    (found,) = search(["apple pear", "plum"], "pear")
    rare = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    length = 3 / 2.5  # the path is a word of the passage too: "0 apple pear" and "1 plum"
    assert found.score == pytest.approx(rare * 2.2 / (1 + 1.2 * (0.25 + 0.75 * length)))


def test_texts_of_a_mapping_are_passages_of_their_own() -> None:
    notes = {"a": "milk the goat", "b": "mend the net"}
    assert [(f.passage.path, f.passage.text) for f in search(notes, "net")] == [("b", "mend the net")]


def test_other_writing() -> None:
    assert search(["Кузнец живёт", "Пастух"], "кузнец")[0].passage.path == "0"
    assert search(["山の上の灯台", "海の船"], "灯台")[0].passage.path == "0"
    assert words("Straße_42 ships glass flies") == ["strasse", "42", "ship", "glass", "fly"]


def test_passages_are_bounded() -> None:
    long = {"a": {"b": "word " * 5000, "c": "x" * 5000}}
    assert all(len(p.text) <= LONGEST for p in passages(long))
    assert "".join(p.text for p in passages({"t": "x" * 5000})) == "x" * 5000
    assert len(list(passages([str(n) for n in range(PASSAGES + 10)]))) == PASSAGES
    deep: Any = "leaf"
    for _ in range(5000):
        deep = [deep]
    assert next(passages({"deep": deep, "flat": "leaf"})).path == "flat"


@pytest.mark.parametrize(("query", "most"), [("", 8), ("...", 8), ("x", 0), ("x", MOST + 1), ("x", True), ("x", "8")])
def test_what_cannot_be_searched_for_is_said(query: str, most: Any) -> None:
    with pytest.raises(PortError):
        search(WORLD, query, most)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60) | st.text("ab \n", max_size=2000),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=20,
)


@given(content=json_values, query=st.text(max_size=40))
@settings(max_examples=150, deadline=None)
def test_anything_can_be_searched(content: Any, query: str) -> None:
    try:
        found = search(content, query)
    except PortError:
        assert not words(query)
        return
    assert all(f.score > 0 and f.passage.text for f in found)


@given(content=json_values)
@settings(max_examples=100, deadline=None)
def test_every_word_is_in_some_passage(content: Any) -> None:
    def texts(value: Any) -> list[str]:
        if isinstance(value, str):
            return [value]
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return [t for v in inner for t in texts(v)]

    held = " ".join(p.text for p in passages(content))
    for text in texts(content):
        if len(text) < LONGEST:
            assert all(line.strip() in held for line in text.split("\n") if line.strip() and "\x00" not in line)
