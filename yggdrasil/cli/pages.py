"""The pages of a book as HTML: one to read on a screen, one to print. No scripts, and nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

_BASE = """
:root { --ink: #23201b; --soft: #8a7f70; --line: #d8cfbf; --paper: #fbf8f1; --mark: #8c3b26; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); hyphens: auto; text-rendering: optimizeLegibility;
  font: 1.16rem/1.62 "Iowan Old Style", "Palatino Linotype", Palatino, "URW Palladio L", "Book Antiqua", Georgia,
    "DejaVu Serif", serif; font-feature-settings: "kern", "liga", "onum"; }
main { max-width: 35rem; margin: 0 auto; padding: 0 1.4rem 6rem; }
header { text-align: center; padding: 18vh 0 10vh; }
h1 { font-size: 3rem; line-height: 1.1; font-weight: 400; letter-spacing: .02em; margin: 0 0 1rem; text-wrap: balance; }
h2 { font-size: 1.5rem; font-weight: 400; text-align: center; margin: 6rem 0 2.6rem; text-wrap: balance; }
h2 small { display: block; font-size: .85rem; letter-spacing: .12em; color: var(--mark); margin-bottom: .5rem; }
h3 { font-size: .82rem; font-weight: 400; letter-spacing: .1em; color: var(--soft); text-align: center;
  margin: 3.2rem 0 1rem; }
p { margin: 0; text-wrap: pretty; }
p + p { text-indent: 1.4em; }
header p { color: var(--soft); font-style: italic; text-wrap: balance; }
.opening p:first-of-type::first-letter { float: left; font-size: 3.5em; line-height: .8; padding: .09em .08em 0 0;
  color: var(--mark); }
figure { margin: 1.4rem 0 1.5rem; break-inside: avoid; }
figure img { display: block; width: 100%; height: auto; border: 1px solid var(--line); }
figcaption { font-size: .8rem; font-style: italic; color: var(--soft); text-align: center; margin-top: .5rem; }
audio { display: block; width: 60%; height: 1.6rem; margin: 1.3rem auto 0; opacity: .65; }
.register p { font-size: .95rem; text-indent: -1.4em; padding-left: 1.4em; margin: 0 0 .35em; text-align: left; }
.end { text-align: center; color: var(--soft); margin: 4rem 0; }
"""

_SCREEN = """
nav { columns: 2; column-gap: 2.4rem; font-size: .95rem; margin: 0 0 3rem; }
nav a { display: block; color: inherit; text-decoration: none; padding: .1rem 0; }
nav a:hover { color: var(--mark); }
@media (max-width: 30rem) { body { font-size: 1.05rem; } h1 { font-size: 2.2rem; } nav { columns: 1; } }
"""

_PRINT = """
@page { size: A5; margin: 17mm 15mm 19mm; @bottom-center { content: counter(page); font: 8pt Georgia, serif;
  color: #8a7f70; } }
@page :first { @bottom-center { content: ""; } }
:root { --paper: #fff; }
body { font-size: 10.2pt; line-height: 1.48; orphans: 3; widows: 3; }
main { max-width: none; padding: 0; }
header { height: 165mm; padding: 52mm 0 0; break-after: page; }
h1 { font-size: 30pt; }
h2 { break-before: page; break-after: avoid; margin: 16mm 0 9mm; font-size: 15pt; }
h3 { break-after: avoid; margin: 7mm 0 2.5mm; font-size: 7.6pt; }
p { text-align: justify; }
header p { text-align: center; }
figure { margin: 3.5mm 0; }
figure img { border-width: .4pt; }
figcaption { font-size: 7.6pt; }
.register p { font-size: 8.8pt; }
.register + .register h2 { break-before: auto; margin: 9mm 0 4mm; }
@media screen { body { background: #ddd6c8; } main { background: #fff; max-width: 148mm; margin: 8mm auto;
  padding: 17mm 15mm; } }
"""


class Plate(NamedTuple):
    """A picture or a sound: its file beside the page, its media type, its caption."""

    file: str
    media_type: str
    caption: str = ""


class Piece(NamedTuple):
    """One passage: when, what, and what was seen."""

    heading: str
    text: str
    plates: tuple[Plate, ...] = ()


class Chapter(NamedTuple):
    """Some passages in a row."""

    title: str
    pieces: tuple[Piece, ...]


class Register(NamedTuple):
    """Who is who, or what a word means: (name, what is said of it)."""

    title: str
    lines: tuple[tuple[str, str], ...]


class Book(NamedTuple):
    """All that is printed."""

    title: str
    opening: str
    chapters: tuple[Chapter, ...]
    registers: tuple[Register, ...] = ()


def page(book: Book, *, printed: bool = False) -> str:
    """The whole book as one HTML document, for the screen or (`printed`) for A5 paper."""
    style = _BASE + (_PRINT if printed else _SCREEN)
    parts = [
        f'<!DOCTYPE html>\n<html lang="{_language(book)}">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(book.title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>",
        f"<header>\n<h1>{escape(book.title)}</h1>\n{_paragraphs(book.opening)}\n</header>",
        *([] if printed else [_contents(book)]),
        *(_chapter(number, chapter, printed) for number, chapter in enumerate(book.chapters, 1)),
        '<p class="end">* * *</p>',
        *(_register(register) for register in book.registers),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _contents(book: Book) -> str:
    links = (f'<a href="#c{n}">{roman(n)}. {escape(c.title)}</a>' for n, c in enumerate(book.chapters, 1))
    return "<nav>\n" + "\n".join(links) + "\n</nav>" if len(book.chapters) > 1 else ""


def _chapter(number: int, chapter: Chapter, printed: bool) -> str:
    pieces = "\n".join(_piece(piece, first, printed) for first, piece in zip(_first(), chapter.pieces, strict=False))
    title = f"<small>{roman(number)}</small>{escape(chapter.title)}"
    return f'<section>\n<h2 id="c{number}">{title}</h2>\n{pieces}\n</section>'


def _first() -> Iterator[bool]:
    yield True
    while True:
        yield False


def _piece(piece: Piece, first: bool, printed: bool) -> str:
    heading = f"<h3>{escape(piece.heading)}</h3>\n" if piece.heading else ""
    sounds = [plate for plate in piece.plates if plate.media_type.startswith("audio/")]
    before = "\n".join(_picture(plate, printed) for plate in piece.plates if plate not in sounds)
    after = "" if printed else "\n".join(_sound(plate) for plate in sounds)
    opening = ' class="opening"' if first else ""
    return f"<article{opening}>\n{heading}{before}\n{_paragraphs(piece.text)}\n{after}</article>"


def _sound(plate: Plate) -> str:
    return f'<audio controls preload="none" src="{escape(plate.file, quote=True)}"></audio>'


def _picture(plate: Plate, printed: bool) -> str:
    source = escape(plate.file, quote=True)
    lazy = "" if printed else ' loading="lazy"'
    caption = f"<figcaption>{escape(plate.caption)}</figcaption>" if plate.caption else ""
    return f'<figure><img src="{source}" alt="{escape(plate.caption, quote=True)}"{lazy}>{caption}</figure>'


def _register(register: Register) -> str:
    said = ((f"<i>{escape(name)}</i>", escape(words)) for name, words in register.lines)
    lines = "\n".join(f"<p>{' — '.join(filter(None, pair))}</p>" for pair in said)
    return f'<section class="register">\n<h2>{escape(register.title)}</h2>\n{lines}\n</section>'


def _paragraphs(text: str) -> str:
    return "\n".join(f"<p>{escape(part.strip())}</p>" for part in re.split(r"\n\s*\n", text) if part.strip())


def _language(book: Book) -> str:
    """For hyphenation: Russian where the first passages are mostly in Cyrillic, else English."""
    said = "".join(piece.text for chapter in book.chapters[:1] for piece in chapter.pieces)
    return "ru" if 2 * len(re.findall(r"[а-яё]", said, re.IGNORECASE)) > len(said) else "en"  # noqa: RUF001


def roman(number: int) -> str:
    """A number as chapters have it: 14 is XIV."""
    found = ""
    for value, letters in zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"),
        strict=True,
    ):
        found += letters * (number // value)
        number %= value
    return found


def chapters(pieces: Sequence[Piece], most: int = 12) -> tuple[Chapter, ...]:
    """Passages in chapters of nearly equal length, each called after its first and its last day."""
    count = max(-(-len(pieces) // most), 1)
    size, longer = divmod(len(pieces), count)
    found, start = [], 0
    for number in range(count):
        end = start + size + (number < longer)
        if pieces[start:end]:
            found.append(Chapter(_span(pieces[start].heading, pieces[end - 1].heading), tuple(pieces[start:end])))
        start = end
    return tuple(found)


def _span(first: str, last: str) -> str:
    """What `day 3` and `day 9` span: `Day 3 to 9`."""
    if not first or not last or first == last:
        return first[:1].upper() + first[1:]
    head, _, number = last.rpartition(" ")
    shared = head and first.startswith(head + " ")
    span = f"{first} to {number if shared else last}"
    return span[:1].upper() + span[1:]
