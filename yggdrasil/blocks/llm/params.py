"""What may be said about one answer of a local model: each parameter, and what it must be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from yggdrasil.core.value import Value
from yggdrasil.errors import ModelRequestError, close_names

MAX_TOKENS = 2048
"""How long an answer may be where neither the request nor the model's own generation config says."""


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_KNOWN: dict[str, tuple[Callable[[Any], bool], str]] = {
    "max_tokens": (lambda v: _count(v) and v >= 1, "a count, at least 1"),
    "temperature": (lambda v: _number(v) and v >= 0, "a number, 0 (always the likeliest token) or more"),
    "top_p": (lambda v: _number(v) and 0 < v <= 1, "a number above 0, at most 1"),
    "top_k": (lambda v: _count(v) and v >= 0, "a count; 0 for all tokens"),
    "min_p": (lambda v: _number(v) and 0 <= v <= 1, "a number from 0 to 1"),
    "repetition_penalty": (lambda v: _number(v) and v > 0, "a number above 0; 1 for none"),
    "seed": (lambda v: _count(v) and -(2**63) <= v < 2**64, "a whole number of 64 bits"),
    "stop": (
        lambda v: isinstance(v, list | tuple) and all(isinstance(s, str) and s for s in v),
        "a text, or several",
    ),
    "chat_template_kwargs": (lambda v: isinstance(v, Mapping), "a mapping of what the chat template takes"),
}

_NONE: Mapping[str, Any] = {}


class Params(Value):
    """How one answer is written. None: as the model's own generation config says.

    temperature           0 takes the likeliest token each time; above, tokens are drawn
    top_p, top_k, min_p   what is drawn from
    seed                  the same seed draws the same tokens as `torch.manual_seed(seed)` before `generate`
    stop                  texts at which it ends; they are not part of it
    max_tokens            how many tokens it may have; the rest of the model's context at most
    chat_template_kwargs  what else the chat template takes: {"enable_thinking": False}
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    chat_template_kwargs: Mapping[str, Any] = _NONE

    @classmethod
    def of(cls, params: Mapping[str, Any], model: str) -> Params:
        """Of a request's; ModelRequestError names one that there is not, or a value that does not fit."""
        given: dict[str, Any] = {}
        for name, value in params.items():
            if name not in _KNOWN:
                raise ModelRequestError(f"{model} has no parameter {name!r}; {close_names(str(name), _KNOWN)}")
            if value is None:
                continue
            if name == "stop" and isinstance(value, str):
                value = (value,)
            fits, wanted = _KNOWN[name]
            if not fits(value):
                raise ModelRequestError(f"{name} for {model} is {value!r}; it is {wanted}")
            given[name] = tuple(value) if name == "stop" else value
        return cls(**given)
