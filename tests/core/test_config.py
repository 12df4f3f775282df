from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yggdrasil.core.config import LEVELS, json_schema, read_call, read_document, read_edge
from yggdrasil.errors import ConfigError, YggdrasilError

SHORT = {
    "kind": "graph",
    "version": 1,
    "name": "answer",
    "inputs": {"question": "reader.prompt"},
    "outputs": {"answer": "polish.text"},
    "nodes": {"reader": {"type": "agent/llm", "model": "openai:m"}, "polish": {"type": "llm/anthropic", "retry": 3}},
    "edges": ["reader.response -> polish.prompt"],
}

LONG = {
    "graph_id": "answer",
    "schema_version": 1,
    "exposed_inputs": [{"node_id": "reader", "port": "prompt", "name": "question"}],
    "exposed_outputs": [{"node_id": "polish", "port_name": "text", "name": "answer"}],
    "nodes": [
        {"node_id": "reader", "block_type": "agent/llm", "model": "openai:m"},
        {"node_id": "polish", "block_type": "llm/anthropic", "retry": 3},
    ],
    "edges": [
        {"source_node": "reader", "source_port": "response", "target_node": "polish", "target_port": "prompt"},
    ],
}


def test_the_long_form_is_the_short_one() -> None:
    assert read_document(LONG) == read_document(SHORT)


def test_a_pipeline_and_a_stage_in_the_long_form() -> None:
    graphs = [{"graph_id": "draw", "ref": "draw.yaml"}, {"id": "cut", "type": "a/b"}]
    pipeline = {"pipeline_id": "video", "graphs": graphs}
    found = read_document(pipeline)
    assert (found.kind, found.name) == ("pipeline", "video")
    assert found.nodes == {"draw": {"ref": "draw.yaml"}, "cut": {"type": "a/b"}}
    stage = {
        "stage_id": "author",
        "pipelines": {"write": {"graphs": {"draft": "draft.yaml"}, "edges": []}},
        "state_contract": {"inputs": ["intent"], "output": "chronicle", "mapping": {"intent": "prompt"}},
    }
    found = read_document(stage)
    assert (found.kind, found.reads, found.fills) == ("stage", ["intent"], "chronicle")
    assert found.ports == {"intent": "prompt"}
    assert found.nodes["write"]["graphs"] == {"draft": "draft.yaml"}


def test_hyperedges_calls_and_exposures_in_every_spelling() -> None:
    found = read_document({
        "nodes": {"a": "x/y", "b": "b.yaml"},
        "edges": [{"sources": ["a.x", {"node": "b", "port": "y"}], "targets": ["c.z"]}],
        "calls": [{"source_node": "a", "target_node": "b"}, "a -> c"],
        "inputs": [{"node": "a", "port": "p", "name": "q"}, {"node": "b", "port": "p", "name": "q"}, "c.r"],
        "outputs": {"o": {"node_id": "a", "port": "x"}},
    })  # fmt: skip
    assert found.nodes == {"a": {"type": "x/y"}, "b": {"ref": "b.yaml"}}
    assert found.edges == ["a.x, b.y -> c.z"]
    assert found.calls == ["a -> b", "a -> c"]
    assert found.inputs == {"q": ["a.p", "b.p"], "c.r": "c.r"}
    assert found.outputs == {"o": "a.x"}


@pytest.mark.parametrize(
    ("data", "sentence", "path"),
    [
        ([], "list, not a mapping", "f"),
        ({}, "Field required", "f: nodes"),
        ({"nodes": {}, "nods": {}}, "did you mean 'nodes'", "f: nods"),
        ({"nodes": {}, "kind": "world"}, "kind is 'world'", "f"),
        ({"nodes": {}, "version": 2}, "newer than this release", "f"),
        ({"nodes": {}, "version": 0}, "greater than or equal to 1", "f: version"),
        ({"nodes": {}, "version": "1"}, "valid integer", "f: version"),
        ({"nodes": {}, "num_loop_steps": 0}, "greater than or equal to 1", "f: num_loop_steps"),
        ({"nodes": {"a": 3}}, "a node is a mapping, not int", "f: nodes/a"),
        ({"nodes": [{"type": "x/y"}]}, "needs a node_id", "f"),
        ({"nodes": [{"id": "a"}, {"node_id": "a"}]}, "'a' is taken", "f"),
        ({"nodes": {}, "subnodes": {}}, "say the same", "f"),
        ({"nodes": {"a": {"type": "x", "block_type": "y"}}}, "say the same", "f: nodes/a"),
        ({"nodes": {}, "edges": [{"source_node": "a"}]}, "has no source_port", "f"),
        ({"nodes": {}, "edges": [{"sources": "ab", "targets": ["c.z"]}]}, "no hyperedge", "f"),
        ({"nodes": {}, "edges": [3]}, "has no source_node", "f"),
        ({"nodes": {}, "calls": [{"source_node": "a"}]}, "has no target_node", "f"),
        ({"nodes": {}, "inputs": [{"port": "p"}]}, "has no node", "f"),
        ({"nodes": {}, "inputs": {"q": 3}}, "got int", "f: inputs/q/str"),
        ({"nodes": {}, "state_contract": ["intent"]}, "no mapping", "f"),
        ({"nodes": {}, "state_contract": {"fils": "x"}}, "did you mean 'fills'", "f"),
        ({"nodes": {}, "fills": "x", "state_contract": {"fills": "x"}}, "keep one", "f"),
        ({1: 2, "nodes": {}}, "a key is 1", "f"),
    ],
)
def test_what_is_refused_says_where(data: Any, sentence: str, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_document(data, "f")
    assert sentence in str(caught.value)
    assert caught.value.path == path


def test_a_kind_that_is_not_wanted() -> None:
    with pytest.raises(ConfigError, match="this is a graph, not a pipeline"):
        read_document(SHORT, kind="pipeline")


@pytest.mark.parametrize("kind", LEVELS)
def test_the_schema_describes_the_document(kind: str) -> None:
    schema = json_schema(kind)
    assert schema["properties"]["kind"] == {"const": kind}
    assert set(schema["required"]) == {"kind", "nodes"}
    assert schema["additionalProperties"] is False


NO_EDGES = ["", "a", "a.x", "a.x ->", "-> b.y", "a -> b", "a.x -> b.y -> c.z", "a.x, -> , ", "a. -> b.y"]


@pytest.mark.parametrize("text", NO_EDGES)
def test_texts_that_are_no_edge(text: str) -> None:
    with pytest.raises(ConfigError):
        read_edge(text)


@pytest.mark.parametrize("text", ["", "a", "a ->", "-> b", "a -> b -> c", "a -> b, c", "a.x -> b"])
def test_texts_that_are_no_call(text: str) -> None:
    with pytest.raises(ConfigError):
        read_call(text)


@given(st.text(alphabet="ab.-> ,_\n\0é", max_size=30))
def test_edge_texts_give_an_edge_or_our_error(text: str) -> None:
    for read in (read_edge, read_call):
        try:
            found = read(text)
        except YggdrasilError:
            continue
        assert read(str(found)) == found


SCALARS = st.none() | st.booleans() | st.integers(-2, 3) | st.floats(allow_nan=False) | st.text(max_size=8)
KEYS = st.sampled_from([
    "kind", "version", "name", "nodes", "edges", "calls", "inputs", "outputs", "graphs", "pipelines", "subnodes",
    "until", "state_contract", "graph_id", "stage_id", "num_loop_steps", "resources", "ref", "type", "block_type",
    "config", "graph", "node_id", "source_node", "source_port", "target_node", "target_port", "sources", "targets",
    "port", "reads", "fills",
])  # fmt: skip
VALUES = st.recursive(
    SCALARS | st.sampled_from(["a.x", "a.x -> b.y", "graph", "stage", "x/y", "f.yaml"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_document_is_read_or_refused_by_our_error(data: dict[str, Any]) -> None:
    try:
        found = read_document(data, "f.yaml")
    except ConfigError:
        return
    again = found.model_dump(exclude_unset=True)
    assert read_document({**again, "kind": found.kind}) == found
