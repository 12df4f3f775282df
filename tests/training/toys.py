"""Small levels to train, and what their weights are."""

from __future__ import annotations

import copy
from typing import Any

import torch

from yggdrasil import Graph, Pipeline
from yggdrasil.blocks.neural import NeuralBlock


def linear(inputs: int, outputs: int, seed: int) -> torch.nn.Linear:
    generator = torch.Generator().manual_seed(seed)
    made = torch.nn.Linear(inputs, outputs)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)
    return made


def columns(count: int = 24, seed: int = 5) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 4, generator=generator)
    return {"input": x, "target": torch.tanh(x @ torch.randn(4, 4, generator=generator))}


class Toy:
    """A pipeline of two graphs with one backbone, and the modules it is made of."""

    def __init__(self, backbone: torch.nn.Module | None = None) -> None:
        self.backbone = copy.deepcopy(backbone) if backbone is not None else linear(4, 4, 1)
        self.first, self.second = linear(4, 4, 2), linear(4, 4, 3)
        shared = NeuralBlock(self.backbone)
        self.level = Pipeline("toy")
        for name, head in (("draft", self.first), ("polish", self.second)):
            graph = Graph(name)
            graph.add("backbone", shared)
            graph.add("head", head)
            graph.add_edge("backbone", "head")
            self.level.add(name, graph)
        self.level.add_edge("draft", "polish")

    @property
    def modules(self) -> tuple[torch.nn.Module, ...]:
        return self.backbone, self.first, self.second

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same in plain torch."""
        return self.second(self.backbone(self.first(self.backbone(x))))

    def weights(self) -> dict[str, torch.Tensor]:
        return weights(*self.modules)


def weights(*modules: torch.nn.Module) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for number, module in enumerate(modules):
        found |= {f"{number}.{name}": value.detach().clone() for name, value in module.state_dict().items()}
    return found


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
