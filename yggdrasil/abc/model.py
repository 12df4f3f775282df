"""A language model, wherever it lives."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from yggdrasil.core.messages import Reply, Request

if TYPE_CHECKING:
    from yggdrasil.abc.context import RunContext
    from yggdrasil.abc.runnable import Runnable

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

    def at(self, ctx: RunContext) -> Model:
        """The model as it answers at a place of a run: one that computes here takes its device, seed and adapters."""
        return self

    def children(self) -> Mapping[str, Runnable]:
        """The blocks that hold its weights, by name: saved and trained with who has the model. None behind an API."""
        return {}


class ModelAround(Model):
    """A model around another one, its `model`. Subclass it with a `reply`."""

    model: Model

    @property
    def name(self) -> str:
        """The wrapped model's."""
        return self.model.name

    def at(self, ctx: RunContext) -> Model:
        """The same around the wrapped model at that place."""
        inner = self.model.at(ctx)
        if inner is self.model:
            return self
        other = copy.copy(self)
        other.model = inner
        return other

    def children(self) -> Mapping[str, Runnable]:
        """The wrapped model's."""
        return self.model.children()
