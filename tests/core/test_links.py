"""Links as values: read, made, stored, found inside others."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil import ConfigError
from yggdrasil.core.links import Link, is_link, link, links_in


def test_a_link_is_read_into_its_parts() -> None:
    found = Link("ygg://midgard@12/content/characters/kara#0123456789abcdef")
    assert (found.world, found.tick, found.pin) == ("midgard", 12, "0123456789abcdef")
    assert found.path == ("content", "characters", "kara")
    assert Link("ygg://midgard").path == ()
    assert Link("ygg://midgard").tick is None


@pytest.mark.parametrize(
    "text", ["", "midgard", "http://midgard", "ygg://", "ygg://a b", "ygg://m@x", "ygg://m/nowhere/x", "ygg://m#zz", 7]
)
def test_what_is_no_link_is_refused_with_a_line_to_write(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Link(text)
    assert "ygg://" in str(caught.value)


def test_a_link_is_text_so_it_is_stored_and_copied_as_it_is() -> None:
    made = link("midgard", "state", "artifacts", "images", 0, tick=3)
    assert json.loads(json.dumps({"see": made}))["see"] == "ygg://midgard@3/state/artifacts/images/0"
    assert pickle.loads(pickle.dumps(made)).path == made.path
    assert list(links_in({"a": [made, "ygg://", 3], "b": {"c": "ygg://utgard"}})) == [made, "ygg://utgard"]


names = st.text(min_size=1, max_size=12)


@given(names, st.lists(names, max_size=4), st.none() | st.integers(0, 10**9))
def test_any_names_survive_the_round_trip(world: str, steps: list[str], tick: int | None) -> None:
    try:
        made = link(world, "content", *steps, tick=tick)
    except UnicodeEncodeError:  # a lone surrogate is no text
        return
    assert (made.world, made.tick, made.path) == (world, tick, ("content", *steps))
    assert is_link(made)
    assert Link(str(made)).path == made.path


@given(st.text(max_size=60))
def test_any_text_is_a_link_or_is_refused(text: str) -> None:
    for candidate in (text, "ygg://" + text):
        try:
            Link(candidate)
        except ConfigError:
            continue
