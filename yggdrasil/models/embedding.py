"""Texts to vectors by an API: the OpenAI embeddings endpoint, and every server that is compatible, as a block."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from yggdrasil.abc.context import RunContext
from yggdrasil.core.messages import Usage
from yggdrasil.core.model_ports import EMBEDDING
from yggdrasil.core.ports import Spec
from yggdrasil.errors import ConfigError, ModelReplyError
from yggdrasil.models.parts import count_in
from yggdrasil.models.rate import estimate_text
from yggdrasil.models.remote_block import Answer, Call, RemoteBlock, RemoteBlockOptions
from yggdrasil.runtime.group import concurrently

_AT_ONCE = 8


class EmbeddingBlock(RemoteBlock):
    """Vectors of `model`, e.g. "openai:text-embedding-3-small".

    dimensions   how long each vector is, for models that can choose
    batch        how many texts one request has at most; several requests are sent at once, and recorded one by one
    Source: https://platform.openai.com/docs/api-reference/embeddings/create
    """

    block_type = "embedding/api"
    makes = "vectors"
    ours = ("input", "dimensions", "encoding_format")

    def __init__(
        self,
        model: str | Mapping[str, Any] | None = None,
        *,
        dimensions: int | None = None,
        batch: int = 256,
        **options: Unpack[RemoteBlockOptions],
    ) -> None:
        super().__init__(model, **options)
        for name, value in (("dimensions", dimensions), ("batch", batch)):
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise ConfigError(f"{name} of {self.block_type} is {value!r}; it is at least 1", hint=f"{name}: 256")
        self.dimensions, self.batch = dimensions, batch

    @property
    def spec(self) -> Spec:
        """In: prompt (a text or several), params?. Out: vectors, usage?."""
        return EMBEDDING

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Ask for all, in batches; nothing is asked when there is no text."""
        said = inputs["prompt"]
        texts = [said] if isinstance(said, str) else list(said)
        batches = [texts[i : i + self.batch] for i in range(0, len(texts), self.batch)]
        answers: dict[int, Answer] = {}

        async def one(number: int) -> None:
            # a place of its own: batches end in any order, and a journal knows them by their place
            place = ctx if len(batches) == 1 else ctx.child(f"batch {number + 1}")
            answers[number] = await self.ask(self._call(batches[number], inputs), place)

        for first in range(0, len(batches), _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, len(batches)))
            if len(numbers) == 1:
                await one(first)
                continue
            async with concurrently() as spawn:
                for number in numbers:
                    spawn(one, number)
        usage = Usage()
        for number in range(len(batches)):
            usage = usage + answers[number].usage
        return {"vectors": [v for n in range(len(batches)) for v in answers[n].value], "usage": usage}

    def _call(self, texts: Sequence[str], inputs: Mapping[str, Any]) -> Call:
        asked: dict[str, Any] = {"input": list(texts), "encoding_format": "float"}
        if self.dimensions is not None:
            asked["dimensions"] = self.dimensions
        return Call(
            "embedding",
            self.body(inputs, **asked),
            ("model", "input", "encoding_format"),
            _create,
            lambda answer, at: _read(answer, at, len(texts), self.dimensions),
            estimate_text(*texts),
        )


async def _create(sdk: Any, arguments: dict[str, Any]) -> Any:
    return await sdk.embeddings.create(**arguments)


def _read(answer: Any, at: str, count: int, dimensions: int | None) -> Answer:
    sent = getattr(answer, "data", None)
    if not isinstance(sent, list) or len(sent) != count:
        many = len(sent) if isinstance(sent, list) else "no"
        raise ModelReplyError(f"{at} sent {many} vectors for {count} texts")
    by_place = {getattr(one, "index", None): one for one in sent}
    if set(by_place) != set(range(count)):
        raise ModelReplyError(f"{at} sent vectors that do not say which text each is of")
    vectors = [_vector(getattr(by_place[place], "embedding", None), at) for place in range(count)]
    lengths = {len(vector) for vector in vectors}
    if len(lengths) != 1 or (dimensions is not None and lengths != {dimensions}):
        wanted = f", not {dimensions}" if dimensions is not None else ""
        raise ModelReplyError(f"{at} sent vectors of {' and '.join(map(str, sorted(lengths)))} numbers{wanted}")
    return Answer(vectors, Usage(count_in(getattr(answer, "usage", None), "prompt_tokens"), requests=1))


def _vector(sent: Any, at: str) -> list[float]:
    fine = isinstance(sent, list) and bool(sent)
    if not fine or not all(type(n) in (int, float) and math.isfinite(n) for n in sent):
        raise ModelReplyError(f"{at} sent a vector that is no list of numbers")
    return [float(n) for n in sent]
