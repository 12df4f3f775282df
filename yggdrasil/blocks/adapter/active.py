"""Adapters are an argument of the call: which ones a module computes with, this context says, and no switch in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from yggdrasil.abc.context import RunContext


@contextmanager
def adapted(modules: Callable[[], Mapping[str, Any]], ctx: RunContext) -> Iterator[None]:
    """Compute with the adapters that the run asks for at this path."""
    yield
