"""A language model that runs here, with the contract of one behind an API: agents and blocks need not know."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, final

import anyio.from_thread

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.model import Delta, Model
from yggdrasil.blocks.llm.weights import Given, Weights
from yggdrasil.core.delivery import answered, asked
from yggdrasil.core.messages import Reply, Request
from yggdrasil.core.profile import Profile, checked
from yggdrasil.runtime.threads import in_thread

_CAN: Mapping[str, Any] = {"output": "prompt", "strict": False, "images": False, "audio": False, "files": False}


@final
class LocalModel(Model):
    """A causal language model of transformers: `LocalModel("hf://org/name")`, `Agent("local:/path")`.

    model          a ref, or the pair (module, tokenizer); with `sees`, (module, processor)
    revision       which of it; dtype: "bfloat16", "" as it is stored; device: "cuda", "" where the run says, else CPU
    share          False: an instance of one's own; otherwise whoever names the same ref shares one
    profile        what it can do, as for models behind APIs: {"output": "tool"}
    chat_template  instead of the tokenizer's own
    sees           whether it takes pictures (AutoModelForImageTextToText)

    It is loaded by the first call, on a worker thread, and answers on one; a call that is cancelled ends with the next
    token. Parameters of a request are those of `Params`: max_tokens, temperature, top_p, top_k, min_p, seed, stop, ...
    Without a seed of its own a request has that of its place in the run: `run(seed=7)` repeats itself.
    """

    def __init__(
        self,
        model: Given,
        *,
        revision: str = "",
        dtype: str = "",
        device: str = "",
        share: bool = True,
        profile: Mapping[str, Any] | None = None,
        chat_template: str | None = None,
        sees: bool = False,
    ) -> None:
        auto, words = (
            ("AutoModelForImageTextToText", "AutoProcessor") if sees else ("AutoModelForCausalLM", "AutoTokenizer")
        )
        self.weights = Weights(
            model, auto=auto, words=words, revision=revision, dtype=dtype, device=device, share=share
        )
        self.chat_template = chat_template
        self.profile = Profile(**{**_CAN, "images": sees, **checked(profile or {}, self.name)})

    @property
    def name(self) -> str:
        """`local:` and the ref."""
        return f"local:{self.weights.name}"

    def __repr__(self) -> str:
        return f"LocalModel({self.weights.name!r})"

    def at(self, ctx: RunContext) -> Model:
        """The same at a place of a run: with its device, its adapters, and its seed where a request has none."""
        return _Placed(self, ctx)

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        """One answer, streamed when `delta` is given. ModelError by kind; ConfigError when it cannot be loaded."""
        return await self.answer(request, delta, None)

    async def answer(self, request: Request, delta: Delta | None, ctx: RunContext | None) -> Reply:
        """The same, at a place of a run."""
        said, tool = asked(request, self.profile)
        halt = threading.Event()
        tell = _teller(delta, tool, halt)
        try:
            reply = await in_thread(self._answer, said, tell, halt, ctx)
        finally:
            halt.set()
        return answered(reply, tool) if tool else reply

    def _answer(self, request: Request, tell: Delta, halt: threading.Event, ctx: RunContext | None) -> Reply:
        from yggdrasil.blocks.adapter.active import adapted
        from yggdrasil.blocks.llm.dialogue import Dialogue
        from yggdrasil.blocks.llm.generation import answer

        module = self.weights.module(None if ctx is None else ctx.device)
        dialogue = Dialogue(self.weights.words, self.name, self.profile, self.chat_template)
        if ctx is None:
            return answer(module, dialogue, request, self.name, tell, halt.is_set)
        if ctx.seed is not None and "seed" not in request.params:
            request = request.replace(params={**request.params, "seed": ctx.seed})
        with adapted(lambda: {"model": module}, ctx):
            return answer(module, dialogue, request, self.name, tell, halt.is_set)


@final
class _Placed(Model):
    def __init__(self, model: LocalModel, ctx: RunContext) -> None:
        self._model, self._ctx = model, ctx

    @property
    def name(self) -> str:
        """The model's."""
        return self._model.name

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        """One answer, here."""
        return await self._model.answer(request, delta, self._ctx)


def _teller(delta: Delta | None, answer_tool: str, halt: threading.Event) -> Callable[[str, str], None]:
    """Tells the event loop of each piece, from the worker thread; nobody once the call is over."""
    if delta is None:
        return lambda part, text: None

    def tell(part: str, text: str) -> None:
        if not halt.is_set():
            anyio.from_thread.run_sync(delta, "text" if answer_tool and part == "arguments" else part, text)

    return tell


def local(
    model_id: str,
    *,
    revision: str = "",
    dtype: str = "",
    device: str = "",
    share: bool = True,
    profile: Mapping[str, Any] | None = None,
    chat_template: str | None = None,
    sees: bool = False,
) -> Model:
    """The model called `local:model_id`, a folder or a hub id."""
    return LocalModel(
        model_id,
        revision=revision,
        dtype=dtype,
        device=device,
        share=share,
        profile=profile,
        chat_template=chat_template,
        sees=sees,
    )
