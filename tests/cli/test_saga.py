"""The commands that tell of a world: log, show, book."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from yggdrasil.cli import exits
from yggdrasil.cli.book import _seen
from yggdrasil.cli.pages import Book, Chapter, Piece, Plate, chapters, page, roman
from yggdrasil.cli.tables import Table, lines, tables
from yggdrasil.core.blob import Blob

if TYPE_CHECKING:
    from tests.cli.conftest import Command


@pytest.fixture
def lived(yggdrasil: Command, here: Path) -> Path:
    """A garden that has lived for six days, and the folder one stands in."""
    assert yggdrasil("new", "eden").code == 0
    for path in (here / "eden").iterdir():
        path.rename(here / path.name)
    assert yggdrasil("run", "eden", "--ticks", "5", "--seed", "2").code == 0
    assert yggdrasil("run", "eden", "--action", "Eve waters the <beans>").code == 0
    return here


def test_log(yggdrasil: Command, lived: Path) -> None:
    told = [json.loads(line) for line in yggdrasil("log", "eden", "--json").out.splitlines()]
    assert [passage["tick"] for passage in told] == [2, 3, 4, 5, 6], "what happens in a tick is told in the next"
    assert all(passage["world"] == "eden" and passage["text"] for passage in told)
    assert told[0]["pictures"] == ["eden-pictures/tick-0001.png"], "the picture it was told from"
    said = yggdrasil("log", "eden", "--since", "5").out
    assert re.findall(r"^tick (\d+) · day (\d+)$", said, re.MULTILINE) == [("5", "3"), ("6", "4")]
    assert told[-1]["text"].split(". ")[0] in said
    assert max(map(len, said.splitlines())) <= 88
    assert yggdrasil("run", "eden").code == 0
    about = [json.loads(line) for line in yggdrasil("log", "eden", "--about", "eve", "--json").out.splitlines()]
    assert [passage["tick"] for passage in about] == [7]
    nobody = yggdrasil("log", "eden", "--about", "Adam")
    assert (nobody.code, nobody.out) == (0, "")
    assert "nothing is told of Adam" in nobody.err


def test_log_of_people_by_their_ids(yggdrasil: Command, here: Path) -> None:
    assert yggdrasil("run", "midgard", "--ticks", "4", "--overlay", "text").code == 0
    every = yggdrasil("log", "midgard", "--overlay", "text", "--json").out.splitlines()
    who = json.loads(yggdrasil("export", "midgard", "--content", "--json").out)["history"][0]["who"][0]
    about = yggdrasil("log", "midgard", "--overlay", "text", "--about", who, "--json").out.splitlines()
    assert every[0] in about


def test_nothing_to_tell_of(yggdrasil: Command, here: Path) -> None:
    for command in ("log", "book"):
        done = yggdrasil(command, "midgard")
        assert done.code == exits.STORE.code
        assert "yggdrasil run midgard" in done.err
    assert not list(here.iterdir()), "reading writes nothing"
    assert yggdrasil("run", "midgard", "--overlay", "text").code == 0
    assert "first passage comes in tick 2" in yggdrasil("log", "midgard", "--overlay", "text").err
    assert yggdrasil("book", "midgard", "--overlay", "text").code == exits.INVALID.code


def test_an_end_world_has_its_saga(yggdrasil: Command, lived: Path) -> None:
    assert yggdrasil("export", "eden", "--content", "--output", "ended.yaml").code == 0
    told = [json.loads(line) for line in yggdrasil("log", "./ended.yaml", "--json").out.splitlines()]
    alive = [json.loads(line) for line in yggdrasil("log", "eden", "--json").out.splitlines()]
    assert [p["text"] for p in told] == [p["text"] for p in alive]
    assert {p["tick"] for p in told} == {None}
    assert yggdrasil("book", "./ended.yaml").code == 0


def test_show_has_tables(yggdrasil: Command, lived: Path) -> None:
    said = yggdrasil("show", "eden").out
    assert re.search(r"^beds \(3\)\n +colour +height\n  beans +green +\d+$", said, re.MULTILINE), said
    assert re.search(r"^garden  day: 5; title: A Walled Garden; water: \d$", said, re.MULTILINE), said
    assert said.rstrip().endswith("last picture: eden-pictures/tick-0006.png")
    facts = json.loads(yggdrasil("show", "eden", "--json").out)
    assert facts["sections"] == {"beds": 3, "garden": 3}
    assert (facts["tick"], facts["history"], facts["picture"]) == (6, 5, "eden-pictures/tick-0006.png")


def test_tables_of_what_is_alike() -> None:
    threads = {"open": {"feud": {"title": "the meadow", "who": ["a", "b"]}}, "closed": [], "count": 1}
    feud = Table("threads/open", ("", "title", "who"), (("feud", "the meadow", "a, b"),))
    assert list(tables("threads", threads)) == [feud]
    assert list(tables("style", {"voice": "plain"})) == []
    assert list(tables("odd", {"a": {"x": 1}, "b": {"y": 1}})) == [], "nothing is shared"
    graves = next(tables("graves", [{"name": "Asmund", "age": 55, "text": "x" * 300, "kin": {"son": "Bo"}}]))
    assert graves.columns == ("", "name", "age", "kin", "text"), "names first, then plain values, prose last"
    wide = list(lines(graves, 60))
    assert max(map(len, wide)) <= 60
    many = Table("t", ("", "n"), tuple((str(i), str(i)) for i in range(50)))
    assert list(lines(many, 60))[-1] == "  … and 10 more"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_book(yggdrasil: Command, lived: Path) -> None:
    yggdrasil("run", "eden", "--ticks", "13")
    made = json.loads(yggdrasil("book", "eden", "--json").out)
    assert (made["passages"], made["folder"]) == (18, "eden-book")
    assert made["pictures"] == len(list(Path("eden-book/pictures").iterdir())), "equal pictures are kept once"
    assert 10 < made["pictures"] <= 18
    told = [json.loads(line)["text"] for line in yggdrasil("log", "eden", "--json").out.splitlines()]
    for name in made["pages"]:
        text = Path(name).read_text(encoding="utf-8")
        read = _Page()
        read.feed(text)
        assert not read.open
        assert "://" not in text, "nothing comes from elsewhere"
        assert "<script" not in text
        pictures = [link for link in read.links if not link.startswith("#")]
        assert len(pictures) == 18
        for link in pictures:
            assert (Path("eden-book") / link).read_bytes().startswith(b"\x89PNG")
        assert "Eve waters the &lt;beans&gt;" in text
        assert told[0].split(". ")[1] in text
        assert "<h1>A Walled Garden</h1>" in text
    assert yggdrasil("book", "eden", "--out", "bound").code == 0
    assert (lived / "bound" / "index.html").is_file()
    assert yggdrasil("book", "eden", "--out", "yggdrasil.toml").code == exits.INVALID.code


def test_sounds_are_bound_in_where_they_can_be_heard() -> None:
    plate = Plate("pictures/a.wav", "audio/wav", "wind")
    book = Book("T", "", (Chapter("One", (Piece("day 1", "x", (plate,)),)),))
    assert '<audio controls preload="none" src="pictures/a.wav">' in page(book)
    assert "<audio" not in page(book, printed=True)
    sound = Blob(b"RIFF", "audio/wav").reference()
    text = Blob(b"x", "text/plain").reference()
    seen = {"audios": [{"payload": sound, "description": "wind"}], "texts": [text], "images": []}
    assert list(_seen(seen)) == [(sound, "wind")]


def test_chapters() -> None:
    pieces = [Piece(f"day {day}", "x") for day in range(1, 26)]
    assert [(c.title, len(c.pieces)) for c in chapters(pieces)] == [
        ("Day 1 to 9", 9),
        ("Day 10 to 17", 8),
        ("Day 18 to 25", 8),
    ]
    assert [roman(n) for n in (1, 4, 9, 14, 40, 1999)] == ["I", "IV", "IX", "XIV", "XL", "MCMXCIX"]
