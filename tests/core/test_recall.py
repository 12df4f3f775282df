"""Words to look for, and the score."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil.core.recall import (
    HALF_LIFE,
    Passage,
    Weights,
    asked,
    best,
    passage_from_json,
    passage_id,
    passage_to_json,
    recency,
    score,
    words,
)
from yggdrasil.errors import ConfigError, CorruptError

SHARE = st.floats(0, 1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The Ford, at dawn!", ["the", "ford", "at", "dawn"]),
        ("Ёлка и ёж", ["елка", "и", "еж"]),
        ("naïve Straße", ["naive", "strasse"]),
        ("東京都 x1", ["東京", "京都", "x1"]),
        ("a東b", ["a", "東", "b"]),
        ("\U0001d63c\ufb01", ["afi"]),
        ("snake_case 'quoted' \"NEAR(\" *", ["snake", "case", "quoted", "near"]),
        ("한국어 ", ["한국어"]),
        ("\x00\ud800 …", []),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_what_is_asked_forgives_endings_and_leaves_common_words_out() -> None:
    assert asked("Where are the dragons?") == [("dragons", False), ("drago", True)]
    assert asked("Кто видел кошку?")[:2] == [("видел", False), ("виде", True)]
    assert asked("where is the") == [("where", False), ("wher", True), ("the", False), ("is", False)]
    assert asked("東") == [("東", True)]
    assert asked("in 123456") == [("123456", False)]
    assert asked("room 7 of a hall")[-1] == ("7", False)
    assert asked("?!") == []
    assert len(asked(" ".join(f"word{n}" for n in range(1000)))) == 48


@given(st.text(st.characters()))
def test_words_hold_letters_and_digits_only(text: str) -> None:
    for word, _ in [*((w, False) for w in words(text)), *asked(text)]:
        assert word
        assert '"' not in word
        assert not any(c.isspace() for c in word)
        assert "".join(words(word)) == word or len(word) > 1
        word.encode()


def test_recency_halves() -> None:
    assert recency(0) == recency(-5) == 1.0
    assert recency(HALF_LIFE) == pytest.approx(0.5)
    assert recency(3600) == pytest.approx(0.995, abs=1e-4), "the paper's decay"
    assert recency(20, half_life=10) == pytest.approx(0.25)


@given(SHARE, SHARE, SHARE, st.tuples(SHARE, SHARE, SHARE).filter(any))
def test_the_score_is_a_mean(fresh: float, weighty: float, fitting: float, weights: tuple[float, ...]) -> None:
    found = score(recency=fresh, importance=weighty, relevance=fitting, weights=Weights(*weights))
    assert -1e-9 <= min(fresh, weighty, fitting) <= found + 1e-9
    assert found <= max(fresh, weighty, fitting) + 1e-9


def passage(text: str, importance: float = 0.5, time: float = 0.0) -> Passage:
    return Passage(passage_id(text), text, importance, time)


def test_best_first_each_part_counts() -> None:
    old, new, grave, fitting = passage("old"), passage("new", time=1e6), passage("grave", 1.0), passage("fitting")
    found = [(old, 0.0), (new, 0.0), (grave, 0.0), (fitting, 1.0)]
    order = [p.text for p in best(found, now=1e6, limit=9)]
    assert order == ["fitting", "new", "grave", "old"]
    assert [p.text for p in best(found, now=1e6, limit=1, weights=Weights(0, 1, 0))] == ["grave"]
    assert [p.text for p in best(found, now=1e6, limit=1, weights=Weights(1, 0, 0))] == ["new"]
    assert best(found, now=1e6, limit=0) == []
    assert best([(old, 7.0)], now=0, limit=1)[0].score <= 1.0


@pytest.mark.parametrize("wrong", [{"recency": -1}, {"importance": math.inf}, {"relevance": "1"}, {"recency": True}])
def test_wrong_weights(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Weights(**wrong)  # type: ignore[arg-type]


def test_all_weights_zero() -> None:
    with pytest.raises(ConfigError, match="all weights are 0"):
        Weights(0, 0, 0)


def test_json_and_back() -> None:
    one = Passage("id", "text", 0.5, 3.0, ("a", "b"), 0.7)
    assert passage_from_json(passage_to_json(one)) == one
    for bad in ({}, {"tags": None}, {**passage_to_json(one), "more": 1}):
        with pytest.raises(CorruptError, match="not a passage"):
            passage_from_json(bad)
