"""LoRA worlds: one base for all of them, a pack for each, laid on at a tick boundary, and never fused in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.levels.tiny_modules import Pooled
from yggdrasil import ConfigError, Graph, Stage, fit
from yggdrasil.blocks.adapter.lora import LoRA
from yggdrasil.blocks.weights import base_sha256
from yggdrasil.errors import ReplayError
from yggdrasil.levels.replay import replay
from yggdrasil.levels.world import World
from yggdrasil.runtime.pool import POOL
from yggdrasil.storage.open import open_store

pytestmark = pytest.mark.anyio

LOSSES = {"creator/draw/backbone.x": ("mse", "target")}


def world(name: str = "valley", ref: str = "stock") -> World:
    """A world whose creator writes down what a network makes of the day's number."""

    def given(intent: str) -> torch.Tensor:
        return torch.sin(torch.arange(3) + float(intent.rpartition(" ")[2])).unsqueeze(0)

    def told(x: torch.Tensor) -> str:
        return " ".join(f"{value:.6f}" for value in x.flatten().tolist())

    def development(world: Any, action: str = "") -> str:
        return f"day {len(world['history'])}"

    graph = Graph("draw")
    graph.add("given", given)
    graph.add("backbone", Pooled(ref))
    graph.add("told", told)
    graph.add_edge("given", "backbone.x")
    graph.add_edge("backbone.x", "told")
    creator = Stage("creator")
    creator.add("draw", graph)
    creator.expose_input("draw", "intent", name="intent")
    creator.expose_output("draw", "output", name="artifacts")
    creator.set_state_contract(reads=["intent"], fills="artifacts")
    made = World(name)
    made.set_cycle(["development", "creator"], {"development": [], "creator": ["intent"]})
    made.add_stage("development", development)
    made.add_stage("creator", creator)
    made.set_initial_world({"history": []})
    return made


def filled(lora: LoRA, seed: int) -> LoRA:
    """A pack that has learned something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in lora.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return lora


async def drawn(what: World, ticks: int = 1, **options: Any) -> str:
    async with World.open(what) as live:
        return str((await live.run(ticks=ticks, **options))["state"]["artifacts"])


def backbone(what: World) -> Any:
    return dict(what.walk())["creator/draw/backbone"].block


def base_of(what: World) -> dict[str, torch.nn.Module]:
    return {"model": backbone(what).modules()["model"]}


async def test_a_pack_is_trained_saved_and_read_again_and_the_base_stays(tmp_path: Path) -> None:
    home = world()
    base = backbone(home).modules()["model"]
    before, plain = base_sha256(base), await drawn(home)
    lora = home.lora(rank=2, seed=5, name="winter")
    assert await drawn(home) == plain, "a fresh one changes nothing"
    assert not any(p.requires_grad for p in base.parameters())
    data = [{"intent": f"day {n}", "target": torch.ones(1, 3)} for n in range(8)]
    fitted = await fit(home, data, losses=LOSSES, batch_size=1, collate=lambda rows: rows[0], lr=0.05, epochs=4)
    assert {p.name.partition(":")[0] for p in fitted.plan.learning} == {"adapters/winter"}
    assert fitted.loss < fitted.losses[0]
    assert base_sha256(base) == before
    learned = await drawn(home)
    assert learned != plain
    lora.save(tmp_path / "winter")
    assert sum(path.stat().st_size for path in (tmp_path / "winter").iterdir()) < 4096
    elsewhere = world("elsewhere")
    assert await drawn(elsewhere) == plain
    assert await drawn(elsewhere, adapters={"**/backbone": str(tmp_path / "winter")}) == learned
    with pytest.raises(ConfigError, match="other weights: sha256"):
        await drawn(world("wrong", ref="another"), adapters={"**/backbone": LoRA.load(tmp_path / "winter")})


async def test_two_worlds_on_one_base_each_with_its_pack() -> None:
    POOL.clear()
    one, other = world("one"), world("other")
    packs = filled(one.lora(rank=2, name="snow"), 1), filled(other.lora(rank=2, name="sand"), 2)
    alone = [await drawn(each, ticks=3) for each in (one, other)]
    assert alone[0] != alone[1]
    assert backbone(one).modules()["model"] is backbone(other).modules()["model"]
    async with World.open(one) as first, World.open(other) as second:
        for _ in range(3):
            await first.run(ticks=1)
            await second.run(ticks=1)
        assert [str(live.state["artifacts"]) for live in (first, second)] == alone
    both = {"one/**": packs[0], "other/**": packs[1]}
    one.adapters = other.adapters = {}
    assert [await drawn(each, ticks=3, adapters={k: v for k, v in both.items() if k.startswith(each.name)})
            for each in (one, other)] == alone  # fmt: skip


async def test_a_pack_is_laid_on_at_a_tick_boundary() -> None:
    home = world()
    snow = filled(LoRA.new(base_of(home), rank=2), 1)
    plain, snowy = await drawn(home, 2), await drawn(home, 2, adapters={"**": snow})
    async with World.open(home) as live:
        await live.run(ticks=1)
        await live.adapt({"**/backbone": snow})
        assert str((await live.run(ticks=1))["state"]["artifacts"]) == snowy
        with pytest.raises(ConfigError, match="is for no block"):
            await live.adapt({"**/llm": snow})
        await live.adapt({})
    async with World.open(home) as live:
        await live.run(ticks=1, adapters={"**": snow})
        assert str((await live.run(ticks=1))["state"]["artifacts"]) == plain, "an argument of that call alone"


async def test_a_world_with_a_pack_is_replayed_with_it(tmp_path: Path) -> None:
    home = world()
    filled(home.lora(rank=2), 1)
    filled(home.lora(rank=1), 2)  # another beside it
    (select,) = home.adapters
    home.adapters = {select: [home.adapters[select], (filled(LoRA.new(base_of(home), rank=1), 3), 0.5)]}
    filled(home.lora(rank=1), 4)  # beside a pair
    store = f"sqlite:///{tmp_path}/valley.db"
    async with World.open(home, store=store) as live:
        told = str((await live.run(ticks=2))["state"]["artifacts"])
    assert told != await drawn(world(), 2)
    async with open_store(store) as kept:
        assert (await replay(home, kept, "valley")).last == 2
        with pytest.raises(ReplayError, match="stage creator gives something else"):
            await replay(world(), kept, "valley")


async def test_what_fits_nothing_is_told_before_the_first_tick() -> None:
    home = world()
    with pytest.raises(ConfigError, match=r"names no block with weights.*\n?.*valley/creator/draw/backbone"):
        home.lora(select="**/llm")
    lost = LoRA.new({"far": torch.nn.ModuleDict({"away": torch.nn.Linear(3, 3)})}, rank=1)
    async with World.open(home) as live:
        with pytest.raises(ConfigError, match="is for no block"):
            await live.run(ticks=1, adapters={"**": lost})
        assert live.tick == 0
    home.adapters = {"**/backbone": lost}
    with pytest.raises(ConfigError, match=r"no layer is called far\.away"):
        await drawn(home)
