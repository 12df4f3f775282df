"""Stable Diffusion 1 and 2, and XL: from text, from a picture, and into a picture."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import retrieve_latents
from diffusers.pipelines.t2i_adapter.pipeline_stable_diffusion_adapter import _preprocess_adapter_image
from diffusers.utils.torch_utils import randn_tensor

from yggdrasil.blocks.diffusers.family import IMAGE, MASK, Beginning, Encoded, Family, Given, batch_of, guided
from yggdrasil.blocks.solver.diffusers import Solver
from yggdrasil.core.ports import Port, port
from yggdrasil.errors import ConfigError, PortError


class TextToImage(Family):
    """StableDiffusionPipeline. With an IP-Adapter in its UNet it follows a picture, too (arXiv 2308.06721)."""

    pipelines = ("StableDiffusionPipeline",)
    inputs: ClassVar[tuple[Port, ...]] = (port("ip_adapter_image", "any", optional=True),)

    def encode(self, pipe: Any, given: Given, device: Any) -> Encoded:
        """CLIP's last hidden states, [uncond, cond]."""
        scale, guides = guided(pipe, given, self.scale)
        cond, uncond = pipe.encode_prompt(given["prompt"], device, 1, guides, given.get("negative_prompt"))
        embedding = torch.cat([uncond, cond]) if guides else cond
        return Encoded(embedding, extra=_scale_embedding(pipe, given, scale, embedding), scale=scale if guides else 1.0)

    def begin(
        self, pipe: Any, solver: Solver, given: Given, embedding: torch.Tensor, random: torch.Generator
    ) -> Beginning:
        """Noise of the scheduler's first deviation."""
        height, width = self.size(pipe, given)
        plan = self.plan(solver, given)
        factor = pipe.vae_scale_factor
        shape = (batch_of(given), pipe.unet.config.in_channels, height // factor, width // factor)
        noise = randn_tensor(shape, generator=random, device=embedding.device, dtype=embedding.dtype)
        latent = noise * solver.scheduler(plan).init_noise_sigma
        return Beginning(latent, plan, extra=_followed(pipe, given, embedding))

    def plan(self, solver: Solver, given: Given) -> dict[str, Any]:
        """How many steps."""
        return {"steps": int(given["steps"])}

    def finish(self, pipe: Any, latent: torch.Tensor, given: Given) -> Any:
        """The autoencoder's picture."""
        image = pipe.vae.decode(latent / pipe.vae.config.scaling_factor, return_dict=False)[0]
        if getattr(pipe, "safety_checker", None) is None:
            return pipe.image_processor.postprocess(image, output_type="np", do_denormalize=[True] * image.shape[0])
        image, unsafe = pipe.run_safety_checker(image, image.device, image.dtype)
        return pipe.image_processor.postprocess(image, output_type="np", do_denormalize=[not bad for bad in unsafe])


def _scale_embedding(pipe: Any, given: Given, scale: float, embedding: torch.Tensor) -> dict[str, Any]:
    """Of a model that takes the guidance scale as an input (distilled ones)."""
    size = pipe.unet.config.time_cond_proj_dim
    if size is None:
        return {}
    scales = torch.tensor(scale - 1).repeat(batch_of(given))
    made = pipe.get_guidance_scale_embedding(scales, embedding_dim=size)
    return {"timestep_cond": made.to(device=embedding.device, dtype=embedding.dtype)}


def _followed(pipe: Any, given: Given, embedding: torch.Tensor) -> dict[str, Any]:
    """What the picture of an IP-Adapter tells the backbone."""
    image = given.get("ip_adapter_image")
    wants = pipe.unet.config.encoder_hid_dim_type == "ip_image_proj"
    if image is None or not wants:
        if (image is None) == wants:
            said = "has an IP-Adapter, and no ip_adapter_image came" if wants else "has no IP-Adapter"
            raise ConfigError(f"the UNet {said}", hint="pipe.load_ip_adapter(...), and ip_adapter_image=picture")
        return {}
    batch = batch_of(given)
    guides = embedding.shape[0] == 2 * batch
    found = pipe.prepare_ip_adapter_image_embeds(image, None, embedding.device, batch, guides)
    return {"added_cond_kwargs": {"image_embeds": found}}


def part_of_plan(solver: Solver, given: Given, steps: int, strength: float) -> dict[str, Any]:
    """The last part of a schedule: `strength` says how much of it."""
    if not 0 < strength <= 1:
        raise PortError(f"strength is {strength}", hint="strength: 0.8   # above 0, at most 1")
    begin = max(steps - min(int(steps * strength), steps), 0)
    if begin == steps:
        raise PortError(f"strength {strength} of {steps} steps is no step", hint="more steps, or more strength")
    return {"steps": steps, "begin": begin * solver.scheduler({"steps": steps}).order}


class ImageToImage(TextToImage):
    """StableDiffusionImg2ImgPipeline."""

    pipelines = ("StableDiffusionImg2ImgPipeline",)
    inputs = IMAGE

    def plan(self, solver: Solver, given: Given) -> dict[str, Any]:
        """The last part of the steps."""
        return part_of_plan(solver, given, int(given["steps"]), float(given.get("strength", 0.8)))

    def begin(
        self, pipe: Any, solver: Solver, given: Given, embedding: torch.Tensor, random: torch.Generator
    ) -> Beginning:
        """The picture's latent, noised up to the first step."""
        plan = self.plan(solver, given)
        image = pipe.image_processor.preprocess(given["image"]).to(device=embedding.device, dtype=embedding.dtype)
        latent = image
        if image.shape[1] != 4:
            latent = pipe.vae.config.scaling_factor * retrieve_latents(pipe.vae.encode(image), generator=random)
        latent = _as_many(latent, batch_of(given))
        noise = randn_tensor(latent.shape, generator=random, device=latent.device, dtype=embedding.dtype)
        return Beginning(noised(solver, plan, latent, noise), plan)


def noised(solver: Solver, plan: dict[str, Any], latent: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """The latent as it would be at the plan's first step."""
    scheduler = solver.scheduler(plan)
    first = scheduler.timesteps[plan["begin"] : plan["begin"] + 1].repeat(latent.shape[0])
    found: torch.Tensor = scheduler.add_noise(latent, noise, first)
    return found


def _as_many(latent: torch.Tensor, batch: int) -> torch.Tensor:
    if batch % latent.shape[0]:
        raise PortError(f"{latent.shape[0]} pictures cannot be shared among {batch} prompts")
    return torch.cat([latent] * (batch // latent.shape[0])) if batch > latent.shape[0] else latent


class Inpaint(TextToImage):
    """StableDiffusionInpaintPipeline, whose backbone sees the mask and what it leaves (9 channels)."""

    pipelines = ("StableDiffusionInpaintPipeline",)
    inputs = (IMAGE[0], MASK, port("strength", float, optional=True, default=1.0))

    def plan(self, solver: Solver, given: Given) -> dict[str, Any]:
        """The last part of the steps."""
        return part_of_plan(solver, given, int(given["steps"]), float(given.get("strength", 1.0)))

    def begin(
        self, pipe: Any, solver: Solver, given: Given, embedding: torch.Tensor, random: torch.Generator
    ) -> Beginning:
        """Noise, or the noised picture; and the mask beside it."""
        if pipe.unet.config.in_channels != 9:
            sentence = f"its backbone has {pipe.unet.config.in_channels} input channels: only those with 9 see a mask"
            raise ConfigError(sentence, hint="a model made for inpainting")
        height, width = self.size(pipe, given)
        plan, batch = self.plan(solver, given), batch_of(given)
        strength = float(given.get("strength", 1.0))
        image = pipe.image_processor.preprocess(given["image"], height=height, width=width).to(torch.float32)
        factor, device, dtype = pipe.vae_scale_factor, embedding.device, embedding.dtype
        shape = (batch, pipe.vae.config.latent_channels, height // factor, width // factor)
        if strength == 1.0:
            noise = randn_tensor(shape, generator=random, device=device, dtype=dtype)
            latent = noise * solver.scheduler(plan).init_noise_sigma
        else:
            placed = image.to(device=device, dtype=dtype)
            known = placed if placed.shape[1] == 4 else pipe._encode_vae_image(image=placed, generator=random)
            noise = randn_tensor(shape, generator=random, device=device, dtype=dtype)
            latent = noised(solver, plan, _as_many(known, batch), noise)
        mask = pipe.mask_processor.preprocess(given["mask_image"], height=height, width=width)
        guides = embedding.shape[0] == 2 * batch
        masks = pipe.prepare_mask_latents(
            mask, image * (mask < 0.5), batch, height, width, dtype, device, random, guides
        )  # fmt: skip
        return Beginning(latent, plan, concat=torch.cat(masks, dim=1))


class Controlled(TextToImage):
    """StableDiffusionControlNetPipeline with one ControlNet: a picture says where things are (arXiv 2302.05543)."""

    pipelines = ("StableDiffusionControlNetPipeline",)
    adapter = "controlnet"
    inputs = (IMAGE[0],)

    def begin(
        self, pipe: Any, solver: Solver, given: Given, embedding: torch.Tensor, random: torch.Generator
    ) -> Beginning:
        """Noise as large as the picture that is followed."""
        batch = batch_of(given)
        hint = pipe.prepare_image(
            given["image"], given.get("width"), given.get("height"), batch, 1, embedding.device, pipe.controlnet.dtype,
            embedding.shape[0] == 2 * batch, False,
        )  # fmt: skip
        height, width = hint.shape[-2:]
        made = super().begin(pipe, solver, {**given, "height": height, "width": width}, embedding, random)
        made.hint = hint
        return made


class Sketched(TextToImage):
    """StableDiffusionAdapterPipeline: a T2I-Adapter looks at the picture once."""

    pipelines = ("StableDiffusionAdapterPipeline",)
    adapter = "adapter"
    inputs = (IMAGE[0],)

    def begin(
        self, pipe: Any, solver: Solver, given: Given, embedding: torch.Tensor, random: torch.Generator
    ) -> Beginning:
        """Noise as large as the picture that is followed, unless a size is given."""
        height, width = pipe._default_height_width(given.get("height"), given.get("width"), given["image"])
        made = super().begin(pipe, solver, {**given, "height": height, "width": width}, embedding, random)
        made.hint = _preprocess_adapter_image(given["image"], height, width)  # type: ignore[no-untyped-call]
        return made

    def finish(self, pipe: Any, latent: torch.Tensor, given: Given) -> Any:
        """The autoencoder's picture; the latent is multiplied here where other pipelines divide."""
        image = pipe.vae.decode(1 / pipe.vae.config.scaling_factor * latent, return_dict=False)[0]
        image = pipe.image_processor.postprocess(image, output_type="np")
        return image if pipe.safety_checker is None else pipe.run_safety_checker(image, pipe.device, latent.dtype)[0]


class Upscale(TextToImage):
    """StableDiffusionUpscalePipeline: the backbone sees the small picture, with a little noise on it."""

    pipelines = ("StableDiffusionUpscalePipeline",)
    inputs = (IMAGE[0], port("noise_level", int, optional=True, default=20))
    steps = 75
    scale = 9.0

    def begin(
        self, pipe: Any, solver: Solver, given: Given, embedding: torch.Tensor, random: torch.Generator
    ) -> Beginning:
        """The small picture, noised; then noise of its size, which the autoencoder makes large."""
        device, dtype, batch = embedding.device, embedding.dtype, batch_of(given)
        most = pipe.config.max_noise_level
        asked = int(given.get("noise_level", 20))
        if not 0 <= asked <= most:
            raise PortError(f"noise_level is {asked}", hint=f"noise_level=20   # at most {most}")
        image = pipe.image_processor.preprocess(given["image"]).to(dtype=dtype, device=device)
        level = torch.tensor([asked], dtype=torch.long, device=device)
        noise = randn_tensor(image.shape, generator=random, device=device, dtype=dtype)
        image = pipe.low_res_scheduler.add_noise(image, noise, level)
        image = torch.cat([image] * (embedding.shape[0] // batch))
        plan, channels = self.plan(solver, given), pipe.vae.config.latent_channels
        shape = (batch, channels, *image.shape[2:])
        latent = randn_tensor(shape, generator=random, device=device, dtype=dtype)
        latent = latent * solver.scheduler(plan).init_noise_sigma
        return Beginning(latent, plan, extra={"class_labels": torch.cat([level] * image.shape[0])}, concat=image)

    def finish(self, pipe: Any, latent: torch.Tensor, given: Given) -> Any:
        """The autoencoder's picture, four times as wide and as high as the one that was given."""
        if pipe.vae.dtype == torch.float16 and pipe.vae.config.force_upcast:
            raise ConfigError("this autoencoder overflows in float16", hint='dtype: "bfloat16"')
        image = pipe.vae.decode(latent.to(pipe.vae.dtype) / pipe.vae.config.scaling_factor, return_dict=False)[0]
        unsafe: Any = None
        if getattr(pipe, "safety_checker", None) is not None:
            image, unsafe, _ = pipe.run_safety_checker(image, image.device, image.dtype)
        keep = [True] * image.shape[0] if unsafe is None else [not bad for bad in unsafe]
        return pipe.image_processor.postprocess(image, output_type="np", do_denormalize=keep)


class XL(TextToImage):
    """StableDiffusionXLPipeline."""

    pipelines = ("StableDiffusionXLPipeline",)
    inputs = ()
    encoders = ("text_encoder", "text_encoder_2")
    scale = 5.0

    def encode(self, pipe: Any, given: Given, device: Any) -> Encoded:
        """Both encoders' hidden states, the pooled one, and the sizes (arXiv 2307.01952, section 2.2)."""
        scale, guides = guided(pipe, given, self.scale)
        cond, uncond, pooled, negative = pipe.encode_prompt(
            prompt=given["prompt"],
            device=device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=guides,
            negative_prompt=given.get("negative_prompt"),
        )
        size = self.size(pipe, given)
        encoder = pipe.text_encoder_2
        width = int(pooled.shape[-1]) if encoder is None else encoder.config.projection_dim
        ids = pipe._get_add_time_ids(size, (0, 0), size, dtype=cond.dtype, text_encoder_projection_dim=width)
        embedding = cond
        if guides:
            embedding, pooled = torch.cat([uncond, cond], dim=0), torch.cat([negative, pooled], dim=0)
            ids = torch.cat([ids, ids], dim=0)
        added = {"text_embeds": pooled, "time_ids": ids.to(embedding.device).repeat(batch_of(given), 1)}
        extra = {"added_cond_kwargs": added, **_scale_embedding(pipe, given, scale, embedding)}
        return Encoded(embedding, extra=extra, scale=scale if guides else 1.0)

    def plan(self, solver: Solver, given: Given) -> dict[str, Any]:
        """How many steps, counted from the first."""
        return {"steps": int(given["steps"]), "begin": 0}

    def finish(self, pipe: Any, latent: torch.Tensor, given: Given) -> Any:
        """The autoencoder's picture."""
        vae = pipe.vae
        if vae.dtype == torch.float16 and vae.config.force_upcast:
            raise ConfigError("this autoencoder overflows in float16", hint='dtype: "bfloat16"')
        config = vae.config
        if getattr(config, "latents_mean", None) is not None and getattr(config, "latents_std", None) is not None:
            mean, deviation = (
                torch.tensor(values).view(1, 4, 1, 1).to(latent.device, latent.dtype)
                for values in (config.latents_mean, config.latents_std)
            )
            latent = latent * deviation / config.scaling_factor + mean
        else:
            latent = latent / config.scaling_factor
        image = vae.decode(latent, return_dict=False)[0]
        if pipe.watermark is not None:
            image = pipe.watermark.apply_watermark(image)
        return pipe.image_processor.postprocess(image, output_type="np")


FAMILIES = (TextToImage, ImageToImage, Inpaint, Controlled, Sketched, Upscale, XL)
