"""The kept dialogue: whole turns, running sums, and never a call without its result."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from yggdrasil.core.blob import Blob
from yggdrasil.core.dialogue import Dialogue, shorten, told
from yggdrasil.core.messages import Message, Thinking, ToolCall, ToolResult, assistant, system, user
from yggdrasil.core.tokens import message_tokens


def call(id: str) -> Message:
    return assistant(ToolCall(id, "look", {"at": id}))


def result(*ids: str) -> Message:
    return Message("tool", tuple(ToolResult(id, "look", f"seen {id}") for id in ids))


TURN = [user("look"), call("a"), result("a"), assistant("seen")]


def lengths(dialogue: Dialogue) -> list[int]:
    return [len(dialogue.first(n)) - len(dialogue.first(n - 1)) for n in range(1, dialogue.turns + 1)]


def test_a_turn_begins_with_a_user() -> None:
    assert lengths(Dialogue([*TURN, user("again"), assistant("no")])) == [4, 2]
    assert lengths(Dialogue([assistant("hello"), user("hi"), user("there"), system("x"), assistant("!")])) == [1, 1, 3]
    assert lengths(Dialogue()) == []


def test_a_late_result_joins_the_turns_between() -> None:
    dialogue = Dialogue([user("one"), call("a"), user("two"), call("b"), user("three"), result("b"), assistant("ok")])
    assert lengths(dialogue) == [2, 5]
    dialogue.add(result("a"))
    assert lengths(dialogue) == [8]
    dialogue.add(user("four"))
    assert lengths(dialogue) == [8, 1]


def test_a_call_that_is_never_answered_holds_nothing_up() -> None:
    dialogue = Dialogue([user("one"), call("a"), *TURN, *TURN])
    assert lengths(dialogue) == [2, 4, 4]
    assert dialogue.drop(1) == 2
    dialogue.add(result("a"))
    assert lengths(dialogue) == [4, 5], "of a call that is gone"


def test_dropping_keeps_the_newest_turn_unless_it_is_too_long_by_itself() -> None:
    dialogue = Dialogue([user("x" * 4000), user("y" * 4000)])
    assert dialogue.oldest(goal=10, limit=1500) == 1
    assert dialogue.oldest(goal=10, limit=5000) == 1
    assert dialogue.oldest(goal=5000, limit=5000) == 0
    dialogue.drop(1)
    assert dialogue.oldest(goal=10, limit=1500) == 0
    assert dialogue.oldest(goal=10, limit=900) == 1
    assert Dialogue().oldest(goal=0, limit=1) == 0


@st.composite
def talks(draw: Any) -> list[Message]:
    """Users, answers, calls and their results in any order, ids used again, some calls never answered."""
    messages: list[Message] = []
    waiting: list[str] = []
    for kind in draw(st.lists(st.sampled_from("uacrrp"), max_size=40)):
        if kind == "u":
            messages.append(user("u" * draw(st.integers(0, 80))))
        elif kind == "a":
            messages.append(assistant("a" * draw(st.integers(0, 80))))
        elif kind == "c":
            id = draw(st.sampled_from("xyz"))
            if id not in waiting:
                waiting.append(id)
                messages.append(call(id))
        elif waiting:
            id = waiting.pop(draw(st.integers(0, len(waiting) - 1)))
            messages.append(result(id))
    return messages


def pairs(messages: list[Message]) -> list[tuple[int, int]]:
    open_calls: dict[str, int] = {}
    found = []
    for place, message in enumerate(messages):
        for part in message.parts:
            if isinstance(part, ToolCall):
                open_calls[part.id] = place
            elif isinstance(part, ToolResult):
                found.append((open_calls.pop(part.id), place))
    return found


@given(talks(), st.integers(0, 60), st.integers(1, 60))
def test_no_call_is_parted_from_its_result(messages: list[Message], goal: int, limit: int) -> None:
    dialogue = Dialogue(messages)
    dropped = 0
    while turns := dialogue.oldest(goal=goal, limit=limit):
        first = dialogue.first(turns)
        assert first == messages[dropped : dropped + len(first)]
        assert dialogue.drop(turns) == len(first)
        dropped += len(first)
        assert dialogue.messages == messages[dropped:]
        assert dialogue.tokens == sum(map(message_tokens, dialogue.messages))
        assert all((called < dropped) == (answered < dropped) for called, answered in pairs(messages))
    assert dialogue.tokens <= max(goal, limit) or dialogue.turns == 0


@given(talks(), st.data())
def test_adding_after_dropping_counts_right(messages: list[Message], data: st.DataObject) -> None:
    dialogue = Dialogue()
    for message in messages:
        dialogue.add(message)
        if dialogue.turns > 1 and data.draw(st.booleans()):
            dialogue.drop(1)
        assert dialogue.tokens == sum(map(message_tokens, dialogue.messages))
        assert sum(lengths(dialogue)) == len(dialogue.messages)
        assert all(lengths(dialogue))


def test_told() -> None:
    picture = Blob(b"x", "image/png")
    text = told([
        system("s"), user("hi", picture), assistant(Thinking("hm"), ToolCall("1", "look", {"at": "ель"})),
        Message("tool", (ToolResult("1", "look", "green", media=(user(picture).parts[0],)),)),  # type: ignore[arg-type]
        Message("tool", (ToolResult("2", "look", "dark", failed=True),)), assistant(ToolCall("3", "look", "{broken")),
    ])  # fmt: skip
    assert text.splitlines() == [
        "system: s", "user: hi", "user: [image]", 'assistant called look: {"at": "ель"}', "look gave: green [image]",
        "look failed: dark", "assistant called look: {broken",
    ]  # fmt: skip
    assert len(told([user("x" * 10_000)], longest=100)) < 150
    assert shorten("abcdefghij", 4) == "ab [... 6 characters ...] ij"
    assert shorten("abcd", 4) == "abcd"
