"""Which model a block behind an API names, in the forms that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError


class Place(Value):
    """Which model, and where. `options` are what a mapping said besides."""

    provider: str
    model_id: str
    endpoint_url: str | None
    options: Mapping[str, Any]


def place_of(
    what: str,
    model: str | Mapping[str, Any] | None,
    provider: str | None,
    model_id: str | None,
    endpoint_url: str | None,
    backend: str,
) -> Place:
    """The model that a block's config names, in either of its forms; ConfigError when it names none, or two.

    `model` is "openai:gpt-image-1" or {name: ..., endpoint_url: ...}; or `provider`, `model_id`, `endpoint_url?`.
    """
    hint = f"{{type: {what}, provider: openai, model_id: MODEL}} or {{type: {what}, model: openai:MODEL}}"
    if backend != "api":
        raise ConfigError(f"{what} asks an API; its backend cannot be {backend!r}", hint="backend: api")
    if model is None:
        if not isinstance(provider, str) or not provider or ":" in provider or not isinstance(model_id, str):
            raise ConfigError(f"{what} names no model: provider is {provider!r}, model_id {model_id!r}", hint=hint)
        if not model_id:
            raise ConfigError(f"{what} names no model of {provider}", hint=hint)
        return Place(provider, model_id, endpoint_url, {})
    if provider is not None or model_id is not None:
        raise ConfigError(f"{what} names its model twice: model is {model!r}, and there are others", hint=hint)
    options = {"name": model} if isinstance(model, str) else dict(model) if isinstance(model, Mapping) else {}
    name, endpoint = options.pop("name", None), options.pop("endpoint_url", None)
    first, _, second = name.partition(":") if isinstance(name, str) else ("", "", "")
    if not first or not second:
        raise ConfigError(f"the model of {what} is {name!r}, which names no provider and model", hint=hint)
    return Place(first, second, endpoint or endpoint_url, options)
