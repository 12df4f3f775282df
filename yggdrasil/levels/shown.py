"""The content as stages are shown it: a copy, so that nothing they do to it is done to the world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.core.content import HISTORY, Content
from yggdrasil.core.frozen import FrozenDict, shown


class ShownContent:
    """Copies of sections, each made anew only when the section has changed: a tick costs what it touched."""

    def __init__(self) -> None:
        self._copies: dict[str, tuple[Any, Any]] = {}
        self._last: tuple[Content, Mapping[str, Any]] | None = None

    def view(self, content: Content) -> Mapping[str, Any]:
        """Every section, and `history` = {head, length, recent}."""
        if self._last is None or self._last[0] is not content:
            known = self._copies
            self._copies = {
                name: known[name] if name in known and known[name][0] is section else (section, shown(section))
                for name, section in content.sections.items()
            }
            sections = {name: copy for name, (_, copy) in self._copies.items()}
            self._last = content, FrozenDict({**sections, HISTORY: shown(content.history)})
        return self._last[1]

    def forget(self) -> None:
        """Hold nothing: the world rests."""
        self._copies.clear()
        self._last = None
