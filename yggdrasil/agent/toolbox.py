"""What an agent can call: anything that runs, by name, with a contract; and the calling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import anyio

from yggdrasil.abc.catalog import find
from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.abc.tool import FREE, Policy, policy_of
from yggdrasil.abc.toolset import Toolset
from yggdrasil.agent.approving import refused, waits
from yggdrasil.agent.results import Outcome, Results, outcome_from_json, outcome_to_json
from yggdrasil.core.binding import with_defaults
from yggdrasil.core.events import ToolCalled, ToolReturned
from yggdrasil.core.messages import ToolCall, ToolResult, ToolSpec
from yggdrasil.core.ports import Port
from yggdrasil.core.toolspec import ArgumentsError, ToolContract, result_parts, tool_contract, tool_name
from yggdrasil.errors import (
    BudgetError,
    ConfigError,
    EffectMismatchError,
    EffectUnknownError,
    StoreError,
    SuspendedError,
    close_names,
)
from yggdrasil.runtime.function import FunctionBlock
from yggdrasil.runtime.group import concurrently
from yggdrasil.runtime.registry import active_registry

PASSED_ON = (BudgetError, StoreError, EffectMismatchError, EffectUnknownError, SuspendedError)
"""What ends the run instead of being told to the model: no other call could mend it."""

GIVEN = "given"
"""The port of an agent that takes all that it is given: one that is called as a tool gets what its caller has."""

_LONGEST_ERROR = 2000
_MOST_CONTRACTS = 256

AnyTool = Runnable | Callable[..., Any] | str | Mapping[str, Any] | Toolset


class Tool(NamedTuple):
    """A runnable with its contract.

    outside   a function, whose result a durable run records
    given     the ports that come from what the agent was given: name -> whether it must be
    simple    whether there is no rule for calling it, and nothing given
    """

    name: str
    runnable: Runnable
    contract: ToolContract
    outside: bool
    idempotent: bool
    policy: Policy
    given: Mapping[str, bool]
    simple: bool


class Contracts:
    """Contracts made once for each set of ports, however often a graph hands the tools over."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], tuple[ToolContract, tuple[Port, ...]]] = {}

    def of(self, name: str, tool: Runnable) -> ToolContract:
        """The contract of `tool` under `name`: made from its ports, or its own where it brings one."""
        own = getattr(innermost(tool), "contract", None)
        spec = tool.spec
        ports = tuple(spec.inputs.values())
        if isinstance(own, ToolContract):
            return own.named(name, spec.doc)
        key = (name, spec.doc, *map(id, ports))
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= _MOST_CONTRACTS:
                self._made.clear()
            # the ports are kept, so that no other one can take their id
            found = self._made[key] = (tool_contract(name, spec), ports)
        return found[0]


def innermost(runnable: Any) -> Any:
    """What wrappers, nodes and tools are around."""
    while hasattr(runnable, "inner"):
        runnable = runnable.inner
    return runnable


_RULES = ("name", "description", "approval", "timeout", "limit", "bind")


def as_tool(tool: AnyTool) -> Runnable | Toolset:
    """A tool in any form as a runnable, or a toolset: a function is wrapped, a name or `{type: name}` is built.

    The name `dice` means the type `tool/dice`. In a mapping name, description, approval, timeout, limit and bind are
    how the agent has the tool, and the rest is the config of its type (`config:` where names clash).
    """
    if isinstance(tool, Runnable | Toolset):
        return tool
    if isinstance(tool, str):
        return built(tool, "tool")
    if isinstance(tool, Mapping):
        rules = {rule: tool[rule] for rule in _RULES if rule in tool}
        made = built({key: value for key, value in tool.items() if key not in rules}, "tool")
        if not rules:
            return made
        if isinstance(made, Toolset):
            raise ConfigError(f"{tool['type']} is a toolset: {next(iter(rules))} is for one tool")
        return made.as_tool(**rules)
    if callable(tool) and not isinstance(tool, type):
        made = FunctionBlock(tool)
        made.require_config()
        return made
    raise ConfigError(
        f"{tool!r} is no tool", hint="a function, @tool, a block, graph, pipeline, agent or world, or the name of one"
    )


def as_runnable(tool: AnyTool) -> Runnable:
    """A tool in any form but a toolset, as a runnable."""
    found = as_tool(tool)
    if isinstance(found, Toolset):
        raise ConfigError("a toolset holds several tools, and one is wanted here")
    return found


def built(what: str | Mapping[str, Any], role: str) -> Runnable | Toolset:
    """What a name or `{type: name, ...config}` means; a bare name is one of `role`."""
    config = {} if isinstance(what, str) else dict(what)
    kind = what if isinstance(what, str) else config.pop("type", None)
    if not isinstance(kind, str):
        raise ConfigError(f"a {role} in a config needs its type", hint=f"{{type: {role}/NAME, ...}}")
    config.update(config.pop("config", None) or {})
    full = kind if "/" in kind else f"{role}/{kind}"
    registry = active_registry()
    if registry.known(full) or full.partition("/")[0] != role:
        return registry.make(full, config)
    with find(full.partition("/")[2], role).scope():  # of the project one stands in, a plugin, or the stock
        return active_registry().make(full, config)


class Calls:
    """What one run of an agent keeps about its tool calls.

    given     values for the ports that are not the model's to fill, by name
    results   large results, to be read in pieces
    parallel  whether several calls of one turn run at once
    """

    __slots__ = ("_counts", "_limits", "given", "parallel", "results")

    def __init__(self, given: Mapping[str, Any], results: Results, *, parallel: bool = True) -> None:
        self.given, self.results, self.parallel = given, results, parallel
        self._counts: dict[str, int] = {}
        self._limits: dict[str, anyio.Semaphore] = {}

    def place(self, call: ToolCall, ctx: RunContext) -> RunContext:
        """Where a call runs: every call of the run has a place of its own, so that each has its own record."""
        name = call.name
        count = self._counts[name] = self._counts.get(name, 0) + 1
        return ctx.child(name if count == 1 else f"{name}.{count}")

    def limit(self, tool: str, limit: int) -> anyio.Semaphore:
        """The counter of the calls of `tool` that may run at once."""
        if tool not in self._limits:
            self._limits[tool] = anyio.Semaphore(limit)
        return self._limits[tool]


class Toolbox:
    """Tools by the name a model calls them."""

    def __init__(self, runnables: Iterable[Runnable], contracts: Contracts) -> None:
        self._tools: dict[str, Tool] = {}
        for runnable in runnables:
            name = tool_name(runnable.label)
            if name in self._tools:
                raise ConfigError(f"two tools are called {name!r}", hint=f'@tool(name="{name}_2")')
            marked = getattr(innermost(runnable), "idempotent", None)
            contract = contracts.of(name, runnable)
            given = {n: p.required for n, p in runnable.spec.inputs.items() if p.given}
            policy = policy_of(runnable)
            simple = policy == FREE and not given
            self._tools[name] = Tool(
                name, runnable, contract, marked is not None, marked is not False, policy, given, simple
            )
        self.specs: tuple[ToolSpec, ...] = tuple(t.contract.spec for t in self._tools.values())
        self.asking = tuple(n for n, t in self._tools.items() if t.policy.approval is True)
        """The tools of which every call needs a person's approval."""

    def __len__(self) -> int:
        return len(self._tools)

    def having(self, more: Sequence[Runnable], contracts: Contracts) -> Toolbox:
        """These and `more`."""
        return Toolbox([*(t.runnable for t in self._tools.values()), *more], contracts)

    async def run(self, calls: Sequence[ToolCall], ctx: RunContext, state: Calls) -> tuple[ToolResult, ...]:
        """The results of one turn's calls, in call order; several run at once, and one that is cancelled ends all.

        SuspendedError, once the others have ended, when calls wait for a person.
        """
        if len(calls) == 1:
            result = await self._run(calls[0], state.place(calls[0], ctx), state)
            if type(result) is ToolResult:
                return (result,)
            raise result  # type: ignore[misc]
        places = [(call, state.place(call, ctx)) for call in calls]
        results: list[Any] = [None] * len(calls)

        async def fill(index: int, call: ToolCall, place: RunContext) -> None:
            results[index] = await self._run(call, place, state)

        if state.parallel:
            async with concurrently() as spawn:
                for index, (call, place) in enumerate(places):
                    spawn(fill, index, call, place)
        else:
            for index, (call, place) in enumerate(places):
                await fill(index, call, place)
        suspended = [r for r in results if isinstance(r, SuspendedError)]
        if suspended:
            raise waits([approval for error in suspended for approval in error.pending], ctx.path)
        return tuple(results)

    async def _run(self, call: ToolCall, ctx: RunContext, state: Calls) -> ToolResult | SuspendedError:
        hooks = ctx.run.hooks
        tool = self._tools.get(call.name)
        if hooks:
            kind = "" if tool is None else tool.runnable.block_type
            ctx.emit(ToolCalled, tool=call.name, call=call.id, arguments=call.arguments, block=kind)
        if tool is None:
            outcome = Outcome(f"there is no tool {call.name!r}; {close_names(call.name, self._tools)}", True)
        else:
            try:
                if tool.simple and ctx.run.effects is None:
                    inputs = with_defaults(tool.runnable.spec, tool.contract.read(call.arguments))
                    outcome = await _perform(tool, inputs, ctx, state.results)
                else:
                    outcome = await self._outcome(tool, call.arguments, ctx, state)
            except ArgumentsError as error:
                outcome = Outcome(str(error), True)
            except SuspendedError as error:
                return error
        state.results.keep(outcome)
        if hooks:
            ctx.emit(ToolReturned, tool=call.name, call=call.id, content=outcome.content, failed=outcome.failed)
        return ToolResult(call.id, call.name, outcome.content, outcome.failed, outcome.media)

    async def _outcome(
        self, tool: Tool, arguments: Mapping[str, Any] | str, ctx: RunContext, state: Calls
    ) -> Outcome:
        inputs = tool.contract.read(arguments)
        policy = tool.policy
        if policy.approval is not False:
            answer = await refused(tool.name, policy.approval, inputs, ctx)
            if isinstance(answer, Outcome):
                return answer
            if answer is not None:
                arguments, inputs = answer, tool.contract.read(answer)
        if tool.given:
            inputs = {**inputs, **_given(tool, state.given)}
        inputs = with_defaults(tool.runnable.spec, inputs)
        if policy.limit is None:
            return await self._perform(tool, inputs, arguments, ctx, state.results)
        async with state.limit(tool.name, policy.limit):
            return await self._perform(tool, inputs, arguments, ctx, state.results)

    async def _perform(
        self, tool: Tool, inputs: Mapping[str, Any], arguments: Any, ctx: RunContext, results: Results
    ) -> Outcome:
        if ctx.run.effects is None:
            return await _perform(tool, inputs, ctx, results)
        if not tool.outside:
            return await results.record(await _perform(tool, inputs, ctx, results), ctx)

        async def perform(key: str) -> Outcome:
            ctx.key = key
            return await _perform(tool, inputs, ctx, results)

        asked = dict(arguments) if isinstance(arguments, Mapping) else None
        return await ctx.effect(
            "tool",
            lambda: {"tool": tool.name, "arguments": asked},
            perform,
            encode=outcome_to_json,
            decode=outcome_from_json,
            idempotent=tool.idempotent,
        )


def _given(tool: Tool, given: Mapping[str, Any]) -> dict[str, Any]:
    missing = next((name for name, needed in tool.given.items() if needed and name not in given), None)
    if missing is not None:
        # the model cannot mend it
        raise ConfigError(
            f"tool {tool.name} needs {missing!r}, which the agent was not given", hint=f"given={{{missing!r}: ...}}"
        )
    return {name: given if name == GIVEN else given[name] for name in tool.given if name in given or name == GIVEN}


async def _perform(tool: Tool, inputs: Mapping[str, Any], ctx: RunContext, results: Results) -> Outcome:
    seconds = tool.policy.timeout
    try:
        if seconds is None:
            return results.shorten(*result_parts(await tool.runnable.execute(inputs, ctx)))
        with anyio.move_on_after(seconds):
            return results.shorten(*result_parts(await tool.runnable.execute(inputs, ctx)))
        return Outcome(f"{tool.name} took longer than {seconds:g} s and was stopped", True)
    except PASSED_ON:
        raise
    except Exception as error:  # told to the model, which may mend it
        text = str(error)
        return Outcome(f"{type(error).__name__}: {text}"[:_LONGEST_ERROR] if text else type(error).__name__, True)


