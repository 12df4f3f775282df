"""One line for each event worth a line: levels, keys, no contents, no keys; the program's structlog or stderr."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.levels.toy_world import CONTENT, toy
from yggdrasil import Agent, ConfigError, Graph, Logs, ModelError, RunTimeoutError, ScriptedModel, ToolCall, block, tool
from yggdrasil.core.blob import Blob
from yggdrasil.core.events import EVENTS, Event, HandedOff, NodeRetried, RunStarted, StageSkipped, Token, Warned
from yggdrasil.core.messages import Image, Message, Text, Thinking, ToolResult, assistant, user
from yggdrasil.runtime.shown import BESIDE, CONTENTS, messages_json, scrubbed, shown
from yggdrasil.testing import Sleeper

pytestmark = pytest.mark.anyio

KEY = "sk-ant-abcdefgh12345678"


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    """What the program's own structlog is given."""
    lines: list[dict[str, Any]] = []

    def keep(_logger: Any, method: str, values: dict[str, Any]) -> Any:
        lines.append({"level": method, **values})
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    yield lines
    structlog.reset_defaults()


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def clerk() -> Agent:
    turn = [ToolCall("1", "add", {"a": 1, "b": 2}), ToolCall("2", "add", {"a": "the magpie"})]
    return Agent(ScriptedModel([turn, "an answer of gold"]), tools=[add], name="clerk")


async def test_a_line_for_each_event_worth_one(heard: list[dict[str, Any]]) -> None:
    await clerk().run("a question", hooks=[Logs()])
    by_path = sorted(heard[2:4], key=lambda line: line["path"])  # two calls at once: either may be first
    heard[2:4] = by_path
    assert [(line["level"], line["event"], line["path"]) for line in heard] == [
        ("info", "run_started", "clerk"),
        ("info", "model_replied", "clerk"),
        ("info", "tool_returned", "clerk/add"),
        ("warning", "tool_returned", "clerk/add.2"),
        ("info", "model_replied", "clerk"),
        ("info", "run_finished", "clerk"),
    ]
    assert len({line["run"] for line in heard}) == 1
    assert re.fullmatch("[0-9a-f]{8}", heard[0]["run"])
    assert heard[0]["block"] == "agent/llm"
    assert heard[2]["tool"] == "add"
    assert heard[-1]["seconds"] >= 0
    assert not any(word in repr(heard) for word in ("the magpie", "gold", "question"))


async def test_each_run_has_an_id_of_its_own(heard: list[dict[str, Any]]) -> None:
    logs = Logs(level="debug")
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(lambda: clerk().run("x", hooks=logs))
    runs = [line["run"] for line in heard]
    assert len(set(runs)) == 3
    assert len({runs.count(run) for run in runs}) == 1
    assert {line["event"] for line in heard} >= {"model_called", "tool_called"}


async def test_errors_and_what_no_event_tells(heard: list[dict[str, Any]]) -> None:
    def fails(request: Any) -> str:
        raise ModelError(f"no luck with {KEY}")

    graph = Graph("g")
    graph.add_node("ask", Agent(ScriptedModel(fails)))
    with pytest.raises(ModelError):
        await graph.run("x", hooks=Logs())
    errors = [(line["event"], line["error_type"]) for line in heard if line["level"] == "error"]
    assert errors == [("model_failed", "ModelError"), ("node_failed", "ModelError"), ("run_failed", "ModelError")]
    assert "no luck with [secret hidden]" in heard[-1]["error"]
    assert KEY not in repr(heard)
    with pytest.raises(RunTimeoutError):
        await Sleeper(30.0).run(1, timeout=0.05, hooks=Logs())
    with anyio.move_on_after(0.05):
        await Sleeper(30.0).run(1, hooks=Logs())
    ends = [line for line in heard if line["path"] == "sleeper" and line["event"] != "run_started"]
    assert [(line["level"], line["event"], line.get("error_type")) for line in ends] == [
        ("error", "run_failed", "RunTimeoutError"), ("warning", "run_cancelled", None),
    ]  # fmt: skip
    assert all(0.04 <= line["seconds"] < 5 for line in ends)


async def test_a_world_with_its_ticks(heard: list[dict[str, Any]]) -> None:
    world = toy("earth")
    world.set_initial_world(CONTENT)
    await world.run(ticks=2, action="a feast", hooks=[Logs()])
    finished = [line for line in heard if line["event"] == "tick_finished"]
    assert [line["tick"] for line in finished] == [1, 2]
    assert all(line["content_hash"] and "state" not in line for line in finished)
    assert "a feast" not in repr(heard)


async def test_contents_when_asked_for(heard: list[dict[str, Any]]) -> None:
    turn = [ToolCall("1", "keep", {"note": "the magpie", "password": "swordfish"})]

    @tool
    async def keep(note: str, password: str) -> str:
        """Keep a note."""
        return f"kept {note} {KEY}"

    agent = Agent(ScriptedModel([turn, "ok"]), tools=[keep])
    await agent.run("x", hooks=[Logs(contents=True, level="debug")])
    called = next(line for line in heard if line["event"] == "tool_called")
    assert called["arguments"] == '{"note": "the magpie", "password": "[secret hidden]"}'
    assert (
        next(line for line in heard if line["event"] == "tool_returned")["content"] == "kept the magpie [secret hidden]"
    )


async def test_lines_on_stderr_where_structlog_is_not_configured(capsys: pytest.CaptureFixture[str]) -> None:
    @block
    async def odd(x: str, ctx: Any) -> str:
        ctx.warn(f"strange: {x}")
        return x

    await odd.run("\x1b[31mred\nline two", hooks=[Logs()])
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 3
    assert re.fullmatch(r"\d\d:\d\d:\d\d info    run_started run=[0-9a-f]{8} path=odd", lines[0])
    assert r"warning warned run=" in lines[1]
    assert r"sentence='strange: \x1b[31mred\nline two'" in lines[1]
    assert "\x1b" not in err
    assert not structlog.is_configured()


async def test_a_logger_of_ones_own_and_the_least_level() -> None:
    kept = structlog.testing.LogCapture()
    logger = structlog.wrap_logger(None, processors=[kept])
    await clerk().run("x", hooks=[Logs(logger=logger, level="warning")])
    assert [(line["log_level"], line["event"]) for line in kept.entries] == [("warning", "tool_returned")]
    with pytest.raises(ConfigError, match="loud"):
        Logs(level="loud")  # type: ignore[arg-type]


async def test_a_logger_that_fails_is_warned_of_and_fails_no_run() -> None:
    def broken(*_: Any) -> Any:
        raise OSError("the disk is full")

    logger = structlog.wrap_logger(None, processors=[broken])
    with pytest.warns(RuntimeWarning, match="nothing after run_started at clerk: OSError: the disk is full") as warned:
        result = await clerk().run("x", hooks=[Logs(logger=logger)])
    assert result.output == "an answer of gold"
    assert len(warned) == 1


def test_levels_of_single_events(heard: list[dict[str, Any]]) -> None:
    log = Logs(level="debug").watch("r")
    for event in (Token(text="x"), Warned(sentence="odd"), NodeRetried(error="e"), StageSkipped(stage="s", reason="r")):
        log(event)
    assert [(line["level"], line["event"]) for line in heard] == [
        ("warning", "warned"), ("warning", "node_retried"), ("info", "stage_skipped"),
    ]  # fmt: skip


PLAIN = {
    "after", "agent", "approval", "approved", "attempt", "before", "block", "cached_tokens", "call", "content_hash",
    "cost", "done", "error", "error_type", "failed", "filled", "finish", "how", "input_tokens", "iteration",
    "messages", "missed", "model", "output_tokens", "outputs", "part", "reason", "reasoning_tokens", "reply",
    "resumed", "sentence", "stage", "state_hash", "store", "stream", "thread", "tick_hash", "tool", "total",
    "under_way", "wait",
}  # fmt: skip
"""The fields of events that say nothing of what was said: a new field has to be put here, or among the contents."""


def test_every_field_of_every_event_is_contents_or_plain() -> None:
    fields = {name for kind in EVENTS.values() for name in kind._fields} - BESIDE
    assert fields - PLAIN - CONTENTS == set()
    assert set() == PLAIN & CONTENTS
    assert shown(HandedOff(agent="b", reason="a long story"), contents=False) == {"agent": "b"}
    assert shown(RunStarted(block="x", thread="postgresql://me:pw@host/db"), contents=False) == {
        "block": "x", "thread": "[secret hidden]host/db",
    }  # fmt: skip


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(object()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(EVENTS)), values, st.booleans())
def test_any_value_can_be_shown(kind: str, value: Any, contents: bool) -> None:
    event: Event = EVENTS[kind](**{name: value for name in EVENTS[kind]._fields if name not in BESIDE})
    for found in shown(event, contents=contents).values():
        assert isinstance(found, str | int | float | list)


def test_what_is_strange_is_shown_by_its_kind() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert scrubbed({"b": Blob(b"123", "image/png"), "o": object(), "t": (1, b"x")}) == {
        "b": "image/png, 3 bytes", "o": "object", "t": [1, "bytes"],
    }  # fmt: skip
    assert "list" in repr(scrubbed(loop))


def test_messages_without_bytes() -> None:
    text = messages_json(
        [
            user("hi", Blob(b"x" * 9, "image/png"), Image(url="https://u:p@host/a.png")),
            assistant(Thinking("hm"), Text("yes"), ToolCall("1", "f", "not json")),
            Message("tool", (ToolResult("1", "f", KEY, media=(Image(Blob(b"y", "image/png")),)),)),
        ]
    )
    assert KEY not in text
    assert "u:p@" not in text
    for piece in ('"modality": "image"', '"size": 9', '"reasoning"', '"tool_call_response"', '"uri"', '"not json"'):
        assert piece in text
