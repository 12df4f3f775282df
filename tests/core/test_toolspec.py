"""Ports as a schema for a model, and the check of what it sends."""

from __future__ import annotations

import enum
import inspect
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from yggdrasil.core.answer import AnswerContract, AnswerError, output_type
from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import Audio, File, Image
from yggdrasil.core.ports import Spec, port
from yggdrasil.core.signature import read_signature
from yggdrasil.core.toolspec import (
    ArgumentsError,
    read_docstring,
    result_parts,
    tool_contract,
    tool_name,
)
from yggdrasil.errors import ConfigError, SpecError


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: int = 0


class Person(BaseModel):
    name: str
    at: Point | None = None


def paint(
    who: Person, colour: Colour, mode: Literal["fast", "slow"] = "fast", points: list[Point] | None = None
) -> str:
    """Paint someone.

    More about it.

    Args:
        who: the person,
            to be painted
        colour (Colour): of the paint: bright
    Returns:
        a word
    """
    return ""


def test_a_function_as_a_schema() -> None:
    spec = tool_contract("paint", read_signature(paint).spec).spec
    assert spec.description == "Paint someone.\n\nMore about it."
    schema: Any = spec.parameters
    assert schema["type"] == "object"
    assert schema["required"] == ["who", "colour"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["who"]["description"] == "the person, to be painted"
    assert schema["properties"]["colour"]["description"] == "of the paint: bright"
    assert schema["properties"]["mode"] == {"default": "fast", "enum": ["fast", "slow"], "type": "string"}
    json.dumps(schema)


def test_arguments_become_what_the_function_takes() -> None:
    read = tool_contract("paint", read_signature(paint).spec).read
    found = read({"who": {"name": "Kara", "at": {"x": "3"}}, "colour": "red", "points": [{"x": 1}]})
    assert found == {"who": Person(name="Kara", at=Point(3)), "colour": Colour.RED, "points": [Point(1)]}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "who: it is missing"),
        ({"who": {"name": "x"}, "colour": "blue"}, "colour: "),
        ({"who": {"name": "x"}, "colour": "red", "size": 3}, "size: there is no such argument"),
        ({"who": {"name": 5}, "colour": "red"}, r"who\.name: .* \(got 5\)"),
        ("{broken", "not a JSON object: '{broken'"),
        ([1], "arguments: "),
    ],
)
def test_a_model_is_told_what_is_wrong_and_what_is_wanted(arguments: Any, says: str) -> None:
    contract = tool_contract("paint", read_signature(paint).spec)
    with pytest.raises(ArgumentsError, match=says) as caught:
        contract.read(arguments)
    assert '"colour"' in str(caught.value)


def test_a_huge_value_is_not_quoted_whole() -> None:
    contract = tool_contract("f", Spec.declare({"n": int}))
    with pytest.raises(ArgumentsError) as caught:
        contract.read({"n": "x" * 100_000})
    assert len(str(caught.value)) < 1000


def test_what_no_model_can_give() -> None:
    optional = Spec.declare([port("text", "text"), port("picture", "image", optional=True)])
    assert list(tool_contract("t", optional).spec.parameters["properties"]) == ["text"]
    with pytest.raises(SpecError, match=r"needs image for 'picture'.*"):
        tool_contract("t", Spec.declare({"picture": "image"}))

    class Opaque:
        pass

    with pytest.raises(SpecError, match="no model can give"):
        tool_contract("t", Spec.declare({"thing": Opaque}))


def test_port_notes_and_odd_names() -> None:
    def f(x: Annotated[int, "how many"]) -> None: ...

    assert tool_contract("f", read_signature(f).spec).spec.parameters["properties"]["x"]["description"] == "how many"
    odd = tool_contract("t", Spec.declare({"a-b": int, "_c": str, "model_config": bool, "class": int}))
    given = {"a-b": 1, "_c": "x", "model_config": True, "class": 2}
    assert odd.read(given) == given
    assert tool_name("wörld of/ärt") == "w_rld_of_rt"
    assert tool_name("x" * 100) == "x" * 64
    assert tool_name("") == "tool"


@pytest.mark.parametrize(
    "doc",
    [
        "Do.\n\nArgs:\n    x: the number\n        of things\n    y (int, optional): more: yes\n\nReturns:\n    z: no\n",
        "Do.\n\nParameters\n---------\nx : int\n    the number\n    of things\ny\n    more: yes\n\nReturns\n-------\nz",
        "Do.\n\n:param int x: the number\n    of things\n:param y: more: yes\n:returns: no\n",
    ],
    ids=["google", "numpy", "sphinx"],
)
def test_docstrings(doc: str) -> None:
    assert read_docstring(doc) == ("Do.", {"x": "the number of things", "y": "more: yes"})


def test_a_docstring_without_sections_stays_whole() -> None:
    text = "Look: it has colons.\n\nArgs are what they are\nNotes about things"
    assert read_docstring(text) == (text, {})
    assert read_docstring("") == ("", {})


_TYPES = st.sampled_from([int, str, float, bool, list[int], dict[str, float], int | None, Point, Person, Colour, Any])


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True), _TYPES, max_size=6))
def test_any_signature_gives_a_schema(ports: dict[str, Any]) -> None:
    contract = tool_contract("t", Spec.declare(ports))
    assert json.loads(json.dumps(contract.spec.parameters))["type"] == "object"
    assert set(contract.spec.parameters["properties"]) == set(ports)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
)


@settings(deadline=None)
@given(_JSON)
def test_hostile_arguments_are_told(value: Any) -> None:
    contract = tool_contract("paint", read_signature(paint).spec)
    for arguments in (value, {"who": value, "colour": "red"}, {"who": {"name": "x"}, "colour": value, "x": value}):
        with pytest.raises(ArgumentsError, match="arguments"):
            contract.read(arguments)


def test_results_as_text() -> None:
    def text(outputs: dict[str, Any]) -> str:
        said, media = result_parts(outputs)
        assert media == ()
        return said

    assert text({"output": "bare"}) == "bare"
    assert text({"output": 3}) == "3"
    assert text({"output": True}) == "true"
    assert text({"output": None}) == "null"
    assert text({"a": "x", "b": [Point(1), Person(name="ö")]}) == (
        '{"a": "x", "b": [{"x": 1, "y": 0}, {"name": "ö", "at": null}]}'
    )
    assert text({"output": [b"abc", {2, 1}, Colour.RED]}) == '["<3 bytes>", [1, 2], "Colour.RED"]'
    assert text({}) == "{}"
    assert text({"response": "main", "messages": []}) == "main"


def test_pictures_sounds_and_files_come_with_the_text() -> None:
    picture, sound = Blob(b"abc", "image/png"), Blob(b"la", "audio/wav")
    file = File(Blob(b"%PDF", "application/pdf"), name="saga.pdf")
    assert result_parts({"output": picture}) == ("[image/png, number 1 of what is attached]", (Image(picture),))
    said, media = result_parts({"output": {"seen": picture, "heard": [sound, file], "what": "a goat"}})
    assert media == (Image(picture), Audio(sound), file)
    assert json.loads(said) == {
        "seen": "[image/png, number 1 of what is attached]",
        "heard": [
            "[audio/wav, number 2 of what is attached]",
            "[saga.pdf application/pdf, number 3 of what is attached]",
        ],
        "what": "a goat",
    }


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (None, "any\nwords", "any\nwords"),
        (str, '"quoted"', '"quoted"'),
        (Person, '{"name": "Kara", "at": {"x": 1}}', Person(name="Kara", at=Point(1))),
        (Person, '```json\n{"name": "Kara"}\n```', Person(name="Kara")),
        (int, '{"result": 5}', 5),
        (int, "5", 5),
        (list[Point], '{"result": [{"x": 2}]}', [Point(2)]),
        (dict[str, int], '{"result": 7}', {"result": 7}),
        (Point | Person, '{"result": {"name": "a"}}', Person(name="a")),
        ({"name": "text", "age": "int"}, '{"name": "a", "age": 3}', {"name": "a", "age": 3}),
        ("int", "4", 4),
    ],
)
def test_answers(kind: Any, text: str, value: Any) -> None:
    contract = AnswerContract(output_type(kind))
    assert contract.read(text) == value
    assert contract.schema is None or contract.schema["type"] == "object"


@pytest.mark.parametrize("text", ["", "no JSON", '{"name": 5}', "[]", '{"nme": "x"}', "[" * 100_000])
def test_answers_that_do_not_fit(text: str) -> None:
    with pytest.raises(AnswerError, match="Answer again with nothing but JSON"):
        AnswerContract(Person).read(text)


def test_output_types_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="'int'"):
        output_type({"age": "itn"})
    with pytest.raises(ConfigError, match="no model can answer"):
        AnswerContract(inspect.Signature)
