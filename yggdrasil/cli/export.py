"""`yggdrasil export --content`: an End World, fixed and readable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import anyio

from yggdrasil.cli.places import Place, lives, locate
from yggdrasil.core.canonical import canonical
from yggdrasil.errors import StoreError
from yggdrasil.levels.world import World
from yggdrasil.storage.files import show, to_yaml, write_text


def export_content(what: str, store: str | None, overlay: str | None, output: Path | None, as_json: bool) -> None:
    """Write the content with its history: YAML for people, canonical JSON (the same bytes for the same content)."""
    place = locate(what, store, overlay)
    if not lives(place):
        raise StoreError("there is no such store", path=place.store, hint=f"yggdrasil run {what}")
    content = anyio.run(_content, place, overlay)
    text = canonical(content) + "\n" if as_json else to_yaml(content)
    if output is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
    else:
        write_text(output, text)
        print(f"written: {show(output)}", file=sys.stderr)


async def _content(place: Place, overlay: str | None) -> dict[str, Any]:
    async with World.open(place.what, store=place.store, overlay=overlay, read_only=True) as world:
        return await world.export_content()
