"""Effects: every call to the outside (a model, a tool, a remote) goes through here in a durable run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from yggdrasil.core.approval import Answer, Approval
from yggdrasil.core.value import Value

if TYPE_CHECKING:
    from yggdrasil.abc.context import RunContext


class Effect(Value):
    """One call to the outside.

    kind         "model", "tool" or "remote"
    request      what is asked, as JSON (or a function that gives it): its digest identifies the call
    perform      does it; is given the idempotency key to pass on
    encode       result -> JSON, to be recorded
    decode       JSON -> result
    idempotent   False: never repeat it by itself after a crash; a person decides
    recalled     told once of each result that an earlier process recorded
    """

    kind: str
    request: Any
    perform: Callable[[str], Awaitable[Any]]
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    idempotent: bool = True
    recalled: Callable[[Any], None] | None = None


class Turns(ABC):
    """Records what a loop carries from one iteration to the next (durability `step`)."""

    @abstractmethod
    async def last_turn(self, ctx: RunContext, loop: Sequence[str], given: str) -> tuple[int, Any] | None:
        """The last iteration that was kept of the loop over these nodes, and what it carries; None where none was.

        The loop begins now, from what has the digest `given`; what was issued in its kept iterations counts as issued.
        """

    @abstractmethod
    async def keep_turn(self, ctx: RunContext, loop: Sequence[str], given: str, turn: int, carried: Any) -> None:
        """Keep what iteration `turn` of the loop carries into the next one."""


class Effects(ABC):
    """Records effects before anyone sees their result, and gives recorded ones back."""

    @property
    def turns(self) -> Turns | None:
        """Where iterations of loops are kept; None where they are not."""
        return None

    @abstractmethod
    async def call(self, ctx: RunContext, effect: Effect) -> Any:
        """The effect's result: recorded, or performed now and recorded."""

    @abstractmethod
    async def asked(self, ctx: RunContext, tool: str, arguments: Mapping[str, Any]) -> tuple[Approval, Answer | None]:
        """The question whether `tool` may be called here, recorded; and a person's answer, when there is one."""

    @abstractmethod
    async def answered(self, approval: Approval, answer: Answer) -> None:
        """Record an answer that was given in this process."""

    @abstractmethod
    async def blob(self, digest: str) -> bytes:
        """The bytes of a blob of this run, or of an earlier one of its stream."""

    @abstractmethod
    def mark(self, path: str) -> Any:
        """How many effects were issued at and under `path` so far (before a retry)."""

    @abstractmethod
    def rewind(self, path: str, mark: Any) -> None:
        """Forget what was issued since `mark`, so that a retry is given what is recorded already."""
