"""Texts as vectors, through any block that has a text in and a vector out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.canonical import digest
from yggdrasil.core.ports import Port, misfit
from yggdrasil.errors import ConfigError, PortError


class Embedder:
    """`block` as a function from a text to the bytes of a vector; ConfigError when its ports are others.

    name   what is kept beside a vector, to know which others it may be compared with
    """

    def __init__(self, block: Runnable) -> None:
        if not isinstance(block, Runnable):
            raise ConfigError(f"embedding is {type(block).__name__}, not a block", hint="@block over a function")
        self.block = block
        inputs, outputs = _needed(block.spec.inputs.values()), _needed(block.spec.outputs.values())
        if len(inputs) != 1 or len(outputs) != 1:
            raise ConfigError(
                f"the embedding {block.label} takes {[p.name for p in inputs]} and gives {[p.name for p in outputs]}, "
                "not one text and one vector",
                hint="a block with a text in and a vector out",
            )
        self._input, self._output = inputs[0], outputs[0]
        try:
            self.name = f"{block.block_type or block.label}:{digest(getattr(block, 'config', {}))[:16]}"
        except (ConfigError, PortError):  # a function that is not registered has no config
            self.name = f"{block.label}:"

    async def embed(self, text: str, ctx: RunContext | None) -> bytes:
        """The vector of `text`; PortError when the block gives none."""
        from yggdrasil.storage.vectors import packed

        name = self._input.name
        given: Any = [text] if misfit(self._input.type, text) else text
        result = await self.block.run({name: given}, **({} if ctx is None else {"context": ctx}))
        return packed(_only(result[self._output.name], self.block.label))


def _needed(ports: Any) -> list[Port]:
    """The ports that are not optional; the first when all are."""
    listed: list[Port] = list(ports)
    return [p for p in listed if not p.optional] or listed[:1]


def _only(value: Any, label: str) -> Sequence[float]:
    """One vector: a list of numbers or an array, or a list or array of just one such."""
    for _ in range(2):
        value = value.tolist() if hasattr(value, "tolist") else value
        if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
            break
        if all(isinstance(v, int | float) for v in value):
            return value
        if len(value) != 1:
            break
        value = value[0]
    raise PortError(f"the embedding {label} gave no vector for one text", hint="return [0.1, 0.2, ...]")
