"""Asking a model within a run: budget, record, events. The one way in which blocks and agents do it."""

from __future__ import annotations

from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.model import Delta, Model
from yggdrasil.core.events import ModelCalled, ModelReplied, Token
from yggdrasil.core.messages import Reply, Request, message_to_json, reply_from_json, reply_to_json
from yggdrasil.errors import ModelError


async def ask(model: Model, request: Request, ctx: RunContext) -> Reply:
    """One reply of `model`, at the place of `ctx`.

    BudgetError before the call when a budget is spent; ModelError, with the path, when the provider fails.
    In a durable run the reply is recorded before it is returned, and never asked for twice; one that was recorded
    already is counted as used, and not against the budget: it has been paid for.
    While someone listens the reply is streamed, piece by piece, as Token events.
    """
    run = ctx.run
    if ctx.budget is not None and run.effects is None:
        ctx.require()
    paid = True
    delta = _teller(ctx) if run.hooks else None
    if run.hooks:
        ctx.emit(ModelCalled, model=model.name)
    try:
        if run.effects is None:
            reply = await (model.reply(request) if delta is None else model.reply(request, delta=delta))
        else:
            reply, paid = await _recorded(model, request, ctx, delta)
    except ModelError as error:
        error.path = error.path or ctx.path
        raise
    if paid:
        ctx.spend(reply.usage)
    else:
        run.usage = run.usage + reply.usage
    if run.hooks:
        usage = reply.usage
        ctx.emit(
            ModelReplied,
            model=reply.model or model.name,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost=usage.cost,
            cached_tokens=usage.cached_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            finish=reply.finish,
            reply=reply.id,
        )
    return reply


def _teller(ctx: RunContext) -> Delta:
    def tell(part: str, text: str) -> None:
        ctx.emit(Token, text=text, part=part)

    return tell


async def _recorded(model: Model, request: Request, ctx: RunContext, delta: Delta | None) -> tuple[Reply, bool]:
    """The reply, and whether it was asked for now."""
    paid = False

    async def perform(key: str) -> Reply:
        nonlocal paid
        ctx.require()
        paid = True
        return await model.reply(request, key=key, delta=delta)

    reply = await ctx.effect(
        "model", lambda: request_to_json(model.name, request), perform, encode=reply_to_json, decode=reply_from_json
    )
    return reply, paid


def request_to_json(model: str, request: Request) -> dict[str, Any]:
    """What identifies a model call: the model and all that it is asked."""
    return {
        "model": model,
        "messages": [message_to_json(m) for m in request.messages],
        "tools": [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in request.tools],
        "output": request.output,
        "params": dict(request.params),
    }
