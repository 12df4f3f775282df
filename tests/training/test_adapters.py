"""Adapters learn, and what they are added to stays as it is."""

from __future__ import annotations

import pytest
import torch

from tests.training.toys import Toy, columns, equal
from yggdrasil import ConfigError, fit, train_plan
from yggdrasil.blocks.adapter.lora import LoRA

pytestmark = pytest.mark.anyio

MSE = {"output": ("mse", "target")}


async def test_only_the_adapter_learns_and_the_base_is_unchanged() -> None:
    toy = Toy()
    before = toy.weights()
    lora = LoRA.new(toy.backbone, rank=2, name="winter")
    adapters = {"**/backbone": [lora]}
    plan = train_plan(toy.level, adapters=adapters, losses=MSE)
    assert [p.users for p in plan.learning] == [("draft/backbone", "polish/backbone")] * 2
    assert all(p.name.startswith("adapters/winter:") for p in plan.learning)
    plain = (await toy.level.run(columns()["input"])).output
    fitted = await fit(toy.level, columns(), losses=MSE, adapters=adapters, lr=0.05, epochs=10)
    assert fitted.loss < 0.9 * fitted.losses[0]
    assert equal(toy.weights(), before)
    assert torch.equal((await toy.level.run(columns()["input"])).output, plain)
    adapted = (await toy.level.run(columns()["input"], adapters=adapters)).output
    assert torch.nn.functional.mse_loss(adapted, columns()["target"]) < torch.nn.functional.mse_loss(
        plain, columns()["target"]
    )


async def test_chosen_blocks_learn_beside_it() -> None:
    toy = Toy()
    adapters = {"**/backbone": [LoRA.new(toy.backbone, rank=2)]}
    plan = train_plan(toy.level, "polish/head", adapters=adapters)
    assert {u for p in plan.learning for u in p.users} == {"draft/backbone", "polish/backbone", "polish/head"}
    with pytest.raises(ConfigError, match="no block computes with the adapters"):
        train_plan(toy.level, adapters={"**/unet": adapters["**/backbone"]})
