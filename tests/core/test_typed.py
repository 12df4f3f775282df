"""Typed values: pydantic models, arrays and registered types go into JSON by a tag, and come back the same."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from yggdrasil import Blob, register_type
from yggdrasil.core.blob import detach
from yggdrasil.core.canonical import canonical, parse
from yggdrasil.core.frozen import freeze
from yggdrasil.core.typed import is_typed, revive, tagged, wants
from yggdrasil.errors import ConfigError, CorruptError, PortError


class Item(BaseModel):
    """A line of an order."""

    name: str
    price: float = Field(alias="cost")


class Order(BaseModel):
    """Strict, frozen, nested: what users write."""

    model_config = ConfigDict(strict=True, frozen=True)
    id: int
    day: date
    tags: set[str] = set()
    items: tuple[Item, ...] = ()


class Special(Item):
    """More than the field it is put into declares."""

    gift: bool = True


class Point:
    """Nothing that JSON or pydantic knows."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y


def to_and_fro(value: Any) -> Any:
    kept: dict[str, bytes] = {}
    plain = detach(value, lambda blob: kept.update({blob.digest: blob.data}), "state", tagged)
    assert freeze(value, lambda blob: None) == plain, "both ways of writing say the same"
    plain = parse(canonical(plain))
    assert wants(plain) == sorted(kept)
    return revive(plain, kept)


def test_a_pydantic_model_comes_back_as_it_was() -> None:
    order = Order(id=1, day=date(2026, 11, 26), tags={"new"}, items=(Item(name="egg", cost=0.5),))
    back = to_and_fro({"orders": [order, 2]})
    assert back == {"orders": [order, 2]}
    assert type(back["orders"][0].items[0]) is Item
    assert back["orders"][0] is not order, "nobody shares it"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Order(id=1, day=date(2026, 1, 1), items=(Special(name="egg", cost=1.0),)), "would not come back"),
        (Item(name="egg", cost=math.nan), "cost: Input should be a valid number"),
        (Point(1, 2), "Point cannot be stored"),
        (np.array([object()]), "array of object cannot be stored"),
        (np.array([(1, 2.0)], [("a", "i4"), ("b", "f4")]), "cannot be stored"),
        (b"bytes", "bytes cannot be stored"),
    ],
)
def test_what_would_not_come_back_is_refused_by_its_place(value: Any, words: str) -> None:
    for write in (lambda v: detach(v, lambda blob: None, "state", tagged), lambda v: freeze(v, print, "state")):
        with pytest.raises(PortError, match=words) as refused:
            write({"a": [0, value]})
        assert refused.value.path.startswith("state/a/1")


def test_a_model_of_a_function_cannot_be_found_again_and_is_refused() -> None:
    class Local(BaseModel):
        x: int

    with pytest.raises(PortError, match="Local cannot be stored"):
        freeze(Local(x=1), print)


DTYPES = st.sampled_from(["f4", "f8", "f2", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", ">f4", ">i8"])


@given(DTYPES, st.lists(st.integers(0, 4), max_size=3), st.booleans())
def test_arrays_come_back_with_dtype_and_shape(dtype: str, shape: list[int], turned: bool) -> None:
    array = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
    array = array.T if turned else array
    back = to_and_fro({"array": array})["array"]
    assert (back.shape, back.dtype) == (array.shape, np.dtype(dtype).newbyteorder("="))
    assert (back == array).all()


def test_a_damaged_array_is_no_array() -> None:
    plain = freeze(np.zeros(3), lambda blob: None)
    (name,) = wants(plain) or ()
    for data in (b"", b"x" * 40, Blob(b"").data):
        with pytest.raises(CorruptError, match="no safetensors"):
            revive(plain, {name: data})
    with pytest.raises(CorruptError, match="without its bytes"):
        revive({"$type": "array", "version": 1, "value": [1, 2]}, {})


class Moment(BaseModel):
    """Version 2 of a registered model: it had a text for its time, and `what` was `name`."""

    what: str
    at: datetime


def test_registered_types_and_their_versions() -> None:
    register_type(Point, name="point", encode=lambda p: [p.x, p.y], decode=lambda xy: Point(*xy))
    back = to_and_fro([Point(1, 2)])[0]
    assert (type(back), back.x, back.y) == (Point, 1, 2)
    register_type(
        Moment, name="moment", version=3,
        upgrade={1: lambda v: {"name": v["name"], "at": v["day"] + "T00:00:00Z"},
                 2: lambda v: {"what": v["name"], "at": v["at"]}},
    )  # fmt: skip
    now = Moment(what="rain", at=datetime(2026, 11, 26, tzinfo=UTC))
    assert freeze(now, print)["version"] == 3
    assert to_and_fro(now) == now
    for old in ({"version": 1, "value": {"name": "rain", "day": "2026-11-26"}},
                {"version": 2, "value": {"name": "rain", "at": "2026-11-26T00:00:00Z"}}):  # fmt: skip
        assert revive({"$type": "moment", **old}, {}) == now
    with pytest.raises(ConfigError, match="version 4 is kept here, and only version 3 is known"):
        revive({"$type": "moment", "version": 4, "value": {}}, {})
    with pytest.raises(CorruptError, match="moment version 3 cannot be read: what"):
        revive({"$type": "moment", "version": 3, "value": {}}, {})


class Cloud:
    """A registered type that holds an array, bytes and a model."""

    def __init__(self, points: Any, picture: Blob, item: Item) -> None:
        self.points, self.picture, self.item = points, picture, item


def test_a_registered_type_holds_arrays_bytes_and_models() -> None:
    register_type(Cloud, name="cloud", encode=lambda c: vars(c), decode=lambda v: Cloud(**v))
    back = to_and_fro([Cloud(np.eye(2), Blob(b"x"), Item(name="egg", cost=1.0))])[0]
    assert (back.points.tolist(), back.picture, back.item) == ([[1, 0], [0, 1]], Blob(b"x"), Item(name="egg", cost=1.0))
    with pytest.raises(PortError, match="nan is not JSON"):
        freeze(Cloud(math.nan, Blob(b"x"), Item(name="egg", cost=1.0)), print)


def test_nothing_is_imported_because_a_text_names_it() -> None:
    for name in ("antigravity:Model", "os:system", "yggdrasil:Blob", "tests.core.test_typed:Point.x", ""):
        with pytest.raises(ConfigError, match="no such type is loaded"):
            revive({"$type": name, "version": 1, "value": "x"}, {})
    import sys

    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": dict}, "needs no registration"),
        ({"kind": Point}, "needs encode and decode"),
        ({"kind": Order, "name": "array"}, "taken"),
        ({"kind": Order, "name": "a b"}, "no name"),
        ({"kind": Order, "version": 0}, "no version"),
        ({"kind": Order, "version": 3, "upgrade": {2: str}}, "no upgrade from version 1"),
    ],
)
def test_a_wrong_registration_says_so(given: dict[str, Any], words: str) -> None:
    kind = given.pop("kind")
    with pytest.raises(ConfigError, match=words):
        register_type(kind, **given)


def test_data_that_looks_like_a_typed_value_is_data() -> None:
    for value in ({"$type": "x"}, {"$type": 1, "version": 1, "value": 2}, {"$type": "x", "version": 1.0, "value": 2}):
        assert not is_typed(value)
        assert to_and_fro(value) == value if wants(value) else wants(value) is None


def test_the_form_of_a_typed_value_that_nobody_knows_is_refused_when_written() -> None:
    given = {"a": [{"$type": "shop:Nothing", "version": 1, "value": 2}]}
    with pytest.raises(PortError, match=r"/a/0: .*no type 'shop:Nothing' is known"):
        to_and_fro(given)
    with pytest.raises(PortError, match=r"/a/0: .*no type 'shop:Nothing' is known"):
        freeze(given, lambda blob: None, "")
    assert freeze(given) == given, "where nothing typed is kept it is data like any other"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int64", "uint8", "bool", "complex64"])
def test_tensors_come_back_with_dtype_and_shape(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.arange(6).reshape(2, 3).to(getattr(torch, dtype)).T
    back = to_and_fro({"tensor": tensor})["tensor"]
    assert (back.dtype, back.shape) == (tensor.dtype, tensor.shape)
    assert torch.equal(back, tensor)
    weight = torch.nn.Parameter(torch.ones(2))
    assert to_and_fro([weight])[0].requires_grad is False
    with pytest.raises(PortError, match="cannot be stored"):
        freeze([torch.eye(2).to_sparse()], print)
