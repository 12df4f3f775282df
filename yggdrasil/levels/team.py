"""A team's file on its way to a graph: who plays which part, and how many there are of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.config import split_edge
from yggdrasil.core.longform import is_level
from yggdrasil.errors import ConfigError
from yggdrasil.levels.graph import Graph
from yggdrasil.levels.node import as_runnable
from yggdrasil.levels.read import Origin, located, read_file, read_node
from yggdrasil.storage.files import read_config

Role = str | Mapping[str, Any] | Runnable | Callable[..., Any] | Path | None
"""Who plays a part in a team. None: the agent in the team's file. A text: the same with other instructions. A mapping:
the same with these options of an Agent (model, tools, output, memory, ...) or policies of a node (retry, timeout), or
the config of something else (`type: ...`). Or anything that runs: an agent, a graph, a function, the path of a file."""

_FILES = Path(__file__).parent / "teams"
_MAIN = {"inputs": ("prompt",), "outputs": ("response",)}


class Team:
    """The parts of a team's file, to be changed, and then built by `graph`."""

    def __init__(self, file: str, name: str) -> None:
        found = read_config(_FILES / f"{file}.yaml")
        self.file, self.name = file, name
        self.nodes: dict[str, dict[str, Any]] = found["nodes"]
        self.edges: list[str] = found["edges"]
        self.inputs: dict[str, list[str]] = found["inputs"]
        self.outputs: dict[str, str] = found["outputs"]
        self.description: str = found["description"]
        self.until: str | None = found.get("until")
        self.ready: dict[str, Runnable] = {}

    def cast(self, node: str, role: Role, model: Any, tools: Sequence[Any] = ()) -> None:
        """Give the part of `node` to `role`."""
        found = cast(f"{self.name}/{node}", self.nodes[node], role, model, tools)
        if isinstance(found, Runnable):
            self.ready[node] = found
        else:
            self.nodes[node] = found

    def multiply(self, examples: tuple[str, str], names: Sequence[str]) -> None:
        """Put nodes called `names` where the file has two examples: each is, and is joined, as the first of them."""
        first, second = examples
        others = {name: node for name, node in self.nodes.items() if name not in examples}
        for name in names:
            if not isinstance(name, str) or not re.fullmatch(r"[\w-]+", name):
                raise ConfigError(f"{name!r} is no node id", path=self.name, hint="letters, digits, _ and -")
            if name in others:
                raise ConfigError(f"{name!r} is a node of this team already", path=self.name, hint="take another name")
        self.nodes = {**{name: dict(self.nodes[first]) for name in names}, **others}
        self.edges = [edge for text in self.edges for edge in _multiplied(text, first, second, names)]
        for name, ends in self.inputs.items():
            self.inputs[name] = _ends(ends, first, second, names)

    def drop(self, node: str) -> None:
        """Do without a node, and without all that is joined to it."""
        del self.nodes[node]
        self.edges = [text for text in self.edges if not re.search(rf"\b{node}\.", text)]
        self.inputs = {n: [end for end in ends if _node(end) != node] for n, ends in self.inputs.items()}

    def graph(self, loop_steps: int | None = None) -> Graph:
        """The graph. ConfigError or ValidationError say which part does not fit, and why."""
        made = Graph(self.name, num_loop_steps=loop_steps, until=self.until)
        made.description = self.description
        here = Path.cwd()
        for name, node in self.nodes.items():
            if name in self.ready:
                made.add(name, self.ready[name], gate=node.get("gate", False))
                continue
            place = Origin(here / f"{self.file}.yaml", here).below(f"nodes/{name}")
            with located(place):
                block, policies = read_node(node, place)
                made.add(name, block, **policies)
        for text in self.edges:
            sources, targets = split_edge(text)
            if sources == targets and not _keeps(made, *targets[0].split(".")):
                continue  # what has no port for its own talk is not told it again
            made.add_edge([_end(made, s, "outputs") for s in sources], [_end(made, t, "inputs") for t in targets])
        for name, ends in self.inputs.items():
            for end in ends:
                made.expose_input(_end(made, end, "inputs"), name=name)
        for name, end in self.outputs.items():
            made.expose_output(_end(made, end, "outputs"), name=name)
        return made


def cast(
    part: str, said: Mapping[str, Any], role: Role, model: Any, tools: Sequence[Any] = ()
) -> dict[str, Any] | Runnable:
    """The node of a part: what the file says of it with what the caller says, or what is ready to run."""
    if isinstance(tools, str | bytes) or not isinstance(tools, Sequence):
        raise ConfigError(f"tools is {type(tools).__name__}, and is a list", path=part, hint="tools=[look, build]")
    if isinstance(role, str):
        role = {"instructions": role}
    if role is not None and not isinstance(role, Mapping):
        if tools:
            raise ConfigError("tools go to an agent of the team's own", path=part, hint="give the agent its tools")
        return read_file(role) if isinstance(role, Path) else as_runnable(role)
    own = dict(role or {})
    gate = {"gate": said["gate"]} if "gate" in said else {}
    if is_level(own) or "ref" in own or not str(own.get("type", "agent")).startswith("agent"):
        return {**own, **gate}
    found = {**said, "model": model, **({"tools": list(tools)} if tools else {}), **own}
    if "provider" in own:  # agent/api says its model so
        del found["model"]
    return found


def count(what: str, number: Any) -> int:
    """A number of at least 1; ConfigError when it is none."""
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ConfigError(f"{what} is {number!r}; it is a number, at least 1", hint=f"{what}=2")
    return number


def _node(end: str) -> str:
    return end.partition(".")[0]


def _ends(ends: Sequence[str], first: str, second: str, names: Sequence[str]) -> list[str]:
    found = []
    for end in ends:
        if _node(end) == first:
            found += [f"{name}.{end.partition('.')[2]}" for name in names]
        elif _node(end) != second:
            found.append(end)
    return found


def _multiplied(text: str, first: str, second: str, names: Sequence[str]) -> list[str]:
    """An edge for many: one that has both examples takes all in, one that has the first becomes one for each."""
    one, other = (bool(re.search(rf"\b{example}\b", text)) for example in (first, second))
    if one and other:
        sides = (", ".join(_ends(side, first, second, names)) for side in split_edge(text))
        return [" -> ".join(sides)]
    if one:
        return [re.sub(rf"\b{first}\b", name, text) for name in names]
    return [] if other else [text]


def _keeps(graph: Graph, node: str, port: str) -> bool:
    spec = graph.nodes[node].spec
    return port in spec.inputs and port in spec.outputs


def _end(graph: Graph, end: str, side: str) -> str:
    """`node.prompt` and `node.response` of what has no such port: its only one, whatever its name."""
    node, _, port = end.partition(".")
    ports = getattr(graph.nodes[node].spec, side)
    others = [name for name in ports if name != "when"]
    return f"{node}.{others[0]}" if port not in ports and port in _MAIN[side] and len(others) == 1 else end
