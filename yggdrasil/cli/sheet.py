"""A placed drawing as SVG text, and as PNG through Pillow: the same shapes, colours and curves."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from yggdrasil.core.drawing import HEAD, LABEL, NOTE, PADDING, TITLE, ArrowKind, BoxKind, Line, Shape, Sheet
from yggdrasil.core.layout import Point

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

INK, SOFT, PAPER = "#22303c", "#64727e", "#ffffff"
FILLS: dict[BoxKind, tuple[str, str]] = {
    "block": ("#eef3f8", "#7d97b0"),
    "agent": ("#fdf0d9", "#c2913a"),
    "tool": ("#eaf4e6", "#76a065"),
    "level": ("#f3eff9", "#9079b5"),
    "input": ("#ffffff", "#9aa5ae"),
    "output": ("#ffffff", "#9aa5ae"),
    "content": ("#e5f3f2", "#4f9a94"),
}
"""Fill and edge of each kind of box."""

FRAMES = ("#fafbfd", "#f1f4f8")
"""Fills of boxes that hold others, by depth in turn."""

STROKES: dict[ArrowKind, tuple[str, tuple[int, ...]]] = {
    "edge": ("#4a5b69", ()),
    "call": ("#c2913a", (5, 4)),
    "back": ("#4f9a94", (9, 4)),
}
"""Colour and dashes of each kind of arrow."""

FONT = "'Aileron', 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"
SCALE = 2
"""Pixels of a PNG for one of the sheet, so that letters are sharp."""

STEP = 1.5
"""Pixels of the sheet between two points of a curve."""


def measure(text: str, size: float) -> float:
    """The width of a text, as Pillow's own letters have it."""
    return float(_font(64).getlength(text)) * size / 64


@cache
def _font(size: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _radius(shape: Shape) -> float:
    return shape.spot.height / 2 if shape.kind in ("input", "output") else 7.0


def _fill(shape: Shape) -> tuple[str, str]:
    fill, edge = FILLS[shape.kind]
    return (FRAMES[shape.deep % len(FRAMES)] if shape.framed else fill), edge


def _texts(shape: Shape) -> Iterator[tuple[str, float, str, float, float, str]]:
    """(text, size, colour, x, y of the middle, anchor) of what is written on a shape."""
    spot, noted = shape.spot, bool(shape.note)
    if shape.framed:
        y = spot.y + HEAD / 2 + 2
        yield shape.title, TITLE, INK, spot.x + PADDING, y, "start"
        yield shape.note, NOTE, SOFT, spot.x + PADDING + measure(shape.title, TITLE) + 10, y + 1, "start"
        return
    x, y = spot.x + spot.width / 2, spot.y + spot.height / 2
    yield shape.title, TITLE, INK, x, y - (9 if noted else 0), "middle"
    if noted:
        yield shape.note, NOTE, SOFT, x, y + 10, "middle"


def _pieces(points: Sequence[Point]) -> Iterator[tuple[Point, Point, Point, Point]]:
    """Cubic curves through the points, level where they meet."""
    upright = len(points) == 4 and points[0][0] == points[1][0]  # round a box: straight, as it is
    for (ax, ay), (bx, by) in pairwise(points):
        if upright:
            yield (ax, ay), (ax, ay), (bx, by), (bx, by)
        else:
            half = (bx - ax) / 2
            yield (ax, ay), (ax + half, ay), (bx - half, by), (bx, by)


def _head(line: Line) -> tuple[Point, Point, Point]:
    """The three corners of an arrow's head."""
    (before, _), (x, y) = line.points[-2:]
    if len(line.points) == 4 and line.points[0][0] == line.points[1][0]:
        return (x, y), (x - 4, y - 8), (x + 4, y - 8)
    way = -8.0 if x >= before else 8.0
    return (x, y), (x + way, y - 4), (x + way, y + 4)


# --- SVG


def to_svg(sheet: Sheet) -> str:
    """A self-contained SVG document."""
    size = f'width="{sheet.width:.0f}" height="{sheet.height:.0f}" viewBox="0 0 {sheet.width:.0f} {sheet.height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}">',
        f"<title>{escape(sheet.title)}</title>",
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        _svg_text(sheet.title, TITLE, INK, 20, 22, "start"),
        *(_svg_shape(shape) for shape in sheet.shapes if shape.framed),
        *(_svg_line(line) for line in sheet.lines),
        *(_svg_shape(shape) for shape in sheet.shapes if not shape.framed),
        *(_svg_label(line) for line in sheet.lines if line.label),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _svg_shape(shape: Shape) -> str:
    fill, edge = _fill(shape)
    x, y, width, height = shape.spot
    box = f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{_radius(shape):.1f}"'
    return "\n".join([f'{box} fill="{fill}" stroke="{edge}"/>', *(_svg_text(*text) for text in _texts(shape))])


def _svg_text(text: str, size: float, colour: str, x: float, y: float, anchor: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" dominant-baseline="central"'
    return f'<text {place} font-size="{size:g}" fill="{colour}">{escape(text)}</text>'


def _svg_line(line: Line) -> str:
    colour, dashes = STROKES[line.kind]
    x, y = line.points[0]
    way = f"M{x:.1f} {y:.1f}" + "".join(
        f" C{bx:.1f} {by:.1f} {cx:.1f} {cy:.1f} {dx:.1f} {dy:.1f}"
        for _, (bx, by), (cx, cy), (dx, dy) in _pieces(line.points)
    )
    dashed = f' stroke-dasharray="{" ".join(map(str, dashes))}"' if dashes else ""
    corners = " ".join(f"{px:.1f},{py:.1f}" for px, py in _head(line))
    curve = f'<path d="{way}" fill="none" stroke="{colour}" stroke-width="1.4"{dashed}/>'
    return f'{curve}<polygon points="{corners}" fill="{colour}"/>'


def _svg_label(line: Line) -> str:
    x, y = line.at
    halo = f'paint-order="stroke" stroke="{PAPER}" stroke-width="4" stroke-linejoin="round"'
    return _svg_text(line.label, LABEL, SOFT, x, y, "middle").replace("<text ", f"<text {halo} ", 1)


# --- PNG


def to_png(sheet: Sheet) -> bytes:
    """The bytes of a PNG, `SCALE` pixels for one of the sheet."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (math.ceil(sheet.width * SCALE), math.ceil(sheet.height * SCALE)), PAPER)
    pen = ImageDraw.Draw(image)
    _png_text(pen, sheet.title, TITLE, INK, 20, 22, "start")
    for shape in sorted(sheet.shapes, key=lambda shape: shape.deep):
        if shape.framed:
            _png_shape(pen, shape)
    for line in sheet.lines:
        _png_line(pen, line)
    for shape in sheet.shapes:
        if not shape.framed:
            _png_shape(pen, shape)
    for line in sheet.lines:
        if line.label:
            _png_text(pen, line.label, LABEL, SOFT, *line.at, "middle", halo=2)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _png_shape(pen: ImageDraw, shape: Shape) -> None:
    fill, edge = _fill(shape)
    x, y, width, height = shape.spot
    corners = [x * SCALE, y * SCALE, (x + width) * SCALE, (y + height) * SCALE]
    pen.rounded_rectangle(corners, _radius(shape) * SCALE, fill=fill, outline=edge, width=SCALE)
    for text in _texts(shape):
        _png_text(pen, *text)


def _png_text(
    pen: ImageDraw, text: str, size: float, colour: str, x: float, y: float, anchor: str, halo: int = 0
) -> None:
    font = _font(round(size * SCALE))
    width = float(font.getlength(text)) if anchor == "middle" else 0.0
    place = (x * SCALE - width / 2, y * SCALE)
    pen.text(place, text, colour, font=font, anchor="lm", stroke_width=halo * SCALE, stroke_fill=PAPER)


def _png_line(pen: ImageDraw, line: Line) -> None:
    colour, dashes = STROKES[line.kind]
    points = [line.points[0]]
    for piece in _pieces(line.points):
        steps = max(math.ceil(math.dist(piece[0], piece[-1]) / STEP), 4)
        points += [_on(piece, step / steps) for step in range(1, steps + 1)]
    passed = 0.0
    for a, b in pairwise(points):
        passed += math.dist(a, b)
        if not dashes or passed % sum(dashes) < dashes[0]:
            pen.line([a[0] * SCALE, a[1] * SCALE, b[0] * SCALE, b[1] * SCALE], fill=colour, width=SCALE + 1)
    pen.polygon([(x * SCALE, y * SCALE) for x, y in _head(line)], fill=colour)


def _on(piece: tuple[Point, Point, Point, Point], t: float) -> Point:
    """The point of a Bezier curve at `t` from 0 to 1."""
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    across, down = (sum(w * p[i] for w, p in zip(weights, piece, strict=True)) for i in (0, 1))
    return across, down
