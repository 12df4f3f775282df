"""What the models that look have in common: a module of transformers and its image processor, out of the pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from yggdrasil.blocks.llm.holding import Holding, LoadOptions
from yggdrasil.blocks.llm.weights import Given, Weights
from yggdrasil.errors import ConfigError


class Looking(Holding):
    """A model that looks, from a ref or a pair (module, image processor)."""

    auto: ClassVar[str]
    """The class of transformers that loads the module."""

    def __init__(self, model: Given, options: LoadOptions) -> None:
        super().__init__(model, options, Weights(model, auto=self.auto, words="AutoImageProcessor", **options))

    def pixels(self, pictures: Sequence[Any], module: torch.nn.Module) -> dict[str, torch.Tensor]:
        """What the module takes: pictures resized and normalised by its processor, where the weights are."""
        found = self.weights.words(images=list(pictures), return_tensors="pt")
        return {name: placed(value, module) for name, value in found.items() if isinstance(value, torch.Tensor)}


def placed(value: torch.Tensor, module: torch.nn.Module) -> torch.Tensor:
    """A tensor on the device of the weights, and in their dtype where it holds floats."""
    weight = next(module.parameters())
    return value.to(weight.device, weight.dtype if value.is_floating_point() else None)


def label_of(module: Any, number: int) -> str:
    """What the module calls a class."""
    return str(module.config.id2label.get(number, number))


def whole(name: str, value: Any, least: int, hint: str) -> int:
    """A setting that counts; ConfigError where it does not."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name} is {value!r}", hint=hint)
    return value
