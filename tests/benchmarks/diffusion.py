"""A picture of 50 steps by our graph and by diffusers' own pipeline, one after the other, 21 times.

    python -m tests.benchmarks.diffusion [PAIRS]

Prints the median of both, of the ratios, and how long a step takes.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings

import anyio
import numpy as np
import torch

from tests.blocks.tiny_pipelines import clip_text, clip_tokenizer, ddim, vae
from yggdrasil import Graph

STEPS, PAIRS = 50, 21


async def main(pairs: int) -> None:
    """Measure."""
    import diffusers

    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(32, 64), layers_per_block=2, sample_size=32, in_channels=4, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32, norm_num_groups=8, attention_head_dim=8,
    ).eval()  # fmt: skip
    pipe = diffusers.StableDiffusionPipeline(
        vae=vae(), text_encoder=clip_text(), tokenizer=clip_tokenizer(), unet=unet, scheduler=ddim(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    graph = Graph.from_diffusers(pipe)
    given = {"prompt": "a house", "negative_prompt": "fog", "guidance_scale": 4.0, "height": 64, "width": 64}

    async def ours() -> np.ndarray:
        return np.asarray((await graph.run(steps=STEPS, seed=7, **given))["image"])

    async def theirs() -> np.ndarray:
        random = torch.Generator().manual_seed(7)
        return np.asarray(pipe(num_inference_steps=STEPS, generator=random, output_type="np", **given).images)

    same = np.array_equal(await ours(), await theirs())
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for pair in range(pairs):
        for name, draw in [("ours", ours), ("theirs", theirs)][:: 1 if pair % 2 else -1]:
            begun = time.perf_counter()
            await draw()
            times[name].append(time.perf_counter() - begun)
    ratios = [a / b for a, b in zip(times["ours"], times["theirs"], strict=True)]
    medians = {name: statistics.median(found) for name, found in times.items()}
    step = medians["theirs"] / STEPS * 1000
    print(f"{torch.get_num_threads()} threads, {pairs} pairs of {STEPS} steps of {step:.1f} ms, the same bits: {same}")
    print(f"ours {medians['ours']:.3f} s, diffusers {medians['theirs']:.3f} s, ", end="")
    print(f"ratio {statistics.median(ratios):.3f} (median of pairs)")


if __name__ == "__main__":
    anyio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS)
