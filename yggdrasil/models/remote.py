"""A model behind an API, whichever: one call from the request to the reply, by the SDK of its provider."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

from yggdrasil.abc.model import Delta, Model
from yggdrasil.core.delivery import answered, asked
from yggdrasil.core.messages import Reply, Request
from yggdrasil.core.profile import Profile, checked
from yggdrasil.models.clients import client
from yggdrasil.models.connection import Connection, ConnectionOptions
from yggdrasil.models.price import price_of, priced
from yggdrasil.models.profiles import profile_of
from yggdrasil.models.rate import Limits, estimate
from yggdrasil.models.secrets import key_from_environment
from yggdrasil.models.stream import read_events, read_whole
from yggdrasil.models.wire import Target, WireFormat


class RemoteOptions(ConnectionOptions, total=False):
    """What a user may say about a model behind an API, whichever API it is."""

    requests_per_minute: int | None
    tokens_per_minute: int | None
    price: Mapping[str, Any] | None
    profile: Mapping[str, Any] | None


class RemoteModel(Model):
    """`model_id` at its provider or, with `endpoint_url`, at a compatible server.

    profile                  what the model can do, where the table of profiles does not know it: {"output": "tool"}
    timeout                  seconds for a whole answer
    stall                    seconds without a piece of it in a stream
    max_concurrent_requests, requests_per_minute, tokens_per_minute
                             how much may be sent by all that use the same endpoint and key; the lowest counts
    price                    dollars per million tokens, where the price list does not hold: {"input": 2, "output": 8}
    The key is read from the environment at each call; a server of your own at `endpoint_url` needs none.
    """

    provider: ClassVar[str]
    variable: ClassVar[str]
    """The environment variable that holds the key."""
    endpoint_variable: ClassVar[str]
    own_endpoint: ClassVar[str]
    cache: bool = True

    def __init__(self, model_id: str, **options: Unpack[RemoteOptions]) -> None:
        profile, price = options.pop("profile", None), options.pop("price", None)
        per_minute = options.pop("requests_per_minute", None), options.pop("tokens_per_minute", None)
        self.model_id = model_id
        self.connection = Connection(self.provider, model_id, **options)  # type: ignore[misc]  # the rest are its own
        self.limits = Limits(self.connection.max_concurrent_requests, *per_minute)
        self.price = price_of(price, self.name)
        self._given = checked(profile or {}, self.name)
        self._profiles: dict[bool, Profile] = {}

    @property
    def name(self) -> str:
        """`provider:model_id`."""
        return self.connection.model

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model_id!r}, endpoint_url={self.connection.endpoint_url!r})"

    def profile(self, own: bool) -> Profile:
        """What the model can do, at its provider or elsewhere."""
        if own not in self._profiles:
            self._profiles[own] = profile_of(self.provider, self.model_id, own=own, given=self._given)
        return self._profiles[own]

    @abstractmethod
    def wire(self, own: bool, profile: Profile) -> WireFormat:
        """The format to speak."""

    @staticmethod
    @abstractmethod
    def make_sdk(endpoint: str, secret: str) -> Any:
        """The SDK's client for one endpoint; importing the SDK takes a second."""

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        """One answer, streamed when `delta` is given. `key` goes out as the Idempotency-Key header."""
        connection = self.connection
        connection.check(request.params)
        endpoint = connection.endpoint(self.endpoint_variable, self.own_endpoint)
        own = endpoint.rstrip("/") == self.own_endpoint
        profile = self.profile(own)
        wire = self.wire(own, profile)
        said, answer = asked(request, profile)
        streaming = delta is not None
        force = "" if request.tools else answer
        target = Target(self.name, self.model_id, profile, own, streaming, force, self.cache)
        secret = key_from_environment(self.variable, model=self.name, required=own)
        found = await client(self.provider, endpoint, secret, lambda: self.make_sdk(endpoint, secret))
        # after the SDK was imported, in a thread: a format may use its schemas
        arguments = connection.call(wire.body(said, target), key, streaming=streaming, named=wire.named)

        async with found.place(self.limits, lambda: estimate(said)) as place:

            async def perform() -> tuple[Reply, Mapping[str, float]]:
                create = wire.resource(place.sdk).with_streaming_response.create
                async with create(**arguments, stream=streaming) as response:
                    if delta is None:
                        whole = await read_whole(response)
                        return wire.read(whole, self.name), wire.counts(whole)
                    parts = wire.collect(self.name, delta, answer)
                    await read_events(response, parts.add)
                    return parts.reply(), wire.counts(parts)

            reply, counts = await connection.guard(
                perform, where=endpoint, secret=secret, variable=self.variable, streaming=streaming
            )
            place.used(reply.usage)
        served = (self.model_id, reply.model) if reply.model else (self.model_id,)
        tier = request.params.get("service_tier")
        usage = await priced(reply.usage, self.provider, served, own=own, price=self.price, tier=tier, counts=counts)
        reply = reply.replace(usage=usage)
        return answered(reply, answer) if answer else reply
