"""Asking a person before a tool runs: at once, or durably, so that the answer may come days later."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.tool import Asks
from yggdrasil.agent.results import Outcome
from yggdrasil.core.approval import Answer, Approval, answer_of, approval_id
from yggdrasil.core.events import ApprovalAsked, ApprovalGiven
from yggdrasil.errors import PortError, SuspendedError

_HINT = "yggdrasil approve THREAD --store URL, and run the same line again; or run(..., approve=ask_me)"


async def refused(
    tool: str, asks: Asks, inputs: Mapping[str, Any], ctx: RunContext
) -> Outcome | Mapping[str, Any] | None:
    """None when the call may be made, other arguments when it may with these, and what the model is told when not.

    SuspendedError when nobody has answered yet.
    """
    if callable(asks) and not asks(inputs):
        return None
    approval, answer = await _asked(tool, inputs, ctx)
    if answer is None:
        ctx.emit(ApprovalAsked, approval=approval.id, tool=tool, arguments=dict(inputs))
        answer = await _now(approval, ctx)
        ctx.emit(ApprovalGiven, approval=approval.id, tool=tool, approved=answer.approved, note=answer.note)
    if not answer.approved:
        why = f": {answer.note}" if answer.note else ""
        return Outcome(f"A person was asked whether {tool} may be called with these arguments, and said no{why}")
    return answer.arguments


async def _asked(tool: str, inputs: Mapping[str, Any], ctx: RunContext) -> tuple[Approval, Answer | None]:
    effects = ctx.run.effects
    if effects is not None:
        return await effects.asked(ctx, tool, inputs)
    return Approval(approval_id("", ctx.run.scope, ctx.path, 0), tool, inputs, ctx.path), None


async def _now(approval: Approval, ctx: RunContext) -> Answer:
    """The answer of whoever is there to be asked; SuspendedError when nobody is."""
    approve = ctx.run.approve
    if approve is None:
        raise waits([approval], ctx.path)
    said = approve(approval)
    answer = answer_of(await said if inspect.isawaitable(said) else said)
    if ctx.run.effects is not None:
        await ctx.run.effects.answered(approval, answer)
    return answer


def waits(pending: Sequence[Approval], path: str) -> SuspendedError:
    """The error of a run that waits for a person."""
    tools = ", ".join(f"{a.tool} ({a.id})" for a in pending)
    several = "s wait" if len(pending) > 1 else " waits"
    sentence = f"{len(pending)} tool call{several} for approval: {tools}"
    return SuspendedError(sentence, pending=pending, path=path, hint=_HINT)


def require_someone(tools: Sequence[str], ctx: RunContext) -> None:
    """Before anything is spent: PortError when `tools` need approval and nobody could ever give it."""
    if tools and ctx.run.effects is None and ctx.run.approve is None:
        raise PortError(
            f"a person must approve each call of {', '.join(tools)}, and nobody can be asked",
            path=ctx.path,
            hint='run(..., approve=ask_me), or run(..., thread="t1", store="sqlite:///runs.db")',
        )
