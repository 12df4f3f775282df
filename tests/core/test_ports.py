from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, Protocol, TypedDict

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import Message, user
from yggdrasil.core.ports import (
    MISSING,
    Port,
    Spec,
    cast_between,
    fits,
    misfit,
    port,
    port_type,
    register_cast,
    sure,
)
from yggdrasil.errors import PortError


class Animal: ...


class Cat(Animal): ...


class Typed(TypedDict):
    name: str
    age: int


class Quiet(Protocol):
    size: int

    def hush(self) -> None: ...


FITTING: list[tuple[Any, Any]] = [
    (int, int),
    (bool, int),
    (int, float),
    (Cat, Animal),
    (list[int], list[int]),
    (list[Cat], Sequence[Animal]),
    (dict[str, int], Mapping[str, int]),
    (int, int | str),
    (int | None, int),  # whether it is None is known when it comes
    (Literal["a"], str),
    (Literal["a"], Literal["a", "b"]),
    (Typed, dict),
    (dict, Typed),
    (list, list[int]),
    (Any, int),
    (int, "any"),
    (object, int),
    ("text", str),
    (str, "messages"),
    (list[Message], "messages"),
    (Blob, "image"),
    ("image", Blob),
    (np.ndarray, "tensor"),
    (NDArray[np.float32], "image"),
    (Cat, Quiet),
    (Annotated[int, "how many"], int),
    (list[Annotated[int, "how many"]], list[int]),
    (Callable[[int], str], Callable[[int], str]),
]

CLASHING: list[tuple[Any, Any]] = [
    (int, str),
    (float, int),
    (Animal, Cat),
    (list[int], list[str]),
    (dict[str, int], dict[str, str]),
    (int | str, int),
    (Literal["a", "c"], Literal["a", "b"]),
    (str, "image"),
    ("image", "audio"),
    ("tensor", "text"),
    ("messages", str),
    (bool, float),
]


@pytest.mark.parametrize(("source", "target"), FITTING)
def test_these_fit(source: Any, target: Any) -> None:
    assert fits(port_type(source), port_type(target))


@pytest.mark.parametrize(("source", "target"), CLASHING)
def test_these_do_not(source: Any, target: Any) -> None:
    assert not fits(port_type(source), port_type(target))


@pytest.mark.parametrize(
    ("source", "target", "certain"),
    [
        (int, int, True),
        (bool, int, True),
        (int, float, True),
        (list[Cat], Sequence[Animal], True),
        (int, int | str, True),
        (int | None, int, False),
        (Any, int, False),
        (list, list[int], False),
        (list[Any], list[int], False),
        (dict, Typed, False),
        ("image", Blob, False),
        (Cat, Quiet, True),  # nothing can be looked at
        (str, "any", True),
        (list[int], list, True),
    ],
)
def test_what_types_promise(source: Any, target: Any, certain: bool) -> None:
    assert sure(port_type(source), port_type(target)) is certain


def test_two_classes_of_one_name_are_two_types() -> None:
    def make() -> type:
        class Reply(BaseModel):
            text: str

        return Reply

    one, other = make(), make()
    assert port_type(one) != port_type(other)
    assert not fits(port_type(one), port_type(other))
    assert misfit(port_type(one), one(text="x")) == ""
    assert "not Reply" in misfit(port_type(one), other(text="x"))
    assert "not Reply" in misfit(port_type(other), one(text="x"))


def test_a_class_called_like_a_kind_is_itself() -> None:
    image = type("image", (), {})
    assert port_type(image) != port_type("image")
    assert misfit(port_type(image), image()) == ""
    assert misfit(port_type(image), Blob(b"x"))
    assert not fits(port_type(Blob), port_type(image))


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (int, [1, True], ["1", 1.0, None]),
        (float, [1, 1.5], ["1"]),
        (str, ["x"], [1, b"x"]),
        (list[int], [[], [1, 2]], [["a"], (1,), "ab"]),
        (dict[str, int], [{"a": 1}], [{"a": "1"}, {1: 1}]),
        (Typed, [{"name": "a", "age": 1}], [{"name": "a"}, {"name": "a", "age": "1"}, 3]),
        (Literal["a", "b"], ["a"], ["c"]),
        (int | None, [1, None], ["x"]),
        ("image", [Blob(b""), np.zeros(3), [Blob(b"")]], ["x", ["x"], [Blob(b""), 3]]),
        ("tensor", [np.zeros(3)], [[1.0], Blob(b"")]),
        ("messages", [[user("hi")]], ["hi", ["hi"]]),
        ("state", [{}], [[]]),
        ("any", [1, None, object()], []),
        (Quiet, [object()], []),  # a protocol that cannot be looked at takes anything
    ],
)
def test_values(kind: Any, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert misfit(port_type(kind), value) == ""
    for value in bad:
        assert misfit(port_type(kind), value)


def test_a_misfit_says_where() -> None:
    assert "[1]" in misfit(port_type(list[int]), [1, "x"])
    assert "'age'" in misfit(port_type(Typed), {"name": "a", "age": "old"})


def test_casts() -> None:
    class Celsius(float): ...

    class Fahrenheit: ...

    assert cast_between(port_type(str), port_type("messages"))("hi") == [user("hi")]  # type: ignore[misc]
    assert not fits(port_type(Celsius), port_type(Fahrenheit))
    register_cast(Celsius, Fahrenheit, lambda c: Fahrenheit())
    assert fits(port_type(Celsius), port_type(Fahrenheit))
    assert not fits(port_type(Fahrenheit), port_type(Celsius))
    with pytest.raises(ValueError, match="registered already"):
        register_cast(Celsius, Fahrenheit, lambda c: Fahrenheit())


def test_an_unknown_kind_lists_the_kinds() -> None:
    with pytest.raises(PortError, match="text, image"):
        port_type("picture")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x->y", "a,b"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(PortError, match="no port name"):
        Port(name)


def test_an_aggregation_that_is_none() -> None:
    with pytest.raises(PortError, match="concat"):
        Port("x", many="average")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "many", "element"),
    [
        (list[int], "list", "int"),
        (list[int] | None, "list", "int"),
        (tuple[int, ...], "list", "int"),
        (dict[str, float], "dict", "float"),
        (list, "list", "any"),
        (str, "concat", "text"),
        (int, "single", "int"),
    ],
)
def test_what_one_edge_must_bring(kind: Any, many: Any, element: str) -> None:
    assert port("x", kind, many=many).takes.name == element


def test_specs_in_every_form() -> None:
    class Ask(BaseModel):
        question: str = Field(description="What to ask.")
        style: str = "plain"
        notes: list[str] = Field(default_factory=list)

    class Some(TypedDict, total=False):
        title: str

    class Said(Some):
        answer: str

    class Mood(Enum):
        GLAD = 1

    spec = Spec.declare(Ask, Said, "Asks.")
    assert spec.inputs["question"].required
    assert spec.inputs["question"].doc == "What to ask."
    assert spec.inputs["style"].default == "plain"
    assert spec.inputs["notes"].default is MISSING
    assert not spec.inputs["notes"].required
    assert {n: p.optional for n, p in spec.outputs.items()} == {"title": True, "answer": False}
    assert Spec.declare({"mood": Mood, "n": port("n", int, default=3)}).inputs["n"].default == 3
    with pytest.raises(PortError, match="twice"):
        Spec.declare([port("a"), port("a")])
