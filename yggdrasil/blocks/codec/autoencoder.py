"""Autoencoders as codecs: pictures to latents and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.diffusers.source import Source
from yggdrasil.blocks.diffusers.sourced import Sourced
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError


class Autoencoder(Sourced):
    """diffusers' AutoencoderKL, VQModel or AutoencoderTiny: `Autoencoder(ref="hf://org/name")`.

    direction              "decode": `latent` [B, C, h, w] -> `image` [B, H, W, 3] from 0 to 1; "encode": the reverse,
                           from a picture, an array or a tensor; the mean, without the noise of its posterior
    ref, revision, dtype   where its pipeline lies (see `Source`)
    part                   which of its parts

    A codec that is used both ways sits in two nodes, whose blocks share one instance of the weights.
    """

    def __init__(
        self, ref: str = "", direction: str = "decode", *, part: str = "vae", revision: str = "", dtype: str = "",
        source: Source | None = None,
    ) -> None:  # fmt: skip
        if direction not in ("decode", "encode"):
            raise ConfigError(f"direction is {direction!r}", hint="direction: decode")
        super().__init__(ref, revision, dtype, source, part)
        self.direction = direction

    block_type = "codec/autoencoder"

    @property
    def config(self) -> dict[str, Any]:
        """Where it lies, and which way it goes."""
        return self.written(direction=(self.direction, "decode"), part=(self.part, "vae"))

    @property
    def spec(self) -> Spec:
        """The ports of the role, one way."""
        return _DECODE if self.direction == "decode" else _ENCODE

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Decode or encode."""
        from diffusers.image_processor import VaeImageProcessor

        vae = self.module(ctx.device)
        config = vae.config
        scale, shift = config.scaling_factor, getattr(config, "shift_factor", None) or 0.0
        pictures = VaeImageProcessor(vae_scale_factor=2 ** (len(config.block_out_channels) - 1))
        if self.direction == "decode":
            latent = inputs["latent"].to(vae.dtype) / scale
            image = vae.decode(latent + shift if shift else latent, return_dict=False)[0]
            return {"image": pictures.postprocess(image, output_type="np")}
        image = pictures.preprocess(inputs["image"]).to(device=vae.device, dtype=vae.dtype)
        made = vae.encode(image)
        latent = made.latent_dist.mode() if hasattr(made, "latent_dist") else made.latents
        return {"latent": (latent - shift) * scale}


_DECODE = Spec.declare([port("latent", "tensor")], [port("image", "image")])
_ENCODE = Spec.declare([port("image", "image")], [port("latent", "tensor")])
