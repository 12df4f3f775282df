"""Small words: names in a row, pronouns, numbers, a span of days."""

from __future__ import annotations

import re
from collections.abc import Sequence

PRONOUNS = {
    "f": {"he": "she", "his": "her", "him": "her", "himself": "herself"},
    "m": {"he": "he", "his": "his", "him": "him", "himself": "himself"},
}
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def row(names: Sequence[str]) -> str:
    """Names in a row: "Ulf", "Ulf and Thyra", "Ulf, Thyra and Halla"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""


def number(value: int) -> str:
    """A small number in words."""
    return NUMBERS[value] if 0 <= value < len(NUMBERS) else str(value)


def in_words(text: str) -> str:
    """The text with its small numbers in words."""
    return re.sub(r"\b\d{1,2}\b", lambda found: number(int(found[0])), text)


def capital(text: str) -> str:
    """The first letter large, the rest as it was."""
    return text[:1].upper() + text[1:]


def starts(text: str) -> str:
    """The text with every sentence begun by a large letter."""
    return capital(re.sub(r"([.!?] )([a-z])", lambda found: found[1] + found[2].upper(), text))


def since(days: int) -> str:
    """A span of days as people say it."""
    if days < 20:
        return f"{number(days)} days"
    if days < 60:
        return "some weeks"
    if days < 300:
        return f"{number(days // 30)} months"
    return "a year" if days < 540 else f"{number(round(days / 360))} years"


def sentences(text: str) -> int:
    """How many sentences, counted by their ends."""
    ends = text.replace('"', "")
    return sum(ends.count(mark) for mark in (". ", "! ", "? ")) + (1 if ends else 0)
