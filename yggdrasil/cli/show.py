"""`yggdrasil list` and `yggdrasil show`."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yggdrasil.cli.places import Place, lives, locate
from yggdrasil.cli.streams import json_line
from yggdrasil.cli.tables import cut, lines, summary, tables
from yggdrasil.cli.words import say, words
from yggdrasil.core.content import HISTORY
from yggdrasil.errors import StoreError


def print_list(as_json: bool) -> None:
    """Every entry of the catalogue, one a line."""
    from yggdrasil.catalog.catalog import StandardCatalog

    entries = StandardCatalog().entries()
    if as_json:
        for entry in entries:
            about = {"kind": entry.kind, "name": entry.name, "origin": entry.origin, "description": entry.description}
            print(json_line(about))
        return
    rows = [(e.kind, e.name, e.origin, e.description) for e in entries]
    print_rows([("KIND", "NAME", "FROM", "WHAT IT IS"), *rows])


def print_rows(rows: list[tuple[str, ...]]) -> None:
    """Columns, wide enough for what stands in them; the last one is cut at the edge of a terminal."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    room = 0
    if sys.stdout.isatty():
        room = max(shutil.get_terminal_size().columns - sum(widths) - 2 * len(widths), 20)
    for *first, last in rows:
        cut = last[: room - 1] + "…" if room and len(last) > room else last
        print("  ".join([*(cell.ljust(width) for cell, width in zip(first, widths, strict=True)), cut]).rstrip())


def print_entry(what: str, store: str | None, overlay: str | None, as_json: bool) -> None:
    """What an entry is; for a world also where it stands in its store."""
    from yggdrasil.abc.catalog import find

    found = find(what, "", overlay=overlay)
    if found.kind == "world":
        import anyio

        anyio.run(_show_world, locate(what, store, overlay), overlay, as_json)
        return
    about = {"kind": found.kind, "name": found.name, "origin": found.origin, **found.config}
    if as_json:
        print(json_line(about))
        return
    from yggdrasil.storage.files import to_yaml

    print(to_yaml(about), end="")


async def _show_world(place: Place, overlay: str | None, as_json: bool) -> None:
    from yggdrasil.levels.world import World

    if place.given and not lives(place):
        raise StoreError("there is no such store", path=place.store, hint=f"yggdrasil run {place.what}")
    # A world that has not lived yet is shown as it will begin, and nothing is written for it.
    store = place.store if lives(place) else "memory://"
    fresh = store != place.store
    async with World.open(place.what, store=store, overlay=overlay, read_only=not fresh) as world:
        facts = {
            "kind": "world",
            "name": place.found.name,
            "origin": place.found.origin,
            "store": place.store,
            "tick": world.tick,
            "content_hash": world.content_hash,
            "tick_hash": world.tick_hash,
            "history": world.content[HISTORY]["length"],
            "sections": {name: len(s) for name, s in world.content.items() if name != HISTORY and _counts(s)},
            "picture": None if (found := last_picture(place.pictures)) is None else str(found),
        }
        ended = world.definition.ended
        state, content = world.state, world.content
    if as_json:
        print(json_line(facts))
        return
    print_rows([(key, str(value)) for key, value in facts.items() if key not in ("sections", "picture")])
    if ended:
        print("\nan End World: it can be read and linked to, never written")
    elif fresh:
        print(f"\nit has not lived here yet; let it: yggdrasil run {place.what}")
    _print_sections(content)
    _print_state(state)
    picture = last_picture(place.pictures)
    if picture is not None:
        print(f"\nlast picture: {picture}")


def _print_sections(content: Mapping[str, Any]) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
    sections = {name: section for name, section in content.items() if name != HISTORY}
    short = {name: text for name, section in sections.items() if (text := summary(section))}
    widest = max(map(len, short), default=0)
    print()
    for name, text in short.items():
        print(cut(f"{name.ljust(widest)}  {text}", width))
    for name, section in sections.items():
        for table in tables(name, section):
            print(f"\n{table.name} ({len(table.rows)})")
            for line in lines(table, width):
                print(line)


def _counts(section: Any) -> bool:
    return isinstance(section, Mapping | list | tuple)


def last_picture(folder: Path) -> Path | None:
    """The first picture of the last tick that has one."""
    ticks = [path for path in folder.glob("tick-*.*") if re.fullmatch(r"tick-\d+", path.stem)]
    return max(ticks, key=lambda path: int(path.stem[5:]), default=None)


def _print_state(state: Mapping[str, Any] | None) -> None:
    for block, value in (state or {}).items():
        if words(value):  # what is meant for machines alone is in the export
            print(f"\n{block}:\n  {say(value, 600)}")
