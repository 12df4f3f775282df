"""Every kind of solver by its name, as a config builds it: `solver/ddim` with `steps` and `options`."""

from __future__ import annotations

from functools import partial

from yggdrasil.blocks.solver.diffusers import Solver

ddim = partial(Solver, "ddim")
ddpm = partial(Solver, "ddpm")
deis = partial(Solver, "deis")
dpmpp_multistep = partial(Solver, "dpmpp_multistep")
dpmpp_singlestep = partial(Solver, "dpmpp_singlestep")
euler = partial(Solver, "euler")
euler_ancestral = partial(Solver, "euler_ancestral")
flow_euler = partial(Solver, "flow_euler")
flow_heun = partial(Solver, "flow_heun")
heun = partial(Solver, "heun")
lcm = partial(Solver, "lcm")
lms = partial(Solver, "lms")
pndm = partial(Solver, "pndm")
unipc = partial(Solver, "unipc")
