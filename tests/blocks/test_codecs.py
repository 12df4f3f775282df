"""Codecs and image conditioners: what diffusers and transformers give, through ports and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from tests.blocks.test_diffusers import PICTURE, anyio_backend
from tests.blocks.tiny_pipelines import vae, with_ip_adapter
from yggdrasil import ConfigError, Graph
from yggdrasil.blocks.codec.autoencoder import Autoencoder
from yggdrasil.blocks.codec.identity import Identity
from yggdrasil.blocks.conditioner.image import ImageConditioner
from yggdrasil.blocks.diffusers.source import Source

__all__ = ["anyio_backend"]
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),
]


class Parts:
    """As much of a pipeline as a source looks at."""

    def __init__(self, **parts: Any) -> None:
        vars(self).update(parts)


def vq() -> diffusers.VQModel:
    torch.manual_seed(0)
    return diffusers.VQModel(
        block_out_channels=[8, 8], norm_num_groups=4, latent_channels=4, num_vq_embeddings=16,
        down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2,
    ).eval()  # fmt: skip


def tiny() -> diffusers.AutoencoderTiny:
    torch.manual_seed(0)
    return diffusers.AutoencoderTiny(
        encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    ).eval()  # fmt: skip


@pytest.mark.parametrize("make", [vae, vq, tiny])
async def test_there_and_back(make: Any) -> None:
    module = make()
    source = Source(pipeline=Parts(vae=module))
    latent = (await Autoencoder(direction="encode", source=source).run(image=PICTURE))["latent"]
    image = (await Autoencoder(source=source).run(latent=latent))["image"]
    pixels = torch.from_numpy(np.asarray(PICTURE, np.float32) / 255).permute(2, 0, 1)[None] * 2 - 1
    with torch.no_grad():
        made = module.encode(pixels)
        inner = made.latent_dist.mode() if hasattr(made, "latent_dist") else made.latents
        wanted = module.decode(inner * module.config.scaling_factor / module.config.scaling_factor)[0]
    assert torch.allclose(latent, inner * module.config.scaling_factor, atol=1e-5)
    assert np.allclose(image, (wanted / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy(), atol=1e-5)
    assert image.shape == (1, 32, 32, 3)


async def test_pixels_are_their_own_latent() -> None:
    graph = Graph("pixels")
    graph.add_node("encode", Identity("encode"))
    graph.add_node("decode", {"type": "codec/identity"})
    graph.add_edge("encode.latent", "decode.latent")
    image = (await graph.run(image=PICTURE))["image"]
    assert np.allclose(image[0], np.asarray(PICTURE, np.float32) / 255, atol=1e-6)
    with pytest.raises(ConfigError, match="direction is 'sideways'"):
        Identity("sideways")


async def test_a_picture_is_a_condition(tmp_path: Path) -> None:
    pipe = with_ip_adapter()
    block = ImageConditioner(source=Source(pipeline=pipe))
    found = (await block.run(input=[PICTURE, PICTURE])).output
    pixels = pipe.feature_extractor(images=[PICTURE, PICTURE], return_tensors="pt").pixel_values
    with torch.no_grad():
        assert torch.equal(found, pipe.image_encoder(pixels).image_embeds)
    with pytest.raises(ConfigError, match="lies nowhere"):
        _ = block.config
    written = ImageConditioner(str(tmp_path), dtype="float16").config
    assert written == {"ref": str(tmp_path), "dtype": "float16"}
