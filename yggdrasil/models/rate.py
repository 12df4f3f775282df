"""How much a client may send: limits, and the last minute as it was sent."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping

from yggdrasil.core.messages import Media, Part, Request, Text, Thinking, ToolCall, ToolResult
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError

MINUTE = 60.0
_LETTERS_A_TOKEN = 4
_TOKENS_A_MESSAGE = 4
_TOKENS_A_MEDIUM = 1000


class Limits(Value):
    """What a client may send: requests at once, requests in a minute, tokens in a minute. None: no limit."""

    max_concurrent_requests: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    def __post_init__(self) -> None:
        for name, value in self.values().items():
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise ConfigError(f"{name} is {value!r}; it is a whole number, at least 1", hint=f"{name}: 60")

    def lowest(self, other: Limits) -> Limits:
        """The lower one of each limit."""
        both = zip(self.values().values(), other.values().values(), strict=True)
        return Limits(*(a if b is None else b if a is None else min(a, b) for a, b in both))

    @property
    def rated(self) -> bool:
        """Whether there is a limit by the minute."""
        return self.requests_per_minute is not None or self.tokens_per_minute is not None


class Sent:
    """One request in a window: when it went out, with how many tokens."""

    __slots__ = ("counted", "time", "tokens")

    def __init__(self, time: float, tokens: int) -> None:
        self.time, self.tokens, self.counted = time, tokens, True


class Window:
    """What was sent in the last `seconds`. It slides: in no stretch of that length is more sent than allowed.

    Times are seconds of any clock that never goes back. A request with more tokens than a whole window may have
    is let through when nothing else is in it: it would wait for ever otherwise.
    """

    def __init__(self, seconds: float = MINUTE) -> None:
        self.seconds = seconds
        self.tokens = 0
        self._sent: deque[Sent] = deque()

    def wait(self, now: float, tokens: int, limits: Limits) -> float:
        """Seconds until a request of so many tokens fits; 0.0 when it fits now."""
        self._forget(now)
        sent, free_at = self._sent, now
        requests = limits.requests_per_minute
        if requests is not None and len(sent) >= requests:
            free_at = sent[len(sent) - requests].time + self.seconds
        allowed = limits.tokens_per_minute
        if allowed is not None:
            over = self.tokens + min(tokens, allowed) - allowed
            for entry in sent:
                if over <= 0:
                    break
                over -= entry.tokens
                free_at = max(free_at, entry.time + self.seconds)
        return max(0.0, free_at - now)

    def take(self, now: float, tokens: int) -> Sent:
        """Count a request that goes out now."""
        entry = Sent(now, tokens)
        self._sent.append(entry)
        self.tokens += tokens
        return entry

    def settle(self, entry: Sent, tokens: int) -> bool:
        """Count what a request really had; whether that makes room."""
        less = entry.tokens - tokens
        if entry.counted:
            self.tokens -= less
        entry.tokens = tokens
        return less > 0

    def _forget(self, now: float) -> None:
        sent = self._sent
        while sent and sent[0].time + self.seconds <= now:
            entry = sent.popleft()
            entry.counted = False
            self.tokens -= entry.tokens


def estimate(request: Request) -> int:
    """About how many tokens a request will take, before anyone has counted: four letters each, and what it may say.

    A picture, sound or file counts as a thousand; `max_tokens` among the params counts in full, as providers do.
    """
    letters = sum(_letters(part) for message in request.messages for part in message.parts)
    letters += sum(len(t.name) + len(t.description) + len(json.dumps(t.parameters, default=str)) for t in request.tools)
    asked = request.params.get("max_tokens") or request.params.get("max_output_tokens") or 0
    answer = asked if isinstance(asked, int) else 0
    return letters // _LETTERS_A_TOKEN + _TOKENS_A_MESSAGE * len(request.messages) + answer


def estimate_text(*texts: str) -> int:
    """About how many tokens some texts are."""
    return sum(map(len, texts)) // _LETTERS_A_TOKEN + len(texts)


def _letters(part: Part) -> int:
    if isinstance(part, Text | Thinking):
        return len(part.text)
    if isinstance(part, ToolCall):
        said = part.arguments
        return len(part.name) + (len(json.dumps(dict(said), default=str)) if isinstance(said, Mapping) else len(said))
    if isinstance(part, ToolResult):
        return len(part.content) + sum(map(_letters, part.media))
    return _TOKENS_A_MEDIUM * _LETTERS_A_TOKEN if isinstance(part, Media) else 0
