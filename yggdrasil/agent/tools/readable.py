"""HTML as text that reads well: the title, headings, lists, tables, code, and links with their addresses.

The standard library's parser does: it takes any tag soup, and a model needs the words, not the layout. The well-known
converters bring a C library, or a licence that does not fit.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import urljoin

from yggdrasil.agent.tools.plain import plain
from yggdrasil.core.value import Value

LONGEST = 2_000_000
"""Characters of HTML that are read."""
PATIENCE = 2.0
"""Seconds for one page; what is read until then is given."""

_PIECE = 32_768
_UNREAD = frozenset({"script", "style", "noscript", "template", "svg", "math", "iframe", "object", "select", "dialog"})
_BLOCKS = frozenset({
    "address", "article", "aside", "audio", "blockquote", "body", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li", "main",
    "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul", "video",
})  # fmt: skip
_HEADINGS = {f"h{n}": "#" * n + " " for n in range(1, 7)}
_LONGEST_ADDRESS = 500
_MOST_MAIN = 500


class Page(Value):
    """A page as text. `whole` is false when the page was too long, or took too long, to be read to its end."""

    title: str
    text: str
    whole: bool


def readable(html: str, base: str = "", wanted: Callable[[], bool] = lambda: True) -> Page:
    """The text of a page whose address is `base`. Where it marks its main part, and that says something, only that.

    `wanted` is asked now and then; reading ends when it says no.
    """
    reader = _Reader(base)
    end = time.monotonic() + PATIENCE
    whole = len(html) <= LONGEST
    for start in range(0, min(len(html), LONGEST), _PIECE):
        try:
            reader.feed(html[start : start + _PIECE])
        except (AssertionError, ValueError):  # marked sections that the parser does not know
            whole = False
            break
        if time.monotonic() > end or not wanted():
            whole = False
            break
    text = _tidy(reader.main)
    if len(text) < _MOST_MAIN:
        text = _tidy(reader.all)
    return Page(" ".join(plain("".join(reader.title)).split()), text, whole)


class _Reader(HTMLParser):
    """Collects text; `main` holds what stands inside <main> or <article>."""

    def __init__(self, base: str) -> None:
        super().__init__(convert_charrefs=True)
        self.base = base
        self.title: list[str] = []
        self.all: list[str] = []
        self.main: list[str] = []
        self._unread = ""  # the tag within which nothing is read, and how often it is open
        self._depth = 0
        self._inside = 0
        self._lists: list[int] = []
        self._links: list[tuple[str, int]] = []
        self._pre = 0
        self._titled = False
        self._fresh = True  # whether a line has just begun
        self._item = False  # whether it is that of a list's item

    def _put(self, text: str) -> None:
        self._fresh, self._item = text.endswith("\n"), False
        self.all.append(text)
        if self._inside:
            self.main.append(text)

    def _line(self) -> None:
        if not self._fresh:
            self._put("\n")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        if self._unread:
            self._depth += tag == self._unread
            return
        if tag in _UNREAD:
            self._unread, self._depth = tag, 1
            return
        said = {name: value or "" for name, value in attrs}
        if tag == "title":
            self._titled = not self.title
        elif tag in ("main", "article"):
            self._inside += 1
        if tag in _BLOCKS:
            self._line()
        if tag in _HEADINGS:
            self._put("\n" + _HEADINGS[tag])
        elif tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else -1)
        elif tag == "li":
            self._put(self._bullet())
            self._fresh = self._item = True
        elif tag == "a":
            self._links.append((self._address(said.get("href", "")), len(self.all)))
        else:
            self._mark(tag, said)

    def _mark(self, tag: str, said: dict[str, str]) -> None:
        if tag == "br":
            self._put("\n")
        elif tag == "hr":
            self._put("---\n")
        elif tag in ("td", "th"):
            self._put(" | ")
        elif tag == "pre":
            self._pre += 1
            self._put("```\n")
        elif tag == "img" and said.get("alt", "").strip():
            self._put(f"[picture: {' '.join(said['alt'].split())[:200]}]")
        elif tag == "p" and not self._item:
            self._put("\n")

    def _bullet(self) -> str:
        if not self._lists or self._lists[-1] < 0:
            return "  " * max(len(self._lists[:8]) - 1, 0) + "- "
        self._lists[-1] += 1
        return "  " * (len(self._lists[:8]) - 1) + f"{self._lists[-1]}. "

    def _address(self, href: str) -> str:
        """Where a link leads, when a tool could follow it to another page."""
        href = href.strip()
        if not href or href.startswith("#") or len(href) > _LONGEST_ADDRESS:
            return ""
        try:
            found = urljoin(self.base, href)
        except ValueError:
            return ""
        return found if found.startswith(("http://", "https://")) and not re.search(r"[\s<>]", found) else ""

    def handle_endtag(self, tag: str) -> None:
        """A tag closes."""
        if self._unread:
            self._depth -= tag == self._unread
            if not self._depth:
                self._unread = ""
            return
        if tag == "title":
            self._titled = False
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif tag == "a" and self._links:
            address, start = self._links.pop()
            # a link without words, or one that only repeats its address, is not worth its length
            said = "".join(self.all[start : start + 50]).strip()
            if address and said and said != address:
                self._put(f" ({address})")
        elif tag == "pre" and self._pre:
            self._pre -= 1
            self._line()
            self._put("```\n")
        if tag in _BLOCKS:
            self._line()
        if tag in ("main", "article") and self._inside:
            self._inside -= 1

    def handle_data(self, data: str) -> None:
        """Text."""
        if self._unread:
            return
        if self._titled:
            self.title.append(data)
        elif self._pre:
            self._put(data)
        elif data.strip() or not self._fresh:
            self._put(re.sub(r"\s+", " ", data))


def _tidy(pieces: list[str]) -> str:
    """The text in lines, without empty ones in a row and without spaces at their ends."""
    lines = [line.rstrip() for line in plain("".join(pieces)).split("\n")]
    fenced = False
    kept: list[str] = []
    for line in lines:
        if line.strip() == "```":
            fenced = not fenced
        elif not fenced:
            bare = re.sub(r"[ \t\xa0]+", " ", line).strip().removeprefix("| ")
            item = re.match(r" *(?=- |\d+\. )", line)
            line = (item[0] if item else "") + bare
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).strip()
