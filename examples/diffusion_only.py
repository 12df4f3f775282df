"""Diffusion alone: a small network that ships with midgard draws a scene from noise, and a LoRA pack brings winter.

Prints: Skarvik by day in summer, drawn by a network: 256 x 192 pixels
Prints: the same seed, the same picture: True
Prints: with the pack: another picture: True

For a large model: draw = Graph.from_diffusers("hf://org/name"); await draw.run(prompt=..., steps=30, seed=7)
"""

from __future__ import annotations

import io
from typing import Any

import anyio
from PIL import Image

from yggdrasil import World

SCENE: dict[str, Any] = {
    "place": "skarvik", "name": "Skarvik", "land": "shore", "light": "day", "season": "summer", "weather": "clear",
    "hills": 0.6, "trees": 6, "houses": [{"x": 0.07, "y": 0.68, "width": 0.22}, {"x": 0.3, "y": 0.69, "width": 0.15}],
    "boats": [{"x": 0.75, "y": 0.83, "width": 0.19}], "figures": [], "texture": 5, "size": [256, 192],
}  # fmt: skip


async def drawn(overlay: str) -> bytes:
    """The scene as a PNG: the Creator of the world is a stage, and a stage runs alone as well."""
    creator = World.load("midgard", overlay=overlay).nodes["creator"].block
    image = (await creator.run(blueprint=SCENE))["artifacts"]["images"][0]
    data: bytes = image["payload"].data
    await anyio.Path(f"{overlay}.png").write_bytes(data)
    with Image.open(io.BytesIO(data)) as picture:
        print(f"{image['description']}: {picture.width} x {picture.height} pixels")
    return data


async def main() -> None:
    """Three pictures."""
    first = await drawn("neural")
    print("the same seed, the same picture:", await drawn("neural") == first)
    print("with the pack: another picture:", await drawn("neural,winter") != first)


if __name__ == "__main__":
    anyio.run(main)
