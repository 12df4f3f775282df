"""What becomes of a model's answer: it is read as a type, or handed to a tool that takes it or says what is wrong."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.agent.toolbox import PASSED_ON, Contracts
from yggdrasil.core.answer import AnswerContract, AnswerError, json_of, wanted
from yggdrasil.core.binding import with_defaults
from yggdrasil.core.toolspec import ArgumentsError, tool_name

_LONGEST_ERROR = 2000


class Answers(ABC):
    """`schema` goes to the model (None: any text)."""

    schema: Mapping[str, Any] | None

    @abstractmethod
    async def take(self, text: str, ctx: RunContext) -> Any:
        """The response that `text` means. AnswerError tells the model what is wrong."""


class Typed(Answers):
    """The answer is a value of a type, or plain text."""

    def __init__(self, contract: AnswerContract) -> None:
        self._contract = contract
        self.schema = contract.schema

    async def take(self, text: str, ctx: RunContext) -> Any:
        """Read it."""
        return self._contract.read(text)


class Taken(Answers):
    """The answer is the arguments of a tool; what the tool gives is the response, what it raises goes back."""

    def __init__(self, tool: Runnable, contracts: Contracts) -> None:
        self._tool = tool
        self._contract = contracts.of(tool_name(tool.label), tool)
        self.schema = self._contract.spec.parameters

    async def take(self, text: str, ctx: RunContext) -> Any:
        """Hand it over. It is not recorded: the same answer must be taken the same way whenever it is read again."""
        assert self.schema is not None
        try:
            arguments = self._contract.read(json_of(text, self.schema))
        except ArgumentsError as error:
            raise AnswerError(f"the answer does not fit: {error.complaints}. {wanted(self.schema)}") from error
        tool = self._tool
        try:
            outputs = await tool.execute(with_defaults(tool.spec, arguments), ctx.child(tool_name(tool.label)))
        except PASSED_ON:
            raise
        except Exception as error:  # told to the model, which may mend it
            said = str(error)[:_LONGEST_ERROR] or type(error).__name__
            raise AnswerError(f"the answer cannot be taken: {said}. Mend this, and answer again as before") from error
        return next(iter(outputs.values())) if len(outputs) == 1 else dict(outputs)
