"""The same bodies for every provider: scripted, and the two real SDKs over loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import pytest

from yggdrasil.abc.model import Model
from yggdrasil.models.anthropic import AnthropicModel
from yggdrasil.models.openai import OpenAIModel

Make = Callable[..., Model]


@pytest.fixture(params=["openai", "anthropic"])
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(provider: str, llmock: Any) -> Make:
    """A model of this provider at the loopback server, without retries."""

    def build(**options: Any) -> Model:
        kind = OpenAIModel if provider == "openai" else AnthropicModel
        return kind("test-model", endpoint_url=llmock.base_url(provider), **options)

    return build


@pytest.fixture
def odd_server() -> Callable[..., Any]:
    """A server on loopback that answers every request with the same bytes."""

    @asynccontextmanager
    async def serve(body: bytes, content_type: str = "application/json") -> AsyncIterator[str]:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n".encode()

        async def handle(stream: Any) -> None:
            async with stream:
                received = b""
                while b"\r\n\r\n" not in received:
                    received += await stream.receive()
                length = int(received.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                while len(received.split(b"\r\n\r\n", 1)[1]) < length:
                    received += await stream.receive()
                await stream.send(head + body)

        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, handle)
            try:
                yield f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}/v1"
            finally:
                group.cancel_scope.cancel()

    return serve
