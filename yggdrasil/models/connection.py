"""What every model behind an API has in common: where it is, how long it may take, how its faults are told."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar

import anyio

from yggdrasil.core.canonical import canonical
from yggdrasil.errors import ConfigError, SecretError
from yggdrasil.models.faults import translate
from yggdrasil.models.secrets import without_credentials

T = TypeVar("T")

_OURS = ("messages", "model", "stream", "system", "tools")
_SECRET = ("api_key", "authorization", "extra_headers", "headers")


class ConnectionOptions(TypedDict, total=False):
    """What a user may say about a connection, by the names of `Connection`'s fields."""

    endpoint_url: str | None
    timeout: float
    stall: float
    max_concurrent_requests: int | None


@dataclass(frozen=True, slots=True)
class Connection:
    """One model at one endpoint.

    timeout: seconds for a whole answer; stall: seconds without a piece of it, in a stream.
    """

    provider: str
    model_id: str
    endpoint_url: str | None = None
    timeout: float = 600.0
    stall: float = 120.0
    max_concurrent_requests: int | None = None

    def __post_init__(self) -> None:
        without_credentials(self.endpoint_url)
        for name in ("timeout", "stall", "max_concurrent_requests"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} of {self.model} is {value!r}; it must be above 0")

    @property
    def model(self) -> str:
        """`provider:model_id`."""
        return f"{self.provider}:{self.model_id}"

    def endpoint(self, variable: str, own: str) -> str:
        """The configured endpoint, else the one in the environment variable, else the provider's own."""
        return self.endpoint_url or without_credentials(os.environ.get(variable) or None) or own

    def check(self, params: Mapping[str, Any]) -> None:
        """Refuse parameters that are ours to send, that carry a key, or that are not JSON."""
        if not params:
            return
        canonical(dict(params))
        for name in params:
            if name in _SECRET:
                raise SecretError(f"params of {self.model} has {name!r}", hint="keep keys in the environment")
            if name in _OURS:
                raise ConfigError(f"params of {self.model} has {name!r}, which the request sets itself")

    def call(
        self, body: Mapping[str, Any], key: str, *, streaming: bool, named: tuple[str, ...] = ("model",)
    ) -> dict[str, Any]:
        """Keyword arguments for an SDK: what it insists on by name, the rest as it goes over the wire."""
        import httpx2

        silence = min(self.stall, self.timeout) if streaming else self.timeout
        return {
            **{name: body[name] for name in named if name in body},
            "extra_body": {name: value for name, value in body.items() if name not in named},
            "extra_headers": {"Idempotency-Key": key} if key else {},
            "timeout": httpx2.Timeout(silence, connect=min(30.0, silence)),
        }

    async def guard(
        self, perform: Callable[[], Awaitable[T]], *, where: str, secret: str, variable: str, streaming: bool
    ) -> T:
        """What `perform` gives; its faults as ModelErrors, within `timeout` seconds."""
        try:
            with anyio.fail_after(self.timeout):
                return await perform()
        except Exception as error:
            failure = translate(
                error, model=self.model, where=where, key=secret, variable=variable, streaming=streaming
            )
            if failure is None:
                raise
        # raised here, so that what the SDK raised (and may quote a key) is not chained to it
        raise failure
