"""A language model, wherever it lives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from yggdrasil.core.messages import Reply, Request

Delta = Callable[[str, str], None]
"""Told each piece of an answer: (part, text), part being "text", "thinking" or "arguments".

("restart", "") says that the stream broke and is asked for again: the pieces so far are void.
"""


class Model(ABC):
    """Answers requests. One instance may serve many calls at once."""

    @property
    @abstractmethod
    def name(self) -> str:
        """`provider:model_id`, as in a config; never a key."""

    @abstractmethod
    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        """One answer. `key` is an idempotency key to pass on; with `delta` the answer is streamed.

        Raises ModelError, by kind; nothing raw from a provider's library.
        """
