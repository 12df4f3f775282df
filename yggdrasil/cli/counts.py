"""Numbers with their nouns."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 snapshot`, `1,200 records`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
