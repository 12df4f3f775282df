"""Objectives of denoisers: the formulas against diffusers' own, and a backbone that learns by each."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr

from yggdrasil import ConfigError, fit
from yggdrasil.blocks.neural import NeuralBlock
from yggdrasil.training.diffusion import OBJECTIVES, Noising, denoising

pytestmark = pytest.mark.anyio


class Small(torch.nn.Module):
    """Predicts by latent, time and condition."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Sequential(torch.nn.Linear(7, 32), torch.nn.SiLU(), torch.nn.Linear(32, 4))

    def forward(
        self, latent: torch.Tensor, timestep: torch.Tensor, condition: torch.Tensor | None = None
    ) -> torch.Tensor:
        told = torch.zeros(len(latent), 2) if condition is None else condition
        time = timestep[:, None].float() / 1000
        out: torch.Tensor = self.inner(torch.cat([latent.flatten(1), told, time], 1))
        return out.reshape(latent.shape)


def small() -> NeuralBlock:
    torch.manual_seed(0)
    return NeuralBlock(Small(), outputs={"pred": torch.Tensor})


def data() -> dict[str, torch.Tensor]:
    kinds = torch.arange(64) % 2
    return {
        "latent": (kinds * 2.0 - 1).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2) * torch.tensor([1.0, 0.5]),
        "condition": torch.nn.functional.one_hot(kinds, 2).float(),
    }


@pytest.mark.parametrize("objective", OBJECTIVES)
async def test_a_backbone_learns(objective: str) -> None:
    graph = denoising(small(), objective)
    assert list(graph.spec.inputs) == ["latent", "condition"]
    fitted = await fit(graph, data(), losses={"loss": "mean"}, lr=0.01, batch_size=32, steps=60)
    first, last = (sum(part) / 10 for part in (fitted.losses[:10], fitted.losses[-10:]))
    assert last < 0.8 * first, (first, last)
    assert {u for p in fitted.plan.learning for u in p.users} == {"backbone"}
    again = await fit(denoising(small(), objective), data(), losses={"loss": "mean"}, lr=0.01, batch_size=32, steps=60)
    assert again.losses == fitted.losses


@pytest.mark.parametrize("objective", ["epsilon", "v", "sample"])
async def test_noise_is_added_as_diffusers_does(objective: str) -> None:
    clean = torch.randn(16, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    told = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    found = await Noising(objective, schedule=told, snr_gamma=5.0).run(clean, seed=3)
    scheduler = DDPMScheduler(num_train_timesteps=1000, **told)
    a = scheduler.alphas_cumprod[found["timestep"]].reshape(-1, 1, 1, 1)
    noise = (found["latent"] - a.sqrt() * clean) / (1 - a).sqrt()
    wanted = {"epsilon": noise, "sample": clean, "v": a.sqrt() * noise - (1 - a).sqrt() * clean}[objective]
    torch.testing.assert_close(found["target"], wanted, rtol=1e-3, atol=1e-3)
    snr = compute_snr(scheduler, found["timestep"])
    least = torch.minimum(snr, torch.tensor(5.0))
    torch.testing.assert_close(
        found["weight"], {"epsilon": least / snr, "sample": least, "v": least / (snr + 1)}[objective]
    )
    again = await Noising(objective, schedule=told, snr_gamma=5.0).run(clean, seed=3)
    assert torch.equal(again["latent"], found["latent"])


@pytest.mark.parametrize("sampling", ["uniform", "logit_normal"])
async def test_flow_matching_mixes_in_a_line(sampling: str) -> None:
    clean = torch.randn(256, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    found = await Noising("flow", sampling=sampling, shift=3.0).run(clean, seed=3)
    s = (found["timestep"] / 1000).reshape(-1, 1, 1, 1)
    torch.testing.assert_close(found["latent"], clean + s * found["target"])
    assert 0 < s.min() < s.max() < 1
    plain = await Noising("flow", sampling=sampling).run(clean, seed=3)
    before = plain["timestep"] / 1000
    torch.testing.assert_close(found["timestep"] / 1000, 3 * before / (1 + 2 * before))
    assert abs(before.mean() - 0.5) < 0.05


def test_what_does_not_fit_is_refused() -> None:
    for bad, sentence in (
        (lambda: Noising("epsilo"), "did you mean 'epsilon'"),
        (lambda: Noising("flow", snr_gamma=5.0), "neither snr_gamma"),
        (lambda: Noising("v", sampling="logit_normal"), "not drawn 'logit_normal'"),
        (lambda: Noising("v", shift=3.0), "v has no shift"),
        (lambda: Noising("v", schedule={"beta_schedule": "steep"}), "the noise schedule: steep"),
        (lambda: denoising(NeuralBlock(torch.nn.Linear(4, 4))), "no backbone: it has no latent, timestep, pred"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            bad()
