"""The saga of a world out of its store: what was told in each tick, and the picture it was told from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yggdrasil.cli.pictures import names
from yggdrasil.cli.places import Place, lives
from yggdrasil.cli.words import words
from yggdrasil.core.facts import Remembered, Updated
from yggdrasil.core.frozen import thaw
from yggdrasil.core.value import Value
from yggdrasil.errors import StoreError
from yggdrasil.levels.live import LiveWorld

DATES = ("date", "day", "when", "year")
"""The keys of an entry of the history that say when, the most telling first."""

TITLES = ("title", "full", "name")
"""The keys under which things of the content have their names."""


class Passage(Value):
    """What one tick told. `tick` is None in an End World; `day` is the world's own time, "" when it has none.

    artifacts   block 3 as the Author saw it (blobs by reference); the picture was made in the tick before
    entry       what the history keeps of it
    """

    tick: int | None
    day: str
    text: str
    artifacts: Any = None
    entry: Any = None

    @property
    def pictures(self) -> list[tuple[str, str]]:
        """(file name, digest) of its pictures, as they are named beside the store."""
        return list(names(max((self.tick or 0) - 1, 0), self.artifacts))

    def to_json(self, world: str, folder: Path | None = None) -> dict[str, Any]:
        """The passage as `log --json` writes it."""
        files = [folder / name for name, _ in self.pictures] if folder is not None else []
        there = [str(path) for path in files if path.is_file()]
        return {"world": world, "tick": self.tick, "day": self.day, "text": self.text, "pictures": there}


@dataclass(frozen=True, slots=True)
class Saga:
    """All that was told, oldest first, and who is who."""

    world: str
    title: str
    tick: int
    content: Mapping[str, Any]
    passages: Sequence[Passage]

    def about(self, name: str) -> list[Passage]:
        """The passages that tell of a name: in their words, or by the id that the content has for it."""
        wanted = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
        known = set(_ids(self.content, name.casefold()))
        return [p for p in self.passages if wanted.search(p.text) or known & set(_texts(p.entry))]


async def read_saga(world: LiveWorld) -> Saga:
    """The saga of a world that was opened, to be read or to live."""
    if world.definition.ended:
        told = [_passage(None, words(entry), None, entry) for entry in await world.history()]
    else:
        told = await _told(world)
    content = thaw(world.content)
    return Saga(world.label, _title(world.label, content), world.tick, content, [p for p in told if p.text])


async def _told(world: LiveWorld) -> list[Passage]:
    kinds = (Remembered.kind, Updated.kind)
    entries: dict[int, list[Any]] = {}
    states: dict[int, Mapping[str, Any]] = {}
    for record in await world.store.read(world.stream_name, kinds=kinds):
        if record.kind == Remembered.kind:
            entries.setdefault(record.data["tick"], []).append(record.data["entry"])
        else:
            states[record.data["tick"]] = record.data["state"]
    told = []
    for tick in sorted({*entries, *states}):
        state, kept = states.get(tick, {}), entries.get(tick, [])
        text = words(state.get("chronicle")) or "\n\n".join(filter(None, map(words, kept)))
        told.append(_passage(tick, text, state.get("artifacts"), kept[-1] if kept else None))
    return told


def _passage(tick: int | None, text: str, artifacts: Any, entry: Any) -> Passage:
    return Passage(tick=tick, day=_day(entry), text=text, artifacts=artifacts, entry=entry)


def _day(entry: Any) -> str:
    if isinstance(entry, Mapping):
        for key in DATES:
            found = entry.get(key)
            if isinstance(found, str) and found:
                return found
            if isinstance(found, int) and not isinstance(found, bool):
                return f"{key} {found}"
    return ""


def _title(name: str, content: Mapping[str, Any]) -> str:
    """The world's title as its content says it, else its name."""
    for section in content.values():
        if isinstance(section, Mapping) and isinstance(section.get("title"), str) and section["title"].strip():
            return str(section["title"])
    return name[:1].upper() + name[1:]


def _ids(content: Mapping[str, Any], wanted: str) -> Iterator[str]:
    """The ids of the things that have this name."""
    for section in content.values():
        for key, thing in section.items() if isinstance(section, Mapping) else ():
            called = [key, *(thing.get(k) for k in TITLES)] if isinstance(thing, Mapping) else ()
            if any(isinstance(name, str) and name.casefold() == wanted for name in called):
                yield key


def _texts(value: Any) -> Iterator[str]:
    """Every text inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def require(place: Place, ended: bool) -> str:
    """The store to read from; StoreError when the world has not lived there."""
    if ended:
        return "memory://"
    if not lives(place):
        hint = f"yggdrasil run {place.what}"
        raise StoreError(f"{place.found.name} has not lived here yet", path=place.store, hint=hint)
    return place.store
