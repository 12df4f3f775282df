"""The small teaching blocks: a diffusion transformer, a codec, and a conditioner of fields."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from yggdrasil import ConfigError, Graph
from yggdrasil.blocks.backbone.dit import DiT, waves
from yggdrasil.blocks.codec.tiny import TinyCodec
from yggdrasil.blocks.conditioner.fields import Fields
from yggdrasil.runtime.registry import REGISTRY

pytestmark = pytest.mark.anyio


def small(**more: Any) -> DiT:
    """One whose gates are open, as if it had learned something."""
    torch.manual_seed(1)
    made = DiT(**{"channels": 3, "patch": 2, "width": 32, "depth": 2, "heads": 4, "condition": 8, **more})
    for parameter in made.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    return made.eval()


def test_an_untrained_one_predicts_nothing() -> None:
    latent = torch.randn(2, 4, 6, 8)
    assert not DiT()(latent, torch.tensor(500.0)).any()


def test_time_and_condition_matter_and_places_do() -> None:
    model, latent = small(), torch.randn(2, 3, 4, 6)
    first = model(latent, torch.tensor(500.0))
    assert first.shape == latent.shape
    assert torch.allclose(first, model(latent, torch.tensor([500.0, 500.0])))
    assert not torch.allclose(first, model(latent, torch.tensor(100.0)), atol=1e-3)
    vector = torch.randn(2, 8)
    steered = model(latent, torch.tensor(500.0), vector)
    assert not torch.allclose(first, steered, atol=1e-3)
    looked_at = model(latent, torch.tensor(500.0), torch.stack([vector, torch.randn(2, 8)], dim=1))
    assert not torch.allclose(steered, looked_at, atol=1e-3)
    even = model(torch.ones(1, 3, 4, 6), torch.tensor(500.0))
    assert not torch.allclose(even[..., :2, :2], even[..., 2:, 4:], atol=1e-3), "the same patch elsewhere"


def test_samples_of_a_batch_do_not_see_each_other() -> None:
    model, latent, condition = small(), torch.randn(3, 3, 4, 4), torch.randn(3, 2, 8)
    times = torch.tensor([10.0, 400.0, 990.0])
    whole = model(latent, times, condition)
    for i in range(3):
        alone = model(latent[i : i + 1], times[i : i + 1], condition[i : i + 1])
        assert torch.allclose(alone[0], whole[i], atol=1e-5)


def test_it_learns() -> None:
    """A rectified flow from noise to one of two pictures, by condition, from scratch."""
    torch.manual_seed(0)
    pictures = torch.stack([torch.ones(1, 4, 4), -torch.ones(1, 4, 4)])
    words = torch.eye(2)
    model = DiT(channels=1, patch=2, width=32, depth=2, heads=4, condition=2)
    adam = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(150):
        which, noise, share = torch.randint(2, (32,)), torch.randn(32, 1, 4, 4), torch.rand(32)
        mixed = torch.lerp(pictures[which], noise, share[:, None, None, None])
        loss = (model(mixed, share * 1000, words[which]) - (noise - pictures[which])).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    latent = torch.randn(2, 1, 4, 4)
    with torch.no_grad():
        for i in range(10):
            latent = latent - model(latent, torch.tensor(1000.0 - 100 * i), words) / 10
    assert (latent - pictures).abs().mean() < 0.3


@pytest.mark.parametrize(
    ("config", "said"),
    [({"width": 30}, "no multiple"), ({"heads": 5}, "no multiple"), ({"depth": 0}, "below one")],
)
def test_wrong_sizes_are_refused(config: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        DiT(**config)
    with pytest.raises(ConfigError, match="no config 'deep'"):
        REGISTRY.build("backbone/dit", {"deep": 3})
    with pytest.raises(ConfigError, match="takes no condition"):
        DiT()(torch.randn(1, 4, 2, 2), torch.tensor(1.0), torch.randn(1, 8))


def test_waves_tell_numbers_apart() -> None:
    found = waves(torch.tensor([0.0, 1.0, 1000.0]), 16)
    assert found.shape == (3, 16)
    assert torch.cdist(found, found)[0, 1] > 0.5


def test_a_codec_learns_its_way_back_and_settles_its_latents() -> None:
    torch.manual_seed(0)
    codec = TinyCodec(latent=4, factor=2, width=16, depth=1)
    images = torch.rand(16, 3, 4, 4).repeat_interleave(4, 2).repeat_interleave(4, 3)
    adam = torch.optim.Adam(codec.parameters(), lr=5e-3)
    for _ in range(60):
        again, mean, _ = codec(images)
        loss = (again - images).abs().mean() + 1e-5 * mean.square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    codec.settle(images)
    latent = codec.encoder(images).detach()
    assert latent.shape == (16, 4, 8, 8)
    assert torch.allclose(latent.mean((0, 2, 3)), torch.zeros(4), atol=1e-4)
    assert float(latent.std()) == pytest.approx(1, abs=1e-3)
    assert (codec.decoder(latent) - images).abs().mean() < 0.12
    with pytest.raises(ConfigError, match="direction is 'both'"):
        REGISTRY.build("codec/tiny", {"direction": "both"})
    with pytest.raises(ConfigError, match="multiple of 8"):
        TinyCodec(width=12)


def test_a_codec_can_begin_as_the_best_linear_one() -> None:
    torch.manual_seed(0)
    even = torch.rand(16, 3, 1, 1).expand(-1, -1, 8, 8)
    codec = TinyCodec(latent=4, factor=2, width=16, depth=1)
    assert (codec.decoder(codec.encoder(even)) - even).abs().mean() > 0.1
    codec.begin(even)
    codec.settle(even)
    assert torch.allclose(codec.decoder(codec.encoder(even)), even, atol=1e-4), "three components say all of it"
    assert float(codec.encoder(even).detach().std()) == pytest.approx(1, abs=0.02)
    with pytest.raises(ConfigError, match="do not fit") as caught:
        TinyCodec(latent=4, factor=2, width=8, depth=1).begin(even)
    assert "width: 16" in caught.value.hint


def test_nothing_means_nothing_and_numbers_matter() -> None:
    torch.manual_seed(0)
    fields = Fields(vocabulary=9, numbers=2, width=16)
    words, numbers = torch.tensor([[[3, 0], [3, 5], [3, 0]]]), torch.tensor([[[0.1, 0.2], [0.1, 0.2], [0.1, 0.25]]])
    one, two, three = fields(words, numbers)[0]
    assert not torch.allclose(one, two)
    assert not torch.allclose(one, three)
    assert torch.allclose(fields(torch.tensor([[[0, 3]]]), numbers[:, :1])[0, 0], one)
    assert not fields.words.weight[0].any()


async def test_they_are_joined_by_name() -> None:
    graph = Graph("one-step")
    graph.add_node("conditioner", {"type": "conditioner/fields", "vocabulary": 9, "numbers": 2, "width": 16})
    graph.add_node(
        "backbone", {"type": "backbone/dit", "channels": 8, "width": 32, "depth": 1, "heads": 2, "condition": 16}
    )
    graph.add_node("codec", {"type": "codec/tiny", "width": 16, "depth": 1})
    graph.add_edge("conditioner.embedding", "backbone.condition")
    graph.add_edge("backbone.pred", "codec.latent")
    made = await graph.run(
        words=torch.ones(1, 3, 2, dtype=torch.long),
        numbers=torch.zeros(1, 3, 2),
        latent=torch.randn(1, 8, 4, 6),
        timestep=torch.tensor(10.0),
    )
    assert made["image"].shape == (1, 3, 16, 24)
