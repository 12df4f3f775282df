"""What the models that look have in common: a module of transformers and its image processor, out of the pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

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


class Looking(Neural):
    """A model that looks, from a ref (safetensors only) or a pair (module, image processor).

    Whoever names the same ref shares one instance. It is loaded by the first call, on a worker thread.
    """

    auto: ClassVar[str]
    """The class of transformers that loads the module."""

    def __init__(self, model: Given, options: LoadOptions) -> None:
        self.model, self.options = model, dict(options)
        self.from_ref = isinstance(model, str)
        self.weights = Weights(model, auto=self.auto, words="AutoImageProcessor", **options)

    def written(self, **own: tuple[Any, Any]) -> dict[str, Any]:
        """A config of the ref, of what differs from its default, and of the load options."""
        if not isinstance(self.model, str):
            hint = "module.save_pretrained(folder), processor.save_pretrained(folder), and the folder as its model"
            raise ConfigError(f"{self.label} was given a module that lies nowhere, so it cannot be saved", hint=hint)
        return {"model": self.model, **{k: v for k, (v, default) in own.items() if v != default}, **self.options}

    def modules(self, device: str | None = None) -> Mapping[str, torch.nn.Module]:
        """The module."""
        return {"module": self.weights.module(device)}

    def unload(self) -> None:
        """Give the module back to the pool."""
        self.weights.close()

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
