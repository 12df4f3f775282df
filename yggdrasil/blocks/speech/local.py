"""What the voices and ears that run here share: a module, how it is loaded, and the parameters of a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from typing_extensions import TypedDict

from yggdrasil.blocks.llm.weights import Given, Weights
from yggdrasil.blocks.neural import Neural
from yggdrasil.errors import ConfigError, PortError, close_names


class LocalOptions(TypedDict, total=False):
    """How a model is loaded; see `LocalModel`."""

    revision: str
    dtype: str
    share: bool


class LocalSpeech(Neural):
    """Subclass it with a `spec` and a `compute`; `takes` names the parameters of a call."""

    takes: ClassVar[tuple[str, ...]]

    def __init__(
        self, model: Given, auto: str, words: str, options: Mapping[str, Any], params: Mapping[str, Any]
    ) -> None:
        self.model = model
        self.options, self.params = dict(options), dict(params)
        self.weights = Weights(model, auto=auto, words=words, **options)
        self.chosen({})

    @property
    def config(self) -> dict[str, Any]:
        """What rebuilds it; ConfigError for a module that was given."""
        if not isinstance(self.model, str):
            raise ConfigError(f"{self.label} was given a module that lies nowhere, so it cannot be saved")
        return {"model": self.model, **({"params": self.params} if self.params else {}), **self.options}

    def modules(self, device: str | None = None) -> Mapping[str, torch.nn.Module]:
        """The model's module."""
        return {"module": self.weights.module(device)}

    def unload(self) -> None:
        """Give the module back to the pool."""
        self.weights.close()

    def chosen(self, inputs: Mapping[str, Any], path: str = "") -> dict[str, Any]:
        """The parameters of a call, over those of the config; PortError names one that there is not."""
        found = {**self.params, **(inputs.get("params") or {})}
        for name in found:
            if name not in self.takes:
                raise PortError(
                    f"{self.block_type} has no parameter {name!r}; {close_names(name, self.takes)}", path=path
                )
        return {name: value for name, value in found.items() if value is not None}
