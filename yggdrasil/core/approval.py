"""A tool call that waits for a person, and what the person says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from yggdrasil.core.canonical import digest
from yggdrasil.core.value import Value
from yggdrasil.errors import PortError


class Approval(Value):
    """A question to a person: may `tool` be called with `arguments`? `id` is what an answer names."""

    id: str
    tool: str
    arguments: Mapping[str, Any]
    path: str


class Answer(Value):
    """What a person says. `note` is told to the model; `arguments` replace those it gave, when there are any."""

    approved: bool
    note: str = ""
    arguments: Mapping[str, Any] | None = None


Approver = Callable[[Approval], "bool | Answer | Awaitable[bool | Answer]"]
"""Asked at once, in the process that runs: `run(..., approve=ask_me)`."""


def approval_id(stream: str, scope: str, path: str, number: int) -> str:
    """The same id for the same question, whichever process asks it."""
    return digest([stream, scope, path, number])[:12]


def answer_of(value: Any) -> Answer:
    """What an approver returned, as an Answer."""
    if isinstance(value, Answer):
        return value
    if isinstance(value, bool):
        return Answer(value)
    raise PortError(f"approve gave {type(value).__name__}", hint="return True, False or Answer(False, 'not now')")
