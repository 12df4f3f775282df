"""Which remembered passages matter now: words to look for, and a score. Pure.

The score is that of Generative Agents (Park, O'Brien, Cai, Morris, Liang, Bernstein: "Generative Agents: Interactive
Simulacra of Human Behavior", UIST 2023, section 4.1): a weighted sum of recency, importance and relevance, each
between 0 and 1. Differences: recency counts from when a passage was last added, not last read, so that reading
changes nothing; the parts have a scale of their own instead of being stretched over the candidates, so that one
passage alone has a score too; and the sum is divided by the weights, so that it lies between 0 and 1.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from yggdrasil.core.canonical import digest
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, CorruptError

HALF_LIFE = 138 * 3600.0
"""Seconds in which recency halves: 0.995 an hour, as in the paper."""

_RUN = re.compile(r"[^\W_]+")
# written without spaces between words: Thai to Burmese, Khmer, kana, Han
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_MOST_WORDS = 24

# so common that finding them says nothing; only asked for when nothing else is
_ENGLISH = """a about all am an and any are as at be been but by can could did do does for from had has have he her him
    his how i if in is it its me my no not of on or our she so some than that the their them then there they this to up
    us was we were what when where which who why will with would you your"""
_RUSSIAN = """а без бы был была были было быть в вам вас весь во вот все вы где да даже для до его ее если есть еще же
    за и из или им их к как какая какие какой когда кто ли мне мой моя мы на над не нет ни но ну о об он она они оно от
    по под при с со так там то того тоже только ты у уже чем что чтобы это этот я"""  # noqa: RUF001


class Passage(Value):
    """Something remembered for long.

    id           from its text: the same text is the same passage
    importance   0 to 1
    time         when it was last added, seconds since the epoch
    score        how much it matters to what was searched for, 0 to 1; 0 when nothing was
    """

    id: str
    text: str
    importance: float
    time: float
    tags: tuple[str, ...] = ()
    score: float = 0.0


class Weights(Value):
    """How much each part of the score counts; the paper weighs all alike."""

    recency: float = 1.0
    importance: float = 1.0
    relevance: float = 1.0

    def __post_init__(self) -> None:
        for name, value in self.values().items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise ConfigError(f"the weight {name} is {value!r}", hint=f"Weights({name}=1.0)")
        if not any(self.values().values()):
            raise ConfigError("all weights are 0", hint="Weights(relevance=1.0)")


EVEN = Weights()


def passage_id(text: str) -> str:
    """What a passage with this text is called: 16 hexadecimal digits."""
    return digest(text)[:16]


def recency(age: float, half_life: float = HALF_LIFE) -> float:
    """1 for now, half after `half_life` seconds, and so on; the future counts as now."""
    return float(0.5 ** (max(0.0, age) / half_life))


def score(*, recency: float, importance: float, relevance: float, weights: Weights = EVEN) -> float:
    """(a recency + b importance + c relevance) / (a + b + c); all between 0 and 1."""
    # as shares of the largest: products of the tiniest floats would be rounded to anything
    most = max(weights.recency, weights.importance, weights.relevance)
    a, b, c = weights.recency / most, weights.importance / most, weights.relevance / most
    return (a * recency + b * importance + c * relevance) / (a + b + c)


def best(
    found: Iterable[tuple[Passage, float]],
    *,
    now: float,
    limit: int,
    half_life: float = HALF_LIFE,
    weights: Weights = EVEN,
) -> list[Passage]:
    """The `limit` passages of the highest score, best first, from passages with their relevance."""
    scored = [
        p.replace(
            score=score(
                recency=recency(now - p.time, half_life),
                importance=p.importance,
                relevance=min(1.0, max(0.0, relevance)),
                weights=weights,
            )
        )
        for p, relevance in found
    ]
    return sorted(scored, key=lambda p: (-p.score, -p.time, p.id))[: max(0, limit)]


def words(text: str) -> list[str]:
    """The words of a text as they are indexed: letters and digits, without case and accents.

    Scripts that set no spaces between words are cut into pairs of characters.
    """
    folded = unicodedata.normalize("NFKD", text).casefold()  # some letters show their case only when taken apart
    plain = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    found: list[str] = []
    for run in _RUN.findall(unicodedata.normalize("NFC", plain)):
        end = 0
        for match in _UNSPACED.finditer(run):
            if match.start() > end:
                found.append(run[end : match.start()])
            found += _pairs(match.group())
            end = match.end()
        if end < len(run):
            found.append(run[end:])
    return found


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


_COMMON = frozenset(words(f"{_ENGLISH} {_RUSSIAN}"))


def asked(text: str) -> list[tuple[str, bool]]:
    """What to look for when `text` is asked: words, and beginnings of words (True), which forgive other endings.

    At most two dozen words, the longest; very common ones only when there are no others.
    """
    said = dict.fromkeys(words(text))
    telling = [w for w in said if w not in _COMMON and (len(w) > 1 or not w.isascii() or w.isdigit())] or list(said)
    found: list[tuple[str, bool]] = []
    for word in sorted(telling, key=len, reverse=True)[:_MOST_WORDS]:
        found.append((word, len(word) == 1 and not word.isascii()))
        if len(word) >= 5 and not word.isdecimal():
            found.append((word[: -2 if len(word) > 5 else -1], True))
    return found


def passage_to_json(passage: Passage) -> dict[str, Any]:
    """A passage as JSON."""
    return {**passage.values(), "tags": list(passage.tags)}


def passage_from_json(data: Mapping[str, Any]) -> Passage:
    """The reverse of `passage_to_json`; CorruptError when it is none."""
    try:
        return Passage(**{**data, "tags": tuple(data["tags"])})
    except (KeyError, TypeError) as error:
        raise CorruptError(f"not a passage: {error!r}") from error
