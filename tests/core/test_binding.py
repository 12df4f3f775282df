from __future__ import annotations

from typing import Any

import pytest

from yggdrasil.core.binding import RESERVED, bind, check_outputs
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import PortError

ONE = Spec.declare([port("prompt", str), port("steps", int, default=3), port("notes", list[str], optional=True)])
TWO = Spec.declare({"a": int, "b": int})
FREE = Spec.declare([port("x", int, optional=True), port("y", int, optional=True)])
SHAPE = Spec.declare({"state": dict[str, int]})


@pytest.mark.parametrize(
    ("spec", "value", "named", "given"),
    [
        (ONE, "hi", {}, {"prompt": "hi", "steps": 3}),
        (ONE, None, {"prompt": "hi"}, {"prompt": "hi", "steps": 3}),
        (ONE, {"prompt": "hi", "steps": 1}, {}, {"prompt": "hi", "steps": 1}),
        (ONE, {"prompt": "hi"}, {"notes": []}, {"prompt": "hi", "notes": [], "steps": 3}),
        (ONE, "hi", {"notes": None}, {"prompt": "hi", "notes": None, "steps": 3}),
        (TWO, {"a": 1, "b": 2}, {}, {"a": 1, "b": 2}),
        (FREE, 5, {}, {"x": 5}),
        (FREE, None, {}, {}),
        (SHAPE, {"n": 1}, {}, {"state": {"n": 1}}),
        (SHAPE, {}, {}, {"state": {}}),
        (SHAPE, {"state": {}}, {}, {"state": {}}),
    ],
)
def test_what_goes_where(spec: Spec, value: Any, named: dict[str, Any], given: dict[str, Any]) -> None:
    assert bind(spec, value, named) == given


def test_what_is_handed_in_is_not_touched() -> None:
    value = {"prompt": "hi"}
    bind(ONE, value, {})
    assert value == {"prompt": "hi"}


@pytest.mark.parametrize(
    ("spec", "value", "named", "sentence"),
    [
        (ONE, None, {}, r"'prompt' \(text\) is missing"),
        (ONE, 5, {}, "is int, not text"),
        (ONE, {"promt": "hi"}, {}, "did you mean 'prompt'"),
        (ONE, "hi", {"stepz": 1}, "did you mean 'steps'"),
        (ONE, "hi", {"sed": 1}, r"run\(seed=\.\.\.\) is an option"),
        (ONE, "hi", {"prompt": "ho"}, "given twice"),
        (ONE, {"prompt": "hi", 3: 4}, {}, "no input 3"),
        (TWO, 5, {}, "2 .inputs: a, b"),
        (TWO, {"a": 1}, {}, r"run\(b=\.\.\.\)"),
        (TWO, {"a": 1, "b": "x"}, {}, "'b' is text|'b' is str, not int"),
        (Spec(), 5, {}, "inputs: none"),
    ],
)
def test_what_is_refused(spec: Spec, value: Any, named: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PortError, match=sentence) as caught:
        bind(spec, value, named, "graph")
    assert caught.value.path == "graph"


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_port_named_like_an_option_goes_in_the_mapping(name: str) -> None:
    spec = Spec.declare({name: int})
    assert bind(spec, {name: 3}, {}) == {name: 3}
    with pytest.raises(PortError) as caught:
        bind(spec, None, {})
    assert caught.value.hint == f'run({{"{name}": ...}})'


def test_outputs() -> None:
    spec = Spec.declare(outputs=[port("text", str), port("note", str, optional=True)])
    check_outputs(spec, {"text": "x"})
    check_outputs(spec, {"text": "x", "note": None})
    for bad, sentence in (
        ({}, "did not give its output 'text'"),
        ({"text": 3}, "'text' is int"),
        ({"text": "x", "nots": ""}, "did you mean 'note'"),
        ("x", "gave str, not a mapping"),
        (None, "gave NoneType, not a mapping"),
    ):
        with pytest.raises(PortError, match=sentence):
            check_outputs(spec, bad)
