"""The content of a world as tables: a section of things that are alike has a row for each and a column for each key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from yggdrasil.cli.saga import TITLES
from yggdrasil.cli.words import say

ROWS = 40
"""Rows of one table at most; what is left out is counted."""

CELL = 26
"""Letters of one cell at most; the last column has what is left of the line."""

PROSE = ("text", "description", "summary", "memories", "history", "notes")
"""Keys that are read last: long ones."""


class Table(NamedTuple):
    """A section, or a part of one: its name, its columns, and its rows of text."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(name: str, section: Any) -> Iterator[Table]:
    """The tables in a section: of the alike things it is, else of each part of it that holds such."""
    things = _things(section)
    if things is not None:
        yield _table(name, things)
    elif isinstance(section, Mapping):
        for key, part in section.items():
            alike = _things(part)
            if alike is not None:
                yield _table(f"{name}/{key}", alike)


def summary(section: Any) -> str:
    """What no table shows of a section, on one line; "" when that is nothing."""
    if _things(section) is not None:
        return ""
    if not isinstance(section, Mapping):
        return say(section)
    left = ((key, _cell(value)) for key, value in section.items() if _things(value) is None)
    return "; ".join(f"{key}: {value}" for key, value in left if value)


def _things(section: Any) -> list[tuple[str, Mapping[str, Any]]] | None:
    """(id, thing) of a section of alike things; None when it is something else."""
    if isinstance(section, Mapping):
        found = [(str(key), thing) for key, thing in section.items() if isinstance(thing, Mapping)]
    elif isinstance(section, Sequence) and not isinstance(section, str):
        found = [(str(i), thing) for i, thing in enumerate(section, 1) if isinstance(thing, Mapping)]
    else:
        return None
    if not found or len(found) < len(section):
        return None
    shared = set.intersection(*(set(thing) for _, thing in found))
    every = set.union(*(set(thing) for _, thing in found))
    return found if 2 * len(shared) >= len(every) and shared else None


def _table(name: str, things: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    keys = list(dict.fromkeys(key for _, thing in things for key in thing))
    told = [key for key in keys if any(_cell(thing.get(key)) for _, thing in things)]
    named = [key for key in TITLES if key in told]
    deep = [k for k in told if any(isinstance(thing.get(k), Mapping | list | tuple) for _, thing in things)]
    late = [*(k for k in deep if k not in PROSE), *(k for k in told if k in PROSE)]
    columns = [*named[:1], *(k for k in told if k not in named and k not in late), *late]
    rows = ((ident, *(_cell(thing.get(key)) for key in columns)) for ident, thing in things)
    return Table(name, ("", *columns), tuple(rows))


def _cell(value: Any) -> str:
    """A value in few letters: a text as it is, a list of texts joined, of other things the last one that speaks."""
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, Mapping):
        if all(not isinstance(item, Mapping | list | tuple) for item in value.values()):
            return ", ".join(f"{key} {item}" for key, item in value.items() if item is not None)
        return say(value)
    items = [_cell(item) for item in value]
    if all(isinstance(item, str | int | float) for item in value):
        return ", ".join(items)
    return say(value[-1])


def lines(table: Table, width: int) -> Iterator[str]:
    """A table as lines of at most `width` letters: as many columns as fit, never fewer than two."""
    rows = table.rows[:ROWS]
    widths = [min(max(len(row[i]) for row in (table.columns, *rows)), CELL) for i in range(len(table.columns))]
    shown, room = 0, width - 2
    while shown < len(widths) and (shown < 2 or widths[shown] <= room):
        room -= widths[shown] + 2
        shown += 1
    numbers = [all(_number(row[i]) for row in rows) for i in range(shown)]
    for row in (table.columns, *rows):
        cells = [
            cut(cell, size).rjust(size) if right else cut(cell, size).ljust(size)
            for cell, size, right in zip(row[: shown - 1], widths, numbers, strict=False)
        ]
        before = "  " + "  ".join(cells) + "  "
        last = row[shown - 1].rjust(widths[shown - 1]) if numbers[shown - 1] else row[shown - 1]
        yield cut(before + last, width).rstrip()
    hidden = [*table.columns[shown:]]
    if hidden:
        yield cut(f"  … also {', '.join(hidden)}", width)
    if len(table.rows) > ROWS:
        yield f"  … and {len(table.rows) - ROWS} more"


def cut(text: str, width: int) -> str:
    """A text on one line of at most `width` letters."""
    text = " ".join(text.split()) if "\n" in text else text
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def _number(text: str) -> bool:
    return text == "" or text.lstrip("-").replace(".", "", 1).isdigit()
