"""Asking a model within a run: budget, record, events. The one way in which blocks and agents do it."""

from __future__ import annotations

from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.model import Delta, Model
from yggdrasil.core.events import ModelCalled, ModelFailed, ModelReplied, Token
from yggdrasil.core.messages import Reply, Request, reply_from_json, reply_to_json
from yggdrasil.core.turn import Transcript
from yggdrasil.errors import ModelError


async def ask(model: Model, request: Request, ctx: RunContext) -> Reply:
    """One reply of `model`, at the place of `ctx`.

    BudgetError before the call when a budget is spent; ModelError, with the path, when the provider fails.
    In a durable run the reply is recorded before it is returned, and never asked for twice. One that an earlier
    process recorded counts as spent by this run too; one that is given back a second time is paid for already.
    While someone listens to them the reply is streamed, piece by piece, as Token events.
    """
    run = ctx.run
    model = model.at(ctx)
    if ctx.budget is not None and run.effects is None:
        ctx.require()
    delta = None
    if run.hooks:
        delta = _teller(ctx) if any(getattr(hook, "tokens", True) for hook in run.hooks) else None
        ctx.emit(ModelCalled, model=model.name, request=request)
    try:
        if run.effects is None:
            reply = await (model.reply(request) if delta is None else model.reply(request, delta=delta))
            ctx.spend(reply.usage)
        else:
            reply = await _recorded(model, request, ctx, delta)
    except ModelError as error:
        error.path = error.path or ctx.path
        if run.hooks:
            ctx.emit(ModelFailed, model=model.name, error=error.sentence, error_type=type(error).__name__)
        raise
    usage = reply.usage
    if usage.unpriced and ctx.budget is not None and ctx.budget.doubt():
        ctx.warn(f"the price of {model.name} is unknown: the budget in money does not count it")
    if run.hooks:
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
            message=reply.message,
        )
    return reply


def _teller(ctx: RunContext) -> Delta:
    def tell(part: str, text: str) -> None:
        ctx.emit(Token, text=text, part=part)

    return tell


async def _recorded(model: Model, request: Request, ctx: RunContext, delta: Delta | None) -> Reply:
    counted = False

    async def perform(key: str) -> Reply:
        nonlocal counted
        ctx.require()
        reply = await model.reply(request, key=key, delta=delta)
        ctx.spend(reply.usage)
        counted = True
        return reply

    def recalled(reply: Reply) -> None:
        nonlocal counted
        ctx.spend(reply.usage, recorded=True)
        counted = True

    reply = await ctx.effect(
        "model",
        lambda: request_to_json(model.name, request),
        perform,
        encode=reply_to_json,
        decode=reply_from_json,
        recalled=recalled,
    )
    if not counted:
        ctx.run.count(reply.usage)
    return reply


def request_to_json(model: str, request: Request) -> dict[str, Any]:
    """What identifies a model call: the model and all that it is asked; the messages by their chained digest."""
    said = request.messages
    return {
        "model": model,
        "messages": (said if isinstance(said, Transcript) else Transcript(said)).digest,
        "tools": [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in request.tools],
        "output": request.output,
        "params": dict(request.params),
    }
