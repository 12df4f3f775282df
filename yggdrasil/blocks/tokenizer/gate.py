"""One at a time with a tokenizer: padding and truncation are settings of it, not arguments of a call."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

_locks: weakref.WeakKeyDictionary[Any, threading.RLock] = weakref.WeakKeyDictionary()
_gate = threading.Lock()


@contextmanager
def alone_with(*tokenizers: Any) -> Iterator[None]:
    """Be the only one who calls these tokenizers (None stands for none); whoever shares them waits."""
    there = {id(t): t for t in tokenizers if t is not None}
    with _gate:
        locks = [_locks.setdefault(there[key], threading.RLock()) for key in sorted(there)]
    with ExitStack() as held:
        for lock in locks:  # in one order for all, so that nobody waits for each other
            held.enter_context(lock)
        yield
