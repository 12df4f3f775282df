"""What is done about an error: whether it may pass by itself, how often it is tried again, and after how long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.core.value import Value
from yggdrasil.errors import (
    BlockError,
    ConfigError,
    LeaseError,
    ModelTransientError,
    RunTimeoutError,
    StoreFullError,
    ToolServerError,
    close_names,
)

_PASSING = (ModelTransientError, RunTimeoutError, ToolServerError, StoreFullError, LeaseError)
_HINT = "errors: {retry: 5, first: 1, longest: 300}"


def transient(error: BaseException) -> bool:
    """Whether an error may pass by itself: nobody answered, it took too long, no space, another process holds it."""
    cause = error.__cause__ if isinstance(error, BlockError) else error
    # a missing file is no weather: of what the system says only what concerns lines and time passes
    return isinstance(cause, (*_PASSING, ConnectionError, TimeoutError))


class Patience(Value):
    """How the errors of stages are met: `errors:` of a world.

    retry     attempts of a stage in all, before the world is parked, where its error may pass by itself
    first     seconds before the second attempt; twice as many before each one after it
    longest   seconds that are waited at most. A supervisor starts what is parked again after waits like these
    """

    retry: int = 1
    first: float = 1.0
    longest: float = 300.0

    @classmethod
    def from_config(cls, data: Any, path: str = "errors") -> Patience:
        """From a world's file. ConfigError for a key that is none, or a number that cannot be."""
        if not isinstance(data, Mapping):
            raise ConfigError(f"errors is {type(data).__name__}, not a mapping", path=path, hint=_HINT)
        for key, value in data.items():
            if key not in cls._fields:
                raise ConfigError(f"errors has no {key!r}; {close_names(str(key), cls._fields)}", path=path, hint=_HINT)
            kinds = int if key == "retry" else int | float
            if not isinstance(value, kinds) or isinstance(value, bool) or not 0 < value < float("inf"):
                raise ConfigError(f"{key} is {value!r}", path=path, hint=_HINT)
        return cls(**data)

    def to_config(self) -> dict[str, Any]:
        """As in a world's file."""
        usual = Patience()
        return {key: value for key, value in self.values().items() if value != getattr(usual, key)}

    def wait(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        return float(min(self.first * 2.0 ** min(max(failures - 1, 0), 60), self.longest))
