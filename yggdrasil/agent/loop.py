"""The agent loop: ask the model, run what it asks for, tell it the results, until it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.model import Model
from yggdrasil.agent.answers import Answers
from yggdrasil.agent.toolbox import Toolbox
from yggdrasil.core.answer import AnswerError
from yggdrasil.core.messages import Message, Reply, Request, user
from yggdrasil.core.turn import Call, OnLimit, Stop, Transcript, Turns, not_run
from yggdrasil.core.value import Value
from yggdrasil.errors import OutputError, StepLimitError, ToolRetryError
from yggdrasil.runtime.ask import ask


class Loop(Value):
    """How an agent goes about it; the same for all of its runs."""

    model: Model
    toolbox: Toolbox
    answer: Answers
    max_steps: int
    max_retries: int
    on_limit: OnLimit
    params: Mapping[str, Any]

    async def run(self, opening: list[Message], ctx: RunContext) -> tuple[Any, Transcript]:
        """The answer and the whole transcript. AgentErrors carry the transcript up to where they came."""
        transcript = Transcript(opening)
        turns = Turns(self.max_steps, self.max_retries)
        counts: dict[str, int] = {}
        tools = self.toolbox.specs
        last = False
        while True:
            reply = await ask(self.model, Request(transcript, tools, self.answer.schema, self.params), ctx)
            transcript = transcript.add(reply.message)
            decision = turns.decide(reply)
            if type(decision) is Call:
                results = await self.toolbox.run(decision.calls, ctx, counts)
                transcript = transcript.add(Message("tool", results))
                worn_out = turns.failed(results)
                if worn_out is not None:
                    raise ToolRetryError(
                        f"tool {worn_out.name} failed {turns.failures[worn_out.name]} times; "
                        f"the last error: {worn_out.content}",
                        transcript=transcript,
                        path=ctx.path,
                        hint=f"max_retries={self.max_retries * 2 or 2}",
                    )
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
                    return await self._read(reply, ctx), transcript
                except AnswerError as error:
                    transcript = self._again(str(error), transcript, turns, ctx)

    async def _read(self, reply: Reply, ctx: RunContext) -> Any:
        text = reply.message.text
        if self.answer.schema is None:
            if reply.finish == "length":
                ctx.warn("the answer was cut off: it is as long as max_tokens allows")
            elif not text:
                ctx.warn("the model answered with nothing")
        return await self.answer.take(text, ctx)

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
