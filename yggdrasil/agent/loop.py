"""The agent loop: ask the model, run what it asks for, tell it the results, until it answers or hands over."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.model import Model
from yggdrasil.agent.answers import Answers
from yggdrasil.agent.toolbox import Calls, Contracts, Toolbox
from yggdrasil.core.answer import AnswerError
from yggdrasil.core.events import HandedOff
from yggdrasil.core.messages import Message, Reply, Request, ToolCall, ToolResult, user
from yggdrasil.core.turn import Call, OnLimit, Stop, Transcript, Turns, not_run
from yggdrasil.core.value import Value
from yggdrasil.errors import OutputError, StepLimitError, ToolRetryError
from yggdrasil.runtime.ask import ask

if TYPE_CHECKING:
    from yggdrasil.agent.handoff import HandOff

Validator = Callable[[Any], Any]
"""Given an answer, returns it (or a better one, or nothing); a ValueError is told to the model, which answers again."""

_NONE: Mapping[str, HandOff] = {}


class Answered(Value):
    """The talk has ended with an answer."""

    response: Any
    transcript: Transcript


class HandedOver(Value):
    """The talk goes on with another agent."""

    to: HandOff
    transcript: Transcript


class Loop(Value):
    """How an agent goes about it; the same for all of its runs."""

    model: Model
    toolbox: Toolbox
    answer: Answers
    max_steps: int
    max_retries: int
    on_limit: OnLimit
    params: Mapping[str, Any]
    validators: tuple[Validator, ...] = ()
    handoffs: Mapping[str, HandOff] = _NONE

    async def run(self, opening: Sequence[Message], ctx: RunContext, calls: Calls) -> Answered | HandedOver:
        """The answer, or to whom the talk is handed over. AgentErrors carry the transcript up to where they came."""
        transcript = Transcript(opening)
        turns = Turns(self.max_steps, self.max_retries)
        toolbox = self.toolbox
        tools = toolbox.specs
        last = False
        while True:
            reply = await ask(self.model, Request(transcript, tools, self.answer.schema, self.params), ctx)
            transcript = transcript.add(reply.message)
            decision = turns.decide(reply)
            if type(decision) is Call:
                if self.handoffs and any(call.name in self.handoffs for call in decision.calls):
                    return await self._hand_over(decision.calls, transcript, toolbox, ctx, calls)
                results = await toolbox.run(decision.calls, ctx, calls)
                transcript = transcript.add(Message("tool", results))
                worn_out = turns.failed(results)
                if worn_out is not None:
                    raise self._worn_out(worn_out, turns, transcript, ctx)
                if calls.results.texts and len(tools) == len(self.toolbox):
                    toolbox = toolbox.having([calls.results.reader()], Contracts())
                    tools = toolbox.specs
            elif type(decision) is Stop:
                if last or self.on_limit == "error":
                    raise StepLimitError(
                        decision.sentence,
                        transcript=transcript,
                        path=ctx.path,
                        hint=f'max_steps={self.max_steps * 2}, or on_limit="answer"',
                    )
                transcript = transcript.add(not_run(decision.calls, decision.sentence))
                tools, last = (), True
            else:
                try:
                    return Answered(await self._read(reply, ctx), transcript)
                except AnswerError as error:
                    transcript = self._again(str(error), transcript, turns, ctx)

    def _worn_out(self, worn_out: ToolResult, turns: Turns, transcript: Transcript, ctx: RunContext) -> ToolRetryError:
        return ToolRetryError(
            f"tool {worn_out.name} failed {turns.failures[worn_out.name]} times; the last error: {worn_out.content}",
            transcript=transcript,
            path=ctx.path,
            hint=f"max_retries={self.max_retries * 2 or 2}",
        )

    async def _hand_over(
        self, asked: Sequence[ToolCall], transcript: Transcript, toolbox: Toolbox, ctx: RunContext, calls: Calls
    ) -> HandedOver:
        """The first hand-off counts; other calls of the turn are made before it."""
        chosen = next(call for call in asked if call.name in self.handoffs)
        handoff = self.handoffs[chosen.name]
        others = [call for call in asked if call.name not in self.handoffs]
        results = {r.id: r for r in (await toolbox.run(others, ctx, calls) if others else ())}
        for call in asked:
            if call.name in self.handoffs:
                told = f"{handoff.agent.label} goes on with this talk" if call is chosen else "not done: one is enough"
                results[call.id] = ToolResult(call.id, call.name, told, failed=call is not chosen)
        if ctx.listening:
            given = chosen.arguments.get("reason", "") if isinstance(chosen.arguments, Mapping) else ""
            ctx.emit(HandedOff, agent=handoff.agent.label, reason=str(given))
        return HandedOver(handoff, transcript.add(Message("tool", tuple(results[call.id] for call in asked))))

    async def _read(self, reply: Reply, ctx: RunContext) -> Any:
        text = reply.message.text
        if self.answer.schema is None:
            if reply.finish == "length":
                ctx.warn("the answer was cut off: it is as long as max_tokens allows")
            elif not text:
                ctx.warn("the model answered with nothing")
        value = await self.answer.take(text, ctx)
        for validate in self.validators:
            try:
                found = validate(value)
                found = await found if inspect.isawaitable(found) else found
            except ValueError as error:
                raise AnswerError(f"the answer will not do: {error}. Answer again") from error
            value = value if found is None else found
        return value

    def _again(self, error: str, transcript: Transcript, turns: Turns, ctx: RunContext) -> Transcript:
        turns.unfit += 1
        if turns.unfit > self.max_retries:
            raise OutputError(
                f"the model gave no valid answer in {turns.unfit} tries; the last error: {error}",
                transcript=transcript,
                path=ctx.path,
                hint=f"max_retries={self.max_retries * 2 or 2}",
            )
        return transcript.add(user(error))
