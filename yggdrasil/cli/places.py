"""From what was typed to a world and its store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from yggdrasil.abc.catalog import Found, find
from yggdrasil.cli.pictures import file_name, folder_for
from yggdrasil.storage.open import is_there, open_store


@dataclass(frozen=True, slots=True)
class Place:
    """A world and where it is kept. `given` is whether the store was named on the command line."""

    found: Found
    what: str
    store: str
    given: bool
    pictures: Path


def locate(what: str, store: str | None, overlay: str | None) -> Place:
    """The world that `what` names, and its store.

    The store given, else the one its file names, else `sqlite:///<world>.db` in the current folder.
    """
    found = find(what, "world", overlay=overlay)
    url = store if store is not None else _own_store(found) or f"sqlite:///{file_name(found.name)}.db"
    if store is not None:
        open_store(store)  # looks at the words only; the file's own are looked at where it is read
    return Place(found, what, url, store is not None, folder_for(url, found.name))


def _own_store(found: Found) -> str | None:
    execution = found.config.get("execution")
    store = execution.get("store") if isinstance(execution, Mapping) else None
    return store if isinstance(store, str) and store else None


def lives(place: Place) -> bool:
    """Whether the store is there already; a store that is no file is taken to be."""
    return not place.store.startswith("memory:") and is_there(place.store)
