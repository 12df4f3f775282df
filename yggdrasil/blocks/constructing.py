"""Modules of diffusers and transformers are built one at a time in a process, and in silence.

While they build one, these libraries set torch's default dtype and replace functions of torch.nn for everybody: two
at once would leave them replaced for ever.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from yggdrasil.errors import ConfigError

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


def require_whole(info: Mapping[str, Any], name: str, module: Any) -> None:
    """ConfigError when weights were missing or misshapen, which these libraries fill up with random numbers.

    info  what their `from_pretrained` gives with `output_loading_info=True`
    """
    wrong = [f"{key} is missing" for key in sorted(info["missing_keys"])]
    wrong += [f"{key} is {tuple(there)}, not {tuple(wanted)}" for key, there, wanted in info["mismatched_keys"]]
    if wrong:
        raise ConfigError(f"the weights of {name} do not fit {type(module).__name__}: {'; '.join(wrong[:5])}")
