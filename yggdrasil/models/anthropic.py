"""Models behind the Messages API of Anthropic."""

from __future__ import annotations

from typing import Any

from yggdrasil.abc.model import Delta, Model
from yggdrasil.core.messages import Reply, Request
from yggdrasil.models.anthropic_format import AnthropicStream, reply_from_anthropic, request_to_anthropic
from yggdrasil.models.clients import client
from yggdrasil.models.connection import Connection
from yggdrasil.models.secrets import key_from_environment
from yggdrasil.models.stream import read_events

VARIABLE = "ANTHROPIC_API_KEY"
OWN_ENDPOINT = "https://api.anthropic.com"


class AnthropicModel(Model):
    """`model_id` at Anthropic or, with `endpoint_url`, at a compatible server.

    The key is read from ANTHROPIC_API_KEY at each call.
    timeout: seconds for a whole answer; stall: seconds without a piece of it in a stream.
    `params` without `max_tokens` allow 8192 of output, since the API insists on a number.
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
        self.connection = Connection("anthropic", model_id, endpoint_url, timeout, stall, max_concurrent_requests)

    @property
    def name(self) -> str:
        """`anthropic:model_id`."""
        return self.connection.model

    def __repr__(self) -> str:
        return f"AnthropicModel({self.model_id!r}, endpoint_url={self.connection.endpoint_url!r})"

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        """One answer, streamed when `delta` is given. `key` goes out as the Idempotency-Key header."""
        connection = self.connection
        connection.check(request.params)
        endpoint = connection.endpoint("ANTHROPIC_BASE_URL", OWN_ENDPOINT)
        secret = key_from_environment(VARIABLE, model=self.name)
        found = await client("anthropic", endpoint, secret, lambda: _make(endpoint, secret))
        arguments = connection.call(request_to_anthropic(request, self.model_id), key, streaming=delta is not None)

        async with found.turn(connection.max_concurrent_requests) as sdk:

            async def perform() -> Reply:
                if delta is None:
                    return await self._whole(sdk, arguments)
                return await self._streamed(sdk, arguments, delta)

            return await connection.guard(
                perform, where=endpoint, secret=secret, variable=VARIABLE, streaming=delta is not None
            )

    async def _whole(self, sdk: Any, arguments: dict[str, Any]) -> Reply:
        return reply_from_anthropic(await sdk.messages.create(**arguments), self.name)

    async def _streamed(self, sdk: Any, arguments: dict[str, Any], delta: Delta) -> Reply:
        parts = AnthropicStream(self.name, delta)
        async with sdk.messages.with_streaming_response.create(**arguments, stream=True) as response:
            await read_events(response, parts.add)
        return parts.reply()


def _make(endpoint: str, secret: str) -> Any:
    from anthropic import AsyncAnthropic

    # its own spans are off: ours tell the same, for every provider alike
    sdk = AsyncAnthropic(api_key=secret, base_url=endpoint, max_retries=0, open_telemetry=False)
    _ = sdk.messages.with_streaming_response  # loads what the first call would load in the event loop
    return sdk
