"""Bells of this process: who posts a letter rings for the stream, so that a resting world need not be looked for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import sniffio

from yggdrasil.runtime.limits import event_loop

Ring = Callable[[], None]

_bells: dict[tuple[str, str], list[tuple[Any, Ring]]] = {}
_gate = threading.Lock()


def hang(store: str, stream: str, ring: Ring) -> Callable[[], None]:
    """From now on `ring` is called in this event loop when somebody rings for the stream; what takes it down again.

    store: the store's URL. Two stores of one URL share their bells: a ring too many does no harm.
    """
    key, bell = (store, stream), (event_loop(), ring)
    with _gate:
        _bells.setdefault(key, []).append(bell)

    def take_down() -> None:
        with _gate:
            _bells[key].remove(bell)
            if not _bells[key]:
                del _bells[key]

    return take_down


def ring(store: str, stream: str) -> None:
    """Wake who listens to the stream in this process, in whichever event loop."""
    with _gate:
        bells = list(_bells.get((store, stream), ()))
    for home, bell in bells:
        if _here() is home:
            bell()
        else:
            soon = getattr(home, "call_soon_threadsafe", None) or home.run_sync_soon
            with contextlib.suppress(RuntimeError):  # that event loop has ended: nobody sleeps there
                soon(bell)


def _here() -> Any:
    try:
        sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        return None
    return event_loop()
