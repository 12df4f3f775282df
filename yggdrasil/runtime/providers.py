"""Which models there are: `provider:model_id` to a Model, loaded on first use; anyone may register more."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from yggdrasil.abc.model import Model
from yggdrasil.errors import ConfigError, UnknownTypeError, close_names

STOCK: dict[str, str] = {
    "anthropic": "yggdrasil.models.provided:anthropic",
    "fallback": "yggdrasil.models.fallback:fallback",
    "local": "yggdrasil.blocks.llm.model:LocalModel",
    "openai": "yggdrasil.models.provided:openai",
    "react": "yggdrasil.agent.react:react",
    "replay": "yggdrasil.models.replay:replay",
    "scripted": "yggdrasil.models.scripted:scripted",
}
"""What ships here, loaded on first use."""

_registered: dict[str, Callable[..., Model]] = {}


def register_provider(name: str, factory: Callable[..., Model]) -> None:
    """Let `name:MODEL_ID` be made by `factory(model_id, **options)`. The factory's signature names its options."""
    if name in STOCK or _registered.get(name, factory) is not factory:
        raise ConfigError(f"the model provider {name!r} is taken")
    _registered[name] = factory


def providers() -> tuple[str, ...]:
    """The registered names, sorted."""
    return tuple(sorted({*STOCK, *_registered}))


def _factory(provider: str) -> Callable[..., Model]:
    if provider not in _registered:
        module, _, attribute = STOCK[provider].partition(":")
        _registered[provider] = getattr(importlib.import_module(module), attribute)
    return _registered[provider]


def resolve(name: str | Model | Mapping[str, Any], **options: Any) -> Model:
    """The model called `provider:model_id`; a Model is returned as it is.

    A mapping says name and options in one: `{name: openai:m, endpoint_url: ...}`; so does `{fallback: [a, b]}`.

    Options are the provider's own: `endpoint_url`, `attempts`, `seconds`, `max_concurrent_requests`...
    UnknownTypeError offers close provider names; ConfigError names an option that the provider does not have.
    """
    if isinstance(name, Model):
        return name
    if isinstance(name, Mapping):
        return _of_mapping(name, options)
    if not isinstance(name, str):
        raise ConfigError(
            f"a model is a name or a Model, not {type(name).__name__}", hint='"anthropic:claude-sonnet-4-5"'
        )
    provider, colon, model_id = name.partition(":")
    if provider not in providers():
        if not colon:
            raise UnknownTypeError(
                f"model {name!r} names no provider", hint=f'"openai:{name}" or another of {", ".join(providers())}'
            )
        raise UnknownTypeError(
            f"no provider {provider!r} for model {name!r}; {close_names(provider, providers())}",
            hint=f'"openai:{model_id}" with endpoint_url="http://..." for any OpenAI-compatible server',
        )
    if not model_id:
        raise ConfigError(f"model {name!r} names no model", hint=f'"{provider}:MODEL_ID"')
    return _made(name, provider, model_id, options)


def _of_mapping(said: Mapping[str, Any], options: Mapping[str, Any]) -> Model:
    rest = {**said, **options}
    if "fallback" in rest and "name" not in rest:
        models = rest.pop("fallback")
        return _made("fallback:[...]", "fallback", models, rest)
    if "name" not in rest:
        raise ConfigError("the model mapping has no name", hint='model: {name: "openai:m", endpoint_url: ...}')
    return resolve(rest.pop("name"), **rest)


def _made(name: str, provider: str, model_id: Any, options: Mapping[str, Any]) -> Model:
    factory = _factory(provider)
    given = {key: value for key, value in options.items() if value is not None}
    parameters = inspect.signature(factory).parameters.values()
    allowed = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    handed_on = any(p.kind is p.VAR_KEYWORD for p in parameters)  # to another provider, which knows its own
    for option in given:
        if option not in allowed and not handed_on:
            raise ConfigError(f"model {name!r} has no option {option!r}; {close_names(option, allowed)}")
    return factory(model_id, **given)
