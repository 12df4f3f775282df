"""`yggdrasil ps`: where the worlds of a store stand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import anyio

from yggdrasil.cli.plain import line
from yggdrasil.cli.show import print_rows
from yggdrasil.cli.streams import json_line
from yggdrasil.errors import FormatError, StoreError
from yggdrasil.levels.standing import Standing, standings
from yggdrasil.storage.open import is_there, open_store


def print_worlds(store: str | None, as_json: bool) -> None:
    """A line for each world."""
    if store is not None and not is_there(store):
        raise StoreError(f"there is no store {open_store(store).url}", hint="--store sqlite:///worlds.db")
    here = [f"sqlite:///{path}" for path in sorted(Path().glob("*.db"))]
    found = anyio.run(_look, here if store is None else [store], store is not None)
    if as_json:
        for url, each in found:
            print(json_line({"store": url, **each.values()}))
        return
    if not found:
        print("no worlds live here")
        return
    rows = [
        (
            each.name,
            str(each.tick),
            each.state,
            "-" if each.ticked is None else datetime.fromtimestamp(each.ticked).strftime("%Y-%m-%d %H:%M:%S"),
            each.holder or "-",
            line("; ".join(filter(None, (each.why, f"{each.letters} letters wait" if each.letters else ""))), 200),
        )
        for _, each in found
    ]
    print_rows([("WORLD", "TICK", "STATE", "LAST TICK", "HOLDER", "WHY"), *rows])


async def _look(stores: list[str], named: bool) -> list[tuple[str, Standing]]:
    found: list[tuple[str, Standing]] = []
    for url in stores:
        place = open_store(url)
        try:
            async with place:
                found += [(place.url, each) for each in await standings(place)]
        except FormatError:
            if named:
                raise  # a database of somebody else's in this folder is none of ours
    return found
