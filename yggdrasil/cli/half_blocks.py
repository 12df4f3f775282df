"""A picture in a terminal: every letter is two pixels, the upper half-block in one colour upon another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.segment import Segment

WIDEST = 72
"""Columns at most: more would be no clearer, and slower to draw."""


class HalfBlocks:
    """A picture for rich, as wide as fits into `lines` lines of text. Drawn once for each size of the terminal."""

    def __init__(self, path: Path, lines: int = 0) -> None:
        self.path = path
        self.lines = lines
        self._drawn: tuple[tuple[int, int], list[Segment]] | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The picture as coloured letters."""
        lines = self.lines or max(min(console.height // 2, 24), 4)
        size = (max(min(options.max_width - 4, WIDEST), 8), lines)
        if self._drawn is None or self._drawn[0] != size:
            self._drawn = size, list(half_blocks(self.path, *size))
        yield from self._drawn[1]


def fits(console: Console) -> bool:
    """Whether the terminal says that it shows 24-bit colours, and has letters for half of a place."""
    return console.is_terminal and console.color_system == "truecolor" and not console.options.ascii_only


def half_blocks(path: Path, width: int, lines: int) -> Iterator[Segment]:
    """The segments of a picture at most `width` columns wide and `lines` lines high, its proportions kept."""
    from PIL import Image
    from rich.color import Color
    from rich.segment import Segment
    from rich.style import Style

    with Image.open(path) as opened:
        whole = opened.convert("RGB")
    scale = min(width / whole.width, 2 * lines / whole.height)
    columns, rows = max(round(whole.width * scale), 1), max(round(whole.height * scale / 2), 1)
    data = whole.resize((columns, 2 * rows), Image.Resampling.BOX).tobytes()
    place = 3 * columns
    for row in range(rows):
        yield Segment("  ")
        for column in range(columns):
            upper, lower = (2 * row) * place + 3 * column, (2 * row + 1) * place + 3 * column
            above = Color.from_rgb(*data[upper : upper + 3])
            below = Color.from_rgb(*data[lower : lower + 3])
            yield Segment("▀", Style(color=above, bgcolor=below))
        yield Segment.line()
