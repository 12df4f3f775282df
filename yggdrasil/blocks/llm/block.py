"""Language models that run here as blocks: the ports of those behind an API, and weights that can be trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.llm.holding import Holding, LoadOptions
from yggdrasil.blocks.llm.model import LocalModel, seed_of, seeded
from yggdrasil.blocks.llm.weights import Given
from yggdrasil.core.model_ports import LANGUAGE, SEEING, given_by, request_of
from yggdrasil.core.ports import Spec
from yggdrasil.runtime.ask import ask

_NO_PARAMS: Mapping[str, Any] = {}


class LocalOptions(LoadOptions, total=False):
    """How a local model is loaded, and what it can do; see `LocalModel`."""

    profile: Mapping[str, Any] | None
    chat_template: str | None


class LocalLanguage(Holding):
    """One call of a causal language model: `LocalLanguage("hf://org/name", params={"max_tokens": 200})`.

    model   a ref, or (module, tokenizer); revision, dtype, share, profile, chat_template: as of `LocalModel`
    params  how it answers, where a call does not say: temperature, max_tokens, stop, ... (see `Params`)

    It is asked as any model is: within budgets, recorded in a durable run, its tokens told as events.
    """

    block_type = "llm/local"
    sees: ClassVar[bool] = False

    def __init__(
        self, model: Given, *, params: Mapping[str, Any] = _NO_PARAMS, **options: Unpack[LocalOptions]
    ) -> None:
        self._here = LocalModel(model, sees=self.sees, **options)
        super().__init__(model, options, self._here.weights)
        self.params = dict(params)

    @classmethod
    def of(cls, model: LocalModel) -> LocalLanguage:
        """The block of a model that is there already, which shares its weights."""
        made = (LocalSeeing if model.sees else LocalLanguage)(model.weights.model)
        made._here, made.weights = model, model.weights
        return made

    @property
    def spec(self) -> Spec:
        """The ports of every `llm/...` block."""
        return LANGUAGE

    @property
    def config(self) -> dict[str, Any]:
        """What rebuilds it; ConfigError for a module that was given."""
        return self.written(params=(self.params, {}))

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Ask once; PortError when there is neither a prompt nor a message."""
        return given_by(await ask(self._here.placed(ctx), request_of(inputs, self.params, ctx.path), ctx))

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """The same on this thread, unrecorded."""
        request = seeded(request_of(inputs, self.params, ctx.path), seed_of(ctx))
        return given_by(self._here.write(request, ctx))


class LocalSeeing(LocalLanguage):
    """The same for pictures (AutoModelForImageTextToText): the input `image` is one or several."""

    block_type = "vlm/local"
    sees = True

    @property
    def spec(self) -> Spec:
        """The ports of every `vlm/...` block."""
        return SEEING
