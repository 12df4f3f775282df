"""Who watches: the observers of the whole process, and the watches that they and a call's own hooks open for a run."""

from __future__ import annotations

import os
import warnings
from abc import abstractmethod
from collections.abc import Sequence

from yggdrasil.abc.hook import Hook, Observer, Watch
from yggdrasil.core.events import Event

_everywhere: list[Observer] = []


def watching() -> bool:
    """Whether observers are switched on for the process."""
    return bool(_everywhere)


def switch_on(observer: Observer) -> None:
    """From now on `observer` sees every run that begins in this process."""
    _everywhere.append(observer)


def switch_off(observer: Observer) -> None:
    """Runs that begin from now on are not seen by it; those under way are seen to their end."""
    _everywhere[:] = [other for other in _everywhere if other is not observer]


def opened(hooks: Sequence[Hook | Observer], *, alone: bool) -> tuple[tuple[Hook, ...], tuple[Watch, ...]]:
    """The hooks of a run, each observer's replaced by a watch of its own; and those watches, to be closed.

    A run inside another one is not `alone`: what watches the outer run hears of it already. All watches of a run
    are told the same short random id.
    """
    own = tuple(hook for hook in hooks if not isinstance(hook, Observer))
    observers = [*(_everywhere if alone else ()), *(hook for hook in hooks if isinstance(hook, Observer))]
    if not observers:
        return own, ()
    run = os.urandom(4).hex()
    watches = tuple(observer.watch(run) for observer in observers)
    return (*watches, *own), watches


class Bystander(Watch):
    """A watch that cannot fail its run: what goes wrong in telling is warned of once, and the telling ends there."""

    _failed = False

    def __call__(self, event: Event) -> None:
        """Hear an event, and warn when that fails."""
        if not self._failed:
            try:
                self.hear(event)
            except Exception as error:
                self._failed = True
                what = f"{type(self).__name__} heard nothing after {event.kind} at {event.path}"
                warnings.warn(f"{what}: {type(error).__name__}: {error}", RuntimeWarning, stacklevel=2)

    @abstractmethod
    def hear(self, event: Event) -> None:
        """Hear an event of the run."""
