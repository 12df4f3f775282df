"""A torch module as a block: ports with shapes from its signature, run untrained, trained, and with wrong input.

Prints: untrained: more than 0.9 right: False
Prints: trained: more than 0.9 right: True
Prints: network: input 'point' is tensor[1,3] float32, not tensor[B,2] float: dimension 1 is 3, not 2
"""

from __future__ import annotations

from typing import Annotated

import anyio
import torch

from yggdrasil import PortError, Shape
from yggdrasil.blocks.neural import NeuralBlock


class Network(torch.nn.Module):
    """Which of two rings a point lies on."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.Tanh(), torch.nn.Linear(32, 2))

    def forward(self, point: Annotated[torch.Tensor, Shape("B", 2, dtype="float")]) -> torch.Tensor:
        """Logits [B, 2]."""
        return self.layers(point)


async def main() -> None:
    """Run it, train it, run it again."""
    torch.manual_seed(0)
    ring = torch.randint(0, 2, (512,))
    angle = torch.rand(512) * 2 * torch.pi
    points = torch.stack([angle.cos(), angle.sin()], 1) * (1 + ring[:, None])
    network = NeuralBlock(Network())

    async def right() -> float:
        logits = (await network.run(points)).output
        return float((logits.argmax(1) == ring).float().mean())

    print("untrained: more than 0.9 right:", await right() > 0.9)
    optimizer = torch.optim.Adam(network.trainable_parameters(), lr=0.02)
    for _ in range(120):
        logits = (await network.run(points, training=True)).output
        torch.nn.functional.cross_entropy(logits, ring).backward()
        optimizer.step()
        optimizer.zero_grad()
    print("trained: more than 0.9 right:", await right() > 0.9)
    try:
        await network.run(torch.zeros(1, 3))
    except PortError as error:
        print(error)


if __name__ == "__main__":
    anyio.run(main)
