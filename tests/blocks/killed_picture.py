"""A process that draws a picture as a durable run, and kills itself in the middle when told to.

    python killed_picture.py MODEL STORE DIE OUT

Writes each denoise step that it begins to OUT.log, and the picture to OUT. DIE: the step before which it is killed;
-1: none.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import torch

from yggdrasil import Graph
from yggdrasil.blocks.solver.diffusers import Solver
from yggdrasil.core.events import LoopIterated


async def draw(model: str, store: str, die: int, out: Path) -> None:
    torch.set_num_threads(1)
    graph = Graph.from_diffusers(model, solver=Solver("euler_ancestral"))

    def hear(event: Any) -> None:
        if isinstance(event, LoopIterated):
            if event.iteration == die:
                os.kill(os.getpid(), signal.SIGKILL)
            with out.with_suffix(".log").open("a") as log:
                log.write(f"{event.iteration}\n")

    given = {"prompt": "a house", "negative_prompt": "fog", "guidance_scale": 4.0, "height": 32, "width": 32}
    options: dict[str, Any] = {"thread": "picture", "store": store, "durability": "step"} if store != "-" else {}
    found = await graph.run(given, steps=30, seed=7, hooks=[hear], **options)
    np.save(out, found["image"])


if __name__ == "__main__":
    anyio.run(draw, sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
