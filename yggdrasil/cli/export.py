"""`yggdrasil export --content`: an End World, fixed and readable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import anyio

from yggdrasil.cli.places import lives, locate
from yggdrasil.core.canonical import canonical
from yggdrasil.errors import StoreError
from yggdrasil.levels.world import World
from yggdrasil.levels.world_file import load_world
from yggdrasil.storage.files import show, to_yaml, write_text


def export_content(what: str, store: str | None, overlay: str | None, output: Path | None, as_json: bool) -> None:
    """Write the content with its history.

    As YAML an End World, which can be opened again; as JSON the content alone, in canonical form: the same bytes
    for the same content.
    """
    place = locate(what, store, overlay)
    world = load_world(what, overlay=overlay)
    if not world.ended and not lives(place):
        raise StoreError("there is no such store", path=place.store, hint=f"yggdrasil run {what}")
    found = anyio.run(_export, world, "memory://" if world.ended else place.store, as_json)
    text = canonical(found) + "\n" if as_json else to_yaml(found)
    if output is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
    else:
        write_text(output, text)
        print(f"written: {show(output)}", file=sys.stderr)


async def _export(world: World, store: str, content_alone: bool) -> dict[str, Any]:
    async with World.open(world, store=store, read_only=True) as live:
        return await live.export_content() if content_alone else await live.export(content_only=True)
