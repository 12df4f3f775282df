"""Pictures by an API: the real SDK over loopback, what is wrong with what comes, and that none is asked for twice."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import pytest

from yggdrasil import Budget, ConfigError, Graph, ModelReplyError, ModelRequestError, SecretError
from yggdrasil.models.image import ImageBlock
from yggdrasil.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
GOOD = {"created": 1, "data": [{"b64_json": base64.b64encode(PNG).decode()}]}


class Painter:
    """A server on loopback that answers with what it is told, in order, and keeps what it was asked."""

    def __init__(self, answers: Sequence[tuple[int, Any]]) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.heads: list[str] = []
        self.url = ""

    async def handle(self, stream: Any) -> None:
        async with stream:
            received = b""
            while b"\r\n\r\n" not in received:
                received += await stream.receive()
            head, _, body = received.partition(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            while len(body) < length:
                body += await stream.receive()
            self.heads.append(head.decode().lower())
            self.asked.append(json.loads(body))
            status, answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
            sent = json.dumps(answer).encode()
            lines = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nretry-after: 0\r\nconnection: close\r\n"
            await stream.send(f"{lines}content-length: {len(sent)}\r\n\r\n".encode() + sent)


@pytest.fixture
def painter() -> Callable[..., Any]:
    @asynccontextmanager
    async def serve(*answers: tuple[int, Any]) -> AsyncIterator[Painter]:
        made = Painter(answers)
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, made.handle)
            made.url = f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}/v1"
            try:
                yield made
            finally:
                group.cancel_scope.cancel()

    return serve


def block(made: Painter, **options: Any) -> ImageBlock:
    return ImageBlock({"name": "openai:gpt-image-1", "endpoint_url": made.url}, **options)


async def test_a_picture_comes_as_a_blob(painter: Any) -> None:
    async with painter((200, GOOD)) as made:
        image = (await block(made, params={"size": "1024x1024"}).run("a fjord")).output
    assert (image.data, image.media_type) == (PNG, "image/png")
    assert made.asked == [{"model": "gpt-image-1", "prompt": "a fjord", "size": "1024x1024", "n": 1}]


async def test_what_passes_is_tried_again(painter: Any) -> None:
    async with painter((429, {"error": {"message": "slow down"}}), (500, {}), (200, GOOD)) as made:
        assert (await block(made).run("a fjord")).output.data == PNG
    assert len(made.asked) == 3


WRONG = [
    ((400, {"error": {"message": "not that"}}), ModelRequestError, "answered 400: not that"),
    ((200, {"created": 1, "data": []}), ModelReplyError, "sent no picture"),
    ((200, {"created": 1, "data": [{"b64_json": "%%%"}]}), ModelReplyError, "not base64"),
    ((200, {"created": 1, "data": [{"b64_json": base64.b64encode(b"<html>").decode()}]}), ModelReplyError, "6 bytes"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), WRONG, ids=[w for _, _, w in WRONG])
async def test_what_is_wrong_is_told_by_kind_and_place(painter: Any, answer: Any, kind: Any, words: str) -> None:
    async with painter(answer) as made:
        here = block(made)
        with pytest.raises(kind, match=words) as caught:
            await here.run("a fjord")
    assert len(made.asked) == 1
    assert caught.value.path == here.label


async def test_a_durable_run_asks_once_and_keeps_the_bytes(painter: Any) -> None:
    async with MemoryStore() as store, painter((200, GOOD)) as made:
        graph = Graph("picture")
        graph.add("image", block(made))
        graph.add("fail", fails_once())
        graph.add_edge("image.image", "fail.image")
        with pytest.raises(Exception, match="not yet"):
            await graph.run(prompt="a fjord", thread="t", store=store)
        again = await graph.run(prompt="a fjord", thread="t", store=store)
    assert again["size"] == len(PNG)
    assert len(made.asked) == 1, "a recorded picture is not asked for again"
    assert "idempotency-key: " in made.heads[0]


def fails_once() -> Any:
    from yggdrasil import block as made

    tries: list[int] = []

    @made(outputs={"size": int})
    def size(image: Any) -> int:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not yet")
        return len(image.data)

    return size


async def test_a_budget_counts_pictures_as_steps(painter: Any) -> None:
    budget = Budget(steps=1)
    async with painter((200, GOOD)) as made:
        await block(made).run("a fjord", budget=budget)
        with pytest.raises(Exception, match="1 steps is spent"):
            await block(made).run("another", budget=budget)
    assert len(made.asked) == 1


@pytest.mark.parametrize(
    ("model", "options", "kind"),
    [
        ("anthropic:claude", {}, ConfigError),
        ("openai:", {}, ConfigError),
        ({"name": "openai:m", "key": "x"}, {}, ConfigError),
        ("openai:m", {"params": {"n": 4}}, ConfigError),
        ("openai:m", {"params": {"api_key": "x"}}, SecretError),
        ({"name": "openai:m", "endpoint_url": "http://me:secret@127.0.0.1/"}, {}, SecretError),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(model: Any, options: Any, kind: Any) -> None:
    with pytest.raises(kind):
        ImageBlock(model, **options)
