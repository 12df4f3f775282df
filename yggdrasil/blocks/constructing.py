"""Modules of diffusers and transformers are built one at a time in a process, and in silence.

While they build one, these libraries set torch's default dtype and replace functions of torch.nn for everybody: two
at once would leave them replaced for ever.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_gate = threading.Lock()
_LIBRARIES = ("transformers", "diffusers")


@contextmanager
def constructing() -> Iterator[None]:
    """Be the only one who builds; without bars on the terminal, which is somebody else's. Blocks."""
    with _gate:
        loggers: list[Any] = [module for name in _LIBRARIES if (module := sys.modules.get(f"{name}.utils.logging"))]
        shown = [logging for logging in loggers if logging.is_progress_bar_enabled()]
        for logging in shown:
            logging.disable_progress_bar()
        try:
            yield
        finally:
            for logging in shown:
                logging.enable_progress_bar()
