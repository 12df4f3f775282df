"""The models that `openai:MODEL` and `anthropic:MODEL` name: with retries, as people want them."""

from __future__ import annotations

from yggdrasil.abc.model import Model
from yggdrasil.models.anthropic import AnthropicModel
from yggdrasil.models.openai import OpenAIModel
from yggdrasil.models.retry import Retrying


def openai(
    model_id: str,
    *,
    endpoint_url: str | None = None,
    attempts: int = 3,
    seconds: float = 120.0,
    timeout: float = 600.0,
    stall: float = 120.0,
    max_concurrent_requests: int | None = None,
) -> Model:
    """A model at OpenAI or a compatible `endpoint_url`, tried `attempts` times within `seconds`."""
    model = OpenAIModel(
        model_id,
        endpoint_url=endpoint_url,
        timeout=timeout,
        stall=stall,
        max_concurrent_requests=max_concurrent_requests,
    )
    return Retrying(model, attempts=attempts, seconds=seconds)


def anthropic(
    model_id: str,
    *,
    endpoint_url: str | None = None,
    attempts: int = 3,
    seconds: float = 120.0,
    timeout: float = 600.0,
    stall: float = 120.0,
    max_concurrent_requests: int | None = None,
) -> Model:
    """A model at Anthropic or a compatible `endpoint_url`, tried `attempts` times within `seconds`."""
    model = AnthropicModel(
        model_id,
        endpoint_url=endpoint_url,
        timeout=timeout,
        stall=stall,
        max_concurrent_requests=max_concurrent_requests,
    )
    return Retrying(model, attempts=attempts, seconds=seconds)
