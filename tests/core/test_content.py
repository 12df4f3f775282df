"""Content: patches all or nothing, sharing, hashes, history."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import jsonpointer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yggdrasil.core.canonical import digest
from yggdrasil.core.content import RECENT, Content, apply, content_of, next_tick_hash
from yggdrasil.core.frozen import freeze, thaw
from yggdrasil.errors import ConfigError, PatchError, PortError

SECTIONS = {"places": {"ford": {"depth": 1}, "hill": {}}, "stores": {"grain": [3, 4, 5]}, "count": 1}


def content(sections: Any = SECTIONS) -> Content:
    return content_of(sections)[0]


def test_untouched_parts_are_shared() -> None:
    before = content()
    after = apply(before, [{"op": "replace", "path": "/places/ford/depth", "value": 2}]).content
    assert before.sections["places"]["ford"]["depth"] == 1
    assert after.sections["places"]["ford"]["depth"] == 2
    assert after.sections["stores"] is before.sections["stores"]
    assert after.sections["places"]["hill"] is before.sections["places"]["hill"]
    assert after.digests["stores"] is before.digests["stores"]


def test_the_hash_is_of_the_value_alone() -> None:
    there = apply(content(), [{"op": "replace", "path": "/count", "value": 2}]).content
    back = apply(there, [{"op": "replace", "path": "/count", "value": 1}]).content
    assert there.hash != content().hash == back.hash
    shuffled = content({"count": 1, "stores": {"grain": [3, 4, 5]}, "places": {"hill": {}, "ford": {"depth": 1}}})
    assert shuffled.hash == content().hash
    assert str(shuffled.sections) == str(content().sections), "equal content behaves equally: the same order of keys"


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ([{"op": "add", "path": "/a", "value": 2}, {"op": "remove", "path": "/nowhere"}], "operation 1 (remove"),
        ([{"op": "test", "path": "/count", "value": 7}], "operation 0 (test /count) does not apply"),
        ([{"op": "increase", "path": "/count"}], "there is no operation 'increase'"),
        ([{"op": "add", "path": "/count"}], "add needs 'value'"),
        ([{"op": "move", "path": "/count"}], "move needs 'from'"),
        ([{"op": "replace", "path": "", "value": {}}], "names no section"),
        ([{"op": "replace", "path": "/", "value": {}}], "names no section"),
        ([{"op": "add", "path": "//x", "value": {}}], "names no section"),
        ([{"op": "replace", "path": "count", "value": 2}], "names no section"),
        ([{"op": "replace", "path": 3, "value": 2}], "names no section"),
        ([{"op": "add", "path": "/stores/grain/9", "value": 1}], "outside of list"),
        ([{"op": "add", "path": "/stores/grain/x", "value": 1}], "not a valid sequence index"),
        ([{"op": "add", "path": "/count/x/y", "value": 1}], "does not support indexing"),
        ([{"op": "remove", "path": "/history/0"}], "only added to"),
        ([{"op": "replace", "path": "/history", "value": []}], "only added to"),
        ([{"op": "add", "path": "/history/0", "value": {}}], "only added to"),
        ([{"op": "move", "from": "/history/recent", "path": "/count"}], "only added to"),
        ([{"op": "add", "path": "/x", "value": object()}], "cannot be stored"),
        (["add"], "is str, not a mapping"),
        ({"op": "add"}, "a patch is a list"),
        ("[]", "a patch is a list"),
        (7, "a patch is a list"),
    ],
)  # fmt: skip
def test_a_broken_patch_changes_nothing(patch: Any, said: str) -> None:
    before = content()
    with pytest.raises(PatchError) as caught:
        apply(before, patch)
    assert said in str(caught.value)
    assert before.hash == content().hash
    assert thaw(before.sections) == SECTIONS


def test_the_message_does_not_carry_the_document() -> None:
    big = content({"text": "x" * 100_000})
    with pytest.raises(PatchError) as caught:
        apply(big, [{"op": "replace", "path": "/other/place", "value": 1}])
    assert len(str(caught.value)) < 500


def test_history_is_added_to_and_summed_up() -> None:
    now = content()
    for number in range(20):
        done = apply(now, [{"op": "add", "path": "/history/-", "value": {"n": number}}])
        assert done.entries == ({"n": number},)
        assert not done.operations
        now = done.content
    assert now.history["length"] == 20
    assert [entry["n"] for entry in now.history["recent"]] == list(range(20 - RECENT, 20))
    head = ""
    for number in range(20):
        head = digest([head, {"n": number}])
    assert now.view["history"]["head"] == head
    whole, entries = content_of({**SECTIONS, "history": [{"n": n} for n in range(20)]})
    assert (whole.hash, len(entries)) == (now.hash, 20)


def test_content_is_checked_at_the_door() -> None:
    for wrong, kind in (([], ConfigError), ({"a": object()}, PortError), ({"history": "text"}, ConfigError)):
        with pytest.raises(kind):
            content_of(wrong)  # type: ignore[arg-type]


def test_the_chain() -> None:
    assert next_tick_hash("", "c", "s") != next_tick_hash("x", "c", "s")


# --- against the library, on anything

keys = st.sampled_from(["a", "b", "c", "0", "1", "-", "~", "/"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
pointers = st.lists(keys, min_size=1, max_size=4).map(
    lambda parts: "".join("/" + p.replace("~", "~0").replace("/", "~1") for p in parts)
)
operations = st.one_of(
    st.fixed_dictionaries({"op": st.sampled_from(["add", "replace", "test"]), "path": pointers, "value": values}),
    st.fixed_dictionaries({"op": st.just("remove"), "path": pointers}),
    st.fixed_dictionaries({"op": st.sampled_from(["move", "copy"]), "path": pointers, "from": pointers}),
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(keys, values, max_size=4), st.lists(operations, max_size=5))
def test_patches_do_what_the_library_does(sections: dict[str, Any], patch: list[dict[str, Any]]) -> None:
    before = content(sections)
    expected: Any
    try:
        expected = jsonpatch.apply_patch(copy.deepcopy(sections), copy.deepcopy(patch))
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, LookupError):
        expected = None
    try:
        found = apply(before, patch).content
    except PatchError:
        assert expected is None or not isinstance(expected, dict)
    else:
        assert thaw(found.sections) == expected
        assert found.hash == content(expected).hash
        assert found.sections == freeze(expected)
    assert thaw(before.sections) == sections
    assert before.hash == content(sections).hash


anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=4) | st.floats() | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(anything)
def test_anything_else_is_a_patch_error(patch: Any) -> None:
    before = content()
    try:
        apply(before, patch)
    except PatchError:
        assert before.hash == content().hash
