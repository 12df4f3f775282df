"""What the voices and ears that run here share: a module, how it is loaded, and the parameters of a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from yggdrasil.blocks.llm.holding import Holding
from yggdrasil.blocks.llm.weights import Given, Weights
from yggdrasil.errors import PortError, close_names


class LocalSpeech(Holding):
    """Subclass it with a `spec` and a `compute`; `takes` names the parameters of a call."""

    takes: ClassVar[tuple[str, ...]]

    def __init__(
        self, model: Given, auto: str, words: str, options: Mapping[str, Any], params: Mapping[str, Any]
    ) -> None:
        super().__init__(model, options, Weights(model, auto=auto, words=words, **options))
        self.params = dict(params)
        self.chosen({})

    @property
    def config(self) -> dict[str, Any]:
        """What rebuilds it; ConfigError for a module that was given."""
        return self.written(params=(self.params, {}))

    def chosen(self, inputs: Mapping[str, Any], path: str = "") -> dict[str, Any]:
        """The parameters of a call, over those of the config; PortError names one that there is not."""
        found = {**self.params, **(inputs.get("params") or {})}
        for name in found:
            if name not in self.takes:
                raise PortError(
                    f"{self.block_type} has no parameter {name!r}; {close_names(name, self.takes)}", path=path
                )
        return {name: value for name, value in found.items() if value is not None}
