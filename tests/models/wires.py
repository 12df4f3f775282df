"""The wire formats, by name, and a model that speaks one."""

from __future__ import annotations

from typing import Any

from yggdrasil.abc.model import Model
from yggdrasil.models.anthropic import AnthropicModel
from yggdrasil.models.openai import OpenAIModel

WIRES = ("chat", "responses", "anthropic")


def provider_of(wire: str) -> str:
    """Whose format it is."""
    return "anthropic" if wire == "anthropic" else "openai"


def build(wire: str, url: str, *, name: str = "test-model", **options: Any) -> Model:
    """A model at `url` that speaks this format."""
    if wire == "anthropic":
        return AnthropicModel(name, endpoint_url=url, **options)
    return OpenAIModel(name, endpoint_url=url, api=wire, **options)
