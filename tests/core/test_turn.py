"""The agent's turn, decided without any I/O."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yggdrasil.core.messages import Reply, ToolCall, ToolResult, assistant, user
from yggdrasil.core.turn import SAME_CALL, Call, Finish, Stop, Transcript, Turns, not_run


def asking(*calls: tuple[str, Any]) -> Reply:
    return Reply(assistant(*(ToolCall(f"c{i}", name, args) for i, (name, args) in enumerate(calls))))


def test_a_reply_without_calls_is_the_answer() -> None:
    turns = Turns(max_steps=1, max_retries=0)
    assert turns.decide(Reply(assistant("done"))) == Finish()


def test_calls_are_run_until_the_limit() -> None:
    turns = Turns(max_steps=3, max_retries=2)
    decisions = [turns.decide(asking(("look", {"at": n}))) for n in range(3)]
    assert [type(d) for d in decisions] == [Call, Call, Stop]
    assert isinstance(decisions[2], Stop)
    assert decisions[2].sentence == "3 model turns were not enough"
    assert turns.decide(Reply(assistant("done"))) == Finish()


def test_the_same_call_five_times_stops_before_the_sixth() -> None:
    turns = Turns(max_steps=99, max_retries=2)
    made = [turns.decide(asking(("look", {"a": 1, "b": 2}))) for _ in range(SAME_CALL)]
    assert all(isinstance(d, Call) for d in made)
    stopped = turns.decide(asking(("look", {"b": 2, "a": 1})))
    assert isinstance(stopped, Stop)
    assert "same arguments 5 turns in a row" in stopped.sentence


def test_the_same_call_many_times_in_one_turn_or_with_others_between_is_no_loop() -> None:
    turns = Turns(max_steps=99, max_retries=2)
    assert isinstance(turns.decide(asking(*[("roll", {"sides": 6})] * 10)), Call)
    turns = Turns(max_steps=99, max_retries=2)
    for number in range(30):
        assert isinstance(turns.decide(asking(("clock", {}) if number % 5 else ("wait", {}))), Call)


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_failures_are_counted_per_tool(retries: int) -> None:
    turns = Turns(max_steps=99, max_retries=retries)
    good, bad = ToolResult("1", "a", "fine"), ToolResult("2", "b", "broken", failed=True)
    for _ in range(retries):
        assert turns.failed([good, bad]) is None
        assert turns.failed([ToolResult("3", "other", "broken", failed=True)] if retries == 2 else []) is None
    assert turns.failed([good, bad, bad]) is bad
    assert "a" not in turns.failures


def test_what_a_limit_stopped_is_told_for_each_call() -> None:
    calls = asking(("a", {}), ("b", {})).message.tool_calls
    results = [p for p in not_run(calls, "enough").parts if isinstance(p, ToolResult)]
    assert [(r.id, r.name, r.failed) for r in results] == [("c0", "a", True), ("c1", "b", True)]
    assert "enough" in results[0].content


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=3)), max_size=40))
def test_a_transcript_never_changes(steps: list[tuple[int, str]]) -> None:
    """Whatever grows out of it, in any order, each transcript keeps what it was."""
    made = [(Transcript(), [])]
    for pick, text in steps:
        transcript, words = made[pick % len(made)]
        made.append((transcript.add(user(text)), [*words, text]))
    for transcript, words in made:
        assert [m.text for m in transcript] == words
        assert len(transcript) == len(words)
        assert [m.text for m in transcript[1:]] == words[1:]
        assert transcript == [user(w) for w in words]
        if words:
            assert transcript[-1].text == words[-1]
            assert transcript[0].text == words[0]
        with pytest.raises(IndexError):
            transcript[len(words)]


def test_growing_copies_nothing() -> None:
    transcript = Transcript([user("a")])
    longer = transcript.add(user("b"))
    assert longer._messages is transcript._messages
    assert longer.add(user("c"))[1] is longer[1]
