"""Where names come from: `World.open("midgard")` asks the catalogue, which lies on a higher floor and is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from yggdrasil.core.value import Value

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path


class Found(Value):
    """What a name, a path or a config given inline means.

    kind     "world", "agent", "tool", "graph", ...
    config   the file's mapping, an overlay laid over it, secrets refused; its `ref:`s are not followed yet
    file     where it was read: what `ref:` is relative to (`storage.files.resolve_ref`); None when given inline
    root     what no `ref:` may leave; None when given inline
    scope    `with found.scope():` its type names are known: those of its project, and a world's own `blocks/`
    origin   "project", "plugin", "stock", "file" or "inline"
    """

    kind: str
    name: str
    config: Mapping[str, Any]
    file: Path | None
    root: Path | None
    scope: Callable[[], AbstractContextManager[Any]]
    origin: str = "inline"


class Catalog(Protocol):
    """Resolves names: the project one stands in, then installed plugins, then what ships here."""

    def find(self, what: str | Path | Mapping[str, Any], kind: str, *, overlay: str | None = None) -> Found:
        """What `what` means. UnknownTypeError with close names, or ConfigError."""
        ...


_catalog: list[Catalog] = []


def install_catalog(catalog: Catalog) -> None:
    """Set the catalogue that levels ask; `yggdrasil` does it once, when it is imported."""
    _catalog[:] = [catalog]


def find(what: str | Path | Mapping[str, Any], kind: str, *, overlay: str | None = None) -> Found:
    """Ask the catalogue: `find("midgard", "world", overlay="text")`."""
    return _catalog[0].find(what, kind, overlay=overlay)
