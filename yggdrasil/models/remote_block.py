"""What the blocks behind an API share: where the model is, and one call of it, durable, counted and within limits."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, TypedDict

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import RunContext
from yggdrasil.core.blob import Blob, detach
from yggdrasil.core.events import ModelCalled, ModelFailed, ModelReplied
from yggdrasil.core.messages import Usage, usage_to_json
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, CorruptError, ModelError
from yggdrasil.models.clients import client
from yggdrasil.models.connection import Connection
from yggdrasil.models.openai import OWN_ENDPOINT, VARIABLE, make_sdk
from yggdrasil.models.places import place_of
from yggdrasil.models.price import price_of, priced
from yggdrasil.models.rate import Limits
from yggdrasil.models.retry import retried
from yggdrasil.models.secrets import key_from_environment

NO_PARAMS: Mapping[str, Any] = MappingProxyType({})
_NO_COUNTS: Mapping[str, float] = MappingProxyType({})


class Answer(Value):
    """What a call gave: a JSON value or Blobs; `counts` is what was used besides tokens, as the price list calls it."""

    value: Any
    usage: Usage = Usage(requests=1)
    counts: Mapping[str, float] = _NO_COUNTS


class Call(Value):
    """One call of an API.

    kind     what the journal calls it: "image", "embedding", ...
    body     what is asked; Blobs go out as files
    named    what the SDK's method takes by name; the rest of the body goes out as it stands
    send     calls the SDK's method
    read     its answer, and where it came from (for errors), to an Answer; ModelReplyError when it is none
    tokens   about how many, for limits
    """

    kind: str
    body: Mapping[str, Any]
    named: tuple[str, ...]
    send: Callable[[Any, dict[str, Any]], Awaitable[Any]]
    read: Callable[[Any, str], Answer]
    tokens: int = 0


class RemoteBlockOptions(TypedDict, total=False):
    """What every RemoteBlock may be told besides its model, by name."""

    provider: str | None
    model_id: str | None
    endpoint_url: str | None
    backend: str
    params: Mapping[str, Any]
    attempts: int
    timeout: float
    max_concurrent_requests: int | None
    requests_per_minute: int | None
    tokens_per_minute: int | None
    price: Mapping[str, Any] | None


class RemoteBlock(Block):
    """A model of OpenAI, or of a server that speaks like it, which is no language model.

    model                    `openai:MODEL` or {name: ..., endpoint_url: ...}; or `provider`, `model_id`, `endpoint_url`
    backend                  "api", for configs that say it
    params                   the model's own; the input `params` goes over them
    attempts                 tries in all, within `timeout` seconds each
    max_concurrent_requests, requests_per_minute, tokens_per_minute
                             over all that use the same endpoint and key, the lowest that anyone says
    price                    {"input": ..., "output": ...}, dollars per million tokens, where no list knows it
    The key is read from OPENAI_API_KEY at each call; a server of your own needs none.
    """

    makes: ClassVar[str] = "answers"
    """What a model of this kind makes, for errors."""
    ours: ClassVar[tuple[str, ...]] = ()
    """Parameters that the request sets itself."""

    def __init__(
        self,
        model: str | Mapping[str, Any] | None = None,
        *,
        provider: str | None = None,
        model_id: str | None = None,
        endpoint_url: str | None = None,
        backend: str = "api",
        params: Mapping[str, Any] = NO_PARAMS,
        attempts: int = 3,
        timeout: float = 300.0,
        max_concurrent_requests: int | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        price: Mapping[str, Any] | None = None,
    ) -> None:
        place = place_of(self.block_type, model, provider, model_id, endpoint_url, backend)
        if place.options:
            raise ConfigError(
                f"the model of {self.block_type} has no {next(iter(place.options))!r}; there are name and endpoint_url"
            )
        if place.provider != "openai":
            raise ConfigError(
                f"no {self.makes} are made by {place.provider}:{place.model_id}",
                hint="provider: openai, with an endpoint_url for any server that speaks like it",
            )
        if not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 1:
            raise ConfigError(f"attempts of {self.block_type} is {attempts!r}; at least one is needed", hint="3")
        self.model = model if model is None or isinstance(model, str) else dict(model)
        self.provider, self.model_id, self.endpoint_url, self.backend = provider, model_id, endpoint_url, backend
        self.params, self.attempts, self.timeout = dict(params), attempts, timeout
        self.max_concurrent_requests, self.requests_per_minute = max_concurrent_requests, requests_per_minute
        self.tokens_per_minute, self.price = tokens_per_minute, None if price is None else dict(price)
        self._connection = Connection(place.provider, place.model_id, place.endpoint_url, timeout, timeout)
        self._limits = Limits(max_concurrent_requests, requests_per_minute, tokens_per_minute)
        self._price = price_of(price, self._connection.model)
        self._checked(self.params)

    def __init_subclass__(cls, **rest: Any) -> None:
        """A subclass whose `__init__` has options of its own and `**options` has all of these options too."""
        super().__init_subclass__(**rest)
        own = inspect.signature(cls.__init__).parameters.values()
        if any(p.kind is p.VAR_KEYWORD for p in own):
            ours = [p for p in list(own)[1:] if p.kind is not p.VAR_KEYWORD]
            names = {p.name for p in ours}
            shared = inspect.signature(RemoteBlock.__init__).parameters.values()
            more = [p for p in list(shared)[1:] if p.name not in names]
            both = sorted((*ours, *more), key=lambda p: p.kind)
            cls.__signature__ = inspect.Signature(both)  # type: ignore[attr-defined]

    def _checked(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._connection.check(params)
        for name in self.ours:
            if name in params:
                raise ConfigError(f"params of {self._connection.model} has {name!r}, which the request sets itself")
        return params

    def body(self, inputs: Mapping[str, Any], **asked: Any) -> dict[str, Any]:
        """The model, what is asked, the params, and over them those of the input `params`."""
        return {
            "model": self._connection.model_id,
            **asked,
            **self.params,
            **self._checked(inputs.get("params") or NO_PARAMS),
        }

    async def ask(self, call: Call, ctx: RunContext) -> Answer:
        """Ask once. In a durable run the answer is recorded before it is returned, and never asked for twice.

        BudgetError before the call when a budget is spent; ModelError, with the path, when the provider fails.
        """
        counted = False

        async def perform(key: str) -> Answer:
            nonlocal counted
            ctx.require()
            answer = await retried(lambda: self._once(call, key), attempts=self.attempts, seconds=self.timeout)
            ctx.spend(answer.usage)
            counted = True
            return answer

        def recalled(answer: Answer) -> None:
            nonlocal counted
            ctx.spend(answer.usage, recorded=True)
            counted = True

        name = self._connection.model
        ctx.emit(ModelCalled, model=name)
        try:
            answer = await ctx.effect(
                call.kind,
                lambda: detach(call.body, lambda blob: None),
                perform,
                encode=_to_json,
                decode=_from_json,
                recalled=recalled,
            )
        except ModelError as error:
            error.path = error.path or ctx.path
            ctx.emit(ModelFailed, model=name, error=error.sentence, error_type=type(error).__name__)
            raise
        usage = answer.usage
        if not counted:
            ctx.run.count(usage)
        ctx.emit(
            ModelReplied,
            model=name,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost=usage.cost,
            finish="stop",
        )
        return answer

    async def _once(self, call: Call, key: str) -> Answer:
        connection = self._connection
        endpoint = connection.endpoint("OPENAI_BASE_URL", OWN_ENDPOINT)
        own = endpoint.rstrip("/") == OWN_ENDPOINT
        secret = key_from_environment(VARIABLE, model=connection.model, required=own)
        found = await client("openai", endpoint, secret, lambda: make_sdk(endpoint, secret))
        body = {name: _as_file(value) for name, value in call.body.items()}
        async with found.place(self._limits, lambda: call.tokens) as place:
            answer = await connection.guard(
                # made anew for each try: an SDK may take the arguments apart
                lambda: call.send(place.sdk, connection.call(body, key, streaming=False, named=call.named)),
                where=endpoint,
                secret=secret,
                variable=VARIABLE,
                streaming=False,
            )
            read = call.read(answer, f"{connection.model} at {endpoint}")
            place.used(read.usage)
        usage = await priced(
            read.usage, connection.provider, [connection.model_id], own=own, price=self._price,
            counts=read.counts,
        )  # fmt: skip
        return read.replace(usage=usage)


def _to_json(answer: Answer) -> dict[str, Any]:
    return {"value": answer.value, "usage": usage_to_json(answer.usage)}


def _from_json(data: Any) -> Answer:
    try:
        return Answer(data["value"], Usage(**data["usage"]))
    except (KeyError, TypeError) as error:
        raise CorruptError(f"not the answer of a model: {error!r}") from error


_ENDINGS = {
    "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif", "audio/mpeg": "mp3",
    "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/mp4": "m4a",
    "audio/x-m4a": "m4a", "audio/webm": "webm", "audio/ogg": "ogg", "audio/opus": "ogg", "audio/flac": "flac",
    "audio/x-flac": "flac", "audio/aac": "aac",
}  # fmt: skip


def _as_file(value: Any) -> Any:
    """A Blob as the SDK takes files: servers tell the format by the ending of the name."""
    if isinstance(value, Blob):
        kind = value.media_type.partition(";")[0].strip().lower()
        return (f"file.{_ENDINGS.get(kind, kind.rpartition('/')[2] or 'bin')}", value.data, kind)
    if isinstance(value, list) and value and all(isinstance(item, Blob) for item in value):
        return [_as_file(item) for item in value]
    return value
