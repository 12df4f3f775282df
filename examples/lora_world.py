"""A LoRA of a world: the network of its Creator stays as it is, and a pack of a kilobyte teaches it winter.

Prints: summer: the day is warm: True
Prints: winter: the day is warm: False
Prints: the base is untouched: True
"""

from __future__ import annotations

import anyio
import torch

from yggdrasil import Graph, Stage, World, fit
from yggdrasil.blocks.adapter.lora import LoRA
from yggdrasil.blocks.weights import base_sha256

torch.manual_seed(0)
BASE = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
torch.nn.init.constant_(BASE[2].bias, 15.0)  # it has only ever known summers: fifteen degrees


def valley() -> World:
    """A world whose creator lets a network say how warm a day is."""
    graph = Graph("weather")
    graph.add_node("hour", lambda intent: torch.tensor([[float(intent) / 24]]))
    graph.add_node("backbone", BASE)
    graph.add_node("told", lambda degrees: f"{degrees.item():.1f}")
    graph.add_edge("hour", "backbone")
    graph.add_edge("backbone", "told")
    creator = Stage("creator")
    creator.add("weather", graph)
    creator.set_state_contract(reads=["intent"], fills="artifacts", ports={"artifacts": "output"})
    world = World("valley")
    world.set_cycle(["development", "creator"], {"development": [], "creator": ["intent"]})
    world.add_stage("development", lambda action="12": action)
    world.add_stage("creator", creator)
    return world


async def warm(world: World, **options: object) -> bool:
    """Whether the next day is warm."""
    return float((await world.run(ticks=1, **options))["state"]["artifacts"]) > 0


async def main() -> None:
    """Freeze all, lay a pack beside it, train, save, load elsewhere."""
    world, before = valley(), base_sha256(BASE)
    print("summer: the day is warm:", await warm(world))
    pack = world.lora(rank=2, name="winter")
    days = {"intent": [str(hour) for hour in range(24)], "cold": torch.full((24, 1, 1), -8.0)}
    losses = {"creator/weather/backbone.output": ("mse", "cold")}
    await fit(world, days, losses=losses, batch_size=1, lr=0.3, epochs=4, collate=lambda rows: rows[0])
    pack.save("winter")
    print("winter: the day is warm:", await warm(valley(), adapters={"**/backbone": LoRA.load("winter")}))
    print("the base is untouched:", base_sha256(BASE) == before)


if __name__ == "__main__":
    anyio.run(main)
