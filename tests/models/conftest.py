"""The same bodies for every provider: the three wire formats, through the two real SDKs, over loopback."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import pytest

from tests.aimock import Aimock, running
from tests.models.wires import WIRES, build, provider_of
from yggdrasil.abc.model import Model

Make = Callable[..., Model]


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> str:
    """One of the three formats that are spoken."""
    return str(request.param)


@pytest.fixture
def provider(wire: str) -> str:
    return provider_of(wire)


@pytest.fixture
def make_at(wire: str, llmock: Any) -> Make:
    """A model at any endpoint, in this format, without retries. llmock puts keys into the environment."""

    def at(url: str, **options: Any) -> Model:
        return build(wire, url, **options)

    return at


@pytest.fixture
def make(make_at: Make, provider: str, llmock: Any) -> Make:
    """A model at llmock, in this format."""

    def here(**options: Any) -> Model:
        return make_at(llmock.base_url(provider), **options)

    return here


@pytest.fixture(scope="session")
def aimock_server() -> Iterator[Aimock]:
    with running() as server:
        yield server


@pytest.fixture
def aimock(aimock_server: Aimock, llmock: Any) -> Aimock:
    """The running server, with nothing told to it. llmock puts keys into the environment."""
    return aimock_server.reset()


@pytest.fixture
def odd_server() -> Callable[..., Any]:
    """A server on loopback that answers each request with the next of some bodies, and then with the last."""

    @asynccontextmanager
    async def serve(
        *bodies: bytes, content_type: str = "application/json", seen: list[Any] | None = None
    ) -> AsyncIterator[str]:
        left = list(bodies)

        async def handle(stream: Any) -> None:
            async with stream:
                received = b""
                while b"\r\n\r\n" not in received:
                    received += await stream.receive()
                length = int(received.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                while len(received.split(b"\r\n\r\n", 1)[1]) < length:
                    received += await stream.receive()
                if seen is not None:
                    seen.append(json.loads(received.split(b"\r\n\r\n", 1)[1]))
                body = left.pop(0) if len(left) > 1 else left[0]
                kind = f"content-type: {content_type}\r\ncontent-length: {len(body)}"
                await stream.send(f"HTTP/1.1 200 OK\r\n{kind}\r\nconnection: close\r\n\r\n".encode() + body)

        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, handle)
            try:
                yield f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}/v1"
            finally:
                group.cancel_scope.cancel()

    return serve
