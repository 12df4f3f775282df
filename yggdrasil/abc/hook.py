"""A hook is told of every event of a run, as it happens. An observer makes a hook for each run that it sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from yggdrasil.core.events import Event

Hook = Callable[[Event], None]
"""Called in the event loop with each event: return at once. What it raises fails the run."""


class Watch(ABC):
    """The hook of an observer, for one run. A watch without `tokens` is no reason to stream what models say."""

    tokens = False

    @abstractmethod
    def __call__(self, event: Event) -> None:
        """Hear an event of the run."""

    @abstractmethod
    def close(self, error: BaseException, time: float) -> None:
        """The run ended with `error`, which may be a cancellation that no event told of, at `time`."""


class Observer(ABC):
    """May be given among the `hooks` of a run: traces, logs."""

    @abstractmethod
    def watch(self, run: str) -> Watch:
        """The hook for the run of this id; called where the run begins, before its first event."""
