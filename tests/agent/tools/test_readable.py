"""HTML as text, whatever it is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yggdrasil.agent.tools.plain import in_a_line, plain, shortened
from yggdrasil.agent.tools.readable import LONGEST, PATIENCE, readable

PAGE = """<!doctype html><html><head><title>A &amp;
 B</title><style>p {color: red}</style></head>
<body><nav><a href="/">Home</a></nav>
<h1>Hi <b>you</b></h1>
<p>Some   text with <a href="x?y=1&amp;z=2">a link</a>.</p>
<p>Second<br>line. <a href="javascript:evil()">no</a> <a href="#here">nor this</a></p>
<ul><li>one</li><li><p>two</p><ol><li>deep</li><li>deeper</li></ol></li></ul>
<table><tr><th>Day</th><th>Wind</th></tr><tr><td>1</td><td>N</td></tr></table>
<pre>def f():
    return 1</pre>
<img src="x" alt="A ship"><script>if (a < b) { evil() }</script><noscript>no</noscript>
</body></html>"""

TEXT = """Home (https://e.org/)

# Hi you

Some text with a link (https://e.org/d/x?y=1&z=2).

Second
line. no nor this
- one
- two
  1. deep
  2. deeper
Day | Wind
1 | N
```
def f():
    return 1
```
[picture: A ship]"""


SOUP = [
    "<p>", "</p>", "<a", "</a>", "href=", "'", '"', "<", ">", "&", "&#0;", "&#x;", "<li>", "<ul>", "<!--", "-->",
    "<script>", "<pre>", "</pre>", "<main>", "<title>", " ", "x",
]  # fmt: skip


def test_a_page() -> None:
    page = readable(PAGE, "https://e.org/d/")
    assert (page.title, page.text, page.whole) == ("A & B", TEXT, True)


def test_the_main_part_is_enough_when_it_says_something() -> None:
    around = "<nav>menu</nav><main><p>{}</p></main><footer>end</footer>"
    assert "menu" not in readable(around.format("word " * 200)).text
    assert "menu" in readable(around.format("word")).text


@pytest.mark.parametrize(
    "soup",
    ["<!--", "<a ", "<", '<a href="', "&#", "<![CDATA[", "</", "<!DOCTYPE", "<div>", "<ul><li>", "<a href=x>y",
     "<script>", "<script></", "<?", "<pre>", "</pre>", "</a>", "<title>", "<p>\n", "<svg><svg>", "<main>"],
)  # fmt: skip
def test_no_soup_takes_long(soup: str) -> None:
    before = time.monotonic()
    readable(soup * (200_000 // len(soup)))
    assert time.monotonic() - before < PATIENCE + 2


def test_too_much_is_said_and_reading_can_be_called_off() -> None:
    assert not readable("a" * (LONGEST + 1)).whole
    page = readable("<p>word" * 20_000, wanted=lambda: False)
    assert not page.whole
    assert len(page.text) < 40_000


@given(
    html=st.one_of(
        st.text(max_size=300),
        st.lists(
            st.sampled_from(SOUP),
            max_size=60,
        ).map("".join),
    ),
    base=st.one_of(st.just("http://e.org/"), st.text(max_size=20)),
)
@settings(max_examples=200, deadline=None)
def test_anything_reads(html: str, base: str) -> None:
    page = readable(html, base)
    assert plain(page.text) == page.text
    assert "\n" not in page.title


@given(text=st.text(alphabet=st.characters(codec=None), max_size=100))
def test_plain_text_is_plain_and_stays_so(text: str) -> None:
    made = plain(text)
    assert not any(c < " " and c not in "\n\t" for c in made)
    assert not set("\x7f\x9b\u202e\u2066\ufeff\U000e0041") & set(made)
    made.encode()
    assert plain(made) == made


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil\x07link\x1b]8;;\x07", "link"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("\x1b", ""),
        ("na\u0303o 👩‍🚀", "na\u0303o 👩‍🚀"),
    ],
)
def test_what_is_plain(text: str, made: str) -> None:
    assert plain(text) == made


def test_shortened() -> None:
    assert shortened("abc", 3) == "abc"
    assert shortened("a" * 50 + "b" * 50, 10) == "aaaaa\n[... 90 characters left out ...]\nbbbbb"
    assert in_a_line("a\nb\tc" + "d" * 200, 5) == "a b c..."
