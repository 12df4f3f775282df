"""A language model behind an API as a block: the same ports whatever the provider, and no weights."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import RunContext
from yggdrasil.abc.model import Model
from yggdrasil.core.model_ports import LANGUAGE, SEEING, given_by, request_of
from yggdrasil.core.ports import Spec
from yggdrasil.errors import ConfigError
from yggdrasil.models.places import place_of
from yggdrasil.runtime.ask import ask
from yggdrasil.runtime.providers import providers, resolve

_NO_PARAMS: Mapping[str, Any] = MappingProxyType({})


class _ModelBlock(Block):
    """What the `llm/...` and `vlm/...` blocks share: one call of one model."""

    _model: Model
    params: Mapping[str, Any]

    @property
    def spec(self) -> Spec:
        """The ports."""
        return LANGUAGE

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Ask once; PortError when there is neither a prompt nor a message."""
        return given_by(await ask(self._model, request_of(inputs, self.params, ctx.path), ctx))


def _with(options: Mapping[str, Any], said: Mapping[str, Any], block_type: str) -> dict[str, Any]:
    """All of them; ConfigError for an option that the block has under its own name."""
    for name in options:
        if name in said:
            raise ConfigError(f"options of {block_type} has {name!r}, which it takes by itself", hint=f"{name}: ...")
    return {**said, **options}


class _ProvidedBlock(_ModelBlock):
    """A model of one provider.

    params    the model's own: temperature, max_tokens, ...
    attempts  tries in all
    options   the provider's others: timeout, stall, requests_per_minute, tokens_per_minute, price, profile, ...
    """

    provider: str

    def __init__(
        self,
        model_id: str,
        *,
        endpoint_url: str | None = None,
        params: Mapping[str, Any] = _NO_PARAMS,
        attempts: int = 3,
        max_concurrent_requests: int | None = None,
        options: Mapping[str, Any] = _NO_PARAMS,
    ) -> None:
        self.model_id = model_id
        self.endpoint_url = endpoint_url
        self.params = dict(params)
        self.attempts = attempts
        self.max_concurrent_requests = max_concurrent_requests
        self.options = dict(options)
        said = {
            "endpoint_url": endpoint_url,
            "attempts": attempts,
            "max_concurrent_requests": max_concurrent_requests,
        }
        self._model = resolve(f"{self.provider}:{model_id}", **_with(options, said, self.block_type))


class OpenAIBlock(_ProvidedBlock):
    """One call of a model at OpenAI, or at any OpenAI-compatible `endpoint_url`."""

    block_type = "llm/openai"
    provider = "openai"


class AnthropicBlock(_ProvidedBlock):
    """One call of a model at Anthropic, or at a compatible `endpoint_url`."""

    block_type = "llm/anthropic"
    provider = "anthropic"


class ApiBlock(_ModelBlock):
    """One call of `model_id` at any registered `provider`: "openai", "anthropic", "scripted", ...

    model     the same in one: "openai:gpt-5", {name: ..., endpoint_url: ..., ...}, {fallback: [...]}
    backend   "api", for configs that say it
    options   the provider's own, as `attempts` or `max_concurrent_requests`
    """

    block_type = "llm/api"

    def __init__(
        self,
        provider: str | None = None,
        model_id: str | None = None,
        *,
        model: str | Mapping[str, Any] | Model | None = None,
        endpoint_url: str | None = None,
        backend: str = "api",
        params: Mapping[str, Any] = _NO_PARAMS,
        options: Mapping[str, Any] = _NO_PARAMS,
    ) -> None:
        self.provider, self.model_id, self.endpoint_url, self.backend = provider, model_id, endpoint_url, backend
        self.model = dict(model) if isinstance(model, Mapping) else model
        self.params = dict(params)
        self.options = dict(options)
        if model is not None and provider is None and model_id is None and backend == "api":
            self._model = resolve(model, **_with(options, {"endpoint_url": endpoint_url}, self.block_type))
            return
        if not isinstance(provider, str) or ":" in provider:
            raise ConfigError(f"provider is {provider!r}; there are {', '.join(providers())}", hint="provider: openai")
        place = place_of(self.block_type, None if model is None else str(model), provider, model_id, None, backend)
        said = _with(options, {"endpoint_url": endpoint_url}, self.block_type)
        self._model = resolve(f"{place.provider}:{place.model_id}", **said)


class SeeingBlock(ApiBlock):
    """The same for pictures: the input `image` is one or several, and the answer is text."""

    block_type = "vlm/api"

    @property
    def spec(self) -> Spec:
        """The ports: those of `llm/...`, and image."""
        return SEEING


class ScriptedBlock(_ModelBlock):
    """A model that needs no model: "echo" or "tools", or in Python a ScriptedModel with a script of its own."""

    block_type = "llm/scripted"

    def __init__(self, model_id: str | Model = "echo", *, params: Mapping[str, Any] = _NO_PARAMS) -> None:
        self.model_id = model_id
        self.params = dict(params)
        self._model = resolve(f"scripted:{model_id}" if isinstance(model_id, str) else model_id)
