"""What the checks of a store say: without a test runner, so that any may run them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from yggdrasil.abc.store import Entry, Record


class Refusal:
    """What was raised, once it was."""

    value: Any = None


@contextmanager
def refused(*kinds: type[Exception], match: str = "") -> Iterator[Refusal]:
    """What is done inside must raise one of `kinds`, in words that `match`."""
    refusal = Refusal()
    try:
        yield refusal
    except kinds as error:
        refusal.value = error
    assert refusal.value is not None, f"this was not refused with {' or '.join(kind.__name__ for kind in kinds)}"
    said = str(refusal.value)
    assert re.search(match, said), f"it was refused, but {match!r} is not in what was said: {said}"


def entries(*data: Any) -> list[Entry]:
    """Entries of one kind."""
    return [Entry("note", item) for item in data]


def plain(records: list[Record]) -> list[tuple[int, Any]]:
    """Sequences and data."""
    return [(record.sequence, record.data) for record in records]
