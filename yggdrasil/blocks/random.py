"""Random numbers of a run as torch and diffusers draw them: one generator of the CPU."""

from __future__ import annotations

import secrets

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.core.canonical import derive


def generator_of(ctx: RunContext) -> torch.Generator:
    """A generator seeded with the run's own seed, so that `seed=7` here is `manual_seed(7)` there.

    In a world's tick the seed is another one for each tick. Without a seed it is another one each time.
    """
    seed = ctx.run.seed
    if seed is None:
        chosen = secrets.randbits(63)
    elif ctx.run.scope.startswith("tick:"):
        chosen = derive(seed, ctx.run.scope) % 2**63
    else:
        chosen = seed % 2**64
    return torch.Generator().manual_seed(chosen)
