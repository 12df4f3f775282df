"""Flow matching by transformers: Stable Diffusion 3 and Flux."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from diffusers.utils.torch_utils import randn_tensor

from yggdrasil.blocks.diffusers.family import Beginning, Encoded, Family, Given, batch_of, guided
from yggdrasil.blocks.solver.diffusers import Solver


class SD3(Family):
    """StableDiffusion3Pipeline."""

    pipelines = ("StableDiffusion3Pipeline",)
    backbone = "transformer"
    encoders = ("text_encoder", "text_encoder_2", "text_encoder_3")
    steps = 28
    scale = 7.0

    def encode(self, pipe: Any, given: Given, device: Any) -> Encoded:
        """The three encoders' states, and the pooled one."""
        scale, guides = guided(pipe, given, self.scale)
        cond, uncond, pooled, negative = pipe.encode_prompt(
            prompt=given["prompt"],
            prompt_2=None,
            prompt_3=None,
            device=device,
            do_classifier_free_guidance=guides,
            negative_prompt=given.get("negative_prompt"),
        )
        if guides:
            cond, pooled = torch.cat([uncond, cond], dim=0), torch.cat([negative, pooled], dim=0)
        return Encoded(cond, extra={"pooled_projections": pooled}, scale=scale if guides else 1.0)

    def begin(
        self, pipe: Any, solver: Solver, given: Given, embedding: torch.Tensor, random: torch.Generator
    ) -> Beginning:
        """Noise; the schedule may shift with the size."""
        height, width = self.size(pipe, given)
        factor = pipe.vae_scale_factor
        shape = (batch_of(given), pipe.transformer.config.in_channels, height // factor, width // factor)
        latent = randn_tensor(shape, generator=random, device=embedding.device, dtype=embedding.dtype)
        plan: dict[str, Any] = {"steps": int(given["steps"])}
        config = pipe.scheduler.config
        if config.get("use_dynamic_shifting", None):
            patch = pipe.transformer.config.patch_size
            tokens = (shape[2] // patch) * (shape[3] // patch)
            plan["mu"] = shift(config, tokens, 1.16)
        return Beginning(latent, plan)

    def finish(self, pipe: Any, latent: torch.Tensor, given: Given) -> Any:
        """The autoencoder's picture."""
        return decoded(pipe, latent)


def shift(config: Any, tokens: int, longest: float) -> float:
    """How far the schedule is shifted for so many tokens."""
    return float(
        calculate_shift(
            tokens,
            config.get("base_image_seq_len", 256),
            config.get("max_image_seq_len", 4096),
            config.get("base_shift", 0.5),
            config.get("max_shift", longest),
        )
    )


def decoded(pipe: Any, latent: torch.Tensor) -> Any:
    """The picture of a latent that was scaled and shifted."""
    latent = (latent / pipe.vae.config.scaling_factor) + pipe.vae.config.shift_factor
    image = pipe.vae.decode(latent, return_dict=False)[0]
    return pipe.image_processor.postprocess(image, output_type="np")


class Flux(Family):
    """FluxPipeline. It takes the guidance scale as an input; a negative prompt is not used."""

    pipelines = ("FluxPipeline",)
    backbone = "transformer"
    encoders = ("text_encoder", "text_encoder_2")
    steps = 28
    scale = 3.5

    def encode(self, pipe: Any, given: Given, device: Any) -> Encoded:
        """T5's states, CLIP's pooled one, and where each token stands."""
        embedding, pooled, ids = pipe.encode_prompt(prompt=given["prompt"], prompt_2=None, device=device)
        guidance = None
        if pipe.transformer.config.guidance_embeds:
            scale = float(given.get("guidance_scale", self.scale))
            guidance = torch.full([1], scale, device=device, dtype=torch.float32).expand(batch_of(given))
        return Encoded(embedding, extra={"pooled_projections": pooled, "txt_ids": ids, "guidance": guidance})

    def begin(
        self, pipe: Any, solver: Solver, given: Given, embedding: torch.Tensor, random: torch.Generator
    ) -> Beginning:
        """Noise in patches of 2 x 2, and where each stands."""
        height, width = self.size(pipe, given)
        steps = int(given["steps"])
        channels = pipe.transformer.config.in_channels // 4
        latent, ids = pipe.prepare_latents(
            batch_of(given), channels, height, width, embedding.dtype, embedding.device, random, None
        )
        plan: dict[str, Any] = {"steps": steps, "begin": 0, "mu": shift(pipe.scheduler.config, latent.shape[1], 1.15)}
        if not pipe.scheduler.config.get("use_flow_sigmas", False):
            plan["sigmas"] = np.linspace(1.0, 1 / steps, steps).tolist()
        return Beginning(latent, plan, extra={"img_ids": ids})

    def finish(self, pipe: Any, latent: torch.Tensor, given: Given) -> Any:
        """The autoencoder's picture of the patches put together."""
        height, width = self.size(pipe, given)
        return decoded(pipe, pipe._unpack_latents(latent, height, width, pipe.vae_scale_factor))


FAMILIES = (SD3, Flux)
