from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import pytest
from pydantic import BaseModel

from yggdrasil.abc.context import RunContext
from yggdrasil.core.ports import MISSING
from yggdrasil.core.signature import read_signature
from yggdrasil.errors import PortError

if TYPE_CHECKING:
    from decimal import Decimal


class Pair(TypedDict):
    left: int
    right: str


class Answer(BaseModel):
    text: str
    sure: bool


def types(function: Any, **options: Any) -> tuple[dict[str, str], dict[str, str]]:
    spec = read_signature(function, **options).spec
    return {n: p.type.name for n, p in spec.inputs.items()}, {n: p.type.name for n, p in spec.outputs.items()}


def test_a_plain_function() -> None:
    def greet(name: Annotated[str, "who"], times: int = 2, *, loud: bool, mark: str = "!") -> str:
        """Greet."""
        return name

    signature = read_signature(greet)
    assert types(greet) == ({"name": "text", "times": "int"}, {"output": "text"})
    assert signature.spec.inputs["name"].doc == "who"
    assert signature.spec.inputs["times"].default == 2
    assert signature.config == {"loud": MISSING, "mark": "!"}
    assert signature.spec.doc == "Greet."
    assert (signature.context, signature.several) == ("", False)


async def asks(question: str, ctx: RunContext) -> int:
    return 1


def places(question: str, place: RunContext) -> int:
    return 1


@pytest.mark.parametrize(("function", "name"), [(asks, "ctx"), (places, "place")])
def test_the_context_is_no_port(function: Any, name: str) -> None:
    signature = read_signature(function)
    assert signature.context == name
    assert list(signature.spec.inputs) == ["question"]


def test_generators_give_lists() -> None:
    def numbers(n: int) -> Iterator[int]:
        yield n

    async def words(n: int) -> AsyncIterator[str]:
        yield "a"

    def both(n: int) -> Generator[int, None, None]:
        yield n

    def untold(n: int):  # type: ignore[no-untyped-def]
        yield n

    def handed(n: int) -> Iterator[int]:
        return iter([n])

    assert types(numbers)[1] == {"output": "list[int]"}
    assert types(words)[1] == {"output": "list[text]"}
    assert types(both)[1] == {"output": "list[int]"}
    assert types(untold)[1] == {"output": "list"}
    assert types(handed)[1] == {"output": "Iterator[int]"}


def test_several_outputs() -> None:
    def typed(n: int) -> Pair:
        return {"left": n, "right": ""}

    def plain(n: int) -> Any: ...

    assert types(typed)[1] == {"left": "int", "right": "text"}
    assert read_signature(typed).several
    assert types(plain, outputs=Answer)[1] == {"text": "text", "sure": "bool"}
    assert types(plain, outputs={"x": int}) == ({"n": "int"}, {"x": "int"})
    assert not read_signature(plain, {"x": int}).several
    assert read_signature(plain, {"x": int, "y": str}).several


def test_methods_objects_and_partials() -> None:
    class Scale:
        def __init__(self) -> None:
            self.factor = 2

        def scale(self, x: float) -> float:
            return x * self.factor

        async def __call__(self, x: float) -> float:
            return x

    def power(base: int, exponent: int) -> int:
        return base**exponent

    expected = ({"x": "float"}, {"output": "float"})
    assert types(Scale().scale) == expected
    assert types(Scale()) == expected
    square = read_signature(partial(power, exponent=2))
    assert list(square.spec.inputs) == ["base"]
    assert square.spec.inputs["base"].type.name == "int"
    assert square.config == {"exponent": 2}


def test_an_annotation_that_only_a_type_checker_sees_leaves_the_others() -> None:
    def pay(amount: Decimal, to: str) -> int:
        return 1

    assert types(pay) == ({"amount": "any", "to": "text"}, {"output": "int"})


def test_what_cannot_be_a_block() -> None:
    def many(*args: int) -> int:
        return 1

    def loose(**options: int) -> int:
        return 1

    def bare(a: int, /) -> int:
        return a

    for function, word in ((many, r"\*args"), (loose, r"options"), (bare, "positional-only")):
        with pytest.raises(PortError, match=word):
            read_signature(function)
    with pytest.raises(PortError, match="does not say what it takes"):
        read_signature(max)
