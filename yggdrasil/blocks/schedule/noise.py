"""Where a run from noise begins: the first latent, its timestep, and the solver's first state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.neural import Neural
from yggdrasil.blocks.random import generator_of
from yggdrasil.blocks.solver.diffusers import Solver
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError


class Noise(Neural):
    """Noise of the solver's first deviation: `Noise((4, 64, 64), solver="ddim")`.

    shape            of one latent, without the batch
    solver, options  the kind of the solver and its configuration, as the solver in the loop has them
    steps            how many steps the run takes, where the port `steps` does not say

    The noise is drawn from one generator of the CPU, seeded with the run's `seed`; it goes on in the solver's state.
    """

    heavy = False
    block_type = "schedule/noise"

    def __init__(
        self, shape: Sequence[int], *, solver: str = "ddim", options: Mapping[str, Any] | None = None, steps: int = 30
    ) -> None:
        if not all(isinstance(n, int) and n > 0 for n in shape) or not shape:
            raise ConfigError(f"shape is {shape!r}", hint="shape: [4, 64, 64]")
        self.shape, self.solver, self.options, self.steps = list(shape), solver, dict(options or {}), steps
        self._solver = Solver(solver, steps=steps, options=options)

    @property
    def config(self) -> dict[str, Any]:
        """Shape, solver and steps."""
        given = {"solver": (self.solver, "ddim"), "options": (self.options, {}), "steps": (self.steps, 30)}
        return {"shape": self.shape, **{k: v for k, (v, default) in given.items() if v != default}}

    @property
    def spec(self) -> Spec:
        """What a run begins with."""
        return _SPEC

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Draw it."""
        plan = {"steps": inputs.get("steps", self.steps)}
        random = generator_of(ctx)
        noise = torch.randn((inputs.get("batch", 1), *self.shape), generator=random)
        noise = noise.to(ctx.device) if ctx.device else noise
        latent = noise * getattr(self._solver.scheduler(plan), "init_noise_sigma", 1.0)
        return {"latent": latent, **self._solver.begin(latent, plan, random)}


_SPEC = Spec.declare(
    [port("steps", int, optional=True), port("batch", int, optional=True)],
    [port("latent", "tensor"), port("input", "tensor"), port("timestep", "tensor"), port("state", "any")],
)
