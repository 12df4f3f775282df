"""Drawings of levels as data: boxes and arrows, as Mermaid text, or placed on a sheet to be painted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from yggdrasil.core.layout import Point, Spot, lay_out
from yggdrasil.core.value import Value

BoxKind = Literal["block", "agent", "tool", "level", "input", "output", "content"]
ArrowKind = Literal["edge", "call", "back"]


class Box(Value):
    """A thing: `title` is its name, `note` its type; `inner` what it is made of, where that is drawn."""

    id: str
    title: str
    kind: BoxKind = "block"
    note: str = ""
    inner: Any = None


class Arrow(Value):
    """From one box to another; a `call` is what an agent may call, `back` what comes in the next round."""

    source: str
    target: str
    label: str = ""
    kind: ArrowKind = "edge"


class Drawing(Value):
    """A level's inside. Ids are unique in it."""

    name: str
    kind: str
    boxes: tuple[Box, ...] = ()
    arrows: tuple[Arrow, ...] = ()


# --- as Mermaid

_SHAPES = {
    "block": ("[", "]"),
    "agent": ("{{", "}}"),
    "tool": ("[/", "/]"),
    "level": ("[[", "]]"),
    "input": ("([", "])"),
    "output": ("([", "])"),
    "content": ("[(", ")]"),
}
_LINES = {"edge": "-->", "call": "-.->", "back": "==>"}


def mermaid(drawing: Drawing) -> str:
    """A Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html)."""
    return "\n".join(["flowchart LR", *_mermaid(drawing, "", "  ")]) + "\n"


def _mermaid(drawing: Drawing, above: str, indent: str) -> Iterator[str]:
    for box in drawing.boxes:
        name = _identifier(above, box.id)
        if box.inner is not None:
            yield f"{indent}subgraph {name}[{_quoted(_titled(box))}]"
            yield f"{indent}  direction LR"
            yield from _mermaid(box.inner, f"{name}/", indent + "  ")
            yield f"{indent}end"
        else:
            left, right = _SHAPES[box.kind]
            yield f"{indent}{name}{left}{_quoted(_titled(box))}{right}"
    for arrow in drawing.arrows:
        source, target = _identifier(above, arrow.source), _identifier(above, arrow.target)
        label = f"|{_quoted(arrow.label)}|" if arrow.label else ""
        yield f"{indent}{source} {_LINES[arrow.kind]}{label} {target}"


def _titled(box: Box) -> str:
    return f"{box.title}\n{box.note}" if box.note and box.note != box.title else box.title


def _identifier(above: str, name: str) -> str:
    """A name that Mermaid takes for one: letters, digits and _, never one of its own words (they have no digit)."""
    plain = re.sub(r"\W", lambda found: f"_{ord(found[0]):x}_", above + name, flags=re.ASCII)
    return f"n0_{plain}" if not above else plain


def _quoted(text: str) -> str:
    escaped = text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
    return '"' + escaped.replace("\n", "<br/>") + '"'


# --- placed on a sheet

MARGIN, HEAD, PADDING = 20.0, 30.0, 14.0
TITLE, NOTE, LABEL = 14.0, 11.0, 11.0
"""Sizes of letters, in pixels."""

Measure = Callable[[str, float], float]
"""The width of a text in letters of a size."""


class Shape(NamedTuple):
    """A box on the sheet; `deep` is how many boxes it lies in, `framed` whether others lie in it."""

    spot: Spot
    kind: BoxKind
    title: str
    note: str
    deep: int
    framed: bool


class Line(NamedTuple):
    """An arrow on the sheet: the points it goes through, and the middle of its label."""

    points: tuple[Point, ...]
    kind: ArrowKind
    label: str
    at: Point


class Sheet(NamedTuple):
    """All there is to paint, the lowest first; sizes in pixels."""

    title: str
    width: float
    height: float
    shapes: tuple[Shape, ...]
    lines: tuple[Line, ...]


def place(drawing: Drawing, measure: Measure) -> Sheet:
    """Lay a drawing out, the innermost first."""
    shapes, lines, width, height = _place(drawing, measure, 0)
    title = f"{drawing.name} ({drawing.kind})"
    top = MARGIN + HEAD
    return Sheet(
        title,
        max(width, measure(title, TITLE)) + 2 * MARGIN,
        height + top + MARGIN,
        tuple(_moved(shape, MARGIN, top) for shape in shapes),
        tuple(_shifted(line, MARGIN, top) for line in lines),
    )


def _place(drawing: Drawing, measure: Measure, deep: int) -> tuple[list[Shape], list[Line], float, float]:
    inner = {box.id: _place(box.inner, measure, deep + 1) for box in drawing.boxes if box.inner is not None}
    sizes = {box.id: _size(box, inner.get(box.id), measure) for box in drawing.boxes}
    arrows = drawing.arrows
    labels = max((measure(arrow.label, LABEL) for arrow in arrows), default=0.0)
    found = lay_out(sizes, [(a.source, a.target) for a in arrows], across=max(48.0, labels + 36))
    shapes, lines = [], []
    for box in drawing.boxes:
        spot = found.spots[box.id]
        shapes.append(Shape(spot, box.kind, box.title, box.note, deep, box.id in inner))
        if box.id in inner:
            within, ways, _, _ = inner[box.id]
            x, y = spot.x + PADDING, spot.y + HEAD + PADDING / 2
            shapes += [_moved(shape, x, y) for shape in within]
            lines += [_shifted(line, x, y) for line in ways]
    lines += [Line(way, a.kind, a.label, _middle(way)) for a, way in zip(arrows, found.ways, strict=True)]
    return shapes, lines, found.width, found.height


def _size(box: Box, inner: tuple[Any, Any, float, float] | None, measure: Measure) -> tuple[float, float]:
    words = max(measure(box.title, TITLE), measure(box.note, NOTE)) + 2 * PADDING
    if inner is None:
        return max(words, 56.0), 48.0 if box.note else 34.0
    _, _, width, height = inner
    both = measure(box.title, TITLE) + measure(box.note, NOTE) + 10 + 2 * PADDING
    return max(width + 2 * PADDING, both), height + HEAD + 1.5 * PADDING


def _moved(shape: Shape, x: float, y: float) -> Shape:
    spot = shape.spot
    return shape._replace(spot=spot._replace(x=spot.x + x, y=spot.y + y))


def _shifted(line: Line, x: float, y: float) -> Line:
    points = tuple((px + x, py + y) for px, py in line.points)
    return line._replace(points=points, at=(line.at[0] + x, line.at[1] + y))


def _middle(way: Sequence[Point]) -> Point:
    """The middle of the middle piece of a way."""
    (ax, ay), (bx, by) = way[(len(way) - 1) // 2], way[(len(way) - 1) // 2 + 1]
    return (ax + bx) / 2, (ay + by) / 2
