"""What a denoiser is trained on: noise is added to clean latents, and what was added is to be told from the rest.

`denoising(backbone, "epsilon")` is a graph around a backbone: noise -> backbone -> loss. It is trained like any other:

    await fit(denoising(unet, "v"), {"latent": latents, "condition": texts}, losses={"loss": "mean"})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.blocks.neural import Neural
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError, close_names
from yggdrasil.levels.graph import Graph

OBJECTIVES = ("epsilon", "v", "sample", "flow")
SAMPLING = ("uniform", "logit_normal")

_NO_SCHEDULE: Mapping[str, Any] = {}


class Noising(Neural):
    """Clean latents [B, ...] to noisy ones, with what is to be predicted of each, its timestep [B] and weight [B].

    objective  what the backbone predicts:
        epsilon  the noise e in x_t = sqrt(a_t) x + sqrt(1 - a_t) e (Ho et al. 2020, eq. 14), a_t = `alphas_cumprod` of
                 diffusers' DDPMScheduler, whose `add_noise` makes x_t
        v        sqrt(a_t) e - sqrt(1 - a_t) x (Salimans and Ho 2022, appendix D; `DDPMScheduler.get_velocity`)
        sample   x itself
        flow     e - x in x_s = (1 - s) x + s e (Lipman et al. 2023; `FlowMatchEulerDiscreteScheduler.scale_noise`); the
                 timestep is s * `steps`
    steps      how many timesteps there are
    schedule   what DDPMScheduler is told besides: beta_schedule, beta_start, beta_end, rescale_betas_zero_snr
    snr_gamma  weighs as Hang et al. 2023 (min-SNR): min(SNR_t, gamma) / SNR_t for epsilon, / (SNR_t + 1) for v, and
               min(SNR_t, gamma) for sample, where SNR_t = a_t / (1 - a_t); 5 is theirs. None: all alike
    sampling   how timesteps are drawn: uniform, or for flow logit_normal (Esser et al. 2024, eq. 19, mean 0, scale 1)
    shift      of flow: s' = shift s / (1 + (shift - 1) s), as the flow-matching scheduler has it

    Noise and timesteps come from the seed of its place, drawn on the CPU: the same on every machine.
    """

    block_type = "schedule/noising"
    heavy: ClassVar[bool] = False

    def __init__(
        self,
        objective: str = "epsilon",
        *,
        steps: int = 1000,
        schedule: Mapping[str, Any] = _NO_SCHEDULE,
        snr_gamma: float | None = None,
        sampling: str = "uniform",
        shift: float = 1.0,
    ) -> None:
        if objective not in OBJECTIVES:
            raise ConfigError(f"no objective {objective!r}; {close_names(objective, OBJECTIVES)}", hint='"epsilon"')
        flow = objective == "flow"
        if sampling not in SAMPLING[: 1 + flow]:
            raise ConfigError(f"timesteps of {objective} are not drawn {sampling!r}", hint='"uniform"')
        if flow and (snr_gamma is not None or schedule):
            raise ConfigError("flow matching has neither snr_gamma nor a schedule of betas", hint="shift=3.0")
        if not flow and shift != 1.0:
            raise ConfigError(f"{objective} has no shift", hint='objective="flow"')
        self.objective, self.steps, self.schedule = objective, steps, dict(schedule)
        self.snr_gamma, self.sampling, self.shift = snr_gamma, sampling, shift
        self._scheduler = None if flow else _scheduler(steps, self.schedule)

    @property
    def spec(self) -> Spec:
        """In: clean. Out: latent, timestep, target, weight."""
        return SPEC

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Draw timesteps and noise, and mix."""
        clean = inputs["clean"]
        drawn = torch.Generator().manual_seed(ctx.seed if ctx.seed is not None else torch.seed() >> 1)
        noise = torch.randn(clean.shape, generator=drawn, dtype=torch.float32).to(clean.device, clean.dtype)
        found = self._flow if self._scheduler is None else self._diffusion
        latent, timestep, target, weight = found(clean, noise, drawn)
        return {"latent": latent, "timestep": timestep, "target": target, "weight": weight}

    def _flow(self, clean: torch.Tensor, noise: torch.Tensor, drawn: torch.Generator) -> tuple[torch.Tensor, ...]:
        count = len(clean)
        if self.sampling == "logit_normal":
            share = torch.sigmoid(torch.randn(count, generator=drawn))
        else:
            share = torch.rand(count, generator=drawn)
        share = (self.shift * share / (1 + (self.shift - 1) * share)).to(clean.device)
        s = share.reshape(-1, *(1,) * (clean.ndim - 1)).to(clean.dtype)
        return (1 - s) * clean + s * noise, share * self.steps, noise - clean, torch.ones(count, device=clean.device)

    def _diffusion(self, clean: torch.Tensor, noise: torch.Tensor, drawn: torch.Generator) -> tuple[torch.Tensor, ...]:
        timestep = torch.randint(self.steps, (len(clean),), generator=drawn).to(clean.device)
        latent = self._scheduler.add_noise(clean, noise, timestep)  # type: ignore[union-attr]
        if self.objective == "v":
            target = self._scheduler.get_velocity(clean, noise, timestep)  # type: ignore[union-attr]
        else:
            target = noise if self.objective == "epsilon" else clean
        return latent, timestep, target, self._weight(timestep)

    def _weight(self, timestep: torch.Tensor) -> torch.Tensor:
        if self.snr_gamma is None:
            return torch.ones(len(timestep), device=timestep.device)
        from diffusers.training_utils import compute_snr

        snr: torch.Tensor = compute_snr(self._scheduler, timestep)  # type: ignore[no-untyped-call]
        least = snr.clamp(max=self.snr_gamma)
        return {"epsilon": least / snr, "v": least / (snr + 1), "sample": least}[self.objective]


SPEC = Spec.declare(
    [port("clean", torch.Tensor, doc="Latents, or pictures: [B, ...].")],
    [port(name, torch.Tensor) for name in ("latent", "timestep", "target", "weight")],
    doc="Noise for training a denoiser.",
)


class Denoised(Neural):
    """How far a prediction is from its target: the squared error of each sample, weighted, on average."""

    block_type = "loss/denoised"
    heavy: ClassVar[bool] = False

    @property
    def spec(self) -> Spec:
        """In: pred, target, weight. Out: loss."""
        return LOSS

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """The mean over all but the first axis, times the weight, on average."""
        pred, target = inputs["pred"], inputs["target"]
        if pred.shape != target.shape:
            sentence = f"the backbone predicts {tuple(pred.shape)}, and the target is {tuple(target.shape)}"
            raise ConfigError(sentence, path=ctx.path)
        each = (pred.float() - target.float()).square().flatten(1).mean(1)
        return {"loss": (each * inputs["weight"].to(each)).mean()}


LOSS = Spec.declare(
    [port(name, torch.Tensor) for name in ("pred", "target", "weight")],
    [port("loss", torch.Tensor, doc="One number.")],
    doc="A denoiser's loss.",
)


def denoising(backbone: Runnable, objective: str = "epsilon", *, name: str = "denoising", **how: Any) -> Graph:
    """A graph that trains a backbone (latent, timestep, ... -> pred): `latent` and its other inputs in, `loss` out.

    how   as for `Noising`: steps, schedule, snr_gamma, sampling, shift
    """
    inputs, outputs = backbone.spec.inputs, backbone.spec.outputs
    lacking = [n for n in ("latent", "timestep") if n not in inputs] + ["pred"] * ("pred" not in outputs)
    if lacking:
        hint = "a block with the ports latent, timestep, condition? -> pred"
        raise ConfigError(f"{backbone.label} is no backbone: it has no {', '.join(lacking)}", hint=hint)
    graph = Graph(name)
    graph.add("noise", Noising(objective, **how))
    graph.add("backbone", backbone)
    graph.add("loss", Denoised())
    graph.expose_input("noise", "clean", "latent")
    for other in inputs:
        if other not in ("latent", "timestep"):
            graph.expose_input("backbone", other, other)
    for source, target in (
        ("noise.latent", "backbone.latent"), ("noise.timestep", "backbone.timestep"), ("backbone.pred", "loss.pred"),
        ("noise.target", "loss.target"), ("noise.weight", "loss.weight"),
    ):  # fmt: skip
        graph.add_edge(source, target)
    graph.expose_output("loss", "loss", "loss")
    return graph


def _scheduler(steps: int, schedule: Mapping[str, Any]) -> Any:
    from diffusers import DDPMScheduler

    try:
        return DDPMScheduler(num_train_timesteps=steps, **schedule)  # type: ignore[no-untyped-call]
    except (TypeError, NotImplementedError, ValueError) as error:
        raise ConfigError(f"the noise schedule: {error}", hint='schedule={"beta_schedule": "scaled_linear"}') from error
