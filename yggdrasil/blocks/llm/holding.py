"""What the blocks over transformers have in common: a module out of the pool, and a config that names its ref."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from typing_extensions import TypedDict

from yggdrasil.blocks.llm.weights import Given, Weights
from yggdrasil.blocks.neural import Neural
from yggdrasil.errors import ConfigError


class LoadOptions(TypedDict, total=False):
    """Which weights, in which dtype ("bfloat16"; "" as stored), and whether the instance is shared."""

    revision: str
    dtype: str
    share: bool


class Holding(Neural):
    """Subclass it with a `spec`, a `config` (see `written`) and a `compute`.

    model    a ref (safetensors only), or the pair (module, what reads for it)
    options  how it is loaded: see `LoadOptions`
    weights  what holds it. Whoever names the same ref shares one instance, loaded by the first call, on a worker thread
    """

    def __init__(self, model: Given, options: Mapping[str, Any], weights: Weights) -> None:
        self.model, self.options, self.weights = model, dict(options), weights
        self.from_ref = isinstance(model, str)

    def written(self, **own: tuple[Any, Any]) -> dict[str, Any]:
        """A config of the ref, of what differs from its default, and of the load options."""
        if not isinstance(self.model, str):
            hint = "module.save_pretrained(folder), its tokenizer or processor too, and the folder as its model"
            raise ConfigError(f"{self.label} was given a module that lies nowhere, so it cannot be saved", hint=hint)
        return {"model": self.model, **{k: v for k, (v, default) in own.items() if v != default}, **self.options}

    def modules(self, device: str | None = None) -> Mapping[str, torch.nn.Module]:
        """The module."""
        return {"module": self.weights.module(device)}

    def unload(self) -> None:
        """Give the module back to the pool."""
        self.weights.close()
