"""Texts to vectors by an encoder that runs here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Unpack, get_args

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.llm.generation import placed
from yggdrasil.blocks.llm.holding import Holding, LoadOptions
from yggdrasil.blocks.llm.weights import Given, Weights
from yggdrasil.core.messages import Usage
from yggdrasil.core.model_ports import EMBEDDING
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError, ContextTooLongError, PortError

Pooling = Literal["mean", "cls", "last"]


def _mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weight = mask.unsqueeze(-1).to(states.dtype)
    return (states * weight).sum(1) / weight.sum(1).clamp(min=1e-9)


def _last(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    places = mask.shape[1] - 1 - mask.flip(1).argmax(1)
    return states[torch.arange(states.shape[0], device=states.device), places]


_POOLED: Mapping[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "mean": _mean,
    "cls": lambda states, mask: states[:, 0],
    "last": _last,
}
"""States [B, T, D] and mask [B, T] to vectors [B, D]."""

_SPEC = Spec(
    EMBEDDING.inputs,
    {**EMBEDDING.outputs, "embedding": port("embedding", "tensor", optional=True, doc="The same as [N, D].")},
    EMBEDDING.doc,
)


class LocalEmbedding(Holding):
    """Vectors of an encoder (AutoModel): `LocalEmbedding("hf://org/name")`.

    model       a ref, or (module, tokenizer); revision, dtype, share: as of `LocalModel`
    pooling     of the last states: "mean" of all tokens, "cls" the first one, "last" the last one
    normalised  whether each vector has length 1
    batch       how many texts are read at once
    Source of mean pooling: https://www.sbert.net (sentence-transformers, `Pooling`)
    """

    block_type = "embedding/local"

    def __init__(
        self,
        model: Given,
        *,
        pooling: Pooling = "mean",
        normalised: bool = True,
        batch: int = 32,
        **options: Unpack[LoadOptions],
    ) -> None:
        if pooling not in _POOLED:
            raise ConfigError(f"pooling of {self.block_type} is {pooling!r}", hint=" or ".join(get_args(Pooling)))
        if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
            raise ConfigError(f"batch of {self.block_type} is {batch!r}; it is at least 1", hint="batch: 32")
        super().__init__(model, options, Weights(model, auto="AutoModel", **options))
        self.pooling, self.normalised, self.batch = pooling, normalised, batch

    @property
    def spec(self) -> Spec:
        """Those of every `embedding/...` block, and the vectors as one tensor, through which gradients go."""
        return _SPEC

    @property
    def config(self) -> dict[str, Any]:
        """What rebuilds it; ConfigError for a module that was given."""
        return self.written(pooling=(self.pooling, "mean"), normalised=(self.normalised, True), batch=(self.batch, 32))

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Read all, in batches; ContextTooLongError, before any is read, for a text that is too long."""
        if inputs.get("params"):
            names = ", ".join(inputs["params"])
            raise PortError(f"{self.block_type} has no parameters of a call: {names}", path=ctx.path)
        said = inputs["prompt"]
        texts = [said] if isinstance(said, str) else list(said)
        if not texts:
            return {"vectors": [], "usage": Usage()}
        module: Any = self.weights.module(ctx.device)
        words = self.weights.words
        rows = [
            dict(words(text)) for text in texts
        ]  # one by one: padding is a setting of the tokenizer, which is shared
        limit = _limit(module, words)
        for text, row in zip(texts, rows, strict=True):
            if limit is not None and len(row["input_ids"]) > limit:
                sentence = f"{text[:30]!r}... has {len(row['input_ids'])} tokens, and {self.weights.name} reads {limit}"
                raise ContextTooLongError(sentence, path=ctx.path, hint="shorter pieces of it")
        if words.pad_token is None and len(rows) > 1 and self.batch > 1:
            raise ConfigError(f"the tokenizer of {self.weights.name} has no pad token", hint="batch: 1")
        found = [
            self._read(module, words, rows[place : place + self.batch]) for place in range(0, len(rows), self.batch)
        ]
        embedding = torch.cat(found)
        spent = Usage(sum(len(row["input_ids"]) for row in rows), requests=len(found))
        return {"vectors": embedding.detach().tolist(), "usage": spent, "embedding": embedding}

    def _read(self, module: Any, words: Any, rows: list[dict[str, Any]]) -> torch.Tensor:
        together = dict(words.pad(rows, return_tensors="pt")) if words.pad_token is not None else _alone(rows[0])
        together = placed(module, together)
        states = module(**together).last_hidden_state.float()
        vectors = _POOLED[self.pooling](states, together["attention_mask"])
        return torch.nn.functional.normalize(vectors, dim=-1) if self.normalised else vectors


def _alone(row: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {key: torch.tensor([value]) for key, value in row.items()}


def _limit(module: Any, words: Any) -> int | None:
    """How many tokens a text may have: as the tokenizer says, else as the model has places for."""
    said = [words.model_max_length, getattr(module.config, "max_position_embeddings", None)]
    return min((n for n in said if isinstance(n, int) and 0 < n < 10**9), default=None)
