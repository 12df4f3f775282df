"""Frozen JSON: like dicts and lists in every way but one."""

from __future__ import annotations

import copy
import enum
import json
import pickle
from typing import Any

import pytest
from pydantic import ConfigDict, TypeAdapter

from yggdrasil.core.blob import Blob
from yggdrasil.core.frozen import FrozenDict, FrozenList, freeze, thaw
from yggdrasil.errors import PortError

VALUE = {"b": [1, {"x": None}], "a": 2.5}


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.update(c=1),
        lambda v: v.__setitem__("a", 1),
        lambda v: v.__delitem__("a"),
        lambda v: v.pop("a"),
        lambda v: v.popitem(),
        lambda v: v.setdefault("c", 1),
        lambda v: v.clear(),
        lambda v: v.__ior__({"c": 1}),
        lambda v: v["b"].append(1),
        lambda v: v["b"].extend([1]),
        lambda v: v["b"].insert(0, 1),
        lambda v: v["b"].remove(1),
        lambda v: v["b"].reverse(),
        lambda v: v["b"].sort(),
        lambda v: v["b"].pop(),
        lambda v: v["b"].clear(),
        lambda v: v["b"].__setitem__(0, 2),
        lambda v: v["b"].__delitem__(0),
        lambda v: v["b"].__iadd__([1]),
        lambda v: v["b"].__imul__(2),
        lambda v: v["b"][1].update(x=1),
    ],
)
def test_nothing_changes_it(change: Any) -> None:
    value = freeze(VALUE)
    with pytest.raises(TypeError, match="belongs to the world"):
        change(value)
    assert value == VALUE


def test_copies_can_be_changed() -> None:
    value = freeze(VALUE)
    for made in (copy.deepcopy(value), thaw(value), pickle.loads(pickle.dumps(value))):
        made["b"][1]["x"] = 1
        made["b"].append(2)
    for shallow in (copy.copy(value), value.copy(), {**value}, value | {"z": 1}):
        shallow["c"] = 1
    value["b"].copy().append(1)
    assert value == VALUE


def test_it_is_a_dict_everywhere_else() -> None:
    value = freeze(VALUE)
    assert isinstance(value, dict)
    assert isinstance(value["b"], list)
    assert json.loads(json.dumps(value)) == VALUE
    assert TypeAdapter(dict[str, Any], config=ConfigDict(strict=True)).validate_python(value) == VALUE
    assert freeze(value) is value


def test_keys_are_in_order_whatever_the_source() -> None:
    assert list(freeze({"b": 1, "a": 2})) == list(freeze({"a": 2, "b": 1})) == ["a", "b"]


def test_what_looks_like_json_becomes_json() -> None:
    class Mood(enum.StrEnum):
        GOOD = "good"

    class Level(enum.IntEnum):
        LOW = 1

    value = freeze({"mood": Mood.GOOD, "level": Level.LOW, "pair": (1, 2)})
    assert [type(value["mood"]), type(value["level"]), type(value["pair"])] == [str, int, FrozenList]
    assert type(value) is FrozenDict


def test_blobs_become_references() -> None:
    kept: list[Blob] = []
    blob = Blob(b"x", "image/png")
    assert freeze({"images": [blob]}, kept.append) == {"images": [blob.reference()]}
    assert kept == [blob]
    with pytest.raises(PortError, match="cannot be kept here"):
        freeze(blob)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [object()]}, "at/a/0"),
        ({"a": {1: 2}}, "at/a"),
        ({"a": float("nan")}, "at/a"),
        ({"a": b"x"}, "at/a"),
        ({"a": {1, 2}}, "at/a"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(value: Any, place: str) -> None:
    with pytest.raises(PortError) as caught:
        freeze(value, path="at")
    assert caught.value.path == place


def test_a_lone_surrogate_and_a_ring_are_refused() -> None:
    ring: list[Any] = []
    ring.append(ring)
    for value in ("\ud800", ring):
        with pytest.raises(PortError, match="cannot be stored"):
            freeze(value)
