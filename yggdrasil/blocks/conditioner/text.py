"""Text encoders as conditioners: one pass of CLIP, T5 or the like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.diffusers.source import Source
from yggdrasil.blocks.diffusers.sourced import Sourced
from yggdrasil.blocks.tokenizer.gate import alone_with
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import PortError


class TextConditioner(Sourced):
    """Text (or token ids) encoded: `TextConditioner(ref="hf://org/name")`.

    ref, revision, dtype   where the pipeline lies (see `Source`)
    part, tokenizer        which of its parts encode, and which tokenizes text

    Ports: `input` text, a list of texts, or token ids [B, T]; with `negative` (text) the two are stacked as guidance
    wants it, [negative, input]. `embedding` [B or 2 B, T, D] are the last hidden states.
    """

    block_type = "conditioner/text"

    def __init__(
        self, ref: str = "", part: str = "text_encoder", *, tokenizer: str = "tokenizer", revision: str = "",
        dtype: str = "", source: Source | None = None,
    ) -> None:  # fmt: skip
        super().__init__(ref, revision, dtype, source, part)
        self.tokenizer = tokenizer

    @property
    def config(self) -> dict[str, Any]:
        """Where it lies."""
        return self.written(part=(self.part, "text_encoder"), tokenizer=(self.tokenizer, "tokenizer"))

    @property
    def spec(self) -> Spec:
        """The ports of the role."""
        return _SPEC

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Encode."""
        module = self.module(ctx.device)
        found = [self._encoded(module, inputs["input"], ctx)]
        if inputs.get("negative") is not None:
            found.insert(0, self._encoded(module, inputs["negative"], ctx).expand_as(found[0]))
        return {"embedding": found[0] if len(found) == 1 else torch.cat(found)}

    def _encoded(self, module: Any, given: Any, ctx: RunContext) -> torch.Tensor:
        ids = given if isinstance(given, torch.Tensor) else self._ids(given, ctx)
        ids = ids[None] if ids.ndim == 1 else ids
        found: torch.Tensor = module(ids.to(module.device))[0]
        return found.to(module.dtype)

    def _ids(self, text: Any, ctx: RunContext) -> torch.Tensor:
        if not (isinstance(text, str) or (isinstance(text, list) and all(isinstance(t, str) for t in text))):
            raise PortError(f"input is {type(text).__name__}, neither text nor token ids", path=ctx.path)
        made = self.source.require(self.tokenizer)
        options = {"padding": "max_length", "max_length": made.model_max_length, "truncation": True}
        with alone_with(made):
            found: torch.Tensor = made(text, return_tensors="pt", **options).input_ids
        return found


_SPEC = Spec.declare([port("input", "any"), port("negative", "any", optional=True)], [port("embedding", "tensor")])
