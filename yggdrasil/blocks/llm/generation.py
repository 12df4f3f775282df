"""One answer of a local model: from a request to a reply, token by token, on the thread that asks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList

from yggdrasil.blocks.llm.dialogue import Dialogue
from yggdrasil.blocks.llm.formats import REGIONS, Reader, Region, Stops
from yggdrasil.blocks.llm.params import Params
from yggdrasil.blocks.llm.sampling import Sampling
from yggdrasil.core.messages import Reply, Request, Usage
from yggdrasil.errors import ContextTooLongError, ModelError, ModelReplyError, ModelRequestError

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def answer(
    module: Any,
    dialogue: Dialogue,
    request: Request,
    name: str,
    tell: Callable[[str, str], None],
    halted: Callable[[], bool],
) -> Reply:
    """One answer. `tell` hears its pieces; once `halted` says so, it ends with the next token.

    ContextTooLongError before anything is computed; ModelError for what fails while it is.
    """
    params = Params.of(request.params, name)
    prompt = placed(module, dialogue.prompt(request, params.chat_template_kwargs))
    ids = prompt["input_ids"]
    read = ids.shape[1]
    if not read:
        raise ModelRequestError(f"{name} was asked nothing: the prompt has no tokens")
    room = room_for(module, read, name)
    sampling = Sampling(module, params, room, ends_of(module, dialogue.tokenizer), name)
    regions = REGIONS if request.tools else tuple(r for r in REGIONS if r.kind == "thinking")
    opened = _opened(dialogue.tokenizer, ids, regions)
    reader = Reader(regions, {t.name for t in request.tools}, tell, opened)
    decoder = Decoder(dialogue.tokenizer, [mark for r in regions for mark in (r.opens, r.closes)])
    written = Written(decoder, Stops(params.stop), reader, sampling.ends, halted)
    try:
        with torch.no_grad():
            module.generate(
                **prompt,
                generation_config=sampling.config,
                logits_processor=sampling.processors,
                stopping_criteria=StoppingCriteriaList([written]),
            )
    except ModelError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelReplyError(f"{name} failed while it wrote: {said}") from error
    message = written.message(len(request.messages))
    spent = Usage(read, written.count, reasoning_tokens=written.thought, requests=1)
    finish = "tool_calls" if message.tool_calls and written.ended else "stop" if written.ended else "length"
    return Reply(message, spent, finish, name)  # type: ignore[arg-type]  # it is one of the three


def room_for(module: Any, read: int, name: str) -> int | None:
    """How many tokens fit behind a prompt of `read`; None: no limit is known. ContextTooLongError for none."""
    limit = getattr(module.config.get_text_config(), "max_position_embeddings", None)
    if not isinstance(limit, int) or limit <= 0:
        return None
    if read >= limit:
        raise ContextTooLongError(
            f"the prompt has {read} tokens, and {name} reads {limit} in all", hint="fewer or shorter messages"
        )
    return limit - read


def ends_of(module: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer: as the generation config says, else the tokenizer."""
    said = module.generation_config.eos_token_id
    if said is None:
        said = tokenizer.eos_token_id
    return frozenset() if said is None else frozenset([said] if isinstance(said, int) else said)


def placed(module: Any, prompt: Mapping[str, Any]) -> dict[str, Any]:
    """What the module takes of a tokenizer's tensors, where its weights are."""
    taken = inspect.signature(module.forward).parameters
    return {
        key: value.to(module.device) if isinstance(value, torch.Tensor) else value
        for key, value in prompt.items()
        if key != "token_type_ids" or key in taken
    }


def _opened(tokenizer: Any, ids: torch.Tensor, regions: tuple[Region, ...]) -> str:
    """The mark with which the prompt ends: some templates begin the thought themselves."""
    tail = tokenizer.decode(ids[0, -8:]).rstrip()
    return next((r.opens for r in regions if not r.first and tail.endswith(r.opens)), "")


class Decoder:
    """Tokens to text, as they come: the pieces join to what `decode(..., skip_special_tokens=True)` gives.

    marks   special tokens that are text here all the same
    """

    def __init__(self, tokenizer: Any, marks: list[str]) -> None:
        special = set(tokenizer.all_special_ids)
        special |= {n for n, token in getattr(tokenizer, "added_tokens_decoder", {}).items() if token.special}
        known = {tokenizer.convert_tokens_to_ids(mark) for mark in marks if mark}
        self._skipped = special - (known - {tokenizer.unk_token_id})
        fast = getattr(tokenizer, "backend_tokenizer", None)  # what is around it takes ten times as long
        self._decode = partial(
            fast.decode if fast is not None else partial(tokenizer.decode, clean_up_tokenization_spaces=False),
            skip_special_tokens=False,
        )
        self._ids: list[int] = []
        self._shown = self._done = 0

    def add(self, token: int) -> str:
        """The text that this token completes; "" while a character lacks bytes."""
        if token in self._skipped:
            return ""
        self._ids.append(token)
        before, now = self._texts()
        if now.endswith(_REPLACEMENT) or len(now) <= len(before):
            return ""
        self._shown, self._done = self._done, len(self._ids)
        return now[len(before) :]

    def end(self) -> str:
        """What is left, bytes that are no character included."""
        before, now = self._texts()
        return now[len(before) :]

    def _texts(self) -> tuple[str, str]:
        """The text up to what was given, and up to now: from a little before, since neighbours join."""
        return self._decode(self._ids[self._shown : self._done]), self._decode(self._ids[self._shown :])


class Written(StoppingCriteria):
    """The answer while it is written: hears each token, and says when it is enough."""

    def __init__(
        self, decoder: Decoder, stops: Stops, reader: Reader, ends: frozenset[int], halted: Callable[[], bool]
    ) -> None:
        self._decoder, self._stops, self._reader, self._ends, self._halted = decoder, stops, reader, ends, halted
        self.count = self.thought = 0
        self.ended = False
        """Whether the model came to an end by itself."""

    def __call__(self, input_ids: torch.Tensor, scores: Any, **options: Any) -> torch.Tensor:
        """Whether the answer is done, [1]."""
        halted = self._halted()
        if not self.ended and not halted:
            self._take(int(input_ids[0, -1]))
        return torch.full((input_ids.shape[0],), self.ended or halted, device=input_ids.device)

    def _take(self, token: int) -> None:
        self.count += 1
        self.thought += self._reader.thinks
        if token in self._ends:
            self.ended = True
            return
        self._reader.feed(self._stops.feed(self._decoder.add(token)))
        self.ended = self._stops.found

    def message(self, place: int) -> Any:
        """The whole."""
        if not self._stops.found:
            self._reader.feed(self._stops.feed(self._decoder.end()))
        self._reader.feed(self._stops.end())
        return self._reader.end(place)
