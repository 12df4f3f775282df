from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil.core.plan import LoopStep, NodeStep, components, make_plan, order
from yggdrasil.core.ports import Port, Spec, port
from yggdrasil.core.topology import OUTSIDE, Edge, Endpoint, Topology, endpoint
from yggdrasil.errors import ValidationError

STEP = Spec.declare([port("x", int)], [port("y", int)])
LOOSE = Spec.declare([port("x", int, default=0)], [port("y", int)])
TWO = Spec.declare([port("x", int), port("z", int)], [port("y", int)])


def edges(*texts: str) -> tuple[Edge, ...]:
    pairs = (text.split(" -> ") for text in texts)
    return tuple(Edge((endpoint(s),), (endpoint(t),)) for s, t in pairs)


def topology(nodes: dict[str, Spec], *texts: str, **rest: Any) -> Topology:
    return Topology(nodes, edges(*texts), **rest)


def test_a_row_in_order() -> None:
    made = topology(dict.fromkeys("cab", STEP), "b.y -> c.x", "c.y -> a.x")
    plan = make_plan(made)
    assert plan.order == ("b", "c", "a")
    assert [s.after for s in plan.steps] == [(), (0,), (1,)]
    assert dict(plan.outputs) == {"y": Endpoint("a", "y")}


def test_what_is_independent_waits_for_nothing() -> None:
    made = topology(dict.fromkeys("abcd", TWO), "a.y -> d.x", "b.y -> d.z")
    plan = make_plan(made)
    assert plan.order == ("a", "b", "c", "d")
    assert {s.node: s.after for s in plan.steps if isinstance(s, NodeStep)} == {"a": (), "b": (), "c": (), "d": (0, 1)}


def test_a_loop_with_first_values_from_outside() -> None:
    made = topology(
        {"encode": STEP, "step": STEP, "scale": STEP, "decode": STEP},
        "encode.y -> step.x", "step.y -> scale.x", "scale.y -> step.x", "scale.y -> decode.x",
    )  # fmt: skip
    plan = make_plan(made)
    assert plan.order == ("encode", "step", "scale", "decode")
    (loop,) = plan.loops
    assert loop.nodes == ("step", "scale")
    first, later = loop.body[0].first[0], loop.body[0].bindings[0]
    assert [(s.end, s.previous) for s in first.sources] == [(Endpoint("encode", "y"), False)]
    assert [(s.end, s.previous) for s in later.sources] == [(Endpoint("scale", "y"), True)]
    assert [s.previous for b in loop.body[1].bindings for s in b.sources] == [False]


def test_a_loop_whose_first_value_is_exposed() -> None:
    made = topology({"a": STEP, "b": STEP}, "a.y -> b.x", "b.y -> a.x", inputs={"start": (Endpoint("a", "x"),)})
    (loop,) = make_plan(made).loops
    assert loop.nodes == ("a", "b")
    assert loop.body[0].first[0].sources[0].end == Endpoint(OUTSIDE, "start")


def test_a_loop_whose_first_value_is_a_default() -> None:
    (loop,) = make_plan(topology({"a": STEP, "b": LOOSE}, "a.y -> b.x", "b.y -> a.x")).loops
    assert loop.nodes == ("b", "a")
    assert loop.body[0].first[0].sources == ()


def test_a_node_that_feeds_itself() -> None:
    (loop,) = make_plan(topology({"a": LOOSE}, "a.y -> a.x")).loops
    assert loop.nodes == ("a",)
    assert loop.body[0].bindings[0].sources[0].previous


def test_a_loop_that_cannot_start_names_itself() -> None:
    with pytest.raises(ValidationError, match="a -> b -> a: a cycle has no first value"):
        make_plan(topology({"a": STEP, "b": STEP}, "a.y -> b.x", "b.y -> a.x"))
    made = topology(
        {"a": STEP, "b": TWO, "c": STEP},
        "a.y -> b.x", "b.y -> c.x", "c.y -> b.z", "c.y -> a.x",
        inputs={"start": (Endpoint("a", "x"),)},
    )  # fmt: skip
    with pytest.raises(ValidationError, match="b -> c -> b"):  # the first value of `a` does not open the inner one
        make_plan(made)


def test_a_pipeline_has_no_cycle() -> None:
    with pytest.raises(ValidationError, match="only a graph may loop"):
        make_plan(topology({"a": LOOSE, "b": STEP}, "a.y -> b.x", "b.y -> a.x", loops=False))


def test_two_loops_stand_apart() -> None:
    made = topology(
        dict.fromkeys("abcd", LOOSE), "a.y -> b.x", "b.y -> a.x", "b.y -> c.x", "c.y -> d.x", "d.y -> c.x"
    )  # fmt: skip
    plan = make_plan(made)
    assert [loop.nodes for loop in plan.loops] == [("a", "b"), ("c", "d")]
    assert plan.steps[1].after == (0,)


def test_a_declared_default_is_bound() -> None:
    (step,) = make_plan(topology({"a": Spec.declare([port("x", int, default=3), port("z", int, optional=True)])})).steps
    assert isinstance(step, NodeStep)
    assert [b.port.name for b in step.bindings] == ["x", "z"]  # exposed as they are unconnected
    made = topology({"a": Spec.declare([port("x", int, default=3), port("z", int, optional=True)])}, inputs={})
    (step,) = make_plan(made).steps
    assert isinstance(step, NodeStep)
    assert [(b.port.name, b.sources) for b in step.bindings] == [("x", ())]


def test_a_collection_comes_whole_when_it_comes_alone() -> None:
    many = Spec.declare([port("xs", list[int], many="list")], [port("y", int)])
    alone = topology({"a": many})
    assert alone.spec.inputs["xs"].type.name == "list[int]"
    assert alone.spec.inputs["xs"].many == "list"
    assert make_plan(alone).steps[0].bindings[0].many == "single"  # type: ignore[union-attr]
    exposed = {"xs": (Endpoint("a", "xs"),), "x": (Endpoint("b", "x"),)}
    beside = topology({"a": many, "b": STEP}, "b.y -> a.xs", inputs=exposed)
    assert beside.spec.inputs["xs"].type.name == "int"
    assert [str(s.end) for s in make_plan(beside).steps[1].bindings[0].sources] == ["xs", "b.y"]  # type: ignore[union-attr]


def test_sources_are_ordered_by_id_and_port() -> None:
    many = Spec.declare([port("xs", list[int], many="list")])
    nodes = {"z": many, **dict.fromkeys(("n10", "n2", "m"), Spec.declare((), {"b": int, "a": int}))}
    made = topology(nodes, "n2.b -> z.xs", "n10.a -> z.xs", "n2.a -> z.xs", "m.b -> z.xs")
    step = make_plan(made).steps[-1]
    assert isinstance(step, NodeStep)
    assert [str(s.end) for s in step.bindings[0].sources] == ["m.b", "n10.a", "n2.a", "n2.b"]


def test_inferred_names() -> None:
    made = topology({"a": STEP, "b": STEP, "c": Spec.declare([port("a.x", int)])})
    assert set(made.spec.inputs) == {"a.x", "b.x", "c.a.x"}
    assert set(made.spec.outputs) == {"a.y", "b.y"}
    assert endpoint("c.a.x") == Endpoint("c", "a.x")


def test_an_output_that_may_not_come_is_optional() -> None:
    maybe = Spec.declare((), [Port("y", optional=True)])
    made = topology({"a": maybe, "b": Spec.declare([port("x")], [port("y")])}, "a.y -> b.x")
    assert made.spec.outputs["y"].optional
    gated = topology({"a": STEP, "b": STEP}, "a.y -> b.x", gated=frozenset("a"))
    assert gated.spec.outputs["y"].optional


@given(st.integers(0, 10_000), st.integers(1, 9), st.floats(0, 0.6))
def test_components_and_order_against_their_definitions(seed: int, size: int, density: float) -> None:
    rng = random.Random(seed)
    nodes = [f"n{i}" for i in range(size)]
    rng.shuffle(nodes)
    following = {a: {b for b in nodes if rng.random() < density} for a in nodes}
    reach = {a: {a} for a in nodes}
    for _ in nodes:
        for a in nodes:
            reach[a] |= {c for b in reach[a] for c in following[b]}
    found = components(nodes, following)
    assert sorted(n for group in found for n in group) == sorted(nodes)
    for group in found:
        assert set(group) == {b for b in nodes if b in reach[group[0]] and group[0] in reach[b]}
    done = order(nodes, following)
    cyclic = any(a in {c for b in following[a] for c in reach[b]} for a in nodes)
    assert (len(done) < len(nodes)) == cyclic
    place = {n: i for i, n in enumerate(done)}
    assert all(place[a] < place[b] for a in done for b in following[a] if b in place)


def test_components_of_a_very_long_ring() -> None:
    nodes = [f"n{i:05}" for i in range(20_000)]
    following = {a: {b} for a, b in zip(nodes, [*nodes[1:], nodes[0]], strict=True)}
    assert components(nodes, following) == [nodes]
    few = nodes[:50]
    ring = [f"{a}.y -> {b}.x" for a, b in zip(few, [*few[1:], few[0]], strict=True)]
    assert isinstance(make_plan(topology(dict.fromkeys(few, LOOSE), *ring)).steps[0], LoopStep)
