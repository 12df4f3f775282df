"""Moving pictures: Wan."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from diffusers.utils.torch_utils import randn_tensor

from yggdrasil.blocks.diffusers.family import IMAGE, Beginning, Encoded, Family, Given, batch_of, guided
from yggdrasil.blocks.solver.diffusers import Solver
from yggdrasil.core.ports import Port, port
from yggdrasil.errors import ConfigError


def frames(pipe: Any, given: Given) -> int:
    """How many frames, as diffusers rounds them: one more than a multiple of what the autoencoder folds."""
    every, asked = pipe.vae_scale_factor_temporal, int(given.get("num_frames", 81))
    return max(asked if asked % every == 1 else asked // every * every + 1, 1)


class Wan(Family):
    """WanPipeline with one transformer. It guides by two calls."""

    pipelines = ("WanPipeline",)
    backbone = "transformer"
    two_calls = True
    output = "video"
    steps = 50
    scale = 5.0
    inputs: ClassVar[tuple[Port, ...]] = (port("num_frames", int, optional=True, default=81),)

    def encode(self, pipe: Any, given: Given, device: Any) -> Encoded:
        """UMT5's states of both prompts."""
        if pipe.transformer is None or pipe.config.boundary_ratio is not None or pipe.config.expand_timesteps:
            raise ConfigError("a Wan with two transformers cannot be taken apart yet", hint="Wan 2.1")
        scale, guides = guided(pipe, given, self.scale)
        cond, uncond = pipe.encode_prompt(
            prompt=given["prompt"],
            negative_prompt=given.get("negative_prompt"),
            do_classifier_free_guidance=guides,
            num_videos_per_prompt=1,
            max_sequence_length=512,
            device=device,
        )
        dtype = pipe.transformer.dtype
        negative = uncond.to(dtype) if guides else None
        return Encoded(cond.to(dtype), negative, scale=scale if guides else 1.0)

    def size(self, pipe: Any, given: Given) -> tuple[int, int]:
        """Height and width, down to whole patches."""
        patch, factor = pipe.transformer.config.patch_size, pipe.vae_scale_factor_spatial
        wanted = (given.get("height") or 480, given.get("width") or 832)
        height, width = (side // (factor * p) * (factor * p) for side, p in zip(wanted, patch[1:], strict=True))
        return height, width

    def begin(
        self, pipe: Any, solver: Solver, given: Given, embedding: torch.Tensor, random: torch.Generator
    ) -> Beginning:
        """Noise in single precision."""
        height, width = self.size(pipe, given)
        spatial, temporal = pipe.vae_scale_factor_spatial, pipe.vae_scale_factor_temporal
        shape = (
            batch_of(given), pipe.transformer.config.in_channels, (frames(pipe, given) - 1) // temporal + 1,
            height // spatial, width // spatial,
        )  # fmt: skip
        latent = randn_tensor(shape, generator=random, device=embedding.device, dtype=torch.float32)
        return Beginning(latent, {"steps": int(given["steps"]), "begin": 0})

    def finish(self, pipe: Any, latent: torch.Tensor, given: Given) -> Any:
        """The autoencoder's frames: [B, F, H, W, 3] from 0 to 1."""
        config = pipe.vae.config
        latent = latent.to(pipe.vae.dtype)
        mean, deviation = (
            torch.tensor(values).view(1, config.z_dim, 1, 1, 1) for values in (config.latents_mean, config.latents_std)
        )
        mean, inverse = mean.to(latent.device, latent.dtype), 1.0 / deviation.to(latent.device, latent.dtype)
        video = pipe.vae.decode(latent / inverse + mean, return_dict=False)[0]
        return pipe.video_processor.postprocess_video(video, output_type="np")


class WanImageToVideo(Wan):
    """WanImageToVideoPipeline with one transformer: the picture is the first frame, `last_image` the last."""

    pipelines = ("WanImageToVideoPipeline",)
    inputs = (*Wan.inputs, IMAGE[0], port("last_image", "any", optional=True))

    def begin(
        self, pipe: Any, solver: Solver, given: Given, embedding: torch.Tensor, random: torch.Generator
    ) -> Beginning:
        """Noise, and beside it the frames that are known."""
        height, width = self.size(pipe, given)
        device, batch, last = embedding.device, batch_of(given), given.get("last_image")
        extra: dict[str, Any] = {"encoder_hidden_states_image": None}
        if pipe.transformer.config.image_dim is not None:
            seen = pipe.encode_image(given["image"] if last is None else [given["image"], last], device)
            extra["encoder_hidden_states_image"] = seen.repeat(batch, 1, 1).to(pipe.transformer.dtype)
        image, last = (
            None
            if picture is None
            else pipe.video_processor.preprocess(picture, height=height, width=width).to(device, dtype=torch.float32)
            for picture in (given["image"], last)
        )
        latent, known = pipe.prepare_latents(
            image, batch, pipe.vae.config.z_dim, height, width, frames(pipe, given), torch.float32, device, random,
            None, last,
        )  # fmt: skip
        plan = {"steps": int(given["steps"]), "begin": 0}
        return Beginning(latent, plan, extra=extra, concat=known)


FAMILIES = (Wan, WanImageToVideo)
