"""What is asked for as fields, not sentences: each thing is a few words of a fixed vocabulary and a few numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from yggdrasil.blocks.neural import NeuralBlock
from yggdrasil.errors import ConfigError


def fields(**config: Any) -> NeuralBlock:
    """The block `conditioner/fields`, untrained: words, numbers -> embedding; the arguments are those of `Fields`."""
    return NeuralBlock(
        Fields(**config), outputs={"embedding": torch.Tensor}, block_type="conditioner/fields", config=config
    )


class Fields(nn.Module):
    """A vector for each thing: the sum of what its words mean, and a network's reading of its numbers.

    vocabulary  how many words there are; word 0 means nothing
    numbers     how many numbers a thing has, each about -1 to 1
    width       of the vectors
    bands       sines and cosines of each number by these many octaves, so that near places differ
    """

    def __init__(self, *, vocabulary: int, numbers: int, width: int = 128, bands: int = 5) -> None:
        super().__init__()
        if min(vocabulary, numbers, width, bands) < 1:
            raise ConfigError("a size of the conditioner is below one", hint="vocabulary: 64, numbers: 3, width: 128")
        self.words = nn.Embedding(vocabulary, width, padding_idx=0)
        nn.init.normal_(self.words.weight, std=0.5)
        with torch.no_grad():
            self.words.weight[0].zero_()
        self.numbers = nn.Sequential(nn.Linear(numbers * (2 * bands + 1), width), nn.SiLU(), nn.Linear(width, width))
        self.mix = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )
        self.bands = bands

    def forward(self, words: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """[B, N, words of a thing] whole numbers and [B, N, numbers] to [B, N, width]."""
        octaves = 2.0 ** torch.arange(self.bands, device=numbers.device) * torch.pi
        angles = (numbers[..., None] * octaves).flatten(-2)
        hidden = self.words(words).sum(-2) + self.numbers(torch.cat([numbers, angles.sin(), angles.cos()], dim=-1))
        out: torch.Tensor = hidden + self.mix(hidden)
        return out
