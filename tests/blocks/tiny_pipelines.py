"""Tiny pipelines of diffusers with random weights, built without a hub."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import diffusers
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
)

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def clip_tokenizer(length: int = 16) -> CLIPTokenizer:
    vocabulary = {letter: i for i, letter in enumerate(ALPHABET)}
    vocabulary |= {f"{letter}</w>": i + 26 for i, letter in enumerate(ALPHABET)}
    vocabulary |= {"<|startoftext|>": 52, "<|endoftext|>": 53}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=length)


def t5_tokenizer(length: int = 16) -> PreTrainedTokenizerFast:
    vocabulary = {"<pad>": 0, "</s>": 1, "<unk>": 2, **{letter: i + 3 for i, letter in enumerate(ALPHABET)}}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=length
    )


def clip_text(kind: type = CLIPTextModel, width: int = 32, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return kind(
        CLIPTextConfig(
            bos_token_id=52, eos_token_id=53, pad_token_id=53, hidden_size=width, intermediate_size=37,
            layer_norm_eps=1e-05, num_attention_heads=4, num_hidden_layers=2, vocab_size=54, hidden_act="gelu",
            projection_dim=width, max_position_embeddings=16,
        )
    ).eval()  # fmt: skip


def t5_text(seed: int = 0) -> T5EncoderModel:
    torch.manual_seed(seed)
    return T5EncoderModel(T5Config(vocab_size=32, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4)).eval()


def vae(channels: int = 4, shift: float | None = None) -> diffusers.AutoencoderKL:
    torch.manual_seed(0)
    return diffusers.AutoencoderKL(
        block_out_channels=[8, 8], in_channels=3, out_channels=3, norm_num_groups=4, latent_channels=channels,
        down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2, sample_size=32,
        shift_factor=shift,
    ).eval()  # fmt: skip


def unet(channels: int = 4, cross: int = 32, **more: Any) -> diffusers.UNet2DConditionModel:
    torch.manual_seed(0)
    kinds = [("DownBlock2D", "CrossAttnDownBlock2D"), ("CrossAttnUpBlock2D", "UpBlock2D")]
    sides = {"down_block_types": kinds[0], "up_block_types": kinds[1], **more}
    return diffusers.UNet2DConditionModel(
        block_out_channels=(8, 16), layers_per_block=1, sample_size=16, in_channels=channels, out_channels=4,
        cross_attention_dim=cross, norm_num_groups=4, attention_head_dim=4, **sides,
    ).eval()  # fmt: skip


def ddim() -> diffusers.DDIMScheduler:
    return diffusers.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, clip_sample=False,
        set_alpha_to_one=False,
    )  # fmt: skip


def sd(kind: type = diffusers.StableDiffusionPipeline, channels: int = 4) -> Any:
    return kind(
        vae=vae(), text_encoder=clip_text(), tokenizer=clip_tokenizer(), unet=unet(channels), scheduler=ddim(),
        safety_checker=None, feature_extractor=None, image_encoder=None, requires_safety_checker=False,
    )  # fmt: skip


def controlled() -> Any:
    torch.manual_seed(0)
    net = diffusers.ControlNetModel(
        block_out_channels=(8, 16), layers_per_block=1, in_channels=4, cross_attention_dim=32, norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), conditioning_embedding_out_channels=(4, 8),
        attention_head_dim=4,
    ).eval()  # fmt: skip
    for part in (*net.controlnet_down_blocks, net.controlnet_mid_block):
        torch.nn.init.normal_(part.weight, std=0.1)  # it begins with zeros, which would change nothing
    parts = {k: v for k, v in sd().components.items() if k != "image_encoder"}
    return diffusers.StableDiffusionControlNetPipeline(**parts, controlnet=net, requires_safety_checker=False)


def sdxl() -> Any:
    return diffusers.StableDiffusionXLPipeline(
        vae=vae(), text_encoder=clip_text(), text_encoder_2=clip_text(CLIPTextModelWithProjection, seed=1),
        tokenizer=clip_tokenizer(), tokenizer_2=clip_tokenizer(), scheduler=ddim(), add_watermarker=False,
        unet=unet(
            cross=64, addition_embed_type="text_time", addition_time_embed_dim=8, transformer_layers_per_block=(1, 1),
            projection_class_embeddings_input_dim=80, use_linear_projection=True,
        ),
    )  # fmt: skip


def sd3() -> Any:
    torch.manual_seed(0)
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=16, patch_size=1, in_channels=4, num_layers=1, attention_head_dim=8, num_attention_heads=4,
        caption_projection_dim=32, joint_attention_dim=32, pooled_projection_dim=64, out_channels=4,
    ).eval()  # fmt: skip
    return diffusers.StableDiffusion3Pipeline(
        transformer=transformer, scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), vae=vae(4, shift=0.06),
        text_encoder=clip_text(CLIPTextModelWithProjection),
        text_encoder_2=clip_text(CLIPTextModelWithProjection, seed=1),
        text_encoder_3=t5_text(), tokenizer=clip_tokenizer(), tokenizer_2=clip_tokenizer(), tokenizer_3=t5_tokenizer(),
    )  # fmt: skip


def flux() -> Any:
    torch.manual_seed(0)
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1, in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=[4, 4, 8], guidance_embeds=True,
    ).eval()  # fmt: skip
    return diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), vae=vae(1, shift=0.06),
        text_encoder=clip_text(), text_encoder_2=t5_text(), tokenizer=clip_tokenizer(), tokenizer_2=t5_tokenizer(),
        transformer=transformer,
    )  # fmt: skip


def upscale() -> Any:
    return diffusers.StableDiffusionUpscalePipeline(
        vae=vae(), text_encoder=clip_text(), tokenizer=clip_tokenizer(), unet=unet(7, num_class_embeds=100),
        low_res_scheduler=diffusers.DDPMScheduler(num_train_timesteps=100), scheduler=ddim(), max_noise_level=60,
    )  # fmt: skip


def sketched() -> Any:
    torch.manual_seed(0)
    adapter = diffusers.T2IAdapter(in_channels=3, channels=[8, 16], num_res_blocks=1, downscale_factor=2).eval()
    parts = {k: v for k, v in sd().components.items() if k != "image_encoder"}
    parts["unet"] = unet(
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D")
    )
    return diffusers.StableDiffusionAdapterPipeline(**parts, adapter=adapter, requires_safety_checker=False)


def wan(kind: type = diffusers.WanPipeline, channels: int = 16, **more: Any) -> Any:
    torch.manual_seed(0)
    autoencoder = diffusers.AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    ).eval()  # fmt: skip
    transformer = diffusers.WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=channels, out_channels=16,
        text_dim=32, freq_dim=256, ffn_dim=32, num_layers=2, cross_attn_norm=True, qk_norm="rms_norm_across_heads",
        rope_max_seq_len=32,
    ).eval()  # fmt: skip
    return kind(
        tokenizer=t5_tokenizer(), text_encoder=t5_text(), vae=autoencoder, transformer=transformer,
        scheduler=diffusers.UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ), **more,
    )  # fmt: skip


MAKERS: dict[str, Callable[[], Any]] = {
    "sd": sd,
    "img2img": lambda: sd(diffusers.StableDiffusionImg2ImgPipeline),
    "inpaint": lambda: sd(diffusers.StableDiffusionInpaintPipeline, 9),
    "controlnet": controlled,
    "sdxl": sdxl,
    "sd3": sd3,
    "flux": flux,
    "wan": wan,
    "wan_i2v": lambda: wan(
        diffusers.WanImageToVideoPipeline, 36, image_encoder=None, image_processor=None, transformer_2=None
    ),
    "upscale": upscale,
    "t2i": sketched,
}


@lru_cache
def pipeline(name: str) -> Any:
    made = MAKERS[name]()
    made.set_progress_bar_config(disable=True)
    return made


def saved(name: str, folder: Path) -> Path:
    pipeline(name).save_pretrained(folder, safe_serialization=True)
    return folder


def with_ip_adapter() -> Any:
    """Stable Diffusion whose UNet follows a picture: an IP-Adapter of random weights."""
    torch.manual_seed(0)
    seen = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=16, projection_dim=16, num_hidden_layers=2, num_attention_heads=4, image_size=32,
            intermediate_size=37, patch_size=8,
        )
    ).eval()  # fmt: skip
    plain = sd()
    crossed = [name for name in plain.unet.attn_processors if name.endswith("attn2.processor")]
    sizes = {name: plain.unet.get_submodule(name.removesuffix(".processor")).to_k.out_features for name in crossed}
    weights = {
        f"{2 * n + 1}.{side}_ip.weight": torch.randn(sizes[name], 32) / 4
        for n, name in enumerate(crossed)
        for side in ("to_k", "to_v")
    }
    projection = {
        "proj.weight": torch.randn(4 * 32, 16), "proj.bias": torch.randn(4 * 32), "norm.weight": torch.ones(32),
        "norm.bias": torch.zeros(32),
    }  # fmt: skip
    plain.unet._load_ip_adapter_weights([{"image_proj": projection, "ip_adapter": weights}])
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    parts = {**plain.components, "image_encoder": seen, "feature_extractor": processor}
    return diffusers.StableDiffusionPipeline(**parts, requires_safety_checker=False)


def guarded() -> Any:
    """Stable Diffusion with a safety checker."""
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker

    torch.manual_seed(0)
    seen = CLIPVisionConfig(
        hidden_size=16, projection_dim=16, num_hidden_layers=2, num_attention_heads=4, image_size=32,
        intermediate_size=37, patch_size=8,
    )  # fmt: skip
    checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=seen.to_dict(), projection_dim=16)).eval()
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    parts = {**sd().components, "safety_checker": checker, "feature_extractor": processor}
    made = diffusers.StableDiffusionPipeline(**parts)
    made.set_progress_bar_config(disable=True)
    return made
