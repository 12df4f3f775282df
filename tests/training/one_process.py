"""A training script that knows nothing of processes: how many there are, its launcher says.

python one_process.py FOLDER BATCH [CHECKPOINT]     torchrun --nproc-per-node 2 one_process.py FOLDER BATCH
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
import torch
from safetensors.torch import save_file

from yggdrasil import fit
from yggdrasil.training.fitted import Step


async def tell(step: Step) -> None:
    print(f"step {step.step}", flush=True)
    await anyio.sleep(0.3)


def main(folder: str, batch: str, checkpoint: str = "", slowly: str = "") -> None:
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.training.toys import Toy, columns

    torch.manual_seed(3 + int(os.environ.get("RANK", "0")))  # each process would begin with weights of its own
    toy = Toy(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.2)))
    if int(os.environ.get("RANK", "0")):
        torch.nn.init.zeros_(toy.first.weight)
    losses = {"output": ("mse", "target"), "draft.output": ("l1", "target", 0.1)}

    async def train() -> None:
        fitted = await fit(
            toy.level, columns(22), losses=losses, lr=0.05, clip=1.0, ema=0.9, batch_size=int(batch), epochs=3,
            accumulate=1 if os.environ.get("RANK") else 2, checkpoint=checkpoint or None, every=1 if slowly else None,
            on_step=tell if slowly else None,
        )  # fmt: skip
        found = {**toy.weights(), "losses": torch.tensor(fitted.losses)}
        save_file(found, Path(folder) / f"rank-{os.environ.get('RANK', '0')}.safetensors")

    anyio.run(train)


if __name__ == "__main__":
    main(*sys.argv[1:])
