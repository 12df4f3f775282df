"""An agent's run: what it remembers goes before, its loop talks, whoever it hands over to goes on, and it remembers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.abc.toolset import Toolset
from yggdrasil.agent.approving import require_someone
from yggdrasil.agent.loop import Answered, HandedOver, Loop
from yggdrasil.agent.results import Results
from yggdrasil.agent.talk import new_messages, opening
from yggdrasil.agent.toolbox import Calls
from yggdrasil.core.frozen import thaw
from yggdrasil.core.links import BLOB
from yggdrasil.core.messages import Message, ToolResult
from yggdrasil.errors import ConfigError, StepLimitError, close_names

if TYPE_CHECKING:
    from yggdrasil.agent.block import Agent
    from yggdrasil.agent.memory import Memory

MOST_HANDOFFS = 16
"""How often one run may change hands."""

_NOTHING: Mapping[str, Any] = {}


async def talk(agent: Agent[Any], inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
    """The outputs of one run of `agent`."""
    if agent.answer is not None:
        _require_taker(agent, ctx)
    new = new_messages(inputs, ctx.path)
    calls = Calls(inputs.get("given") or _NOTHING, Results(agent.max_result), parallel=agent.parallel)
    memory = None if agent.memory is None else _memory(agent.memory, ctx)
    before = [] if memory is None else await memory.before(new, ctx)
    tools = () if memory is None else memory.tools()
    context = inputs.get("context")
    outcome, own = await _part(agent, [*before, *new], context, ctx, calls, tools)
    hops = 0
    while type(outcome) is HandedOver:
        hops += 1
        if hops > MOST_HANDOFFS:
            raise StepLimitError(
                f"the talk changed hands {MOST_HANDOFFS} times without an answer",
                transcript=outcome.transcript,
                path=ctx.path,
                hint="tell the agents who answers what",
            )
        other = outcome.to.agent
        outcome, own = await _part(other, outcome.transcript[own:], context, ctx.child(other.label), calls, ())
    assert isinstance(outcome, Answered)
    transcript = outcome.transcript[own:]
    if memory is not None:
        await memory.keep(transcript[len(before) :], ctx, agent._loop.model)
        if ctx.run.kept is not None:
            ctx.run.kept[ctx.path] = memory.state_dict()
        while transcript and transcript[0].role == "system":
            transcript = transcript[1:]  # what it remembers is not part of the talk
    return {"response": outcome.response, "messages": transcript, "tool_calls": []}


async def _part(
    agent: Agent[Any],
    said: Sequence[Message],
    context: Any,
    ctx: RunContext,
    calls: Calls,
    tools: Sequence[Runnable],
) -> tuple[Answered | HandedOver, int]:
    """One agent's part of the talk: how it ended, and how many messages of the agent's own opened it."""
    if agent.budget is not None:
        ctx = ctx.within(agent.budget)
    if agent._known is None and agent.handoffs:
        agent._know()
    more = list(tools)
    if calls.results.texts or any(_has_link(message) for message in said):
        more.append(calls.results.reader())
    toolsets = [made for made in agent._made if isinstance(made, Toolset)]
    begun = await opening(agent.instructions, context, calls.given, ctx)
    if not toolsets:
        loop = agent.calling(more)._loop if more else agent._loop
        return await _loop(loop, [*begun, *said], ctx, calls), len(begun)
    async with AsyncExitStack() as stack:
        for toolset in toolsets:
            more += await stack.enter_async_context(toolset.open())
        return await _loop(agent.calling(more)._loop, [*begun, *said], ctx, calls), len(begun)


async def _loop(loop: Loop, messages: Sequence[Message], ctx: RunContext, calls: Calls) -> Answered | HandedOver:
    if loop.toolbox.asking:
        require_someone(loop.toolbox.asking, ctx)
    return await loop.run(messages, ctx, calls)


def _require_taker(agent: Agent[Any], ctx: RunContext) -> None:
    if agent._loop.answer.schema is None:
        close = close_names(str(agent.answer), [tool.label for tool in agent._runnables])
        raise ConfigError(
            f"no tool {agent.answer!r} takes the answer; {close}",
            path=ctx.path,
            hint=f"calls: [agent -> {agent.answer}]",
        )


def _memory(memory: Memory, ctx: RunContext) -> Memory:
    """The agent's memory; in a thread or a world its own there, as it was when the last run or stage ended."""
    kept = ctx.run.kept
    if kept is None:
        return memory
    own = memory.fresh()
    if ctx.path in kept:
        own.load_state_dict(thaw(kept[ctx.path]))
    return own


def _has_link(message: Message) -> bool:
    return message.role == "tool" and any(isinstance(p, ToolResult) and BLOB in p.content for p in message.parts)
