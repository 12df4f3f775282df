"""One model after another: the next is asked when one fails in a way that another could mend."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.model import Delta, Model
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.messages import Reply, Request
from yggdrasil.errors import ConfigError, ModelError, ModelTransientError, RefusalError
from yggdrasil.models.retry import Told
from yggdrasil.runtime.providers import resolve

_HINT = '"fallback:[openai:gpt-5, anthropic:claude-sonnet-4-5]"'


class FallbackModel(Model):
    """The first of `models` that answers: Models, names, or mappings `{name: ..., endpoint_url: ...}`.

    The next one is asked when one fails with a ModelError: what does not pass by waiting (each has its own retries), a
    missing or refused key, a model that is not there, a request that this one does not take, a reply that is none.
    A refusal is an answer and stays one, unless `on_refusal`. Budgets, cancellation, and errors that are not a
    provider's come through at once. What was streamed of a failed answer is voided by `delta("restart", "")`.
    The reply's `model` says who answered; when none does, the error says of each why.
    """

    def __init__(self, models: Sequence[str | Model | Mapping[str, Any]], *, on_refusal: bool = False) -> None:
        if isinstance(models, str | Mapping) or not isinstance(models, Sequence) or not models:
            raise ConfigError(f"a fallback needs a list of models, not {models!r}", hint=_HINT)
        self.models = tuple(resolve(m) for m in models)
        self.on_refusal = on_refusal

    @property
    def name(self) -> str:
        """`fallback:[first, second]`."""
        return f"fallback:[{', '.join(m.name for m in self.models)}]"

    def __repr__(self) -> str:
        return f"FallbackModel({list(self.models)!r})"

    def at(self, ctx: RunContext) -> Model:
        """The same of the models at that place."""
        models = tuple(model.at(ctx) for model in self.models)
        if models == self.models:
            return self
        other = copy.copy(self)
        other.models = models
        return other

    def children(self) -> Mapping[str, Runnable]:
        """Those of the models, numbered where there are several of a name."""
        found = [pair for model in self.models for pair in model.children().items()]
        names = [name for name, _ in found]
        return {n if names.count(n) == 1 else f"{n}{i + 1}": block for i, (n, block) in enumerate(found)}

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        """The first answer there is; ModelError, of the kind that they share, when all have failed."""
        told = Told(delta)
        failed: list[tuple[Model, ModelError]] = []
        for number, model in enumerate(self.models):
            try:
                # another model is another request: a provider may refuse one key for two bodies
                reply = await model.reply(request, key=f"{key}-{number}" if key and number else key, delta=told.listen)
                return reply if reply.model else reply.replace(model=model.name)
            except RefusalError as error:
                if not self.on_refusal:
                    raise
                failed.append((model, error))
            except ModelError as error:
                failed.append((model, error))
            told.restart()
        raise _none_answered(failed)


def _none_answered(failed: Sequence[tuple[Model, ModelError]]) -> ModelError:
    errors = [error for _, error in failed]
    whys = "; ".join(f"{number}. {model.name}: {error.sentence}" for number, (model, error) in enumerate(failed, 1))
    sentence = f"none of {len(failed)} models answered: {whys}"
    hint = next((error.hint for error in errors if error.hint), "")
    if all(isinstance(error, ModelTransientError) for error in errors):
        waits = [error.retry_after for error in errors if isinstance(error, ModelTransientError)]
        known = [wait for wait in waits if wait is not None]
        return ModelTransientError(sentence, retry_after=min(known) if known else None, hint=hint)
    kinds = {type(error) for error in errors}
    made: ModelError = (kinds.pop() if len(kinds) == 1 else ModelError)(sentence, hint=hint)
    made.__cause__ = errors[0]
    return made


def fallback(models: str | Sequence[str | Model | Mapping[str, Any]], *, on_refusal: bool = False) -> Model:
    """The model called `fallback:[a, b]`, by its text or by its list."""
    return FallbackModel(_split(models) if isinstance(models, str) else models, on_refusal=on_refusal)


def _split(text: str) -> list[str]:
    """The names in `[a, b]`; a name may itself be a fallback, with a list of its own."""
    inner = text.strip()
    if not (inner.startswith("[") and inner.endswith("]")):
        raise ConfigError(f"fallback:{text} has no list of models", hint=_HINT)
    names, depth, begin = [], 0, 1
    for place, letter in enumerate(inner[1:-1] + ",", 1):
        depth += (letter == "[") - (letter == "]")
        if depth < 0:
            break
        if letter == "," and depth == 0:
            names.append(inner[begin:place].strip())
            begin = place + 1
    if depth or not all(names):
        raise ConfigError(f"fallback:{text} cannot be read as a list of models", hint=_HINT)
    return names
