"""The other kinds of agents that a config can name: one that says its provider and model apart, and one by ReAct."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.abc.model import Model
from yggdrasil.agent.block import Agent
from yggdrasil.agent.react import ReAct
from yggdrasil.errors import ConfigError
from yggdrasil.runtime.providers import providers

_REACT = "react:"
_NO_OPTIONS: Mapping[str, Any] = {}


class ApiAgent(Agent[Any]):
    """An agent whose model is said in the words of `llm/api`; the rest as for `Agent`.

    provider, model_id   "openai" and "gpt-5"
    endpoint_url         where the provider's API is served, if not at the provider
    backend              "api", for configs that say it
    options              the provider's own, as `attempts` or `max_concurrent_requests`
    """

    block_type = "agent/api"

    def __init__(
        self,
        provider: str,
        model_id: str,
        *,
        endpoint_url: str | None = None,
        backend: str = "api",
        options: Mapping[str, Any] = _NO_OPTIONS,
        **agent: Any,
    ) -> None:
        if not isinstance(provider, str) or not provider or ":" in provider:
            raise ConfigError(f"provider is {provider!r}; there are {', '.join(providers())}", hint="provider: openai")
        if not isinstance(model_id, str) or not model_id:
            raise ConfigError(f"model_id is {model_id!r}", hint="model_id: gpt-5")
        if backend != "api":
            raise ConfigError(f"backend is {backend!r}, and an agent/api has only one", hint="backend: api")
        if "model" in agent:
            raise ConfigError("provider and model_id say the model already", hint="type: agent/llm takes a model")
        self.provider, self.model_id, self.endpoint_url = provider, model_id, endpoint_url
        self.options = dict(options)
        where = {} if endpoint_url is None else {"endpoint_url": endpoint_url}
        name = f"{provider}:{model_id}"
        super().__init__({"name": name, **where, **self.options} if where or self.options else name, **agent)

    @property
    def config(self) -> dict[str, Any]:
        """What rebuilds it."""
        found = {name: value for name, value in super().config.items() if name != "model"}
        said = {"endpoint_url": self.endpoint_url, "options": self.options}
        model = {"provider": self.provider, "model_id": self.model_id}
        return {**model, **{name: value for name, value in said.items() if value}, **found}


class ReactAgent(Agent[Any]):
    """An agent whose model knows no tool calls: tools are described to it, and its text is read (see `ReAct`)."""

    block_type = "agent/react"

    def __init__(self, model: str | Mapping[str, Any] | Model, **agent: Any) -> None:
        super().__init__(_wrapped(model), **agent)

    @property
    def config(self) -> dict[str, Any]:
        """What rebuilds it."""
        found = super().config
        model = found["model"]
        if isinstance(model, str):
            return {**found, "model": model.removeprefix(_REACT)}
        name = {"name": model["name"].removeprefix(_REACT)} if "name" in model else {}
        return {**found, "model": {**model, **name}}


def _wrapped(model: Any) -> Any:
    if isinstance(model, ReAct):
        return model
    if isinstance(model, str):
        return model if model.startswith(_REACT) else f"{_REACT}{model}"
    if isinstance(model, Mapping) and isinstance(model.get("name"), str):
        name = model["name"]
        return {**model, "name": name if name.startswith(_REACT) else f"{_REACT}{name}"}
    return ReAct(model)
