"""The models that `openai:MODEL` and `anthropic:MODEL` name: with retries, as people want them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from yggdrasil.abc.model import Model
from yggdrasil.models.anthropic import AnthropicModel
from yggdrasil.models.openai import OpenAIModel
from yggdrasil.models.remote import RemoteModel, RemoteOptions
from yggdrasil.models.retry import Retrying


def _provided(kind: type[RemoteModel]) -> Callable[..., Model]:
    """A factory whose options are those of `kind` and of Retrying, by name, so that each is written down once."""
    retrying = [p for p in inspect.signature(Retrying).parameters.values() if p.kind is p.KEYWORD_ONLY]
    own = [p for p in inspect.signature(kind).parameters.values() if p.kind is p.KEYWORD_ONLY]
    shared = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=None) for n in RemoteOptions.__annotations__]

    def make(model_id: str, **given: Any) -> Model:
        retries = {p.name: given.pop(p.name) for p in retrying if p.name in given}
        return Retrying(kind(model_id, **given), **retries)

    first = inspect.Parameter("model_id", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    make.__signature__ = inspect.Signature([first, *own, *shared, *retrying])  # type: ignore[attr-defined]
    make.__doc__ = kind.__doc__
    return make


openai = _provided(OpenAIModel)
anthropic = _provided(AnthropicModel)
