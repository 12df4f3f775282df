"""The moving average of weights (EMA), which often paints better than the weights themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Average:
    """`average = d * average + (1 - d) * weights` after each step, with d = min(decay, (1 + step) / (10 + step)).

    The formula is that of diffusers.training_utils.EMAModel, which took it from TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, parameters: Mapping[str, Any], decay: float) -> None:
        self.decay = decay
        self._parameters = parameters
        self.values = {name: p.detach().clone() for name, p in parameters.items()}

    def update(self, step: int) -> None:
        """Take in the weights after step `step` (from 1)."""
        import torch

        rate = min(self.decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                self.values[name].lerp_(parameter.detach().to(self.values[name].dtype), 1 - rate)

    def copy_to_weights(self) -> None:
        """Make the weights the average, for good."""
        import torch

        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.copy_(self.values[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Compute with the average meanwhile: `with fitted.average.in_place(): await graph.run(...)`."""
        import torch

        kept = {name: p.detach().clone() for name, p in self._parameters.items()}
        self.copy_to_weights()
        try:
            yield
        finally:
            with torch.no_grad():
                for name, parameter in self._parameters.items():
                    parameter.copy_(kept[name])
