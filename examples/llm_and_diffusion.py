"""A language model plans a scene, a diffusion model draws it: two blocks, one edge.

Prints: planned: dawn, winter, snow
Prints: Eskilund at first light in winter, drawn by a network

For a real model: Agent("openai:gpt-5", ...) or Agent("local:hf://org/name", ...)
"""

from __future__ import annotations

from typing import Any, Literal

import anyio
from pydantic import BaseModel

from yggdrasil import Agent, Graph, ScriptedModel, World


class Scene(BaseModel):
    """What is to be drawn."""

    light: Literal["dawn", "day", "dusk", "night"]
    season: Literal["spring", "summer", "autumn", "winter"]
    weather: Literal["clear", "rain", "snow", "fog"]


def blueprint(scene: Scene) -> dict[str, Any]:
    """The plan in the words of the one who draws."""
    print(f"planned: {scene.light}, {scene.season}, {scene.weather}")
    houses = [{"x": 0.1, "y": 0.68, "width": 0.2}, {"x": 0.7, "y": 0.66, "width": 0.18}]
    place = {"place": "eskilund", "name": "Eskilund", "land": "forest", "hills": 0.5, "trees": 9, "houses": houses}
    return {**place, "figures": [], "texture": 3, "size": [256, 192], **scene.model_dump()}


model = ScriptedModel(['{"light": "dawn", "season": "winter", "weather": "snow"}'])
graph = Graph("illustrator")
graph.add_node("planner", Agent(model, instructions="Plan a picture of the text.", output=Scene))
graph.add_node("blueprint", blueprint)
graph.add_node("draw", World.load("midgard", overlay="neural").nodes["creator"].block)
graph.add_edge("planner.response", "blueprint")
graph.add_edge("blueprint", "draw.blueprint")
graph.expose_input("planner.prompt", name="prompt")
graph.expose_output("draw.artifacts", name="artifacts")


async def main() -> None:
    """From a sentence to a picture."""
    artifacts = (await graph.run(prompt="The morning after the first storm of Yule."))["artifacts"]
    image = artifacts["images"][0]
    await anyio.Path("picture.png").write_bytes(image["payload"].data)
    print(image["description"])


if __name__ == "__main__":
    anyio.run(main)
