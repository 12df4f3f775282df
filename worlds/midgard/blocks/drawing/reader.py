"""The network that looks: what a picture shows, as classes. Torch is needed."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from .samples import SIZE
from .scene import LIGHTS, PLACES, SEASONS, SKIES

ANSWERS: dict[str, tuple[str, ...]] = {
    "light": LIGHTS,
    "season": SEASONS,
    "weather": SKIES,
    "place": PLACES,
    "figures": ("0", "1", "2", "3", "4", "5"),
    "fires": ("0", "1", "2"),
    "buildings": ("0", "1", "2", "3", "4"),
}
"""What is asked of a picture, and the answers to choose from."""


class Reader(nn.Module):
    """[B, 3, H, W] from 0 to 1 to a score for each answer of each question, by question."""

    def __init__(self, *, width: int = 24) -> None:
        super().__init__()
        self.answers = tuple(ANSWERS)
        sizes = [3, width, 2 * width, 3 * width, 4 * width]
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, stride=2, padding=1), nn.GroupNorm(8, b), nn.SiLU(),
                nn.Conv2d(b, b, 3, padding=1), nn.GroupNorm(8, b), nn.SiLU(),
            )
            for a, b in pairwise(sizes)
        )  # fmt: skip
        self.gather = nn.Linear(sizes[-1] * 8, 4 * width)
        self.heads = nn.ModuleDict({name: nn.Linear(4 * width, len(answers)) for name, answers in ANSWERS.items()})

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """The scores, [B, answers] each. A picture of another size is brought to the size that was learnt from."""
        if image.shape[-2:] != SIZE[::-1]:
            image = functional.interpolate(image, SIZE[::-1], mode="area")
        hidden = image * 2 - 1
        for layer in self.layers:
            hidden = layer(hidden)
        # upper and lower part, and its thirds, apart: the sky is above, and who is counted stands side by side
        parts = torch.cat(
            [functional.adaptive_avg_pool2d(hidden, (2, 3)), functional.adaptive_max_pool2d(hidden, (2, 1))], dim=3
        )
        gathered = functional.silu(self.gather(parts.flatten(1)))
        return {name: head(gathered) for name, head in self.heads.items()}


def labels_of(blueprint: dict[str, object]) -> list[int]:
    """The right answers for a blueprint, by number; -100, which no loss counts, where there is none."""
    named = {"light": blueprint.get("light"), "season": blueprint.get("season"), "weather": blueprint.get("weather")}
    named["place"] = blueprint.get("place")
    for name, part in (("figures", "figures"), ("fires", "fires"), ("buildings", "houses")):
        things = blueprint.get(part)
        named[name] = str(len(things) if isinstance(things, list | tuple) else 0)
    return [answers.index(str(named[n])) if str(named[n]) in answers else -100 for n, answers in ANSWERS.items()]
