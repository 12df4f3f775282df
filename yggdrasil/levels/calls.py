"""Call edges: an agent's node with the nodes it may call as tools, and what is bound for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.binding import check_outputs, with_defaults
from yggdrasil.core.ports import Spec
from yggdrasil.errors import ConfigError


@runtime_checkable
class Caller(Protocol):
    """What can call tools: it gives a copy of itself that can also call these."""

    def calling(self, tools: Sequence[Runnable]) -> Runnable:
        """The same, with more tools."""
        ...


CALLS_START = "call edges start at an agent"


def not_a_caller(block: Runnable) -> str:
    """The sentence about a block that call edges cannot start at."""
    return f"{block.block_type or block.label} cannot call tools"


def bound_port(tool: str, port: str) -> str:
    """The hidden input of an agent's node that carries a bound port of its tool."""
    return f"{tool}.{port}"


class NodeTool(Runnable):
    """A node as a tool: named by its node id, without the ports that are bound."""

    def __init__(self, name: str, inner: Runnable, hidden: frozenset[str], bound: Mapping[str, Any]) -> None:
        self.name, self.inner, self.bound = name, inner, bound
        spec = inner.spec
        self._spec = Spec({n: p for n, p in spec.inputs.items() if n not in hidden}, spec.outputs, spec.doc)
        self.idempotent = getattr(inner, "idempotent", True)

    @property
    def spec(self) -> Spec:
        """The ports a model sees."""
        return self._spec

    @property
    def label(self) -> str:
        """The node's id."""
        return self.name

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Run the node with what the model gave and what is bound."""
        outputs = await self.inner.execute(with_defaults(self.inner.spec, {**inputs, **self.bound}), ctx)
        check_outputs(self.inner.spec, outputs, ctx.path)
        return outputs


class Calling(Runnable):
    """An agent's node and its tools. Bound tool ports are hidden inputs of it, named `tool.port`."""

    def __init__(
        self, agent: Runnable, tools: Mapping[str, Runnable], bound: Sequence[tuple[str, str]], path: str
    ) -> None:
        caller: Any = agent
        if not isinstance(agent, Caller):
            raise ConfigError(not_a_caller(agent), path=path, hint=CALLS_START)
        self.agent = caller
        self.tools = tools
        self.bound = tuple(bound)
        # hidden whether a value came or not: an optional one without a value is not the model's to give
        self._hidden = {name: frozenset(port for tool, port in self.bound if tool == name) for name in tools}
        self._spec = calling_spec(caller.spec, tools, bound)

    @property
    def spec(self) -> Spec:
        """The agent's ports and the bound ones."""
        return self._spec

    @property
    def block_type(self) -> str:
        """The agent's type."""
        return str(self.agent.block_type)

    @property
    def label(self) -> str:
        """The agent's name."""
        return str(self.agent.label)

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Run the agent with its tools."""
        own = dict(inputs)
        values: dict[str, dict[str, Any]] = {name: {} for name in self.tools}
        for tool, port in self.bound:
            name = bound_port(tool, port)
            if name in own:
                values[tool][port] = own.pop(name)
        tools = [NodeTool(name, inner, self._hidden[name], values[name]) for name, inner in self.tools.items()]
        outputs: Mapping[str, Any] = await self.agent.calling(tools).execute(own, ctx)
        return outputs


def calling_spec(spec: Spec, tools: Mapping[str, Runnable], bound: Sequence[tuple[str, str]]) -> Spec:
    """An agent's spec with the bound ports of its tools."""
    if not bound:
        return spec
    hidden = {}
    for tool, name in bound:
        found = tools[tool].spec.inputs[name]
        hidden[bound_port(tool, name)] = found.replace(name=bound_port(tool, name))
    return Spec({**spec.inputs, **hidden}, spec.outputs, spec.doc)
