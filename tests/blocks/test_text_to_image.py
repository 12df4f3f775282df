"""Text to image from five blocks that find each other, and with adapters, files and kills."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import diffusers
import numpy as np
import pytest
import torch

from tests.blocks.test_diffusers import anyio_backend, one_thread
from tests.blocks.tiny_pipelines import pipeline, saved
from yggdrasil import Graph
from yggdrasil.blocks.adapter.lora import LoRA
from yggdrasil.blocks.backbone.diffusers import Backbone
from yggdrasil.blocks.codec.autoencoder import Autoencoder
from yggdrasil.blocks.conditioner.text import TextConditioner
from yggdrasil.blocks.guidance.cfg import Guidance
from yggdrasil.blocks.schedule.noise import Noise
from yggdrasil.blocks.solver.diffusers import SOLVERS, Solver

__all__ = ["anyio_backend", "one_thread"]
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),
]

KILLED = Path(__file__).with_name("killed_picture.py")


def options_of(kind: str) -> dict[str, Any]:
    options = Solver.of(pipeline("sd").scheduler).options
    return {k: v for k, v in options.items() if kind == "ddim" or k.startswith("beta")}


def five(folder: Path, kind: str = "ddim", *, guided: bool = False) -> Graph:
    ref, options = str(folder), options_of(kind)
    graph = Graph("picture")
    for name, made in {
        "codec": Autoencoder(ref),
        "solver": Solver(kind, steps=6, options=options),
        "backbone": Backbone(ref),
        "schedule": Noise((4, 16, 16), solver=kind, options=options, steps=6),
        "conditioner": TextConditioner(ref),
    }.items():
        graph.add_node(name, made, auto_connect=True)
    if guided:
        graph.add_node("guidance", Guidance(scale=4.0), auto_connect=True)
    return graph


def expected(folder: Path, kind: str, **given: Any) -> np.ndarray:
    # read from the same file: where weights lie in memory decides which of torch's kernels adds them up
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(folder, use_safetensors=True, safety_checker=None)
    pipe.scheduler = getattr(diffusers, SOLVERS[kind])(**options_of(kind))
    pipe.set_progress_bar_config(disable=True)
    random = torch.Generator().manual_seed(7)
    found = pipe(num_inference_steps=6, generator=random, output_type="np", height=32, width=32, **given)
    return np.asarray(found.images)


@pytest.mark.parametrize("kind", ["ddim", "euler", "euler_ancestral", "dpmpp_multistep"])
async def test_five_blocks_find_each_other_and_draw_the_same_bits(kind: str, tmp_path: Path) -> None:
    folder = saved("sd", tmp_path / "sd")
    graph = five(folder, kind)
    assert not [problem for problem in graph.validate() if problem.level == "error"]
    found = (await graph.run(input="a house", seed=7))["image"]
    assert np.array_equal(found, expected(folder, kind, prompt="a house", guidance_scale=1.0))
    guided = five(folder, kind, guided=True)
    given = {"conditioner.input": "a house", "conditioner.negative": "fog"}
    names = {port.rpartition(".")[2]: port for port in guided.spec.inputs}
    found = (await guided.run({names[k.rpartition(".")[2]]: v for k, v in given.items()}, seed=7))["image"]
    assert np.array_equal(found, expected(folder, kind, prompt="a house", negative_prompt="fog", guidance_scale=4.0))


async def test_through_a_file_and_one_instance(tmp_path: Path) -> None:
    folder = saved("sd", tmp_path / "sd")
    graph = five(folder)
    graph.save(tmp_path / "picture.yaml")
    again = Graph.load(tmp_path / "picture.yaml")
    first, second = [(await g.run(input="a house", seed=7))["image"] for g in (graph, again)]
    assert np.array_equal(first, second)
    assert graph.nodes["backbone"].block.module() is again.nodes["backbone"].block.module()


async def test_a_codec_both_ways_shares_its_weights(tmp_path: Path) -> None:
    folder = str(saved("sd", tmp_path / "sd"))
    graph = Graph("there and back")
    graph.add_node("encode", Autoencoder(folder, "encode"))
    graph.add_node("decode", Autoencoder(folder))
    graph.add_edge("encode.latent", "decode.latent")
    image = np.random.default_rng(0).random((1, 32, 32, 3)).astype("f4")
    back = (await graph.run(image=image))["image"]
    vae = pipeline("sd").vae
    with torch.no_grad():
        given = torch.from_numpy(image).permute(0, 3, 1, 2) * 2 - 1
        wanted = vae.decode(vae.encode(given).latent_dist.mode())[0]
    assert np.allclose(back, ((wanted / 2 + 0.5).clamp(0, 1)).permute(0, 2, 3, 1).numpy(), atol=1e-5)
    blocks = [graph.nodes[name].block for name in ("encode", "decode")]
    assert blocks[0].modules()["vae"] is blocks[1].modules()["vae"]


def drawn(tmp_path: Path, store: str, die: int, name: str) -> int:
    words = [str(tmp_path / "sd"), store, str(die), str(tmp_path / name)]
    return subprocess.run([sys.executable, str(KILLED), *words], check=False, timeout=120).returncode


async def test_killed_at_step_17_of_30_it_goes_on_there_with_the_same_bytes(tmp_path: Path) -> None:
    saved("sd", tmp_path / "sd")
    store = f"sqlite:///{tmp_path}/runs.db"
    assert drawn(tmp_path, "-", -1, "whole.npy") == 0
    assert drawn(tmp_path, store, 17, "picture.npy") == -signal.SIGKILL
    assert not (tmp_path / "picture.npy").exists()
    assert drawn(tmp_path, store, -1, "picture.npy") == 0
    assert (tmp_path / "picture.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    assert [int(n) for n in (tmp_path / "picture.log").read_text().split()] == list(range(30)), "none of them twice"


def lora_of(folder: Path, seed: int, name: str) -> Path:
    """A pack in diffusers' format that has learned something."""
    pipe = pipeline("sd")
    parts = {"unet": pipe.unet, "text_encoder": pipe.text_encoder}
    made = LoRA.new(parts, rank=4, select="**/to_*|**/*_proj", seed=seed)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=random) / 4)
    made.base.clear()
    made.save(folder / name)
    return folder / name


async def test_packs_at_once_with_other_seeds_and_solvers_draw_what_diffusers_draws_one_by_one(tmp_path: Path) -> None:
    folder = saved("sd", tmp_path / "sd")
    packs = {name: lora_of(tmp_path, seed, name) for seed, name in enumerate(("snow", "sand"))}
    wanted: dict[tuple[str, str, int], np.ndarray] = {}
    plain = expected(folder, "ddim", prompt="a house", guidance_scale=4.0, negative_prompt="fog")
    for kind, name, seed in [("ddim", "snow", 7), ("euler_ancestral", "sand", 7), ("unipc", "snow", 8)]:
        pipe = diffusers.StableDiffusionPipeline.from_pretrained(folder, use_safetensors=True, safety_checker=None)
        pipe.scheduler = getattr(diffusers, SOLVERS[kind])(**options_of(kind))
        pipe.load_lora_weights(packs[name])
        pipe.set_progress_bar_config(disable=True)
        random = torch.Generator().manual_seed(seed)
        given = {"prompt": "a house", "negative_prompt": "fog", "guidance_scale": 4.0}
        found = pipe(**given, num_inference_steps=6, generator=random, output_type="np", height=32, width=32)
        wanted[kind, name, seed] = np.asarray(found.images)
    assert not any(np.array_equal(plain, found) for found in wanted.values())
    solvers = {kind: Solver(kind, options=options_of(kind)) for kind, _, _ in wanted}
    graphs = {kind: Graph.from_diffusers(folder, solver=solver) for kind, solver in solvers.items()}
    drawn: dict[tuple[str, str, int], np.ndarray] = {}

    async def one(key: tuple[str, str, int], adapters: dict[str, Any]) -> None:
        given = {"prompt": "a house", "negative_prompt": "fog", "guidance_scale": 4.0, "height": 32, "width": 32}
        drawn[key] = (await graphs[key[0]].run(given, steps=6, seed=key[2], adapters=adapters))["image"]

    async with anyio.create_task_group() as group:
        for key in wanted:
            group.start_soon(one, key, {"**": packs[key[1]]})
        group.start_soon(one, ("ddim", "", 7), {})
    assert all(np.array_equal(drawn[key], found) for key, found in wanted.items())
    assert np.array_equal(drawn["ddim", "", 7], plain)
