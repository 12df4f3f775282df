"""Pipelines of diffusers as graphs: the same bits as its own `__call__`, alone and side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import diffusers
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.blocks.tiny_pipelines import guarded, pipeline, saved, with_ip_adapter
from yggdrasil import ConfigError, Graph, PortError, RunError
from yggdrasil.blocks.solver.diffusers import SOLVERS, Solver

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),
]

DICE = np.random.default_rng(0)
PICTURE = Image.fromarray(DICE.integers(0, 255, (32, 32, 3), dtype=np.uint8))
MASK = Image.fromarray(((DICE.random((32, 32)) > 0.5) * 255).astype(np.uint8))
SIZE = {"height": 32, "width": 32}
CASES: dict[str, dict[str, Any]] = {
    "sd": {},
    "img2img": {"image": PICTURE, "strength": 0.7},
    "inpaint": {"image": PICTURE, "mask_image": MASK, **SIZE},
    "controlnet": {"image": PICTURE},
    "sdxl": SIZE,
    "sd3": SIZE,
    "flux": SIZE,
    "wan": {**SIZE, "num_frames": 9},
    "wan_i2v": {**SIZE, "num_frames": 9, "image": PICTURE},
    "upscale": {"image": PICTURE.resize((16, 16)), "noise_level": 12},
    "t2i": {"image": PICTURE},
}
STEPS = 6


@pytest.fixture
def anyio_backend() -> str:
    """Which event loop makes no difference here: the work is done in threads."""
    return "asyncio"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def asked(name: str, prompt: str = "a house", scale: float = 4.0) -> dict[str, Any]:
    negative = {} if name == "flux" else {"negative_prompt": "fog"}
    return {"prompt": prompt, "guidance_scale": scale, **negative, **CASES[name]}


def theirs(
    name: str, scheduler: Any = None, *, seed: int = 7, steps: int = STEPS, pipe: Any = None, **given: Any
) -> np.ndarray:
    pipe = pipe or pipeline(name)
    used = type(pipe)(**{**pipe.components, **({} if scheduler is None else {"scheduler": scheduler})})
    used.set_progress_bar_config(disable=True)
    random = torch.Generator().manual_seed(seed)
    found = used(num_inference_steps=steps, generator=random, output_type="np", **given)
    return np.asarray(found.frames if name.startswith("wan") else found.images)


async def ours(graph: Graph, *, seed: int = 7, steps: int = STEPS, **given: Any) -> np.ndarray:
    return np.asarray((await graph.run(steps=steps, seed=seed, **given)).output)


def of(scheduler: str, base: Any) -> Any:
    kind = getattr(diffusers, SOLVERS[scheduler])
    return kind.from_config(base.config) if base is not None else kind()


@pytest.mark.parametrize("name", CASES)
async def test_the_same_bits(name: str) -> None:
    graph = Graph.from_diffusers(pipeline(name))
    given = asked(name)
    expected = theirs(name, **given)
    assert np.array_equal(expected, await ours(graph, **given))
    assert not np.array_equal(expected, await ours(graph, seed=8, **given))


async def test_a_picture_is_followed_by_an_ip_adapter() -> None:
    pipe = with_ip_adapter()
    pipe.set_progress_bar_config(disable=True)
    graph = Graph.from_diffusers(pipe)
    for scale in (4.0, 1.0):
        given = {**asked("sd", scale=scale), "ip_adapter_image": PICTURE}
        random = torch.Generator().manual_seed(7)
        expected = pipe(num_inference_steps=STEPS, generator=random, output_type="np", **given).images
        assert np.array_equal(expected, await ours(graph, **given))
    with pytest.raises(ConfigError, match="no ip_adapter_image came"):
        await ours(graph, **asked("sd"))
    with pytest.raises(ConfigError, match="has no IP-Adapter"):
        await ours(Graph.from_diffusers(pipeline("sd")), **asked("sd"), ip_adapter_image=PICTURE)


@pytest.mark.parametrize("scheduler", [name for name in SOLVERS if not name.startswith("flow")])
@pytest.mark.parametrize("name", ["sd", "sdxl"])
async def test_the_same_bits_by_every_scheduler(name: str, scheduler: str) -> None:
    made = of(scheduler, None if scheduler == "lcm" else pipeline(name).scheduler)
    given = asked(name)
    graph = Graph.from_diffusers(pipeline(name), solver=Solver.of(made))
    for steps in (4, 8):
        assert np.array_equal(theirs(name, made, steps=steps, **given), await ours(graph, steps=steps, **given))


@pytest.mark.parametrize("scheduler", ["flow_euler", "flow_heun"])
@pytest.mark.parametrize("name", ["sd3", "flux"])
async def test_the_same_bits_by_flow_matching(name: str, scheduler: str) -> None:
    if (name, scheduler) == ("flux", "flow_heun"):
        pytest.skip("diffusers' Flux passes sigmas, which its Heun does not take")
    made = getattr(diffusers, SOLVERS[scheduler])(shift=3.0)
    graph = Graph.from_diffusers(pipeline(name), solver=Solver.of(made))
    given = asked(name)
    assert np.array_equal(theirs(name, made, **given), await ours(graph, **given))


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3", "wan"])
async def test_without_guidance_and_with_several_prompts(name: str) -> None:
    graph = Graph.from_diffusers(pipeline(name))
    given = asked(name, scale=1.0)
    assert np.array_equal(theirs(name, **given), await ours(graph, **given))
    if name != "wan":
        several = {**asked(name), "prompt": ["a house", "a ship"], "negative_prompt": ["fog", "ice"]}
        assert np.array_equal(theirs(name, **several), await ours(graph, **several))


async def test_runs_side_by_side_equal_those_one_after_another() -> None:
    graphs = {
        kind: Graph.from_diffusers(pipeline("sd"), solver=Solver.of(of(kind, pipeline("sd").scheduler)))
        for kind in ("ddim", "euler_ancestral", "dpmpp_multistep", "unipc")
    }
    wanted = [(kind, seed) for kind in graphs for seed in (1, 2)]
    alone = {key: await ours(graphs[key[0]], seed=key[1], **asked("sd")) for key in wanted}
    together: dict[Any, np.ndarray] = {}

    async def one(key: tuple[str, int]) -> None:
        together[key] = await ours(graphs[key[0]], seed=key[1], **asked("sd"))

    async with anyio.create_task_group() as group:
        for key in wanted:
            group.start_soon(one, key)
    assert all(np.array_equal(alone[key], together[key]) for key in wanted)


async def test_from_a_folder_one_instance_and_through_a_file(tmp_path: Path) -> None:
    folder = saved("sd", tmp_path / "sd")
    first, second = Graph.from_diffusers(folder), Graph.from_diffusers(str(folder))
    given = asked("sd")
    # read from the same file: where weights lie in memory decides which of torch's kernels adds them up
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(folder, use_safetensors=True, safety_checker=None)
    expected = theirs("sd", pipe=pipe, **given)
    assert np.array_equal(expected, await ours(first, **given))
    assert first.nodes["backbone"].block.module() is second.nodes["backbone"].block.module()
    first.save(tmp_path / "picture.yaml")
    again = Graph.load(tmp_path / "picture.yaml")
    assert np.array_equal(expected, await ours(again, **given))
    assert again.nodes["backbone"].block.module() is second.nodes["backbone"].block.module()


async def test_a_folder_with_a_safety_checker(tmp_path: Path) -> None:
    """Its class is one of diffusers' own pipelines', as model_index.json of Stable Diffusion 1 says."""
    folder = guarded().save_pretrained(tmp_path / "sd", safe_serialization=True) or tmp_path / "sd"
    assert '"stable_diffusion"' in (folder / "model_index.json").read_text()
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(folder, use_safetensors=True)
    given = asked("sd")
    assert np.array_equal(theirs("sd", pipe=pipe, **given), await ours(Graph.from_diffusers(folder), **given))


async def test_models_that_load_at_once_leave_torch_as_it_was(tmp_path: Path) -> None:
    graphs = [Graph.from_diffusers(saved("sd", tmp_path / str(number))) for number in range(6)]
    found: list[np.ndarray] = []

    async def one(graph: Graph) -> None:
        found.append(await ours(graph, **asked("sd")))

    async with anyio.create_task_group() as group:
        for graph in graphs:
            group.start_soon(one, graph)
    assert all(np.array_equal(found[0], other) for other in found)
    # diffusers replaces this function while it builds a module, and puts back what it found there
    assert torch.nn.Module.register_parameter.__module__ == "torch.nn.modules.module"
    assert torch.nn.Linear(2, 2).weight.device.type == "cpu"


@pytest.mark.parametrize("kind", SOLVERS)
async def test_a_solver_alone_does_what_the_scheduler_does(kind: str) -> None:
    scheduler = of(kind, None)
    solver = Solver.of(scheduler)
    assert Solver(kind, **{**solver.config}).config == solver.config
    latent = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(1))

    def model(x: torch.Tensor, t: Any) -> torch.Tensor:
        return torch.tanh(x * 0.7 + float(t) / 1000)

    for steps in (4, 9):
        scheduler.set_timesteps(steps)
        random = torch.Generator().manual_seed(3)
        expected = latent * getattr(scheduler, "init_noise_sigma", 1.0)
        takes = "generator" in scheduler.step.__code__.co_varnames
        for t in scheduler.timesteps:
            seen = scheduler.scale_model_input(expected, t) if hasattr(scheduler, "scale_model_input") else expected
            more = {"generator": random} if takes else {}
            expected = scheduler.step(model(seen, t), t, expected, return_dict=False, **more)[0]
        begun = latent * getattr(solver.scheduler({"steps": steps}), "init_noise_sigma", 1.0)
        at = solver.begin(begun, {"steps": steps}, torch.Generator().manual_seed(3))
        now, seen, t, state, done, turns = begun, at["input"], at["timestep"], at["state"], False, 0
        while not done:
            step = (await solver.run(latent=now, timestep=t, pred=model(seen, t), state=state))
            now, seen, t = step["next_latent"], step["next_input"], step["next_timestep"]
            state, done, turns = step["next_state"], step["done"], turns + 1
        assert torch.equal(now, expected)
        assert turns == len(scheduler.timesteps)


async def test_what_cannot_be_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no solver 'karras'"):
        Solver("karras")
    with pytest.raises(ConfigError, match="has no 'beta'"):
        Solver("ddim", options={"beta": 1})
    with pytest.raises(ConfigError, match="steps is 0"):
        Solver("ddim", steps=0)
    with pytest.raises(ConfigError, match="no pipeline of diffusers"):
        Graph.from_diffusers(7)
    with pytest.raises(ConfigError, match=r"no model_index\.json"):
        Graph.from_diffusers(tmp_path)
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline", "unet": ["os", "system"]}')
    with pytest.raises(ConfigError, match=r"wants os\.system"):
        Graph.from_diffusers(tmp_path, solver="ddim").nodes["backbone"].block.module()
    with pytest.raises(ConfigError, match="cannot be taken apart"):
        Graph.from_diffusers(diffusers.DDPMPipeline(unet=pipeline("sd").unet, scheduler=pipeline("sd").scheduler))
    graph = Graph.from_diffusers(pipeline("img2img"))
    with pytest.raises((ConfigError, PortError, RunError), match="strength"):
        await ours(graph, **{**asked("img2img"), "strength": 0.0})
    with pytest.raises((ConfigError, PortError, RunError), match="steps"):
        await ours(graph, **asked("img2img"), steps=0)


@pytest.mark.parametrize("part", ["unet/diffusion_pytorch_model", "text_encoder/model"])
async def test_weights_that_are_missing_are_not_made_up(tmp_path: Path, part: str) -> None:
    path = saved("sd", tmp_path / "sd") / f"{part}.safetensors"
    tensors = load_file(path)
    lost = next(name for name in sorted(tensors) if name.endswith("weight") and tensors[name].ndim == 2)
    del tensors[lost]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises((ConfigError, RunError), match="is missing"):
        await ours(Graph.from_diffusers(tmp_path / "sd"), **asked("sd"))


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        ({"prompt": 7}, {}, "prompt is int, no text"),
        ({"negative_prompt": ["fog", 3]}, {}, "negative_prompt is list, no text"),
        ({"height": 33}, {}, "height is 33, no multiple of 2"),
        ({}, {"device": "cuda:99"}, "there is no device 'cuda:99'"),
        ({}, {"device": "gpu"}, "there is no device 'gpu'"),
    ],
)
async def test_what_a_run_cannot_take(given: dict[str, Any], options: dict[str, Any], said: str) -> None:
    with pytest.raises((ConfigError, PortError, RunError), match=said):
        await Graph.from_diffusers(pipeline("sd")).run({**asked("sd"), **given}, steps=2, seed=7, **options)
