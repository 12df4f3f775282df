"""Search over content: the passages of any JSON value, or of a list of texts, that speak most of what is asked.

Scored by BM25 (Robertson and others 1994, with the usual k1 = 1.2 and b = 0.75): a word counts for more the rarer it
is, and for less the more often it is said and the longer the passage. Pure: no files, no clock, no index to keep.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from yggdrasil.core.value import Value
from yggdrasil.errors import PortError

LONGEST = 700
"""Characters of one passage, about."""
PASSAGES = 20_000
"""The most passages that are looked at."""
MOST = 50
"""The most passages of one answer."""

_DEPTH = 40
_LINE = 60
_K1, _B = 1.2, 0.75
_WORD = re.compile(r"\w+")
# Words that say nothing of what is looked for; those of other languages weigh little as it is, being everywhere.
_COMMON = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "by", "did", "do", "does", "for", "from", "had", "has", "have", "he",
    "her", "him", "his", "how", "i", "in", "is", "it", "its", "me", "my", "of", "on", "or", "our", "she", "so", "that",
    "the", "their", "them", "they", "this", "to", "was", "we", "were", "what", "when", "where", "which", "who", "why",
    "will", "with", "you", "your",
})  # fmt: skip
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f]+")


class Passage(Value):
    """A piece of the content: where it stands (`characters/ketil/story`), and its text."""

    path: str
    text: str


class Scored(Value):
    """A passage and how well it fits; scores compare within one search only."""

    passage: Passage
    score: float


def search(content: Any, query: str, most: int = 8) -> list[Scored]:
    """The passages that fit best, the best first; of equal ones the first. PortError for a query without words."""
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= MOST:
        raise PortError(f"most is {most!r}; an answer has 1 to {MOST} passages", hint="most=8")
    asked = words(query[:2000])
    wanted = set(asked) - _COMMON or set(asked)
    if not wanted:
        raise PortError("the query has no words", hint='query="who built the beacon"')
    counted: list[tuple[Passage, Counter[str], int]] = []
    holding: Counter[str] = Counter()
    total = 0
    for passage in passages(content):
        found = words(f"{passage.path} {passage.text}")
        total += len(found)
        here = Counter(word for word in found if word in wanted)
        holding.update(here.keys())
        counted.append((passage, here, len(found)))
    mean = total / len(counted) if counted else 1.0
    scored = [
        Scored(passage, _score(here, length / mean, holding, len(counted))) for passage, here, length in counted if here
    ]
    return sorted(scored, key=lambda found: -found.score)[:most]


def _score(here: Mapping[str, int], length: float, holding: Mapping[str, int], count: int) -> float:
    score = 0.0
    for word, often in here.items():
        rare = math.log(1 + (count - holding[word] + 0.5) / (holding[word] + 0.5))
        score += rare * often * (_K1 + 1) / (often + _K1 * (1 - _B + _B * length))
    return score


def words(text: str) -> list[str]:
    """The words of a text as they are compared: lower case, an English plural as its singular.

    Of writing without spaces every two characters that stand together are a word.
    """
    found: list[str] = []
    for word in _WORD.findall(text.casefold().replace("_", " ")):
        if _UNSPACED.search(word):
            for run in _UNSPACED.findall(word):
                found += [run[i : i + 2] for i in range(len(run) - 1)] or [run]
            found += _WORD.findall(_UNSPACED.sub(" ", word))
        else:
            found.append(_singular(word))
    return found


def _singular(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("ches", "shes", "xes", "sses", "zes")) else word[:-1]


def passages(content: Any) -> Iterator[Passage]:
    """The pieces of a JSON value: what is short stays whole; what is long is taken apart by its keys, text by lines.

    At most `PASSAGES`.
    """
    for count, passage in enumerate(_pieces(content, "", 0)):
        if count >= PASSAGES:
            return
        yield passage


def _pieces(value: Any, path: str, depth: int) -> Iterator[Passage]:
    if isinstance(value, str):
        yield from (Passage(path, piece) for piece in _split(value))
        return
    branches = _branches(value)
    if branches is None:
        if value is not None:
            yield Passage(path, str(value)[:LONGEST])
        return
    if depth >= _DEPTH:
        return
    # An entry of its own is one passage, when it is short; the whole and its sections are not.
    if depth > 1 and (whole := _short(value)) is not None:
        if branches:
            yield Passage(path, whole)
        return
    scalars: list[str] = []
    for name, inner in branches:
        below = f"{path}/{name}" if path else name
        small = isinstance(inner, int | float) or (isinstance(inner, str) and len(inner) <= _LINE)
        if small and depth and isinstance(value, Mapping):
            scalars.append(f"{name}: {inner}")
        else:
            yield from _pieces(inner, below, depth + 1)
    for piece in _split("\n".join(scalars)):
        yield Passage(path, piece)


def _branches(value: Any) -> list[tuple[str, Any]] | None:
    """What is inside: a list's entries by their id or their number. None for what has no inside."""
    if isinstance(value, Mapping):
        return [(str(key), inner) for key, inner in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return [(_named(inner, number), inner) for number, inner in enumerate(value)]
    return None


def _named(entry: Any, number: int) -> str:
    said = entry.get("id") if isinstance(entry, Mapping) else None
    return str(said) if isinstance(said, str | int) else str(number)


def _short(value: Any) -> str | None:
    """A value as one passage, when it is short enough."""
    lines: list[str] = []
    room = LONGEST
    open_: list[tuple[str, Any, int]] = [("", value, 0)]
    while open_:
        name, inner, depth = open_.pop()
        if inner is None:
            continue
        branches = None if isinstance(inner, str) else _branches(inner)
        if depth >= _DEPTH:
            return None
        if branches is None:
            said = inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False, default=str)
            line = f"{name}: {said}" if name else said
            room -= len(line) + 1
            if room < 0:
                return None
            lines.append(line)
        else:
            if len(branches) > LONGEST:
                return None
            # a list's numbers say nothing, its name does
            named = isinstance(inner, Mapping)
            for key, below in reversed(branches):
                open_.append(((f"{name} {key}".strip() if named else name), below, depth + 1))
    return "\n".join(lines)


def _split(text: str) -> Iterator[str]:
    """A text in passages: by empty lines, lines, sentences, and if need be anywhere."""
    piece = ""
    for part in _parts(text.strip()):
        if piece and len(piece) + len(part) > LONGEST:
            yield piece.strip()
            piece = ""
        piece += part
    if piece.strip():
        yield piece.strip()


def _parts(text: str) -> Iterator[str]:
    for part in re.split(r"(?<=\n\n)|(?<=\n)|(?<=[.!?] )", text):
        for start in range(0, len(part), LONGEST):
            yield part[start : start + LONGEST]
