"""What an agent can call: anything that runs, by name, with a contract; and the calling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.binding import with_defaults
from yggdrasil.core.events import ToolCalled, ToolReturned
from yggdrasil.core.messages import ToolCall, ToolResult, ToolSpec
from yggdrasil.core.ports import Port
from yggdrasil.core.toolspec import ArgumentsError, ToolContract, result_text, tool_contract, tool_name
from yggdrasil.errors import (
    BudgetError,
    ConfigError,
    EffectMismatchError,
    EffectUnknownError,
    StoreError,
    close_names,
)
from yggdrasil.runtime.function import FunctionBlock
from yggdrasil.runtime.group import concurrently
from yggdrasil.runtime.registry import active_registry

PASSED_ON = (BudgetError, StoreError, EffectMismatchError, EffectUnknownError)
"""What ends the run instead of being told to the model: no other call could mend it."""

_LONGEST_ERROR = 2000
_MOST_CONTRACTS = 256

AnyTool = Runnable | Callable[..., Any] | str | Mapping[str, Any]


class Tool(NamedTuple):
    """A runnable with its contract. `outside`: a function, whose result a durable run records."""

    name: str
    runnable: Runnable
    contract: ToolContract
    outside: bool
    idempotent: bool


class Contracts:
    """Contracts made once for each set of ports, however often a graph hands the tools over."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], tuple[ToolContract, tuple[Port, ...]]] = {}

    def of(self, name: str, tool: Runnable) -> ToolContract:
        """The contract of `tool` under `name`."""
        spec = tool.spec
        ports = tuple(spec.inputs.values())
        key = (name, spec.doc, *map(id, ports))
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= _MOST_CONTRACTS:
                self._made.clear()
            # the ports are kept, so that no other one can take their id
            found = self._made[key] = (tool_contract(name, spec), ports)
        return found[0]


def as_runnable(tool: AnyTool) -> Runnable:
    """A tool in any form as a runnable: a function is wrapped, a name or `{type: name, ...config}` is built.

    The name `dice` means the type `tool/dice`.
    """
    if isinstance(tool, Runnable):
        return tool
    if isinstance(tool, str):
        return active_registry().build(tool if "/" in tool else f"tool/{tool}", {})
    if isinstance(tool, Mapping):
        config = dict(tool)
        if not isinstance(config.get("type"), str):
            raise ConfigError("a tool in a config needs its type", hint="tools: [{type: tool/dice, sides: 6}]")
        kind = config.pop("type")
        return active_registry().build(kind if "/" in kind else f"tool/{kind}", config)
    if callable(tool) and not isinstance(tool, type):
        made = FunctionBlock(tool)
        made.require_config()
        return made
    raise ConfigError(
        f"{tool!r} is no tool", hint="a function, @tool, a block, graph, pipeline, agent or world, or the name of one"
    )


class Toolbox:
    """Tools by the name a model calls them."""

    def __init__(self, runnables: Iterable[Runnable], contracts: Contracts) -> None:
        self._tools: dict[str, Tool] = {}
        for runnable in runnables:
            name = tool_name(runnable.label)
            if name in self._tools:
                raise ConfigError(f"two tools are called {name!r}", hint=f'@tool(name="{name}_2")')
            inner: Any = runnable
            while hasattr(inner, "inner"):  # wrappers and nodes around it
                inner = inner.inner
            marked = getattr(inner, "idempotent", None)
            self._tools[name] = Tool(
                name, runnable, contracts.of(name, runnable), marked is not None, marked is not False
            )
        self.specs: tuple[ToolSpec, ...] = tuple(t.contract.spec for t in self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    async def run(self, calls: Sequence[ToolCall], ctx: RunContext, counts: dict[str, int]) -> tuple[ToolResult, ...]:
        """The results of one turn's calls, in call order; several run at once, and one that is cancelled ends all.

        `counts` numbers the calls of each tool within the run, so that every call has a place of its own.
        """
        if len(calls) == 1:
            return (await self._run(calls[0], _place(calls[0], ctx, counts)),)
        places = [(call, _place(call, ctx, counts)) for call in calls]
        results: list[Any] = [None] * len(calls)

        async def fill(index: int, call: ToolCall, place: RunContext) -> None:
            results[index] = await self._run(call, place)

        async with concurrently() as spawn:
            for index, (call, place) in enumerate(places):
                spawn(fill, index, call, place)
        return tuple(results)

    async def _run(self, call: ToolCall, ctx: RunContext) -> ToolResult:
        hooks = ctx.run.hooks
        if hooks:
            ctx.emit(ToolCalled, tool=call.name, call=call.id, arguments=call.arguments)
        tool = self._tools.get(call.name)
        if tool is None:
            content, failed = f"there is no tool {call.name!r}; {close_names(call.name, self._tools)}", True
        else:
            try:
                inputs = with_defaults(tool.runnable.spec, tool.contract.read(call.arguments))
            except ArgumentsError as error:
                content, failed = str(error), True
            else:
                if tool.outside and ctx.run.effects is not None:
                    content, failed = await _recorded(tool, inputs, call, ctx)
                else:
                    content, failed = await _perform(tool.runnable, inputs, ctx)
        if hooks:
            ctx.emit(ToolReturned, tool=call.name, call=call.id, content=content, failed=failed)
        return ToolResult(call.id, call.name, content, failed)


def _place(call: ToolCall, ctx: RunContext, counts: dict[str, int]) -> RunContext:
    name = call.name
    count = counts[name] = counts.get(name, 0) + 1
    return ctx.child(name if count == 1 else f"{name}.{count}")


async def _perform(tool: Runnable, inputs: Mapping[str, Any], ctx: RunContext) -> tuple[str, bool]:
    try:
        return result_text(await tool.execute(inputs, ctx)), False
    except PASSED_ON:
        raise
    except Exception as error:  # told to the model, which may mend it
        text = str(error)
        return f"{type(error).__name__}: {text}"[:_LONGEST_ERROR] if text else type(error).__name__, True


async def _recorded(tool: Tool, inputs: Mapping[str, Any], call: ToolCall, ctx: RunContext) -> tuple[str, bool]:
    async def perform(key: str) -> tuple[str, bool]:
        ctx.key = key
        return await _perform(tool.runnable, inputs, ctx)

    return await ctx.effect(
        "tool",
        lambda: {"tool": tool.name, "arguments": dict(call.arguments) if isinstance(call.arguments, Mapping) else None},
        perform,
        encode=lambda result: {"content": result[0], "failed": result[1]},
        decode=lambda kept: (kept["content"], kept["failed"]),
        idempotent=tool.idempotent,
    )
