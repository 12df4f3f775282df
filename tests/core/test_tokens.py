"""Estimates of tokens: known figures, and what holds for any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import Audio, File, Image, Text, Thinking, ToolCall, ToolResult, assistant, user
from yggdrasil.core.tokens import (
    AUDIO,
    FILE,
    IMAGE,
    MESSAGE,
    clip_tokens,
    message_tokens,
    part_tokens,
    printable,
    text_tokens,
)

TEXTS = st.text(st.characters())  # lone surrogates too


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("word", 1), ("words", 2), ("слово", 3), ("東京都", 3), ("🐉", 1), ("\ud800", 1)]
)
def test_texts(text: str, tokens: int) -> None:
    assert text_tokens(text) == tokens


def test_parts_and_messages() -> None:
    picture = Blob(b"x" * 5_000_000, "image/png")
    assert part_tokens(Image(picture)) == IMAGE
    assert part_tokens(Audio(url="http://a")) == AUDIO
    assert part_tokens(File(picture)) == FILE
    assert part_tokens(Thinking("a thought", "s" * 400)) == 3
    assert part_tokens(ToolCall("1", "look", {"at": "sky"})) == part_tokens(ToolCall("1", "look", '{"at": "sky"}'))
    assert part_tokens(ToolResult("1", "look", "blue", media=(Image(picture),))) == 1 + 1 + IMAGE + MESSAGE
    assert message_tokens(user("word", picture)) == MESSAGE + 1 + IMAGE
    assert message_tokens(assistant()) == MESSAGE


@given(TEXTS, TEXTS)
def test_two_texts_cost_what_one_does(one: str, other: str) -> None:
    assert 0 <= text_tokens(one) + text_tokens(other) - text_tokens(one + other) <= 1


@given(TEXTS, st.integers(0, 50))
def test_a_clipped_text_fits(text: str, most: int) -> None:
    clipped = clip_tokens(text, most)
    assert text_tokens(clipped) <= max(most, 1)
    assert clipped == text or clipped.endswith("…")


@given(TEXTS)
def test_printable_is_unicode(text: str) -> None:
    assert len(printable(text).encode().decode()) == len(text)
    assert printable(Text("Ёж").text) == "Ёж"


@given(st.dictionaries(st.text(), st.text()))
def test_arguments_of_any_kind_have_a_price(arguments: dict[str, str]) -> None:
    assert part_tokens(ToolCall("1", "look", arguments)) > MESSAGE
