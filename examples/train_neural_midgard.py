"""Train the networks of the neural midgard: one that draws a blueprint, one that reads a picture, and a winter for it.

    python examples/train_neural_midgard.py --minutes 10 --out weights       # recognisable, on two cores
    python examples/train_neural_midgard.py --minutes 10 --device cuda       # the same on a GPU (--size large: bigger)
    python examples/train_neural_midgard.py --evaluate --out weights         # does the painter's Philosopher read it?

The painter of worlds/midgard paints what the Architect plans; the codec learns to fold pictures into latents, the DiT
to draw them from noise by their blueprint (a rectified flow), the reader to name what is seen, and the pack `winter`
to draw any blueprint in deep snow. Without --minutes it is a rehearsal of a few steps.

Prints: trained: codec, drawing, reader, winter
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from yggdrasil import Graph
from yggdrasil.blocks.adapter.lora import LoRA, Target
from yggdrasil.blocks.neural import NeuralBlock
from yggdrasil.catalog.code import load
from yggdrasil.catalog.project import stock
from yggdrasil.levels.world_file import load_world
from yggdrasil.training.diffusion import denoising
from yggdrasil.training.fit import fit

TRAIN, HELD_OUT = 1, 4711  # seeds of blueprints
BATCHES = {"cpu": (12, 3e-3), "cuda": (256, 2e-3)}  # how many at once, and the learning rate


def midgard(name: str) -> Any:
    """A module of midgard's blocks."""
    project = stock()
    return load(project, project.root / "worlds" / "midgard" / "blocks" / f"{name}.py")


def painted(blueprint: dict[str, Any]) -> Any:
    """The painter's picture, small."""
    return midgard("drawing/samples").painted(blueprint)


def paint(blueprints: list[dict[str, Any]], workers: int) -> torch.Tensor:
    """Pictures [N, 3, 72, 96], 8 bits, painted side by side."""
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            made = list(pool.map(painted, blueprints, chunksize=16))
    else:
        made = list(map(painted, blueprints))
    return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).contiguous()


def drawing(conditioner: nn.Module, backbone: nn.Module) -> Graph:
    """What learns to draw: words and numbers of a scene and a clean latent in, how far it was missed out."""
    graph = Graph("drawing")
    graph.add_node("conditioner", NeuralBlock(conditioner, outputs={"embedding": torch.Tensor}))
    dit = NeuralBlock(backbone, outputs={"pred": torch.Tensor})
    graph.add_node("denoising", denoising(dit, "flow", sampling="logit_normal"))
    graph.add_edge("conditioner.embedding", "denoising.condition")
    for end in ("conditioner.words", "conditioner.numbers", "denoising.latent"):
        graph.expose_input(end, name=end.partition(".")[2])
    graph.expose_output("denoising.loss", name="loss")
    return graph


def fidelity(again: torch.Tensor, mean: torch.Tensor, spread: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """How far a picture is from what the codec made of it, in colours, areas and edges; and how large latents are."""
    edges = sum(functional.l1_loss(again.diff(dim=d), image.diff(dim=d)) for d in (2, 3))
    areas = functional.l1_loss(functional.avg_pool2d(again, 8), functional.avg_pool2d(image, 8))
    return functional.l1_loss(again, image) + edges + areas + 1e-4 * (mean**2 + spread.exp() - spread - 1).mean()


class Course:
    """What all four trainings share: the device, the time, and the pictures."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.began, self.names = options, time.monotonic(), []
        self.batch, self.rate = BATCHES[options.device] if options.minutes else (4, 1e-3)
        workers, count = options.workers or (2 if options.minutes else 1), options.pictures or 16
        if options.minutes and not options.pictures:  # as many as an eighth of the time is good for
            paint(list(midgard("drawing/samples").scenes(64, HELD_OUT + 1)), workers)
            pace = (time.monotonic() - self.began) / 64
            count = max(64, min(20_000, int(60 * options.minutes / 8 / pace / 1.125)))
        blueprints = list(midgard("drawing/samples").scenes(count, TRAIN))
        frozen = [{**b, "season": "winter", "weather": "snow", "snow": 9} for b in blueprints[: max(8, count // 8)]]
        pictures = paint(blueprints + frozen, workers).to(options.device)
        self.images, self.frozen = pictures[:count], pictures[count:]
        told = [midgard("drawing/scene").things_of(b) for b in blueprints]
        self.words, self.numbers = (torch.tensor([t[i] for t in told], device=options.device) for i in (0, 1))
        labels = [midgard("drawing/reader").labels_of(b) for b in blueprints]
        self.labels = torch.tensor(labels, device=options.device)
        print(f"painted {len(pictures)} pictures in {time.monotonic() - self.began:.0f} s", flush=True)
        self.left = 60 * options.minutes - (time.monotonic() - self.began) - 15

    async def learn(
        self,
        name: str,
        level: Any,
        batch: Callable[[int], Any],
        losses: Any,
        share: float,
        *,
        gently: float = 1,
        **more: Any,
    ) -> None:
        """Fit a level for its share of the time (or some steps); what stays is the running mean of its weights."""
        how = {
            "losses": losses,
            "device": self.options.device,
            "clip": 1.0,
            "weight_decay": 0.01,
            "seed": TRAIN,
            **more,
        }
        steps, rate, began = self.options.steps or 5, self.rate * gently, time.monotonic()
        if self.options.minutes:  # a few to see how long one takes
            trial = await fit(level, batch, lr=rate / 10, steps=8, **how)
            pace = sorted(step.seconds for step in trial.curve)[4]
            steps = max(8, int((self.left * share - (time.monotonic() - began)) / pace))

        def slower(step: int) -> float:
            return min(1, (step + 1) / min(200, steps / 5)) * (0.01 + 0.495 * (1 + math.cos(math.pi * step / steps)))

        def tell(step: Any) -> None:
            if step.step % max(1, steps // 10) == 0 and self.options.minutes:
                print(f"  {name} {step.step}/{steps} loss {step.loss:.4f}", flush=True)

        done = await fit(level, batch, lr=rate, schedule=slower, steps=steps, ema=0.999, on_step=tell, **how)
        done.average.copy_to_weights()
        self.names.append(name)
        print(f"{name}: {done}; {time.monotonic() - began:.0f} s", flush=True)

    def some(self, among: torch.Tensor) -> torch.Tensor:
        """Rows at random."""
        return torch.randint(len(among), (self.batch,), device=among.device)

    def scenes(self, latents: torch.Tensor) -> Callable[[int], Any]:
        """Batches for the drawing."""

        def batch(number: int) -> dict[str, torch.Tensor]:
            chosen = self.some(latents)
            words = self.words[chosen].clone()
            words[torch.rand(self.batch, device=latents.device) < 0.1, 0, 3] = 0  # a place that nobody has told of
            return {"words": words, "numbers": self.numbers[chosen], "latent": latents[chosen]}

        return batch


async def train(options: argparse.Namespace) -> None:
    """All four, one after another, and their files."""
    course, networks = Course(options), midgard("drawing/networks")
    torch.manual_seed(TRAIN)
    torch.set_float32_matmul_precision("high")
    names = ("codec", "conditioner", "backbone", "reader")
    codec, conditioner, backbone, reader = (networks.fresh(n, options.size).to(options.device) for n in names)

    def fold(number: int) -> dict[str, torch.Tensor]:
        kinds = torch.cat([course.images[course.some(course.images)], course.frozen[course.some(course.frozen)[::4]]])
        return {"image": kinds.float() / 255}

    codec.begin(course.images[:256].float() / 255)
    folding = NeuralBlock(codec, outputs=dict.fromkeys(("again", "mean", "spread"), torch.Tensor))
    faithful = [{"of": ["again", "mean", "spread"], "loss": fidelity, "target": "image"}]
    await course.learn("codec", folding, fold, faithful, 0.1, gently=0.3)
    with torch.no_grad():
        codec.settle(course.images[:256].float() / 255)
        latents, frozen = (
            torch.cat([codec.encoder(part.float() / 255) for part in pictures.split(64)])
            for pictures in (course.images, course.frozen)
        )
    await course.learn("drawing", drawing(conditioner, backbone), course.scenes(latents), {"loss": "mean"}, 0.74)

    def look(number: int) -> dict[str, torch.Tensor]:
        chosen = course.some(course.images)
        image, half = course.images[chosen].float() / 255, course.batch // 2
        with torch.no_grad():  # half of them as the codec makes them out of latents that are not quite right
            rough = latents[chosen[:half]]
            image[:half] = codec.decoder(rough + 0.4 * torch.rand(1, device=rough.device) * torch.randn_like(rough))
        asked = {f"true {name}": course.labels[chosen, i] for i, name in enumerate(reader.answers)}
        return {"image": image + 0.02 * torch.randn_like(image), **asked}

    questions = {name: ("cross_entropy", f"true {name}") for name in reader.answers}
    await course.learn(
        "reader", NeuralBlock(reader, outputs=dict.fromkeys(reader.answers, torch.Tensor)), look, questions, 0.08
    )
    for name, network in zip(names, (codec, conditioner, backbone, reader), strict=True):
        networks.write(network, options.out / f"{name}.safetensors")
    # the pack is for what was written, which is a little rounded: it knows its base by the digest
    told, base = (networks.restored(n, options.out / f"{n}.safetensors") for n in ("conditioner", "backbone"))
    pack = LoRA.new(base, rank=4, select="layers.*.qkv|layers.*.out|layers.*.inner|layers.*.modulation", name="winter")
    snowing, adapters = drawing(told, base), {"**/backbone": pack}
    await course.learn("winter", snowing, course.scenes(frozen), {"loss": "mean"}, 0.06, adapters=adapters)
    halves = {n: Target(t.A.detach().half().cpu(), t.B.detach().half().cpu()) for n, t in pack.targets.items()}
    LoRA(halves, base=pack.base, name="winter").save(options.out / "winter")
    print(f"trained: {', '.join(course.names)}")


async def evaluate(options: argparse.Namespace) -> None:
    """Held-out blueprints drawn by the world's own Creator with these weights, and looked at by both Philosophers."""
    world = load_world("midgard", overlay="neural", parameters={"weights": str(options.out.resolve())})
    creator, reader = world.nodes["creator"].block, world.nodes["philosopher"].block
    see, right = midgard("seeing/description").describe, [0, 0, 0, 0]
    for blueprint in midgard("drawing/samples").scenes(options.evaluate, HELD_OUT):
        drawn = (await creator.run(blueprint=blueprint))["artifacts"]
        cold = (await creator.run(blueprint=blueprint, adapters={"**/backbone": str(options.out / "winter")}))[
            "artifacts"
        ]
        original = midgard("painter").painter(blueprint)
        reads = [(await reader.run(artifacts=shown))["description"] for shown in (original, drawn)]
        for number, seen in enumerate((see(drawn), *reads)):
            right[number] += all(seen[key] == blueprint[key] for key in ("light", "season"))
        right[3] += see(cold)["season"] == "winter"
    print(f"of {options.evaluate} held-out blueprints, light and season are read rightly")
    print(f"  by the painter's Philosopher from the network's pictures: {right[0]}")
    print(f"  by the network's Philosopher from the painter's pictures: {right[1]}, from the network's: {right[2]}")
    print(f"  drawn with the pack `winter`, the painter's Philosopher says it is winter: {right[3]}")


def main() -> None:
    """Read the command line."""
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--minutes", type=float, default=0.0, help="for all of it, about")
    read.add_argument("--steps", type=int, default=0, help="of each training, if there are no minutes")
    read.add_argument("--pictures", type=int, default=0, help="to paint; by default as many as the time is good for")
    read.add_argument("--device", default="cpu", choices=tuple(BATCHES))
    read.add_argument("--size", default="small", choices=("small", "large"))
    read.add_argument(
        "--workers", type=int, default=0, help="processes that paint; by default two if there are minutes"
    )
    read.add_argument("--out", type=Path, default=Path("neural-midgard"), help="the folder of the weights")
    read.add_argument("--evaluate", type=int, nargs="?", const=100, default=0, help="how many to draw; train nothing")
    options = read.parse_args()
    anyio.run(evaluate if options.evaluate else train, options)


if __name__ == "__main__":
    main()
