"""Call edges: an agent's node with the nodes it may call as tools, and what is bound for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.ports import Port, Spec
from yggdrasil.errors import ConfigError


@runtime_checkable
class Caller(Protocol):
    """What can call tools: it gives a copy of itself that can also call these."""

    def calling(self, tools: Sequence[Runnable]) -> Runnable:
        """The same, with more tools."""
        ...


def bound_port(tool: str, port: str) -> str:
    """The hidden input of an agent's node that carries a bound port of its tool."""
    return f"{tool}.{port}"


class NodeTool(Runnable):
    """A node as a tool: named by its node id, without the ports that are bound."""

    def __init__(self, name: str, inner: Runnable, bound: Mapping[str, Any]) -> None:
        self.name, self.inner, self.bound = name, inner, bound
        spec = inner.spec
        self._spec = Spec({n: p for n, p in spec.inputs.items() if n not in bound}, spec.outputs, spec.doc)
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
        return await self.inner.execute({**inputs, **self.bound}, ctx)


class Calling(Runnable):
    """An agent's node and its tools. Bound tool ports are hidden inputs of it, named `tool.port`."""

    def __init__(self, agent: Runnable, tools: Mapping[str, Runnable], bound: Sequence[tuple[str, str]], path: str) -> None:
        if not isinstance(agent, Caller):
            raise ConfigError(
                f"{agent.block_type or agent.label} cannot call tools", path=path, hint="call edges start at an agent"
            )
        self.agent = agent
        self.tools = tools
        self.bound = tuple(bound)
        self._spec = calling_spec(agent.spec, tools, bound)  # type: ignore[attr-defined]

    @property
    def spec(self) -> Spec:
        """The agent's ports and the bound ones."""
        return self._spec

    @property
    def block_type(self) -> str:
        """The agent's type."""
        return self.agent.block_type  # type: ignore[attr-defined,no-any-return]

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Run the agent with its tools."""
        own = dict(inputs)
        values: dict[str, dict[str, Any]] = {name: {} for name in self.tools}
        for tool, port in self.bound:
            name = bound_port(tool, port)
            if name in own:
                values[tool][port] = own.pop(name)
        tools = [NodeTool(name, inner, values[name]) for name, inner in self.tools.items()]
        return await self.agent.calling(tools).execute(own, ctx)


def calling_spec(spec: Spec, tools: Mapping[str, Runnable], bound: Sequence[tuple[str, str]]) -> Spec:
    """An agent's spec with the bound ports of its tools."""
    if not bound:
        return spec
    hidden = {}
    for tool, name in bound:
        found = tools[tool].spec.inputs[name]
        hidden[bound_port(tool, name)] = Port(bound_port(tool, name), found.type, found.optional, found.default, doc=found.doc)
    return Spec({**spec.inputs, **hidden}, spec.outputs, spec.doc)
