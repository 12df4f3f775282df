"""The codec of models that compute on pixels: what goes in comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.neural import Neural
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError


class Identity(Neural):
    """A latent [B, 3, H, W] from -1 to 1 is the picture [B, H, W, 3] from 0 to 1, and the reverse.

    direction  "decode": `latent` -> `image`; "encode": the reverse, from a picture, an array or a tensor
    """

    heavy = False
    block_type = "codec/identity"

    def __init__(self, direction: str = "decode") -> None:
        if direction not in ("decode", "encode"):
            raise ConfigError(f"direction is {direction!r}", hint="direction: decode")
        self.direction = direction

    @property
    def spec(self) -> Spec:
        """The ports of the role, one way."""
        return _DECODE if self.direction == "decode" else _ENCODE

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Scale, and turn the channels."""
        from diffusers.image_processor import VaeImageProcessor

        pictures = VaeImageProcessor(vae_scale_factor=1)
        if self.direction == "decode":
            return {"image": pictures.postprocess(inputs["latent"], output_type="np")}
        latent = pictures.preprocess(inputs["image"])
        return {"latent": latent.to(ctx.device) if ctx.device else latent}


_DECODE = Spec.declare([port("latent", "tensor")], [port("image", "image")])
_ENCODE = Spec.declare([port("image", "image")], [port("latent", "tensor")])
