"""Solvers: one integration step of a diffusion process, by diffusers' schedulers, without their state.

A scheduler of diffusers remembers where it is and what the model said before. Here all that travels on the port
`state`, so that one solver serves any number of runs at once, and a run can be stopped and gone on with anywhere.
"""

from __future__ import annotations

import copy
import inspect
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.neural import Neural
from yggdrasil.core.canonical import canonical
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError, PortError, close_names

SOLVERS: Mapping[str, str] = {
    "ddim": "DDIMScheduler",
    "ddpm": "DDPMScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler_ancestral": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "lms": "LMSDiscreteScheduler",
    "pndm": "PNDMScheduler",
    "dpmpp_multistep": "DPMSolverMultistepScheduler",
    "dpmpp_singlestep": "DPMSolverSinglestepScheduler",
    "unipc": "UniPCMultistepScheduler",
    "deis": "DEISMultistepScheduler",
    "lcm": "LCMScheduler",
    "flow_euler": "FlowMatchEulerDiscreteScheduler",
    "flow_heun": "FlowMatchHeunDiscreteScheduler",
}
"""Our names of diffusers' schedulers."""

_PLANS = 16  # of different lengths, that a solver keeps prepared


class Solver(Neural):
    """One step: `Solver("ddim", steps=30, beta_schedule="scaled_linear")`.

    kind     a name of `SOLVERS`, or the scheduler's class name
    steps    how many steps a whole run takes, where its first `state` does not say
    options  the scheduler's own configuration

    Ports: `latent` [B, ...], `timestep` (a number), `pred` as `latent`; `state` comes from a `Start`, or is absent in
    the first step. `next_input` is the latent as the backbone wants it next (some schedulers scale it), `done` is true
    after the last step. What is random comes from the generator in the state: as with diffusers, one per run.
    """

    heavy = False

    def __init__(self, kind: str = "ddim", *, steps: int = 30, options: Mapping[str, Any] | None = None) -> None:
        name = SOLVERS.get(kind, kind)
        if name not in SOLVERS.values():
            raise ConfigError(
                f"no solver {kind!r}; {close_names(kind, SOLVERS)}", hint=f'solver: "{next(iter(SOLVERS))}"'
            )
        if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
            raise ConfigError(f"steps is {steps!r}", hint="steps: 30")
        import diffusers

        self.kind = next(ours for ours, theirs in SOLVERS.items() if theirs == name)
        self.steps = steps
        self._class = getattr(diffusers, name)
        known = inspect.signature(self._class).parameters
        self.options = {k: v for k, v in dict(options or {}).items() if not k.startswith("_")}
        for option in self.options.keys() - known.keys():
            raise ConfigError(f"{name} has no {option!r}; {close_names(option, known)}")
        self.block_type = f"solver/{self.kind}"
        self._takes = frozenset(inspect.signature(self._class.step).parameters)
        self._plans: OrderedDict[str, Any] = OrderedDict()
        self._gate = threading.Lock()
        try:
            self._class.from_config(self.options)  # what cannot be is refused at once
        except (ImportError, TypeError, ValueError, NotImplementedError) as error:
            raise ConfigError(f"{name} cannot be made: {str(error).strip().splitlines()[0]}") from error

    @classmethod
    def of(cls, scheduler: Any, *, steps: int = 30) -> Solver:
        """The solver that does what a scheduler of diffusers does. ConfigError for one that is not known here."""
        name = type(scheduler).__name__
        known = inspect.signature(type(scheduler)).parameters
        options = {k: v for k, v in scheduler.config.items() if k in known and not k.startswith("_")}
        defaults = {k: p.default for k, p in known.items()}
        return cls(name, steps=steps, options={k: v for k, v in options.items() if v != defaults[k]})

    @property
    def spec(self) -> Spec:
        """The ports of the role."""
        return _SPEC

    @property
    def config(self) -> dict[str, Any]:
        """Steps and options; the kind is in the type's name."""
        found: dict[str, Any] = {} if self.steps == 30 else {"steps": self.steps}
        return {**found, "options": dict(self.options)} if self.options else found

    @property
    def num_loop_steps(self) -> int:
        """How long its loop is where nothing else is said: the scheduler's own timesteps."""
        if self.options.get("use_dynamic_shifting"):  # its timesteps depend on the size; there are as many as steps
            return self.steps
        return len(self.scheduler({"steps": self.steps}).timesteps)

    def scheduler(self, plan: Mapping[str, Any]) -> Any:
        """The scheduler of diffusers prepared for a plan; it is shared and must not be stepped.

        plan: `steps`, and what else its `set_timesteps` takes (`sigmas`, `mu`); `begin`: which timestep is the first
        """
        key = canonical(dict(plan))
        with self._gate:
            made = self._plans.get(key)
            if made is None:
                made = self._plans[key] = self._prepared(dict(plan))
                if len(self._plans) > _PLANS:
                    self._plans.popitem(last=False)
            return made

    def _prepared(self, plan: dict[str, Any]) -> Any:
        made = self._class.from_config(self.options)
        begin, steps = plan.pop("begin", None), plan.pop("steps", self.steps)
        try:
            if plan.get("sigmas") is None:
                made.set_timesteps(steps, **{k: v for k, v in plan.items() if k != "sigmas"})
            else:
                made.set_timesteps(**plan)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{type(made).__name__} cannot take these steps: {error}", hint="steps=30") from error
        if begin is not None and hasattr(made, "set_begin_index"):
            made.set_begin_index(begin)
        return made

    def begin(self, latent: torch.Tensor, plan: Mapping[str, Any], generator: torch.Generator | None) -> dict[str, Any]:
        """The first `input`, `timestep` and `state` of a run that starts from `latent`."""
        base = self.scheduler(plan)
        live = _copied(base, {})
        index = int(plan.get("begin", 0))
        timestep = base.timesteps[index]
        scaled = _scaled(live, latent, timestep)
        state = {"index": index, "plan": dict(plan), "kept": _changed(base, live), "random": _state_of(generator)}
        return {"input": scaled, "timestep": timestep, "state": state}

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """The step."""
        state = inputs.get("state") or self._first(inputs, ctx)
        base = self.scheduler(state["plan"])
        index = state["index"]
        if index >= len(base.timesteps):
            raise PortError(f"all {len(base.timesteps)} steps were taken", hint='until: "solver.done"')
        timestep, latent, pred = base.timesteps[index], inputs["latent"], inputs["pred"]
        live = _copied(base, state["kept"])
        generator = _generator(state["random"])
        options: dict[str, Any] = {"generator": generator} if "generator" in self._takes else {}
        after = live.step(pred, timestep, latent, return_dict=False, **options)[0]
        done = index + 1 == len(base.timesteps)
        following = timestep if done else base.timesteps[index + 1]
        return {
            "next_latent": after,
            "next_input": after if done else _scaled(live, after, following),
            "next_timestep": following,
            "next_state": {
                "index": index + 1,
                "plan": state["plan"],
                "kept": _changed(base, live),
                "random": _state_of(generator),
            },
            "done": done,
        }

    def _first(self, inputs: Mapping[str, Any], ctx: RunContext) -> dict[str, Any]:
        seed = ctx.seed
        generator = None if seed is None else torch.Generator().manual_seed(seed % 2**63)
        state: dict[str, Any] = self.begin(inputs["latent"], {"steps": self.steps}, generator)["state"]
        return state


_SPEC = Spec.declare(
    [
        port("latent", "tensor"),
        port("timestep", "any", optional=True),
        port("pred", "tensor"),
        port("state", "any", optional=True),
    ],
    [
        port("next_latent", "tensor"),
        port("next_input", "tensor"),
        port("next_timestep", "tensor"),
        port("next_state", "any"),
        port("done", bool),
    ],
)


def _copied(base: Any, kept: Mapping[str, Any]) -> Any:
    """A scheduler that may be stepped: what steps change of it is its own."""
    live = copy.copy(base)
    for name, value in {**vars(base), **kept}.items():
        if isinstance(value, list):
            vars(live)[name] = list(value)
        elif name in kept:
            vars(live)[name] = value
    return live


def _changed(base: Any, live: Any) -> dict[str, Any]:
    """What a scheduler remembers: where it differs from the one that it was copied from."""
    before = vars(base)
    return {name: value for name, value in vars(live).items() if name not in before or _differs(before[name], value)}


def _differs(one: Any, other: Any) -> bool:
    if one is other:
        return False
    if isinstance(one, list) and isinstance(other, list):
        return len(one) != len(other) or any(a is not b for a, b in zip(one, other, strict=True))
    return not (type(one) is type(other) and isinstance(one, str | int | float | bool) and one == other)


def _scaled(live: Any, latent: torch.Tensor, timestep: Any) -> torch.Tensor:
    if not hasattr(live, "scale_model_input"):  # flow matching
        return latent
    scaled: torch.Tensor = live.scale_model_input(latent, timestep)
    return scaled


def _generator(state: torch.Tensor | None) -> torch.Generator | None:
    if state is None:
        return None
    generator = torch.Generator()
    generator.set_state(state)
    return generator


def _state_of(generator: torch.Generator | None) -> torch.Tensor | None:
    return None if generator is None else generator.get_state()
