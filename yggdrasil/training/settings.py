"""What a training is asked for, checked before anything is spent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError

MOST = 10**18
PRECISIONS = ("no", "bf16", "fp16")


class Settings(Value):
    """How a training goes; see `fit` for what each means."""

    optimizer: str | Callable[..., Any] = "adamw"
    lr: float = 1e-4
    weight_decay: float | None = None
    schedule: str | Callable[[int], float] = "constant"
    warmup: int | float = 0
    epochs: int | None = None
    steps: int | None = None
    batch_size: int = 8
    accumulate: int = 1
    clip: float | None = None
    precision: str | None = None
    ema: float | None = None
    seed: int = 0
    shuffle: bool = True

    def __post_init__(self) -> None:
        for name in ("batch_size", "accumulate"):
            _require(name, getattr(self, name), int, least=1)
        for name in ("epochs", "steps"):
            _require(name, getattr(self, name), int, least=1, optional=True)
        for name in ("lr", "warmup"):
            _require(name, getattr(self, name), (int, float), least=0)
        for name in ("clip", "weight_decay"):
            _require(name, getattr(self, name), (int, float), least=0, optional=True)
        _require("seed", self.seed, int, least=0)
        if self.ema is not None and not (isinstance(self.ema, float) and 0 < self.ema < 1):
            raise ConfigError(f"ema is {self.ema!r}", hint="ema=0.999   # what is kept of the average in a step")
        for name in ("optimizer", "schedule"):
            if not isinstance(getattr(self, name), str) and not callable(getattr(self, name)):
                raise ConfigError(f"{name} is {getattr(self, name)!r}", hint=f"{name}=... a name, or a function")
        if not isinstance(self.shuffle, bool):
            raise ConfigError(f"shuffle is {self.shuffle!r}", hint="shuffle=False")
        if self.precision is not None and self.precision not in PRECISIONS:
            raise ConfigError(f"precision is {self.precision!r}", hint="one of " + ", ".join(PRECISIONS))
        if self.epochs is not None and self.steps is not None:
            raise ConfigError("epochs and steps are both given", hint="one of them")

    def total(self, in_an_epoch: int | None) -> int:
        """How many steps in all."""
        if self.steps is not None:
            return self.steps
        if in_an_epoch is None:
            raise ConfigError("the data are endless, and nothing says how many steps", hint="steps=1000")
        return (self.epochs or 1) * in_an_epoch

    def warming(self, total: int) -> int:
        """How many steps the learning rate rises for."""
        return min(int(self.warmup if self.warmup >= 1 else self.warmup * total), total)

    def changed(self) -> dict[str, Any]:
        """What differs from the defaults."""
        return {name: value for name, value in self.values().items() if value != type(self)._defaults[name]}


def _require(name: str, value: Any, kind: Any, *, least: float, optional: bool = False) -> None:
    if optional and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= MOST:
        raise ConfigError(f"{name} is {value!r}", hint=f"{name}=... at least {least:g}")
