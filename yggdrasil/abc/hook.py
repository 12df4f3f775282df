"""A hook is told of every event of a run, as it happens."""

from __future__ import annotations

from collections.abc import Callable

from yggdrasil.core.events import Event

Hook = Callable[[Event], None]
"""Called in the event loop with each event: return at once. What it raises fails the run."""
