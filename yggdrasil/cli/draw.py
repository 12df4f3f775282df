"""`yggdrasil draw`: any level as Mermaid text, as SVG, or as PNG."""

from __future__ import annotations

import sys
from pathlib import Path

from yggdrasil.abc.catalog import Found, find
from yggdrasil.abc.runnable import Runnable
from yggdrasil.cli.streams import json_line
from yggdrasil.core.drawing import Drawing, mermaid, place
from yggdrasil.levels.draw import draw
from yggdrasil.storage.files import show, write_bytes

FORMATS = ("mermaid", "svg", "png")
"""What a drawing can be written as."""


def draw_entry(
    what: str, form: str | None, output: Path | None, depth: int, overlay: str | None, as_json: bool
) -> None:
    """Write the drawing to a file, or to standard output; the ending of the file says the format too."""
    form = form or _by_ending(output)
    found = find(what, "", overlay=overlay)
    with found.scope():
        drawing = draw(_built(found), depth)
    if as_json:
        print(json_line(_as_json(drawing)))
        return
    data = _painted(drawing, form)
    if output is not None:
        write_bytes(output, data)
        print(f"written: {show(output)}", file=sys.stderr)
        return
    if form == "png" and sys.stdout.isatty():
        output = Path(f"{found.name}.png")
        write_bytes(output, data)
        print(f"written: {output}", file=sys.stderr)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _by_ending(output: Path | None) -> str:
    ending = "" if output is None else output.suffix[1:]
    return ending if ending in FORMATS else "mermaid"


def _built(found: Found) -> Runnable:
    """What the catalogue found, ready to be looked at; nothing of it runs."""
    if found.kind == "world":
        from yggdrasil.levels.world_file import read_world

        return read_world(found)
    if found.kind == "tool":
        from yggdrasil.runtime.registry import active_registry

        return active_registry().build(f"tool/{found.name}", {})
    if found.kind == "agent" and found.file is not None and found.root is not None:
        from yggdrasil.catalog.layers import build_agent

        return build_agent(found.file, found.root)
    from yggdrasil.levels.read import Origin, read_level

    return read_level(found.config, Origin(found.file, found.root), found.kind)


def _painted(drawing: Drawing, form: str) -> bytes:
    if form == "mermaid":
        return mermaid(drawing).encode()
    from yggdrasil.cli.sheet import measure, to_png, to_svg

    sheet = place(drawing, measure)
    return to_svg(sheet).encode() if form == "svg" else to_png(sheet)


def _as_json(drawing: Drawing) -> dict[str, object]:
    boxes = [
        {
            "id": box.id,
            "title": box.title,
            "kind": box.kind,
            "note": box.note,
            "inner": None if box.inner is None else _as_json(box.inner),
        }
        for box in drawing.boxes
    ]
    arrows = [{"source": a.source, "target": a.target, "label": a.label, "kind": a.kind} for a in drawing.arrows]
    return {"name": drawing.name, "kind": drawing.kind, "boxes": boxes, "arrows": arrows}
