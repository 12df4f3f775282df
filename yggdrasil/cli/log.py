"""`yggdrasil log`: the saga so far, to be read."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import anyio

from yggdrasil.cli.places import Place, locate
from yggdrasil.cli.saga import Passage, Saga, read_saga, require
from yggdrasil.cli.streams import json_line
from yggdrasil.levels.world import World
from yggdrasil.levels.world_file import load_world
from yggdrasil.storage.files import show

WIDTH = 88
"""The widest line of prose: longer ones tire the eye."""


def print_log(
    what: str, store: str | None, overlay: str | None, since: int | None, about: str | None, as_json: bool
) -> None:
    """Print the passages told in tick `since` or later, all or those about a name."""
    place = locate(what, store, overlay)
    world = load_world(what, overlay=overlay)
    saga = anyio.run(_read, world, require(place, world.ended))
    told = saga.about(about) if about is not None else list(saga.passages)
    if since is not None:
        told = [p for p in told if p.tick is None or p.tick >= since]
    if as_json:
        for passage in told:
            print(json_line(passage.to_json(saga.world, place.pictures)))
        return
    if not told:
        print(_nothing(saga, about, since), file=sys.stderr)
    _print(told, place)


async def _read(world: World, store: str) -> Saga:
    async with World.open(world, store=store, read_only=True) as live:
        return await read_saga(live)


def _print(told: Sequence[Passage], place: Place) -> None:
    width = min(shutil.get_terminal_size().columns, WIDTH) if sys.stdout.isatty() else WIDTH
    for number, passage in enumerate(told):
        if number:
            print()
        print(heading(passage))
        for paragraph in passage.text.split("\n\n"):
            print(textwrap.fill(paragraph, width, initial_indent="  ", subsequent_indent="  "))
        for name, _ in passage.pictures:
            if (place.pictures / name).is_file():
                print(f"  [{show(Path(place.pictures / name))}]")


def heading(passage: Passage) -> str:
    """Above a passage: the tick, and the world's own time."""
    parts = [f"tick {passage.tick}" if passage.tick is not None else "", passage.day]
    return " · ".join(filter(None, parts)) or "—"


def _nothing(saga: Saga, about: str | None, since: int | None) -> str:
    if not saga.passages:
        return f"nothing is told of {saga.world} yet; the first passage comes in tick 2"
    after = f" since tick {since}" if since is not None else ""
    return f"nothing is told{f' of {about}' if about else ''}{after}; the saga has {len(saga.passages)} passages"
