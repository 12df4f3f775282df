"""One model after another: what goes to the next one, what does not, and what is said when all have failed."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from yggdrasil import BudgetError, ConfigError, ScriptedModel, UnknownTypeError
from yggdrasil.abc.model import Delta, Model
from yggdrasil.core.messages import Reply, Request, assistant, user
from yggdrasil.errors import (
    ModelAuthError,
    ModelError,
    ModelReplyError,
    ModelRequestError,
    ModelTransientError,
    RateLimitError,
    RefusalError,
    StreamError,
)
from yggdrasil.models.block import ApiBlock, ScriptedBlock
from yggdrasil.models.fallback import FallbackModel
from yggdrasil.runtime.providers import resolve
from yggdrasil.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio

HELLO = Request([user("Hello")])
MENDED = [ModelTransientError, RateLimitError, StreamError, ModelRequestError, ModelAuthError, ModelReplyError]


def model(said: Any, name: str = "a") -> ScriptedModel:
    return ScriptedModel([said], name=name)


@pytest.mark.parametrize("kind", MENDED)
async def test_the_next_one_is_asked(kind: type[ModelError]) -> None:
    first, second, third = model(kind("no")), model("Hello", "b"), model("never", "c")
    reply = await FallbackModel([first, second, third]).reply(HELLO)
    assert (reply.message.text, reply.model) == ("Hello", "scripted:b")
    assert (first.calls, second.calls, third.calls) == (1, 1, 0)


@pytest.mark.parametrize(
    "error", [BudgetError("spent"), RefusalError("I may not"), ZeroDivisionError("ours"), ConfigError("x")]
)
async def test_what_another_could_not_mend_comes_through(error: Exception) -> None:
    second = model("Hello")
    with pytest.raises(type(error)) as caught:
        await FallbackModel([model(error), second]).reply(HELLO)
    assert caught.value is error
    assert second.calls == 0


async def test_a_refusal_goes_on_where_that_is_wanted() -> None:
    both = [model(RefusalError("I may not")), model("Hello", "b")]
    assert (await FallbackModel(both, on_refusal=True).reply(HELLO)).message.text == "Hello"


async def test_who_answered_is_said_where_the_answer_does_not() -> None:
    silent = ScriptedModel([Reply(assistant("Hi"))], name="silent")
    assert (await FallbackModel([silent]).reply(HELLO)).model == "scripted:silent"


async def test_the_error_names_all_and_why() -> None:
    both = FallbackModel([model(ModelAuthError("no key", hint="export KEY=...")), model(ModelReplyError("odd"), "b")])
    with pytest.raises(ModelError) as caught:
        await both.reply(HELLO)
    assert type(caught.value) is ModelError
    said = str(caught.value)
    assert "none of 2 models answered: 1. scripted:a: no key; 2. scripted:b: odd" in said
    assert "export KEY" in said


async def test_what_may_pass_stays_so() -> None:
    both = [model(RateLimitError("a", retry_after=9)), model(RateLimitError("b", retry_after=4), "b")]
    with pytest.raises(ModelTransientError) as caught:
        await FallbackModel(both).reply(HELLO)
    assert caught.value.retry_after == 4
    with pytest.raises(ModelAuthError):
        await FallbackModel([model(ModelAuthError("a")), model(ModelAuthError("b"))]).reply(HELLO)


class Breaks(Model):
    """Streams two pieces, and breaks."""

    name = "test:breaks"

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        if delta is not None:
            delta("text", "Hel")
            delta("text", "lo, ")
        raise StreamError("broke")


async def test_streamed_pieces_of_a_failed_one_are_void() -> None:
    heard: list[tuple[str, str]] = []
    two = FallbackModel([Breaks(), model(ModelAuthError("silent")), model("Good day.")])
    await two.reply(HELLO, delta=lambda part, text: heard.append((part, text)))
    assert heard == [("text", "Hel"), ("text", "lo, "), ("restart", ""), ("text", "Good "), ("text", "day.")]


async def test_each_model_has_a_key_of_its_own() -> None:
    keys: list[str] = []

    class Asked(Model):
        name = "test:asked"

        async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
            keys.append(key)
            raise ModelAuthError("no")

    with pytest.raises(ModelAuthError):
        await FallbackModel([Asked(), Asked()]).reply(HELLO, key="k")
    assert keys == ["k", "k-1"]


async def test_cancelled_it_asks_nobody_else() -> None:
    async def slow(request: Request) -> str:
        await anyio.sleep(30)
        return "late"

    second = model("never")
    with anyio.move_on_after(0.05):
        await FallbackModel([ScriptedModel(slow), second]).reply(HELLO)
    assert second.calls == 0


async def test_in_a_durable_run_it_is_one_call() -> None:
    second = ScriptedModel(["Hello", "again"], name="b")
    block = ScriptedBlock(FallbackModel([ScriptedModel(lambda r: ModelAuthError("no")), second]))
    async with MemoryStore() as store:
        assert (await block.run("Hi", thread="t", store=store))["text"] == "Hello"
        assert len(await store.read("thread:t", kinds=["effect"])) == 1


def test_by_name() -> None:
    made = resolve("fallback:[openai:gpt-5, fallback:[anthropic:claude-sonnet-4-5, scripted:echo]]")
    assert isinstance(made, FallbackModel)
    assert made.name == "fallback:[openai:gpt-5, fallback:[anthropic:claude-sonnet-4-5, scripted:echo]]"
    mapping = {"fallback": [{"name": "openai:m", "endpoint_url": "http://127.0.0.1:1/v1"}, "scripted:echo"]}
    assert resolve(mapping).name == "fallback:[openai:m, scripted:echo]"
    assert resolve({"name": "fallback:[scripted:echo]", "on_refusal": True}).on_refusal  # type: ignore[attr-defined]


async def test_in_a_config() -> None:
    mapping = {
        "fallback": [{"name": "openai:m", "endpoint_url": "http://127.0.0.1:1/v1", "attempts": 1}, "scripted:echo"]
    }
    assert (await ApiBlock(model=mapping).run("Hello"))["text"] == "Hello"


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("fallback:[]", ConfigError),
        ("fallback:[a", ConfigError),
        ("fallback:scripted:echo", ConfigError),
        ("fallback:[scripted:echo,]", ConfigError),
        ("fallback:[scripted:echo]]", ConfigError),
        ("fallback:[[scripted:echo]", ConfigError),
        ("fallback:[nobody:m]", UnknownTypeError),
        ({"fallback": []}, ConfigError),
        ({"fallback": "scripted:echo"}, ConfigError),
        ({"fallback": 5}, ConfigError),
        ({"fallback": ["scripted:echo"], "speed": 3}, ConfigError),
        ({"fallback": [{"endpoint_url": "http://127.0.0.1"}]}, ConfigError),
        ({}, ConfigError),
    ],
)
def test_what_is_no_fallback(what: Any, kind: Any) -> None:
    with pytest.raises(kind):
        resolve(what)
