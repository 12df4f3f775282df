"""Tool calls and thoughts in the text of a model, in all the forms that are known, whole and in pieces."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yggdrasil.blocks.llm.formats import REGIONS, Reader, Stops
from yggdrasil.core.messages import Message, Text, Thinking, ToolCall

ROLL = '{"name": "roll", "arguments": {"sides": 6}}'
PIECES = ["<tool_call>", "</tool_call>", ROLL, "<think>", "</think>", "[TOOL_CALLS]", *'{} "<a\n', "<function="]
CALLED = [("roll", {"sides": 6})]


def read(text: str, *, size: int = 10_000, within: str = "") -> tuple[Message, list[tuple[str, str]]]:
    told: list[tuple[str, str]] = []
    reader = Reader(REGIONS, {"roll", "look"}, lambda part, piece: told.append((part, piece)), within)
    for place in range(0, len(text), size):
        reader.feed(text[place : place + size])
    return reader.end(1), told


def calls(message: Message) -> list[tuple[str, Any]]:
    return [(c.name, c.arguments) for c in message.tool_calls]


@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize(
    ("written", "text", "expected"),
    [
        (f"<tool_call>\n{ROLL}\n</tool_call>", "", CALLED),
        (f"Let me see.\n<tool_call>{ROLL}</tool_call>\n<tool_call>{ROLL}</tool_call>", "Let me see.", CALLED * 2),
        (f"[TOOL_CALLS] [{ROLL}, {ROLL}]", "", CALLED * 2),
        ('[TOOL_CALLS]roll[ARGS]{"sides": 6}[TOOL_CALLS]look[ARGS]{}', "", [*CALLED, ("look", {})]),
        ('[TOOL_CALLS]roll[CALL_ID]abc123def[ARGS]{"sides": 6}', "", CALLED),
        ('<|python_tag|>{"name": "roll", "parameters": {"sides": 6}}; {"name": "look", "parameters": {}}', "",
         [*CALLED, ("look", {})]),
        ('<function=roll>{"sides": 6}</function>', "", CALLED),
        ('{"name": "roll", "parameters": {"sides": 6}}', "", CALLED),
        ('\n {"type": "function", "function": {"name": "roll", "arguments": "{\\"sides\\": 6}"}}', "", CALLED),
        ('{"age": 3}', '{"age": 3}', []),
        ('{"name": "Kara", "arguments": {}}', '{"name": "Kara", "arguments": {}}', []),
        ("a < b and [1] {x} <tool", "a < b and [1] {x} <tool", []),
        (' plain  text \n', " plain  text \n", []),
        ('<tool_call>{"name": "roll", "arguments": {"sides": }</tool_call>', "",
         [("roll", '{"name": "roll", "arguments": {"sides": }')]),
        ("<tool_call>nonsense</tool_call>", "", [("", "nonsense")]),
        (f"<tool_call>{ROLL}", "", CALLED),
    ],
)  # fmt: skip
def test_known_forms(written: str, text: str, expected: list[Any], size: int) -> None:
    message, told = read(written, size=size)
    assert message.text == text
    assert calls(message) == expected
    assert "".join(piece for part, piece in told if part == "text") == text
    assert len([1 for part, _ in told if part == "arguments"]) == len(expected)


def test_ids_are_unique_and_nine_letters_long() -> None:
    message, _ = read(f"<tool_call>{ROLL}</tool_call>" * 3)
    ids = [c.id for c in message.tool_calls]
    assert len(set(ids)) == 3
    assert all(len(i) == 9 and i.isalnum() for i in ids)


@pytest.mark.parametrize("size", [1, 4, 10_000])
def test_thoughts_are_no_text(size: int) -> None:
    message, told = read("<think>\nsix sides\n</think>\n\nIt is 4.", size=size)
    assert message.parts == (Thinking("six sides"), Text("It is 4."))
    assert "".join(p for part, p in told if part == "thinking").strip() == "six sides"
    begun, _ = read("six sides\n</think>\n" + f"<tool_call>{ROLL}</tool_call>", size=size, within="<think>")
    assert [type(p) for p in begun.parts] == [Thinking, ToolCall]
    cut, _ = read("<think>no end", size=size)
    assert cut.parts == (Thinking("no end"), Text(""))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12), st.integers(1, 7))
def test_pieces_change_nothing(parts: list[str], size: int) -> None:
    written = "".join(parts)
    whole, _ = read(written)
    message, told = read(written, size=size)
    assert message == whole
    assert "".join(piece for part, piece in told if part == "text") == message.text


@settings(max_examples=300, deadline=None)
@given(st.text("abc", max_size=30), st.lists(st.text("abc", min_size=1, max_size=4), max_size=3), st.integers(1, 5))
def test_stop_strings_in_pieces(text: str, strings: list[str], size: int) -> None:
    stops = Stops(strings)
    said = "".join(stops.feed(text[place : place + size]) for place in range(0, len(text), size)) + stops.end()
    places = [place for place in (text.find(s) for s in strings) if place >= 0]
    if size == 1 and places:
        first = min(text.find(s) + len(s) for s in strings if s in text)
        ended = [s for s in strings if s in text[:first]]
        assert said == text[: min(text.find(s) for s in ended)]
    assert stops.found == bool(places)
    assert not any(s in said for s in strings) or not places
