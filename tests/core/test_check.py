from __future__ import annotations

from typing import Any

import pytest

from yggdrasil.core.check import check, edge_problems
from yggdrasil.core.ports import Spec, port
from yggdrasil.core.topology import Call, Edge, Endpoint, Topology, endpoint

TEXT = Spec.declare([port("prompt", str)], [port("text", str)])
NUMBER = Spec.declare([port("n", int)], [port("m", int)])


def edge(text: str) -> Edge:
    sources, targets = (tuple(endpoint(e) for e in side.split(",")) for side in text.split("->"))
    return Edge(sources, targets)


def topology(*texts: str, nodes: dict[str, Spec] | None = None, **rest: Any) -> Topology:
    return Topology(nodes or {"a": TEXT, "b": TEXT, "n": NUMBER}, tuple(map(edge, texts)), **rest)


PROBLEMS: list[tuple[Topology, str, str, str]] = [
    # topology, path, part of the sentence, part of the hint
    (topology("a.text -> c.prompt"), "c.prompt", "no node 'c'", "available: a, b, n"),
    (topology("a.txt -> b.prompt"), "a.txt", "no output 'txt'", "did you mean 'text'"),
    (topology("a.text -> b.promt"), "b.promt", "no input 'promt'", "did you mean 'prompt'"),
    (topology("n.m -> a.prompt"), "n.m -> a.prompt", "n.m gives int, a.prompt takes text", "register_cast(int, text"),
    (topology("a.text, n.m -> b.prompt"), "n.m -> b.prompt", "gives int", ""),
    (topology(inputs={}), "a.prompt", "nothing feeds this required input (text)", 'expose_input("a", "prompt")'),
    (topology("a.text -> b.prompt", "n.m -> n.n"), "n -> n", "no first value", "expose_input"),
    (topology(inputs={"q": (Endpoint("x", "p"),)}), "inputs.q", "no node 'x'", ""),
    (topology(outputs={"q": Endpoint("a", "p")}), "outputs.q", "no output 'p'", "available: text"),
    (topology(calls=(Call("a", "x"),)), "a -> x", "no node 'x'", ""),
    (topology(calls=(Call("a", "b"), Call("b", "a"))), "a -> b -> a", "circle", "take a call edge out"),
    (topology(calls=(Call("a", "a"),)), "a -> a", "circle", ""),
    (
        topology(calls=(Call("a", "n"),), outputs={"m": Endpoint("n", "m")}),
        "outputs.m", "only called as a tool", "",
    ),
    (
        topology(inputs={"q": (Endpoint("a", "prompt"), Endpoint("n", "n")), "p": (Endpoint("b", "prompt"),)}),
        "inputs.q", "brings text, and n.n takes int", "two names",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("made", "path", "sentence", "hint"), PROBLEMS, ids=[p[2] for p in PROBLEMS])
def test_each_problem_has_its_path_and_hint(made: Topology, path: str, sentence: str, hint: str) -> None:
    found = [p for p in check(made) if p.path == path]
    assert len(found) == 1, check(made)
    assert sentence in found[0].sentence
    assert hint in found[0].hint
    assert found[0].level == "error"


def test_two_sources_into_one_input() -> None:
    (problem,) = check(topology("a.text -> b.prompt", inputs={
        "q": (Endpoint("b", "prompt"), Endpoint("a", "prompt")), "n": (Endpoint("n", "n"),),
    }))  # fmt: skip
    assert problem.path == "b.prompt"
    assert "a.text, q" in problem.sentence
    assert 'many="list"' in problem.hint
    many = Spec.declare([port("prompt", list[str], many="list")], [port("text", str)])
    assert check(topology("a.text, c.text -> b.prompt", nodes={"a": TEXT, "b": many, "c": TEXT})) == []


def test_in_a_loop_a_first_value_stands_beside_an_edge() -> None:
    looped = topology("a.text -> b.prompt", "b.text -> a.prompt", nodes={"a": TEXT, "b": TEXT}, inputs={
        "q": (Endpoint("a", "prompt"),),
    })  # fmt: skip
    assert check(looped) == []
    twice = topology("a.text -> b.prompt", "b.text -> a.prompt", nodes={"a": TEXT, "b": TEXT}, inputs={
        "q": (Endpoint("a", "prompt"),), "r": (Endpoint("a", "prompt"),),
    })  # fmt: skip
    assert [p.path for p in check(twice)] == ["a.prompt"]


def test_a_node_on_its_own_is_a_warning() -> None:
    (problem,) = check(topology("a.text -> b.prompt"))
    assert (problem.path, problem.level) == ("n", "warning")
    assert check(topology("a.text -> b.prompt", calls=(Call("a", "n"),))) == []
    assert check(topology(nodes={"a": TEXT})) == []


def test_a_tool_that_is_only_called_needs_nothing() -> None:
    exposed = {"q": (Endpoint("a", "prompt"),)}
    assert check(topology("a.text -> b.prompt", inputs=exposed, calls=(Call("a", "n"),))) == []


def test_one_edge_shows_all_that_is_wrong_with_it() -> None:
    assert len(edge_problems(topology(), edge("x.a, a.b -> b.c"))) == 3
