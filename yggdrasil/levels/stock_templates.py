"""The templates that ship here. Each is a function: its parameters are the template's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.errors import ConfigError
from yggdrasil.levels.container import Child, Container
from yggdrasil.levels.graph import Graph
from yggdrasil.levels.node import as_runnable
from yggdrasil.levels.pipeline import Pipeline
from yggdrasil.levels.stage import Stage
from yggdrasil.levels.templates import register_template


@register_template("graph", "agent")
def agent(model: Any, instructions: str | None = None, tools: Sequence[Any] = (), **options: Any) -> Graph:
    """An agent and its tools, each a node, joined by call edges. Options go to the Agent."""
    from yggdrasil.agent.block import Agent

    graph = Graph("agent")
    graph.add_node("agent", Agent(model, instructions=instructions, **options))
    for tool in map(as_runnable, tools):
        graph.add_node(tool.label, tool)
        graph.add_call("agent", tool.label)
    graph.expose_input("agent.prompt", name="prompt")
    graph.expose_output("agent.response", name="response")
    return graph


@register_template("graph", "chain")
def chain(blocks: Mapping[str, Child]) -> Graph:
    """Blocks in a row by name, each one's only output into the next one's only required input."""
    graph = Graph("chain")
    _row(graph, blocks)
    return graph


@register_template("pipeline", "sequence")
def sequence(graphs: Mapping[str, Child]) -> Pipeline:
    """Graphs in a row by name, each one's only output into the next one's only required input."""
    pipeline = Pipeline("sequence")
    _row(pipeline, graphs)
    return pipeline


def _row(level: Container, children: Mapping[str, Child]) -> None:
    if not children:
        raise ConfigError(f"a {level.kind} in a row needs children", hint='{"draft": draft, "polish": polish}')
    before = ""
    for name, child in children.items():
        level.add(name, child)
        if before:
            level.add_edge(before, name)
        before = name


CONTRACTS: dict[str, tuple[tuple[str, ...], str]] = {
    # stage: (the state blocks it reads, the block it fills), as the canon's cycle has them
    "philosopher": (("artifacts",), "description"),
    "author": (("intent", "blueprint", "artifacts", "description"), "chronicle"),
    "update": (("intent", "blueprint", "artifacts", "description", "chronicle"), "patch"),
    "development": ((), "intent"),
    "architect": (("intent",), "blueprint"),
    "creator": (("blueprint",), "artifacts"),
}


def canonical_stage(name: str, block: Child, ports: Mapping[str, str] | None = None) -> Stage:
    """One of the canon's stages around one child: its contract, with `ports` where the child's are named otherwise."""
    reads, fills = CONTRACTS[name]
    stage = Stage(name)
    stage.add(name, block)
    renamed = dict(ports or {})
    inputs = stage.spec.inputs
    stage.set_state_contract([b for b in reads if renamed.get(b, b) in inputs], fills, renamed)
    return stage


def _register_stage(name: str) -> None:
    @register_template("stage", f"{name}_stage")
    def template(block: Child, ports: Mapping[str, str] | None = None) -> Stage:
        return canonical_stage(name, block, ports)

    template.__doc__ = f"The canon's {name} around one child."


for _name in CONTRACTS:
    _register_stage(_name)
