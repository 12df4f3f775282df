"""An agent's turn, decided: what was said so far, what a reply asks for, and when to stop. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, overload

from yggdrasil.core.blob import Blob, detach
from yggdrasil.core.canonical import digest
from yggdrasil.core.messages import Message, Reply, ToolCall, ToolResult, message_to_json
from yggdrasil.core.value import Value

SAME_CALL = 5
"""How many turns in a row may make the same call; the next one would be a loop."""

OnLimit = Literal["error", "answer"]


def _seen(blob: Blob) -> None:
    """A blob stands for itself by its digest."""


class Transcript(Sequence[Message]):
    """Messages that only grow. `add` gives the longer transcript and leaves this one as it was.

    Both share their messages and digests, so that a turn costs the same however long the talk is.
    """

    __slots__ = ("_digests", "_length", "_messages")

    def __init__(self, messages: Sequence[Message] = ()) -> None:
        self._messages = list(messages)
        self._digests: list[str] = []
        self._length = len(self._messages)

    def add(self, message: Message) -> Transcript:
        """This and one message more."""
        shared, digests = self._messages, self._digests
        if len(shared) != self._length:
            shared, digests = shared[: self._length], digests[: self._length]
        shared.append(message)
        longer = Transcript.__new__(Transcript)
        longer._messages, longer._digests = shared, digests
        longer._length = self._length + 1
        return longer

    @property
    def digest(self) -> str:
        """The digest of all messages, each chained to those before it: asking again costs only what is new."""
        digests = self._digests
        while len(digests) < self._length:
            before = digests[-1] if digests else ""
            said = detach(message_to_json(self._messages[len(digests)], inline=False), _seen)
            digests.append(digest([before, said]))
        return digests[self._length - 1] if self._length else ""

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> list[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | list[Message]:
        if isinstance(index, slice):
            return [self._messages[i] for i in range(*index.indices(self._length))]
        if not -self._length <= index < self._length:
            raise IndexError(index)
        return self._messages[index if index >= 0 else self._length + index]

    def __iter__(self) -> Iterator[Message]:
        for index in range(self._length):
            yield self._messages[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Transcript({self[:]!r})"


class Call(Value):
    """Run these tools, then ask again."""

    calls: tuple[ToolCall, ...]


class Finish(Value):
    """No tool is asked for: the reply is the answer."""


class Stop(Value):
    """A limit is reached before these calls may run; `sentence` says which."""

    calls: tuple[ToolCall, ...]
    sentence: str


Decision = Call | Finish | Stop
_FINISH = Finish()
_encode = json.JSONEncoder(sort_keys=True, default=str).encode


class Turns:
    """The bookkeeping of one run: turns used, failures per tool name, unfit answers, the same call over and over."""

    __slots__ = ("_repeated", "failures", "max_retries", "max_steps", "steps", "unfit")

    def __init__(self, max_steps: int, max_retries: int) -> None:
        self.max_steps = max_steps
        self.max_retries = max_retries
        self.steps = 0
        self.unfit = 0
        self.failures: dict[str, int] = {}
        self._repeated: dict[Any, int] = {}

    def decide(self, reply: Reply) -> Decision:
        """What follows from one more reply."""
        self.steps += 1
        calls = reply.message.tool_calls
        if not calls:
            return _FINISH
        before, self._repeated = self._repeated, {}
        for call in calls:
            key = _key(call)
            count = self._repeated[key] = before.get(key, 0) + 1
            if count > SAME_CALL:
                return Stop(calls, f"{call.name} was called with the same arguments {SAME_CALL} turns in a row")
        if self.steps >= self.max_steps:
            return Stop(calls, f"{self.max_steps} model turns were not enough")
        return Call(calls)

    def failed(self, results: Sequence[ToolResult]) -> ToolResult | None:
        """Count the failed results; the first whose tool has now failed more than `max_retries` times."""
        worn_out = None
        for result in results:
            if result.failed:
                count = self.failures[result.name] = self.failures.get(result.name, 0) + 1
                if count > self.max_retries and worn_out is None:
                    worn_out = result
        return worn_out


def _key(call: ToolCall) -> Any:
    """What two calls have in common that are the same."""
    arguments = call.arguments
    if isinstance(arguments, str):
        return call.name, arguments
    try:
        key = call.name, frozenset(arguments.items())  # four times as fast as writing them down
        hash(key)
    except TypeError:  # a list or a mapping among them
        return call.name, _encode(arguments)
    return key


def not_run(calls: Sequence[ToolCall], sentence: str) -> Message:
    """The results of calls that a limit stopped, for one last answer."""
    content = f"not run: {sentence}. Answer now with what you have."
    return Message("tool", tuple(ToolResult(c.id, c.name, content, failed=True) for c in calls))
