"""Levels to documents and back, YAML and JSON; refs; secrets; templates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yggdrasil import (
    Block,
    ConfigError,
    Graph,
    Pipeline,
    SecretError,
    Stage,
    UnknownTypeError,
    YggdrasilError,
    block,
    register,
)
from yggdrasil.core.config import json_schema
from yggdrasil.core.ports import Spec
from yggdrasil.levels.read import read_level
from yggdrasil.levels.templates import _TEMPLATES, register_template, template_names
from yggdrasil.runtime.registry import REGISTRY, Registry, using

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def registry() -> Iterator[Registry]:
    with using(Registry(REGISTRY)) as layer:
        register("demo/scale")(Scale)
        register("demo/policy")(Clashing)

        @block("demo/greet")
        def greet(name: str, *, mark: str = "!") -> str:
            return f"hail {name}{mark}"

        yield layer


class Scale(Block):
    block_type = "demo/scale"
    spec = Spec.declare({"x": float}, {"y": float})

    def __init__(self, factor: float = 2.0, names: Any = ()) -> None:
        self.factor, self.names = factor, names

    async def execute(self, inputs: Mapping[str, Any], ctx: Any) -> Mapping[str, Any]:
        return {"y": inputs["x"] * self.factor}


class Clashing(Scale):
    """A block with a config that is called like a policy."""

    block_type = "demo/policy"

    def __init__(self, retry: int = 1, factor: float = 1.0) -> None:
        super().__init__(factor)
        self.retry = retry


def everything() -> Pipeline:
    inner = Graph("inner", num_loop_steps=3, resources={"gpu": 1})
    inner.description = "Scales three times."
    inner.add_node("scale", Scale(3.0), retry=2, timeout=1.5, limit="gpu", trainable=False)
    inner.add_node("policy", Clashing(5), cache=10)
    inner.add_edge("scale", "policy")
    inner.add_edge("policy", "scale")
    inner.expose_input("scale.x", name="x")
    inner.expose_output("policy.y", name="y")
    line = Pipeline("line")
    line.add_graph("inner", inner)
    line.add_graph("greet", {"type": "demo/greet", "mark": "?"})
    line.add_node("gated", Scale(), gate=True, device="cpu")
    line.expose_input("inner.x", name="x")
    line.expose_input("gated.x", name="x")
    line.expose_input("gated.when", name="again")
    line.expose_input("greet.name", name="name")
    line.expose_output("inner.y", name="y")
    line.expose_output("greet.output", name="said")
    line.expose_output("gated.y", name="z")
    return line


async def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    line = everything()
    document = line.to_config()
    for ending in ("yaml", "json"):
        path = tmp_path / f"line.{ending}"
        line.save(path)
        again = Pipeline.load(path)
        assert again.to_config() == document
        again.save(path.with_suffix(f".again.{ending}"))
        assert path.with_suffix(f".again.{ending}").read_text() == path.read_text()
        inputs = {"x": 1.0, "again": True, "name": "Kara"}
        expected = {"y": 27.0, "said": "hail Kara?", "z": 2.0}
        assert dict(await again.run(inputs)) == dict(await line.run(inputs)) == expected
    assert json.loads((tmp_path / "line.json").read_text()) == document
    assert Pipeline.from_config(document).to_config() == document


def test_the_written_documents_keep_to_the_schema() -> None:
    document = everything().to_config()
    schema = json_schema("pipeline")
    assert set(document) <= set(schema["properties"])
    assert set(schema["required"]) <= set(document)
    kinds = {"string": str, "integer": int, "object": dict, "array": list, "null": type(None)}

    def check(value: Any, rule: Mapping[str, Any], path: str) -> None:
        options = rule.get("anyOf", [rule])
        if "const" in rule:
            assert value == rule["const"], path
        elif "type" in rule or "anyOf" in rule:
            fitting = [o for o in options if isinstance(value, kinds[o["type"]])]
            assert fitting, path
            for key, item in value.items() if isinstance(value, dict) else ():
                inner = fitting[0].get("additionalProperties")
                if isinstance(inner, dict):
                    check(item, inner, f"{path}/{key}")
            for item in value if isinstance(value, list) else ():
                check(item, fitting[0].get("items", {}), path)

    for key, value in document.items():
        check(value, schema["properties"][key], key)


def test_a_stage_and_its_contract(tmp_path: Path) -> None:
    stage = Stage("author")
    stage.add("greet", {"type": "demo/greet"})
    stage.set_state_contract(["intent"], "chronicle", {"intent": "name", "chronicle": "output"})
    stage.set_execution_condition(["intent", "artifacts"])
    stage.save(tmp_path / "author.yaml")
    again = Stage.load(tmp_path / "author.yaml")
    assert (again.reads, again.fills, again.ports) == (("intent",), "chronicle", stage.ports)
    assert again.execution_condition == ["intent", "artifacts"]
    assert again.to_config() == stage.to_config()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda g: setattr(g, "until", lambda values: True), "a predicate cannot be saved"),
        (lambda g: g.add_node("f", lambda x: x), "is not registered, so it cannot be saved"),
        (lambda g: g.add_node("s", Scale(names={1, 2})), "config names of scale: set cannot be stored"),
        (lambda g: g.add_node("s", {"type": "demo/greet", "mark": "sk-proj-" + "a1B2" * 10}), "secret|key"),
    ],
)
def test_what_cannot_be_saved(change: Any, sentence: str, tmp_path: Path) -> None:
    graph = Graph("g")
    graph.add_node("scale", Scale())
    with pytest.raises(ConfigError, match=sentence):
        _changed(graph, change).save(tmp_path / "g.yaml")
    assert not (tmp_path / "g.yaml").exists()


def _changed(graph: Graph, change: Any) -> Graph:
    change(graph)
    return graph


def test_a_secret_is_refused_and_never_shown() -> None:
    key = "sk-proj-" + "a1B2" * 10
    with pytest.raises(SecretError) as caught:
        Graph.from_config({"nodes": {"a": {"type": "demo/greet", "api_key": key}}})
    assert key not in str(caught.value)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


INNER = "kind: graph\nname: inner\nnodes:\n  scale: {type: demo/scale, factor: 3.0}\n"


async def test_refs(tmp_path: Path) -> None:
    nodes = "  a: {ref: inner.yaml, retry: 2}\n  b: inner.yaml\n"
    write(tmp_path, inner=INNER, outer=f"kind: pipeline\nnodes:\n{nodes}edges: [a -> b]\n")
    outer = Pipeline.load(tmp_path / "outer.yaml")
    assert (await outer.run(1.0)).output == 9.0
    assert outer.nodes["a"].retry == 2
    assert outer.to_config(refs=True)["nodes"] == {"a": {"ref": "inner.yaml", "retry": 2}, "b": {"ref": "inner.yaml"}}
    assert outer.to_config()["nodes"]["b"]["nodes"] == {"scale": {"type": "demo/scale", "factor": 3.0}}
    with pytest.raises(ConfigError, match=r"inner\.yaml is not there"):
        outer.save(tmp_path / "elsewhere" / "again.yaml", refs=True)
    outer.save(tmp_path / "again.yaml", refs=True)
    assert (await Pipeline.load(tmp_path / "again.yaml").run(1.0)).output == 9.0


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a": "nodes:\n  x: {ref: none.yaml}\n"}, "none.yaml is not there"),
        ({"a": "nodes:\n  x: {ref: ../b.yaml}\n"}, "leads out of"),
        ({"a": "nodes:\n  x: {ref: a.yaml}\n"}, r"in a circle: a\.yaml -> a\.yaml"),
        ({"a": "nodes:\n  x: {ref: b.yaml}\n", "b": "nodes:\n  x: {ref: a.yaml}\n"}, r"a\.yaml -> b\.yaml -> a\.yaml"),
        ({"a": "nodes:\n  x: {ref: b.yaml, factor: 3}\n", "b": INNER}, "a ref stands beside factor"),
        ({"a": "nodes:\n  x: {type: demo/scale, factr: 3}\n"}, "did you mean 'factor'"),
        ({"a": "nodes:\n  x: {type: demo/scael}\n"}, "did you mean 'demo/scale'"),
        ({"a": "nodes:\n  x: {factor: 3}\n"}, "needs a type"),
        ({"a": "nodes:\n  x: {type: demo/scale, retry: many}\n"}, "retry is 'many'"),
        ({"a": "nodes:\n  x: {type: demo/scale, endpoint_url: 3}\n"}, "endpoint_url is 3"),
        ({"a": "nodes:\n  x: {type: demo/scale}\nedges: [x.y -> z.x]\n"}, "no node 'z'"),
        ({"a": "nodes:\n  x: {type: demo/scale}\ninputs: {q: x.z}\n"}, "no input 'z'"),
        ({"a": "nodes:\n  x: {type: demo/scale}\ncalls: [x -> z]\n"}, "no node 'z'"),
        ({"a": "kind: pipeline\nnodes:\n  x: {type: demo/scale}\n"}, "a pipeline, not a graph"),
        ({"a": "nodes:\n  x: {type: demo/scale}\nversion: 9\n"}, "newer than this release"),
    ],
)
def test_a_wrong_file_says_where(files: dict[str, str], sentence: str, tmp_path: Path) -> None:
    write(tmp_path, **files)
    with pytest.raises(YggdrasilError, match=sentence) as caught:
        Graph.load(tmp_path / "a.yaml")
    assert ".yaml" in caught.value.path


def test_a_file_may_ask_for_the_default_edges() -> None:
    class Maker(Scale):
        block_type = "tokenizer/demo"
        spec = Spec.declare({"text": str}, {"token_ids": list})

    class Taker(Scale):
        block_type = "conditioner/demo"
        spec = Spec.declare({"input": list}, {"embedding": list})

    register("tokenizer/demo")(Maker)
    register("conditioner/demo")(Taker)
    nodes = {"a": {"type": "tokenizer/demo", "auto_connect": True}, "b": {"type": "conditioner/demo", "connect": "a"}}
    graph = Graph.from_config({"nodes": nodes})
    assert [str(e) for e in graph.edges] == ["a.token_ids -> b.input"]
    again = Graph.from_config(graph.to_config())
    assert [str(e) for e in again.edges] == ["a.token_ids -> b.input"]


def test_nested_too_deep() -> None:
    document: dict[str, Any] = {"nodes": {"x": {"type": "demo/scale"}}}
    for _ in range(2000):
        document = {"nodes": {"x": document}}
    with pytest.raises(ConfigError):
        Graph.from_config(document)


NODES = st.dictionaries(
    st.sampled_from(["a", "b", "c", "a b", ""]),
    st.sampled_from([
        {"type": "demo/scale"}, {"type": "demo/greet", "mark": 3}, {"type": "demo/none"}, {"type": 3}, {}, "demo/scale",
        {"type": "demo/scale", "retry": 2, "gate": True}, {"nodes": {"x": "demo/scale"}}, {"ref": "x.yaml"}, 3,
        {"kind": "stage", "nodes": {}}, {"type": "demo/scale", "config": {"factor": 1}},
        {"type": "demo/scale", "config": 3},
    ]),
    max_size=3,
)  # fmt: skip
ENDS = st.sampled_from(["a.x", "a.y", "b.x", "b.y", "c.y", "b.name", "a", "b", "x.x", "a.when", "", "c.x.x"])
DOCUMENTS = st.fixed_dictionaries(
    {"nodes": NODES},
    optional={
        "edges": st.lists(st.tuples(ENDS, ENDS).map(" -> ".join), max_size=3),
        "calls": st.lists(st.tuples(ENDS, ENDS).map(" -> ".join), max_size=1),
        "inputs": st.dictionaries(st.sampled_from(["q", "a b", "seed"]), ENDS | st.lists(ENDS, max_size=2), max_size=2),
        "outputs": st.dictionaries(st.sampled_from(["o", ""]), ENDS, max_size=2),
        "until": ENDS,
        "kind": st.sampled_from(["graph", "pipeline", "stage"]),
        "fills": ENDS,
        "resources": st.just({"gpu": 0}) | st.just({"gpu": 1}),
    },
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DOCUMENTS)
def test_any_document_is_built_checked_or_refused_by_our_error(document: dict[str, Any]) -> None:
    try:
        level = read_level(document)
        problems = level.validate()
        _ = level.spec
    except YggdrasilError:
        return
    assert read_level(level.to_config()).to_config() == level.to_config()
    assert all(p.level in ("error", "warning") and p.sentence for p in problems)


def test_templates() -> None:
    @register_template("graph", "row-of-scales")
    def row(count: int = 2) -> Graph:
        graph = Graph("row")
        for i in range(count):
            graph.add_node(f"n{i}", Scale())
        return graph

    try:
        assert "row-of-scales" in template_names("graph")
        assert len(Graph.from_template("row-of-scales", count=3).nodes) == 3
        with pytest.raises(ConfigError, match="'cuont'") as caught:
            Graph.from_template("row-of-scales", cuont=3)
        assert "(count: " in caught.value.hint
        with pytest.raises(ConfigError, match="taken"):
            register_template("graph", "row-of-scales")(lambda: Graph())
        with pytest.raises(UnknownTypeError, match="did you mean 'row-of-scales'"):
            Graph.from_template("row-of-scale")
        with pytest.raises(UnknownTypeError, match="no pipeline template"):
            Pipeline.from_template("row-of-scales")
        register_template("pipeline", "row-of-scales")(row)
        with pytest.raises(ConfigError, match="gave a graph, not a pipeline"):
            Pipeline.from_template("row-of-scales")
    finally:
        del _TEMPLATES["graph", "row-of-scales"]
        _TEMPLATES.pop(("pipeline", "row-of-scales"), None)


async def test_stock_templates() -> None:
    chain = Graph.from_template("chain", blocks={"one": Scale(), "two": Scale(3.0)})
    assert (await chain.run(1.0)).output == 6.0
    agent = Graph.from_template("agent", model="scripted:echo", tools=[max_of])
    assert (await agent.run("hail"))["response"] == "hail"
    assert [str(c) for c in agent.calls] == ["agent -> max_of"]


def max_of(a: int, b: int) -> int:
    """The larger."""
    return max(a, b)
