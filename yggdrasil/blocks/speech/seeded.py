"""Random numbers of a module that takes them from torch's global generator, drawn from one of its own instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_DRAWS = frozenset({torch.rand, torch.randn, torch.rand_like, torch.randn_like, torch.multinomial, torch.normal})


class Seeded(TorchFunctionMode):
    """Within it, on this thread, torch draws what it would draw after `torch.manual_seed(seed)`.

    Elsewhere nothing changes, and the global generator is not touched. Without a seed it is another one each time.
    """

    def __init__(self, seed: int | None) -> None:
        super().__init__()
        self._seed = torch.Generator().seed() if seed is None else seed
        self._generators: dict[torch.device, torch.Generator] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call it, with our generator where it draws."""
        given = dict(kwargs or {})
        if func in _DRAWS and given.get("generator") is None:
            there = next((a.device for a in args if isinstance(a, torch.Tensor)), None)
            given["generator"] = self._of(torch.device(given.get("device") or there or "cpu"))
        return func(*args, **given)

    def _of(self, device: torch.device) -> torch.Generator:
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self._seed)
        return self._generators[device]
