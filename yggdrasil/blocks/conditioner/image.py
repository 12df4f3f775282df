"""Image encoders as conditioners: one pass of CLIP's eye or the like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.diffusers.source import Source
from yggdrasil.blocks.diffusers.sourced import Sourced
from yggdrasil.blocks.vision.pictures import read_pictures
from yggdrasil.core.ports import Spec, port


class ImageConditioner(Sourced):
    """Pictures encoded: `ImageConditioner(ref="hf://org/name")`.

    ref, revision, dtype   where the pipeline lies (see `Source`)
    part, processor        which of its parts encodes, and which makes its pixels

    Ports: `input` a picture or several; `embedding` [B, D] is the projected one, where the encoder projects, else the
    last hidden states [B, T, D].
    """

    block_type = "conditioner/image"

    def __init__(
        self, ref: str = "", part: str = "image_encoder", *, processor: str = "feature_extractor", revision: str = "",
        dtype: str = "", source: Source | None = None,
    ) -> None:  # fmt: skip
        super().__init__(ref, revision, dtype, source, part)
        self.processor = processor

    @property
    def config(self) -> dict[str, Any]:
        """Where it lies."""
        return self.written(part=(self.part, "image_encoder"), processor=(self.processor, "feature_extractor"))

    @property
    def spec(self) -> Spec:
        """The ports of the role."""
        return _SPEC

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Encode."""
        module = self.module(ctx.device)
        pictures, _ = read_pictures(inputs["input"], ctx.path)
        pixels = self.source.require(self.processor)(images=pictures, return_tensors="pt").pixel_values
        made = module(pixels.to(device=module.device, dtype=module.dtype))
        projected = getattr(made, "image_embeds", None)
        return {"embedding": made.last_hidden_state if projected is None else projected}


_SPEC = Spec.declare([port("input", "image")], [port("embedding", "tensor")])
