"""How the next token is chosen: as transformers' `generate` does, bit by bit, but with a generator of its own.

`generate(do_sample=True)` draws from torch's global generator, which all threads share. Here the same warpers are
applied to the same scores, and the draw is `torch.multinomial` with a generator that belongs to this answer alone;
what goes back to `generate` has one token left, which it takes. So runs side by side are what each is alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from transformers.generation.logits_process import (
    EpsilonLogitsWarper,
    EtaLogitsWarper,
    LogitNormalization,
    LogitsProcessor,
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from yggdrasil.blocks.llm.params import MAX_TOKENS, Params
from yggdrasil.errors import ModelReplyError, ModelRequestError

_DEFAULTS: dict[str, Any] = {"temperature": 1.0, "top_k": 50, "top_p": 1.0}
"""What `generate` takes where nobody says (transformers' `GenerationConfig`)."""

_WARPERS: tuple[tuple[str, Callable[[Any], bool], Callable[[Any, Any], LogitsProcessor]], ...] = (
    ("temperature", lambda v: v != 1.0, lambda v, device: TemperatureLogitsWarper(float(v))),
    ("top_k", lambda v: v != 0, lambda v, device: TopKLogitsWarper(v)),
    ("top_p", lambda v: v < 1.0, lambda v, device: TopPLogitsWarper(float(v))),
    ("min_p", lambda v: True, lambda v, device: MinPLogitsWarper(v)),
    ("typical_p", lambda v: v < 1.0, lambda v, device: TypicalLogitsWarper(v)),
    ("epsilon_cutoff", lambda v: 0.0 < v < 1.0, lambda v, device: EpsilonLogitsWarper(v)),
    ("eta_cutoff", lambda v: 0.0 < v < 1.0, lambda v, device: EtaLogitsWarper(v, device=device)),
    ("renormalize_logits", lambda v: v is True, lambda v, device: LogitNormalization()),
)
"""In the order in which `generate` applies them: the parameter, whether it does anything, and what does it."""


class Sampling:
    """How one answer is chosen by `module`: `config` and `processors` are for its `generate`.

    limit   how many tokens it may have
    ends    the tokens that end it
    """

    def __init__(self, module: Any, params: Params, room: int | None, ends: frozenset[int], name: str) -> None:
        own = module.generation_config
        said = {key: value for key, value in params.values().items() if key in _SAMPLED and value is not None}
        drawn = bool(said) or bool(own.do_sample)
        if params.temperature is not None:
            drawn = params.temperature > 0
        config = copy.deepcopy(own)
        chosen = {**_DEFAULTS, **{k: getattr(own, k, None) for k, _, _ in _WARPERS}}
        chosen = {k: _DEFAULTS.get(k) if v is None else v for k, v in chosen.items()}
        chosen.update(said)
        limit = params.max_tokens or own.max_new_tokens or MAX_TOKENS
        self.limit = limit if room is None else min(limit, room)
        self.ends = ends
        plain = type(own)()
        for key, _, _ in _WARPERS:
            setattr(config, key, _DEFAULTS.get(key, getattr(plain, key, None)))
        config.update(
            do_sample=False,
            num_beams=1,
            num_return_sequences=1,
            return_dict_in_generate=False,
            max_length=None,
            max_new_tokens=self.limit,
            eos_token_id=sorted(ends) or None,
            pad_token_id=min(ends) if ends and own.pad_token_id is None else own.pad_token_id,
        )
        if params.repetition_penalty is not None:
            config.repetition_penalty = float(params.repetition_penalty)
        if getattr(own, "top_h", None) is not None and drawn:
            raise ModelRequestError(f"{name} draws with top_h, which is not known here", hint="temperature: 0")
        self.config = config
        self.processors = LogitsProcessorList([Sound(name)])
        if drawn:
            for key, does, make in _WARPERS:
                value = chosen.get(key)
                if value is not None and does(value):
                    self.processors.append(make(value, module.device))
            self.processors.append(Draw(params.seed, module.device))


_SAMPLED = ("temperature", "top_k", "top_p", "min_p")


class Sound(LogitsProcessor):
    """Refuses scores that are no numbers: damaged weights, or a dtype that is too small for them."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores as they are; ModelReplyError where one is NaN."""
        if bool(torch.isnan(scores).any()):
            raise ModelReplyError(
                f"{self._name} gave scores that are no numbers: its weights are damaged, or overflow in their dtype",
                hint='dtype="float32"',
            )
        return scores


class Draw(LogitsProcessor):
    """Draws the token with a generator of its own, and leaves only that one."""

    def __init__(self, seed: int | None, device: torch.device) -> None:
        self._random = torch.Generator(device)
        if seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(seed)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Minus infinity but for the token drawn."""
        chances = torch.nn.functional.softmax(scores, dim=-1)
        token = torch.multinomial(chances, num_samples=1, generator=self._random)
        return torch.full_like(scores, float("-inf")).scatter_(1, token, 0.0)
