"""Pictures by an API: the OpenAI images endpoint, and every server that is compatible with it, as a block."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import RunContext
from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import Usage
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError, ModelError, ModelReplyError
from yggdrasil.models.clients import client
from yggdrasil.models.connection import Connection
from yggdrasil.models.openai import OWN_ENDPOINT, VARIABLE, make_sdk
from yggdrasil.models.retry import retried
from yggdrasil.models.secrets import key_from_environment

SPEC = Spec.declare(
    [port("prompt", "text", doc="What the picture shows.")],
    [port("image", Blob, doc="The picture as the server sent it: PNG, JPEG or WebP.")],
    doc="Ask an image model for one picture.",
)
"""The ports of every `image/...` block that asks an API."""

_KINDS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
_NO_PARAMS: Mapping[str, Any] = MappingProxyType({})


class ImageBlock(Block):
    """One picture of `model_id`, e.g. "openai:gpt-image-1"; the provider is openai, or a server like it.

    model         `openai:model_id`, or a mapping `{name: ..., endpoint_url: ...}`
    params        the model's own: size, quality, background, ...
    attempts      tries in all, within `timeout` seconds each
    The key is read from OPENAI_API_KEY at each call; a server of your own at `endpoint_url` needs none.
    Source: https://platform.openai.com/docs/api-reference/images/create
    """

    block_type = "image/api"

    def __init__(
        self,
        model: str | Mapping[str, Any],
        *,
        params: Mapping[str, Any] = _NO_PARAMS,
        attempts: int = 3,
        timeout: float = 300.0,
        max_concurrent_requests: int | None = None,
    ) -> None:
        given = {"name": model} if isinstance(model, str) else dict(model)
        name, endpoint = given.pop("name", None), given.pop("endpoint_url", None)
        if given:
            raise ConfigError(f"the image model has no {next(iter(given))!r}; there are name and endpoint_url")
        provider, _, model_id = name.partition(":") if isinstance(name, str) else ("", "", "")
        if provider != "openai" or not model_id:
            raise ConfigError(f"no pictures are made by {name!r}", hint='model: "openai:gpt-image-1"')
        self.model = model if isinstance(model, str) else dict(model)
        self.params = dict(params)
        self.attempts, self.timeout, self.max_concurrent_requests = attempts, timeout, max_concurrent_requests
        self._connection = Connection("openai", model_id, endpoint, timeout, timeout, max_concurrent_requests)
        for ours in ("prompt", "n"):
            if ours in self.params:
                raise ConfigError(f"params of {name} has {ours!r}, which the request sets itself")
        self._connection.check(self.params)

    @property
    def spec(self) -> Spec:
        """In: prompt. Out: image."""
        return SPEC

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Ask once. In a durable run the picture is recorded before it is returned, and never asked for twice."""
        connection = self._connection
        body = {"model": connection.model_id, "prompt": inputs["prompt"], **self.params, "n": 1}

        async def perform(key: str) -> Blob:
            ctx.require()
            picture = await retried(lambda: self._ask(body, key), attempts=self.attempts, seconds=self.timeout)
            ctx.spend(Usage(requests=1))
            return picture

        try:
            return {"image": await ctx.effect("image", body, perform)}
        except ModelError as error:
            error.path = error.path or ctx.path
            raise

    async def _ask(self, body: dict[str, Any], key: str) -> Blob:
        connection = self._connection
        endpoint = connection.endpoint("OPENAI_BASE_URL", OWN_ENDPOINT)
        secret = key_from_environment(VARIABLE, model=connection.model, required=endpoint.rstrip("/") == OWN_ENDPOINT)
        found = await client("openai", endpoint, secret, lambda: make_sdk(endpoint, secret))
        rest = {name: value for name, value in body.items() if name not in ("model", "prompt")}
        arguments = connection.call(rest, key, streaming=False)
        async with found.turn(connection.max_concurrent_requests) as sdk:

            async def perform() -> Any:
                return await sdk.images.generate(model=body["model"], prompt=body["prompt"], **arguments)

            return self._picture(
                await connection.guard(perform, where=endpoint, secret=secret, variable=VARIABLE, streaming=False),
                endpoint,
            )

    def _picture(self, answer: Any, endpoint: str) -> Blob:
        at = f"{self._connection.model} at {endpoint}"
        first = next(iter(getattr(answer, "data", None) or ()), None)
        coded = getattr(first, "b64_json", None)
        if not coded:
            raise ModelReplyError(f"{at} sent no picture", hint="params: {response_format: b64_json}")
        try:
            data = base64.b64decode(coded, validate=True)
        except (binascii.Error, ValueError):
            raise ModelReplyError(f"{at} sent a picture that is not base64") from None
        return Blob(data, media_type(data, at))


def media_type(data: bytes, at: str) -> str:
    """PNG, JPEG, GIF or WebP, by the first bytes; ModelReplyError for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    found = next((kind for sign, kind in _KINDS if data.startswith(sign)), None)
    if found is None:
        raise ModelReplyError(f"{at} sent {len(data)} bytes that are no PNG, JPEG, GIF or WebP")
    return found
