"""The kept part of a talk, in whole turns. Every operation costs what it touches, not what was said before.

A turn begins with what a user says and lasts until a user speaks again; a tool's result belongs to the turn of its
call, so that turns which a result reaches back over are one turn. Tokens are estimates (`core/tokens.py`), made once
for each message and added up.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from yggdrasil.core.messages import Message, Part, Text, Thinking, ToolCall, ToolResult
from yggdrasil.core.tokens import message_tokens


class Dialogue:
    """Messages in order: `messages`, their estimated `tokens`, and where turns begin."""

    __slots__ = ("_dropped", "_open", "_turns", "messages", "tokens")

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self.messages: list[Message] = []
        self.tokens = 0
        self._turns: deque[list[int]] = deque()  # [messages, tokens] of each
        self._dropped = 0  # turns, so that a turn keeps its number
        self._open: dict[str, list[int]] = {}  # the turns of calls without a result, by id
        for message in messages:
            self.add(message)

    @property
    def turns(self) -> int:
        """How many turns there are."""
        return len(self._turns)

    def add(self, message: Message) -> None:
        """Add one message."""
        cost = message_tokens(message)
        self.messages.append(message)
        self.tokens += cost
        if not self._turns or message.role == "user":
            self._turns.append([1, cost])
        else:
            self._turns[-1][0] += 1
            self._turns[-1][1] += cost
        for part in message.parts:
            if type(part) is ToolCall:
                self._open.setdefault(part.id, []).append(self._last)
            elif type(part) is ToolResult and part.id in self._open:
                waiting = self._open[part.id]
                self._join(waiting.pop())
                if not waiting:
                    del self._open[part.id]

    @property
    def _last(self) -> int:
        return self._dropped + len(self._turns) - 1

    def _join(self, turn: int) -> None:
        """Make one of all turns from `turn` on."""
        if turn == self._last:
            return
        while self._last > turn:
            count, cost = self._turns.pop()
            self._turns[-1][0] += count
            self._turns[-1][1] += cost
        self._open = {id: [min(t, turn) for t in turns] for id, turns in self._open.items()}

    def oldest(self, *, goal: int, limit: int) -> int:
        """How many of the oldest turns to drop next: until `goal` tokens are left, some `limit` tokens at a time.

        The newest turn stays, unless it is longer than `limit` by itself.
        """
        taken = cost = 0
        for _, tokens in self._turns:
            if self.tokens - cost <= goal or (taken and cost + tokens > limit):
                break
            if taken == len(self._turns) - 1 and tokens <= limit:
                break
            taken += 1
            cost += tokens
        return taken

    def first(self, turns: int) -> list[Message]:
        """The messages of the oldest turns."""
        return self.messages[: sum(self._turns[i][0] for i in range(turns))]

    def drop(self, turns: int) -> int:
        """Drop the oldest turns; how many messages they were."""
        count = 0
        for _ in range(turns):
            messages, tokens = self._turns.popleft()
            count += messages
            self.tokens -= tokens
        del self.messages[:count]
        self._dropped += turns
        left = {id: [t for t in numbers if t >= self._dropped] for id, numbers in self._open.items()}
        self._open = {id: numbers for id, numbers in left.items() if numbers}
        return count


def told(messages: Sequence[Message], longest: int = 2_000) -> str:
    """A talk as plain text, a line or more for each part. Parts of more than `longest` characters lose their middle."""
    return "\n".join(line for m in messages for part in m.parts if (line := _line(m.role, part, longest)))


def _line(role: str, part: Part, longest: int) -> str:
    match part:
        case Text():
            return f"{role}: {shorten(part.text, longest)}"
        case Thinking():
            return ""
        case ToolCall():
            said = part.arguments
            text = json.dumps(dict(said), ensure_ascii=False, default=str) if isinstance(said, Mapping) else said
            return f"{role} called {part.name}: {shorten(text, longest)}"
        case ToolResult():
            media = "".join(f" [{type(m).__name__.lower()}]" for m in part.media)
            return f"{part.name} {'failed' if part.failed else 'gave'}: {shorten(part.content, longest)}{media}"
    return f"{role}: [{type(part).__name__.lower()}]"


def shorten(text: str, longest: int) -> str:
    """`text` without its middle, when it has more than `longest` characters."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} [... {len(text) - 2 * half} characters ...] {text[len(text) - half :]}"
