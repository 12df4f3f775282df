"""Recorded replies given again: from a file, from a journal; a miss is loud, and a file may hold anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yggdrasil import ConfigError, CorruptError, ScriptedModel, ToolCall
from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import Request, Thinking, ToolSpec, Usage, assistant, reply_to_json, system, user
from yggdrasil.errors import ModelAuthError, ModelRequestError
from yggdrasil.models.block import ScriptedBlock
from yggdrasil.models.recording import RecordingModel, read_recording
from yggdrasil.models.replay import ReplayModel
from yggdrasil.models.scripted import Said
from yggdrasil.runtime.providers import resolve
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.storage.sqlite import SqliteStore

pytestmark = pytest.mark.anyio

TOOL = ToolSpec("weather", "The weather.", {"type": "object"})
SAID: list[Said] = [
    "one",
    [Thinking("hm", "sig"), ToolCall("c1", "weather", {"city": "Ålesund"})],
    Blob(b"\x89P", "image/png"),
]


def asked(text: str, **more: Any) -> Request:
    return Request([system("Be brief."), user(text)], **more)


async def record(path: Path, said: Any = SAID, name: str = "s") -> list[Any]:
    model = RecordingModel(ScriptedModel(said, name=name), path)
    return [await model.reply(asked(f"question {n}", tools=(TOOL,))) for n in range(len(said))]


async def test_a_file_gives_back_what_was_said(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "calls.jsonl"
    replies = await record(path)
    model = resolve(f"replay:{path}")
    for n in (2, 0, 1, 0):
        assert await model.reply(asked(f"question {n}", tools=(TOOL,))) == replies[n]
    assert [json.loads(line)["model"] for line in path.read_text().splitlines()] == ["scripted:s"] * 3


async def test_it_streams_as_well(tmp_path: Path) -> None:
    await record(tmp_path / "calls.jsonl", ["to be or not"])
    heard: list[tuple[str, str]] = []
    model = ReplayModel(tmp_path / "calls.jsonl")
    await model.reply(asked("question 0", tools=(TOOL,)), delta=lambda part, text: heard.append((part, text)))
    assert heard == [("text", "to "), ("text", "be "), ("text", "or "), ("text", "not")]


@pytest.mark.parametrize(
    "other",
    [
        asked("question 1", tools=(TOOL,)),
        asked("question 0"),
        asked("question 0", tools=(TOOL,), params={"temperature": 1}),
        asked("question 0", tools=(TOOL,), output={"type": "object"}),
        Request([user("question 0")], tools=(TOOL,)),
    ],
)
async def test_a_miss_is_loud(tmp_path: Path, other: Request) -> None:
    path = tmp_path / "calls.jsonl"
    await record(path, ["one"])
    with pytest.raises(ModelRequestError) as caught:
        await ReplayModel(path).reply(other)
    said = str(caught.value)
    assert "has no reply to this request" in said
    assert other.messages[-1].text in said
    assert f"the nearest ({path}:1) was asked: 2 messages, tools weather, last of user: question 0" in said
    assert 'match="order"' in said


async def test_the_same_question_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    model = RecordingModel(ScriptedModel(["one", "two"]), path)
    for _ in range(2):
        await model.reply(asked("same"))
    replaying = ReplayModel(path)
    assert [(await replaying.reply(asked("same"))).message.text for _ in range(3)] == ["one", "two", "two"]


async def test_in_order_whatever_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    await record(path, ["one", "two"])
    model = resolve({"name": f"replay:{path}", "match": "order"})
    assert [(await model.reply(asked("anything"))).message.text for _ in range(2)] == ["one", "two"]
    with pytest.raises(ModelRequestError, match=r"has 2 replies and was asked for number 3: 2 messages, .*: third"):
        await model.reply(asked("third"))


async def test_what_fails_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    model = RecordingModel(ScriptedModel([ModelAuthError("no"), "one"]), path)
    with pytest.raises(ModelAuthError):
        await model.reply(asked("a"))
    await model.reply(asked("a"))
    assert [r.reply.message.text for r in read_recording(path)] == ["one"]


async def test_secrets_are_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SERVICE_API_KEY", "very-secret-value")
    path = tmp_path / "calls.jsonl"
    model = RecordingModel(
        ScriptedModel([["the key is very-secret-value", ToolCall("c", "t", {"k": ["very-secret-value"]})]]), path
    )
    await model.reply(Request([user("my key is very-secret-value, or sk-abcdefghijklmnop")]))
    text = path.read_text()
    assert "very-secret-value" not in text
    assert "sk-abcdef" not in text
    assert "[key hidden]" in text


async def test_a_journal_gives_back_what_was_said(tmp_path: Path) -> None:
    url = f"sqlite:////{str(tmp_path / 'runs.db').lstrip('/')}"
    block = ScriptedBlock(ScriptedModel(["one", "two"], name="s"))
    for question in ("a", "b"):
        await block.run(question, thread="t1", store=url)
    again = ScriptedBlock(resolve(f"replay:{url}#t1"))
    assert [(await again.run(q))["text"] for q in ("b", "a")] == ["two", "one"]
    with pytest.raises(ModelRequestError, match="answered: 'one'"):
        await again.run("c")
    ordered = ScriptedBlock(ReplayModel(f"{url}#t1", match="order"))
    assert [(await ordered.run("x"))["text"] for _ in range(2)] == ["one", "two"]
    async with SqliteStore(tmp_path / "runs.db") as store:
        assert (await ScriptedBlock(ReplayModel("#t1", store=store)).run("a"))["text"] == "one"
    with pytest.raises(ConfigError, match="no thread 'other'; there are: t1"):
        await ScriptedBlock(ReplayModel(f"{url}#other")).run("a")


async def test_a_journal_does_not_say_who_was_asked(llmock: Any) -> None:
    """Replies tell who answered: the provider's name is found, and one that is dated loses its date."""
    from yggdrasil.core.messages import Reply

    for served, name in (("gpt-x", "openai:gpt-x"), ("gpt-x-2026-01-01", "openai:gpt-x"), ("other", "openai:alias")):

        class Named(ScriptedModel):
            called = ""

            @property
            def name(self) -> str:
                return self.called

        asked = Named([Reply(assistant("one"), model=served)])
        asked.called = name
        async with MemoryStore() as store:
            block = ScriptedBlock(asked)
            await block.run("a", thread="t", store=store)
            plain = ScriptedBlock(ReplayModel("#t", store=store))
            if served == "other":
                with pytest.raises(ModelRequestError, match=r'model="openai:\.\.\.'):
                    await plain.run("a")
                plain = ScriptedBlock(ReplayModel("#t", store=store, model=name))
            assert (await plain.run("a"))["text"] == "one"


@pytest.mark.parametrize(
    "source", ["nothing.jsonl", "sqlite:///nothing.db#t", "sqlite:///nothing.db", "sqlite:///x.db#"]
)
def test_what_is_not_there_is_said_when_it_is_made(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        resolve(f"replay:{source}")
    assert not list(tmp_path.iterdir()), "asking makes no store"
    with pytest.raises(ConfigError, match="match"):
        ReplayModel(source, match="nearest")  # type: ignore[arg-type]


# --- a file may hold anything

GOOD = {"digest": "d", "model": "m", "asked": "a"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def reads(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        for entry in read_recording(path):
            reply_to_json(entry.reply)
            assert isinstance(entry.reply.message.text, str)
            assert entry.reply.usage + Usage()
    except CorruptError as error:
        assert error.path.startswith(f"{path}:")  # noqa: PT017 - it may be read, and may not


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_recording(tmp_path: Path, content: bytes) -> None:
    reads(tmp_path / "x.jsonl", content)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(JSON, st.data())
def test_json_that_is_no_recording(tmp_path: Path, value: Any, data: Any) -> None:
    reply: Any = {
        "message": {
            "role": "assistant",
            "parts": [{"part": "text", "text": "x"}, {"part": "image", "blob": {"data": "", "media_type": "a/b"}}],
        },
        "usage": {"input_tokens": 1},
        "finish": "stop",
        "model": "m",
        "id": "i",
    }  # fmt: skip
    places = [(reply, k) for k in reply] + [(reply["message"], k) for k in ("role", "parts")]
    places += [(reply["message"]["parts"], 0), (reply["message"]["parts"][0], "text"), (reply["usage"], "input_tokens")]
    places += [(reply["message"]["parts"][1], "blob"), (reply["usage"], "cost")]
    container, key = data.draw(st.sampled_from(places))
    container[key] = value
    reads(tmp_path / "x.jsonl", json.dumps({**GOOD, "reply": reply}).encode())
    reads(tmp_path / "x.jsonl", json.dumps({**GOOD, "reply": value}).encode())
    reads(tmp_path / "x.jsonl", json.dumps(value).encode())


@pytest.mark.parametrize("cut", [1, 20, 100])
async def test_a_line_that_was_cut_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "calls.jsonl"
    await record(path, ["one", "two"])
    path.write_bytes(path.read_bytes()[:-1][:-cut])
    with pytest.raises(CorruptError, match=r"calls\.jsonl:2"):
        await ReplayModel(path).reply(asked("question 0", tools=(TOOL,)))


def test_no_deep_line_breaks_the_reader(tmp_path: Path) -> None:
    reads(tmp_path / "x.jsonl", b"[" * 100_000)
