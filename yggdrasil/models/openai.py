"""Models behind the Chat Completions API: OpenAI, and every server that is compatible with it."""

from __future__ import annotations

from typing import Any

from yggdrasil.abc.model import Delta, Model
from yggdrasil.core.messages import Reply, Request
from yggdrasil.models.clients import client
from yggdrasil.models.connection import Connection
from yggdrasil.models.openai_format import OpenAIStream, reply_from_openai, request_to_openai
from yggdrasil.models.secrets import key_from_environment
from yggdrasil.models.stream import read_events

VARIABLE = "OPENAI_API_KEY"
OWN_ENDPOINT = "https://api.openai.com/v1"


class OpenAIModel(Model):
    """`model_id` at OpenAI or, with `endpoint_url`, at any compatible server.

    The key is read from OPENAI_API_KEY at each call; a server of your own at `endpoint_url` needs none.
    timeout: seconds for a whole answer that is not streamed; stall: seconds without a piece in a stream.
    """

    def __init__(
        self,
        model_id: str,
        *,
        endpoint_url: str | None = None,
        timeout: float = 600.0,
        stall: float = 120.0,
        max_concurrent_requests: int | None = None,
    ) -> None:
        self.model_id = model_id
        self.connection = Connection("openai", model_id, endpoint_url, timeout, stall, max_concurrent_requests)

    @property
    def name(self) -> str:
        """`openai:model_id`."""
        return self.connection.model

    def __repr__(self) -> str:
        return f"OpenAIModel({self.model_id!r}, endpoint_url={self.connection.endpoint_url!r})"

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        """One answer, streamed when `delta` is given. `key` goes out as the Idempotency-Key header."""
        connection = self.connection
        connection.check(request.params)
        endpoint = connection.endpoint("OPENAI_BASE_URL", OWN_ENDPOINT)
        own = endpoint.rstrip("/") == OWN_ENDPOINT
        secret = key_from_environment(VARIABLE, model=self.name, required=own)
        found = await client("openai", endpoint, secret, lambda: make_sdk(endpoint, secret))
        body = request_to_openai(request, self.model_id, own=own)
        arguments = connection.call(body, key, streaming=delta is not None)

        async with found.turn(connection.max_concurrent_requests) as sdk:

            async def perform() -> Reply:
                if delta is None:
                    return await self._whole(sdk, arguments)
                return await self._streamed(sdk, arguments, delta)

            return await connection.guard(
                perform, where=endpoint, secret=secret, variable=VARIABLE, streaming=delta is not None
            )

    async def _whole(self, sdk: Any, arguments: dict[str, Any]) -> Reply:
        return reply_from_openai(await sdk.chat.completions.create(**arguments), self.name)

    async def _streamed(self, sdk: Any, arguments: dict[str, Any], delta: Delta) -> Reply:
        arguments["extra_body"].setdefault("stream_options", {"include_usage": True})
        parts = OpenAIStream(self.name, delta)
        create = sdk.chat.completions.with_streaming_response.create
        async with create(**arguments, stream=True) as response:
            await read_events(response, parts.add)
        return parts.reply()


def make_sdk(endpoint: str, secret: str) -> Any:
    """The SDK's client for one endpoint; importing the SDK takes a second."""
    from openai import AsyncOpenAI

    # a server that needs no key gets one that says so: the SDK insists on some
    sdk = AsyncOpenAI(api_key=secret or "none", base_url=endpoint, max_retries=0)
    _ = sdk.chat.completions.with_streaming_response  # loads what the first call would load in the event loop
    return sdk
