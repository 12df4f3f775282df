"""What one append asks of a ledger, whatever the ledger writes into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from yggdrasil.abc.store import Lease
from yggdrasil.storage.record_text import to_text


@dataclass(slots=True)
class Row:
    """An entry, already text; `data` is its UTF-8."""

    kind: str
    text: str
    data: bytes

    @classmethod
    def of(cls, kind: str, data: Any, stream: str, what: str) -> Row:
        """The row of a value; PortError names the place of what is not JSON."""
        text = to_text(data, "stream", stream, what)
        return cls(kind, text, text.encode())


class Appends(Protocol):
    """A ledger, as far as an append knows it."""

    def append(self, asked: Append) -> int:
        """Do it; the new head."""
        ...


@dataclass(slots=True)
class Append:
    """What one append asks for, to be called with the ledger."""

    stream: str
    rows: Sequence[Row]
    moment: float
    expect: int | None
    lease: Lease | None
    snapshot: Row | None
    taken: Sequence[int]

    def __call__(self, ledger: Appends) -> int:
        """Do it; the new head."""
        return ledger.append(self)
