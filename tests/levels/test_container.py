"""Building, nesting, checking and running graphs, pipelines and stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from yggdrasil import (
    Agent,
    Block,
    ConfigError,
    Graph,
    Pipeline,
    PortError,
    ScriptedModel,
    Stage,
    ValidationError,
    block,
)
from yggdrasil.core.messages import ToolCall
from yggdrasil.core.ports import Spec, port

pytestmark = pytest.mark.anyio


def add_one(x: int) -> int:
    return x + 1


def shout(text: str) -> str:
    return text.upper()


class Holder(Block):
    """Remembers a number, and holds another block."""

    spec = Spec.declare({"x": int}, {"y": int})

    def __init__(self, value: int = 0, inner: Block | None = None) -> None:
        self.value, self.inner = value, inner

    def children(self) -> Mapping[str, Any]:
        return {"inner": self.inner} if self.inner is not None else {}

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.value = state["value"]

    def trainable_parameters(self) -> list[Any]:
        return [self]

    async def execute(self, inputs: Mapping[str, Any], ctx: Any) -> Mapping[str, Any]:
        return {"y": inputs["x"] + self.value}


def pair(name: str = "pair") -> Graph:
    graph = Graph(name)
    graph.add_node("first", add_one)
    graph.add_node("second", add_one)
    graph.add_edge("first", "second")
    return graph


async def test_levels_nest_in_each_other() -> None:
    pipeline = Pipeline("line")
    pipeline.add_graph("one", pair())
    pipeline.add_graph("two", pair())
    pipeline.add_edge("one", "two")
    stage = Stage("stage")
    stage.add_pipeline("line", pipeline)
    graph = Graph("top")
    graph.add_node("stage", stage)
    graph.add_node("after", add_one)
    graph.add_edge("stage", "after")
    result = await graph.run(0, profile=True)
    assert result.output == 5
    assert "top/stage/line/two/second" in result.profile
    assert [p for p, _ in graph.walk()] == [
        "after", "stage", "stage/line", "stage/line/one", "stage/line/one/first", "stage/line/one/second",
        "stage/line/two", "stage/line/two/first", "stage/line/two/second",
    ]  # fmt: skip


async def test_a_child_that_changes_changes_its_parents() -> None:
    inner = pair()
    outer = Graph("outer")
    outer.add_node("pair", inner)
    assert (await outer.run(0)).output == 2
    inner.add_node("third", add_one)
    inner.add_edge("second", "third")
    assert (await outer.run(0)).output == 3


async def test_ambiguous_ports_of_a_nested_level_can_be_named() -> None:
    inner = Graph("inner")
    inner.add_node("a", add_one)
    inner.add_node("b", add_one)
    outer = Graph("outer")
    outer.add_node("inner", inner)
    outer.add_node("next", add_one)
    outer.add_edge("inner.a.output", "next.x")
    outer.expose_input("inner.a.x", name="x")
    outer.expose_input("inner", "b.x", name="y")
    outer.expose_output("next.output", name="z")
    assert dict(await outer.run(x=1, y=1)) == {"z": 3}
    assert not [p for p in outer.validate() if p.level == "error"]


async def test_a_collecting_input_is_the_same_inside_and_outside() -> None:
    @block(many={"parts": "list"})
    def total(parts: list[int]) -> int:
        return sum(parts)

    inner = Graph("inner")
    inner.add_node("total", total)
    outer = Graph("outer")
    outer.add_node("inner", inner)
    assert (await total.run([1, 2])).output == (await inner.run([1, 2])).output == (await outer.run([1, 2])).output == 3
    joined = Graph("joined")
    joined.add_node("a", add_one)
    joined.add_node("b", add_one)
    joined.add_node("inner", inner)
    joined.add_edge(["a", "b"], "inner.parts")
    assert (await joined.run({"a.x": 1, "b.x": 5})).output == 8


@pytest.mark.parametrize(
    ("build", "error", "sentence"),
    [
        (lambda g: g.add_node("a", add_one), ConfigError, "node id 'a' is taken"),
        (lambda g: g.add_node("a.b", add_one), ConfigError, "no node id"),
        (lambda g: g.add_node(3, add_one), ConfigError, "a node id is text"),
        (lambda g: g.add_node("c", Holder), ConfigError, r"Holder is a class"),
        (lambda g: g.add_node("c", 3), ConfigError, "int cannot be a node"),
        (lambda g: g.add_node("c", add_one, retries=3), ConfigError, "did you mean 'retry'"),
        (lambda g: g.add_node("c", add_one, retry=0), ConfigError, "retry is 0"),
        (lambda g: g.add_node("c", add_one, timeout="1"), ConfigError, "timeout is '1'"),
        (lambda g: g.add_node("c", add_one, cache="yes"), ConfigError, "cache is 'yes'"),
        (lambda g: g.add_node("c", g), ConfigError, "cannot contain itself"),
        (lambda g: g.add_edge("a.output", "t.text"), ValidationError, "a.output gives int, t.text takes text"),
        (lambda g: g.add_edge("a", "z"), ValidationError, "no node 'z'"),
        (lambda g: g.add_edge("a.x", "t"), ValidationError, "no output 'x'"),
        (lambda g: g.add_edge([], "t"), ConfigError, "two ends"),
        (lambda g: g.add_edge(("a", "b", "c"), "t"), ValidationError, "no node"),
        (lambda g: g.add_edge(3, "t"), ConfigError, "3 is no endpoint"),
        (lambda g: g.add_call("a", "z"), ValidationError, "no node 'z'"),
        (lambda g: g.expose_input("a.y"), ValidationError, "no input 'y'"),
        (lambda g: g.expose_output("z.y"), ValidationError, "no node 'z'"),
        (lambda g: g.expose_input("a.x", name="a b"), PortError, "no port name"),
        (lambda g: setattr(g, "num_loop_steps", 0), ConfigError, "num_loop_steps is 0"),
        (lambda g: setattr(g, "until", "a"), ConfigError, "no endpoint"),
        (lambda g: Graph(resources={"gpu": 0}), ConfigError, "capacity 0"),
    ],
)
def test_building_refuses_at_once_and_adds_nothing(build: Any, error: Any, sentence: str) -> None:
    graph = Graph("g")
    graph.add_node("a", add_one)
    graph.add_node("t", shout)
    with pytest.raises(error, match=sentence):
        build(graph)
    assert sorted(graph.nodes) == ["a", "t"]
    assert graph.edges == ()
    assert graph.num_loop_steps is None


def test_automatic_names() -> None:
    graph = Graph()
    names = [graph.add_node(Agent(ScriptedModel(["x"]))).node_id for _ in range(2)]
    names += [graph.add_node(add_one).node_id, graph.add_node(pair()).node_id]
    assert names == ["agent1", "agent2", "add_one1", "pair1"]
    assert graph.add_node(pair("pair")).node_id == "pair2"


def test_one_block_in_several_nodes() -> None:
    holder = Holder(5)
    graph = Graph()
    graph.add_node("a", holder, trainable=True)
    graph.add_node("b", holder)
    assert graph.nodes["a"].block is graph.nodes["b"].block
    assert graph.state_dict() == {"a": {"value": 5}}
    assert graph.trainable_parameters() == [holder]


def test_state_goes_through_levels_and_blocks_in_blocks() -> None:
    def build(*values: int) -> Pipeline:
        inner = Graph("inner")
        inner.add_node("holder", Holder(values[0], Holder(values[1])))
        line = Pipeline("line")
        line.add_graph("inner", inner)
        return line

    one, other = build(1, 2), build(0, 0)
    state = one.state_dict()
    assert state == {"inner/holder": {"value": 1}, "inner/holder/inner": {"value": 2}}
    other.load_state_dict(state)
    assert other.state_dict() == state
    with pytest.raises(ConfigError, match="did you mean 'inner/holder'"):
        other.load_state_dict({"inner/holder": {"value": 9}, "inner/holdr": {}})
    assert other.state_dict() == state
    assert other.set_trainable(select="**/holder") == ["inner/holder"]
    assert len(other.trainable_parameters()) == 2
    with pytest.raises(ConfigError, match="no node matches"):
        other.set_trainable(select="nothing")
    assert other.to("cpu") is other
    assert all(node.device == "cpu" for _, node in other.walk())


def test_validate_names_nested_paths() -> None:
    inner = Graph("inner")
    inner.add_node("a", add_one)
    inner.add_node("b", add_one)
    inner.expose_input("a.x", name="x")
    outer = Graph("outer")
    outer.add_node("deep", inner)
    problems = {p.path: p.level for p in outer.validate()}
    assert problems == {"deep/b.x": "error", "deep/b": "warning"}
    with pytest.raises(ValidationError, match=r"deep/b\.x: nothing feeds"):
        outer.validate(strict=True)
    assert Graph("empty").validate()[0].sentence == "the graph is empty"


async def test_a_wrongly_wired_child_is_found_before_anything_runs() -> None:
    called: list[int] = []
    inner = Graph("inner")
    inner.add_node("a", add_one)
    inner.add_node("b", add_one)
    inner.expose_input("a.x", name="x")
    inner.expose_output("a.output", name="y")
    outer = Graph("outer")
    outer.add_node("before", lambda x: called.append(x) or 1)
    outer.add_node("deep", inner)
    outer.add_edge("before", "deep")
    with pytest.raises(ValidationError, match=r"deep/b\.x"):
        await outer.run(1)
    assert called == []


def test_a_pipeline_and_a_stage_may_not_loop() -> None:
    for kind in (Pipeline, Stage):
        level = kind("line")
        level.add("a", Holder())
        level.add("b", Holder())
        level.add_edge("a.y", "b.x")
        level.add_edge("b.y", "a.x")
        assert any("only a graph may loop" in p.sentence for p in level.validate())
        with pytest.raises(ConfigError, match="no call edges"):
            level.add_call("a", "b")


async def test_a_stage_reads_a_state_and_fills_a_block() -> None:
    graph = Graph("write")
    graph.add_node("join", lambda intent, style: f"{intent} in {style}")
    stage = Stage("author")
    stage.add("write", graph)
    stage.set_state_contract(fills="chronicle", ports={"chronicle": "output", "world": "style"})
    state = {"intent": "snow", "blueprint": None, "world": "ink"}
    assert stage.reads == ("intent",)
    result = await stage.run(state)
    assert stage.block_from(result) == "snow in ink"
    assert (await stage.run(intent="rain", style="oil")).output == "rain in oil"
    assert stage.validate() == []
    stage.set_state_contract(fills="description")
    assert [p.path for p in stage.validate()] == ["fills"]


# --- agents and tools


def scripted(*script: Any) -> ScriptedModel:
    return ScriptedModel(list(script))


async def test_an_agent_calls_the_nodes_its_edges_name() -> None:
    graph = Graph("g")
    graph.add_node("reader", Agent(scripted(ToolCall("1", "adder", {"x": 4}), "five")))
    graph.add_node("adder", add_one)
    graph.add_call("reader", "adder")
    assert list(graph.spec.inputs) == ["prompt", "messages", "context", "given"]
    result = await graph.run("4 + 1?")
    assert result["response"] == "five"
    assert "adder" not in graph.plan.order


async def test_an_exposed_port_of_a_tool_is_bound_and_hidden() -> None:
    seen: list[Any] = []

    def search(query: str, documents: list[str]) -> str:
        seen.append((query, documents))
        return documents[0]

    model = scripted(ToolCall("1", "search", {"query": "snow"}), "found")
    graph = Graph("g")
    graph.add_node("reader", Agent(model))
    graph.add_node("search", search)
    graph.add_call("reader", "search")
    graph.expose_input("reader.prompt", name="question")
    graph.expose_input("search.documents", name="notes")
    graph.expose_output("reader.response", name="answer")
    assert (await graph.run(question="?", notes=["a", "b"]))["answer"] == "found"
    assert seen == [("snow", ["a", "b"])]
    assert list(model.requests[0].tools[0].parameters["properties"]) == ["query"]
    with pytest.raises(PortError, match="'notes'"):
        await graph.run(question="?")


async def test_an_agent_that_is_called_calls_in_turn() -> None:
    given: list[Any] = []

    def look(x: int, place: str) -> str:
        given.append((x, place))
        return place

    helper = Agent(scripted(ToolCall("2", "look", {"x": 1}), "seen"), name="helper")
    graph = Graph("g")
    graph.add_node("lead", Agent(scripted(ToolCall("1", "helper", {"prompt": "look"}), "done")))
    graph.add_node("helper", helper)
    graph.add_node("look", look)
    graph.add_call("lead", "helper")
    graph.add_call("helper", "look")
    graph.expose_input("lead.prompt", name="prompt")
    graph.expose_input("look.place", name="place")
    graph.expose_output("lead.response", name="said")
    assert (await graph.run(prompt="go", place="ford"))["said"] == "done"
    assert given == [(1, "ford")]


def test_call_edges_start_at_an_agent_and_end_somewhere() -> None:
    graph = Graph("g")
    graph.add_node("a", add_one)
    graph.add_node("b", add_one)
    graph.add_call("a", "b")
    assert [(p.path, p.hint) for p in graph.validate()] == [("a", "call edges start at an agent")]
    agents = Graph("g")
    for name in "ab":
        agents.add_node(name, Agent(scripted("x"), name=name))
    agents.add_call("a", "b")
    agents.add_call("b", "a")
    assert [p.path for p in agents.validate()] == ["a -> b -> a"]


def test_auto_connect_in_a_graph() -> None:
    kinds = {
        "tokenizer": Spec.declare({"text": str}, {"token_ids": list}),
        "conditioner": Spec.declare({"input": list}, {"embedding": list}),
        "backbone": Spec.declare(
            {"latent": list, "timestep": int, "condition": port("condition", list, optional=True)}, {"pred": list}
        ),
        "solver": Spec.declare(
            {"latent": list, "timestep": int, "pred": list}, {"next_latent": list, "next_timestep": int}
        ),
        "codec": Spec.declare({"latent": list}, {"image": list}),
    }

    def fake(role: str) -> Block:
        async def execute(self: Any, inputs: Any, ctx: Any) -> Any:
            return {name: inputs.get("timestep", 0) + 1 if "step" in name else [role] for name in self.spec.outputs}

        members = {"spec": kinds[role], "block_type": f"{role}/fake", "execute": execute}
        return type(role, (Block,), members)()  # type: ignore[no-any-return]

    graphs = []
    for order in (list(kinds), list(kinds)[::-1], sorted(kinds)):
        graph = Graph("picture", num_loop_steps=3)
        for role in order:
            graph.add_node(role, fake(role), auto_connect=True)
        graph.expose_input("tokenizer.text", name="prompt")
        graph.expose_input("backbone.latent", name="latent")
        graph.expose_input("solver.latent", name="latent")
        graph.expose_input("backbone.timestep", name="timestep")
        graph.expose_input("solver.timestep", name="timestep")
        graphs.append(graph)
    edges = [sorted(map(str, graph.edges)) for graph in graphs]
    assert edges[0] == edges[1] == edges[2]
    assert len(edges[0]) == 8
    assert graphs[0].plan.order == graphs[1].plan.order == ("tokenizer", "conditioner", "backbone", "solver", "codec")
    assert [p for p in graphs[0].validate() if p.level == "error"] == []


async def test_the_text_to_image_shape_runs() -> None:
    """Denoise three times, then decode once: the same through any order of adding."""
    steps: list[str] = []

    class Backbone(Block):
        block_type = "backbone/fake"
        spec = Spec.declare({"latent": float, "timestep": int}, {"pred": float})

        async def execute(self, inputs: Mapping[str, Any], ctx: Any) -> Mapping[str, Any]:
            steps.append(f"t{inputs['timestep']}")
            return {"pred": inputs["latent"] / 2}

    class Solver(Block):
        block_type = "solver/fake"
        spec = Spec.declare(
            {"latent": float, "timestep": int, "pred": float}, {"next_latent": float, "next_timestep": int}
        )
        num_loop_steps = 3

        async def execute(self, inputs: Mapping[str, Any], ctx: Any) -> Mapping[str, Any]:
            return {"next_latent": inputs["latent"] - inputs["pred"], "next_timestep": inputs["timestep"] - 1}

    class Decoder(Block):
        block_type = "codec/fake"
        spec = Spec.declare({"latent": float}, {"image": str})

        async def execute(self, inputs: Mapping[str, Any], ctx: Any) -> Mapping[str, Any]:
            steps.append("decode")
            return {"image": f"image {inputs['latent']}"}

    graph = Graph("picture")
    for kind in (Decoder, Solver, Backbone):
        graph.add_node(kind.__name__.lower(), kind(), auto_connect=True)
    for node in ("backbone", "solver"):
        graph.expose_input(f"{node}.latent", name="latent")
        graph.expose_input(f"{node}.timestep", name="timestep")
    assert (await graph.run(latent=8.0, timestep=9))["image"] == "image 1.0"
    assert steps == ["t9", "t8", "t7", "decode"]
