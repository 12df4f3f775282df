"""Synchronous work in a worker process: the only kind of it that can really be stopped.

The function is sent by its name and its inputs by value, so it must lie in a module that another process can import.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from yggdrasil.errors import ConfigError


def importable(function: Callable[..., Any]) -> tuple[str, str]:
    """The module and the qualified name by which another process finds `function`; ConfigError when it cannot."""
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    if not module or not name or "<" in name or module.startswith("_ygg_"):
        raise ConfigError(
            f"{name or function!r} cannot be sent to another process: it is not at the top of a module",
            hint="def it in a module that can be imported, or use blocking=True",
        )
    return module, name


async def in_process(function: Callable[..., Any], inputs: Mapping[str, Any]) -> Any:
    """Run `function(**inputs)` in a worker process, which is killed when the caller is cancelled."""
    from anyio import to_process

    module, name = importable(function)
    return await to_process.run_sync(_perform, module, name, dict(inputs), cancellable=True)


def _perform(module: str, name: str, inputs: dict[str, Any]) -> Any:
    home = sys.modules["__main__"] if module == "__main__" else importlib.import_module(module)
    found: Any = reduce(getattr, name.split("."), home)
    function = getattr(found, "function", found)  # a decorated one is a block around it
    return function(**inputs)
