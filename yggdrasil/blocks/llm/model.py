"""A language model that runs here, with the contract of one behind an API: agents and blocks need not know."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, final

import anyio.from_thread

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.model import Delta, Model
from yggdrasil.abc.runnable import Runnable
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
        self.chat_template, self.sees = chat_template, sees
        self.profile = Profile(**{**_CAN, "images": sees, **checked(profile or {}, self.name)})

    @property
    def name(self) -> str:
        """`local:` and the ref."""
        return f"local:{self.weights.name}"

    def __repr__(self) -> str:
        return f"LocalModel({self.weights.name!r})"

    def children(self) -> Mapping[str, Runnable]:
        """The block `llm`, which holds its weights."""
        from yggdrasil.blocks.llm.block import LocalLanguage

        return {"llm": LocalLanguage.of(self)}

    def at(self, ctx: RunContext) -> Model:
        """The same at a place of a run: with its device, its adapters (of `llm` there), and a seed of its own."""
        return _Placed(self, ctx.child("llm"), seed_of(ctx))

    def placed(self, ctx: RunContext) -> Model:
        """The same exactly there."""
        return _Placed(self, ctx, seed_of(ctx))

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        """One answer, streamed when `delta` is given. ModelError by kind; ConfigError when it cannot be loaded."""
        return await self.answer(request, delta, None)

    async def answer(self, request: Request, delta: Delta | None, ctx: RunContext | None) -> Reply:
        """The same, at a place of a run."""
        halt = threading.Event()
        tell = None if delta is None else _teller(delta, halt)
        try:
            return await in_thread(self.write, request, ctx, tell, halt.is_set)
        finally:
            halt.set()

    def write(
        self,
        request: Request,
        ctx: RunContext | None = None,
        delta: Delta | None = None,
        halted: Callable[[], bool] = lambda: False,
    ) -> Reply:
        """The same on this thread. Once `halted` says so, it ends with the next token."""
        from yggdrasil.blocks.adapter.active import adapted
        from yggdrasil.blocks.llm.dialogue import Dialogue
        from yggdrasil.blocks.llm.generation import answer

        said, tool = asked(request, self.profile)
        module = self.weights.module(None if ctx is None else ctx.device)
        dialogue = Dialogue(self.weights.words, self.name, self.profile, self.chat_template)

        def tell(part: str, text: str) -> None:
            if delta is not None:
                delta("text" if tool and part == "arguments" else part, text)

        with nullcontext() if ctx is None else adapted(lambda: {"module": module}, ctx):
            reply = answer(module, dialogue, said, self.name, tell, halted)
        return answered(reply, tool) if tool else reply


@final
class _Placed(Model):
    def __init__(self, model: LocalModel, ctx: RunContext, seed: int | None) -> None:
        self._model, self._ctx, self._seed = model, ctx, seed

    @property
    def name(self) -> str:
        """The model's."""
        return self._model.name

    def at(self, ctx: RunContext) -> Model:
        """It is where it is."""
        return self

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        """One answer, here."""
        return await self._model.answer(seeded(request, self._seed), delta, self._ctx)


def seed_of(ctx: RunContext) -> int | None:
    """What is run by itself has the run's seed as it is: `seed=7` is `torch.manual_seed(7)`; else its place's own."""
    if ctx.parent is None and not ctx.run.scope:
        return None if ctx.run.seed is None else ctx.run.seed % 2**64
    return ctx.seed


def seeded(request: Request, seed: int | None) -> Request:
    """The request with a seed, unless it has one."""
    if seed is None or request.params.get("seed") is not None:
        return request
    return request.replace(params={**request.params, "seed": seed})


def _teller(delta: Delta, halt: threading.Event) -> Delta:
    """Tells the event loop of each piece, from the worker thread; nobody once the call is over."""

    def tell(part: str, text: str) -> None:
        if not halt.is_set():
            anyio.from_thread.run_sync(delta, part, text)

    return tell
