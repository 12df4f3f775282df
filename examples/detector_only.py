"""A detector alone: what is where on a picture. Its weights are random here, so that it runs offline.

For a real model: Detector("hf://hustvl/yolos-tiny")

Prints: 4 things, each with a label, a score and a box
Prints: inside the picture: True
Prints: found by more than 0.99: 0
"""

from __future__ import annotations

import anyio
import PIL.Image
import PIL.ImageDraw
import torch
from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessorPil

from yggdrasil import Graph
from yggdrasil.blocks.vision.detector import Detector


def model() -> tuple[YolosForObjectDetection, YolosImageProcessorPil]:
    """A tiny YOLOS that looks for four things, and what prepares pictures for it."""
    torch.manual_seed(0)
    config = YolosConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=[48, 64],
        patch_size=16, num_detection_tokens=4, id2label={0: "house", 1: "ship"}, label2id={"house": 0, "ship": 1},
    )  # fmt: skip
    return YolosForObjectDetection(config).eval(), YolosImageProcessorPil(size={"height": 48, "width": 64})


async def main() -> None:
    """Look once, and with a threshold that nothing random reaches."""
    picture = PIL.Image.new("RGB", (96, 72), "steelblue")
    PIL.ImageDraw.Draw(picture).rectangle((20, 30, 60, 60), fill="sienna")
    eyes = model()
    found = await Detector(eyes, threshold=0.0).run(picture)
    things = found["things"]
    keys = all(thing.keys() == {"label", "score", "box"} for thing in things)
    print(f"{len(things)} things, each with a label, a score and a box" if keys else things)
    edges = torch.tensor([96, 72, 96, 72])
    print("inside the picture:", bool(((found["boxes"] >= 0) & (found["boxes"] <= edges)).all()))
    sure = Graph.from_template("detect", model=eyes, threshold=0.99)
    print("found by more than 0.99:", len((await sure.run(image=picture))["things"]))


if __name__ == "__main__":
    anyio.run(main)
