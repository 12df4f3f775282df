"""Which models there are: `provider:model_id` to a Model, loaded on first use; anyone may register more."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from yggdrasil.abc.model import Model
from yggdrasil.errors import ConfigError, UnknownTypeError, close_names

STOCK: dict[str, str] = {
    "anthropic": "yggdrasil.models.provided:anthropic",
    "openai": "yggdrasil.models.provided:openai",
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


def resolve(name: str | Model, **options: Any) -> Model:
    """The model called `provider:model_id`; a Model is returned as it is.

    Options are the provider's own: `endpoint_url`, `attempts`, `seconds`, `max_concurrent_requests`...
    UnknownTypeError offers close provider names; ConfigError names an option that the provider does not have.
    """
    if isinstance(name, Model):
        return name
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
    factory = _factory(provider)
    given = {key: value for key, value in options.items() if value is not None}
    allowed = [p.name for p in inspect.signature(factory).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in given:
        if option not in allowed:
            raise ConfigError(f"model {name!r} has no option {option!r}; {close_names(option, allowed)}")
    return factory(model_id, **given)
