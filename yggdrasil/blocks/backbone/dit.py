"""A diffusion transformer, small enough to read: patches, attention, and modulation by time and condition.

After W. Peebles and S. Xie, "Scalable diffusion models with transformers" (2023): the layers' norms are shifted, scaled
and gated by what is asked for (adaLN), and the gates begin at zero, so that an untrained network is the identity.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from yggdrasil.blocks.neural import NeuralBlock
from yggdrasil.errors import ConfigError

PERIOD = 10_000.0
"""The longest wave among the features of a position or a time, in units of it."""


def dit(**config: Any) -> NeuralBlock:
    """The block `backbone/dit`, untrained: arguments as of `DiT`; ports latent, timestep, condition? -> pred."""
    known = list(inspect.signature(DiT).parameters)
    wrong = [name for name in config if name not in known]
    if wrong:
        raise ConfigError(f"backbone/dit has no config {wrong[0]!r}; it has {', '.join(known)}")
    return NeuralBlock(
        DiT(**config), name="dit", outputs={"pred": torch.Tensor}, block_type="backbone/dit", config=config
    )


def waves(value: torch.Tensor, width: int) -> torch.Tensor:
    """Numbers of any shape as sines and cosines of `width // 2` frequencies, [..., width] (A. Vaswani, 2017)."""
    half = width // 2
    steps = torch.arange(half, device=value.device, dtype=torch.float32)
    angles = value.float()[..., None] * torch.exp(-math.log(PERIOD) * steps / half)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def grid(across: torch.Tensor, down: torch.Tensor, width: int) -> torch.Tensor:
    """Places in the plane, in patches from the upper left corner, as features [..., width], half of each axis."""
    return torch.cat([waves(down, width // 2), waves(across, width // 2)], dim=-1)


class DiT(nn.Module):
    """What is to be taken from a noisy latent, by time and condition.

    channels   of the latent
    patch      a token stands for patch x patch of it
    width      of a token; a multiple of 4 and of `heads`
    depth      layers
    expansion  how much wider a layer's own network is than a token
    condition  the width of the condition's vectors; 0: it takes none
    """

    def __init__(
        self,
        *,
        channels: int = 4,
        patch: int = 2,
        width: int = 192,
        depth: int = 6,
        heads: int = 6,
        expansion: int = 4,
        condition: int = 0,
    ) -> None:
        super().__init__()
        if min(channels, patch, width, depth, heads, expansion) < 1 or condition < 0:
            raise ConfigError(
                "a size of the DiT is below one", hint="channels: 4, patch: 2, width: 192, depth: 6, heads: 6"
            )
        if width % heads or width % 4:
            raise ConfigError(f"width {width} is no multiple of 4 and of {heads} heads", hint=f"width: {heads * 32}")
        self.channels, self.patch, self.width = channels, patch, width
        self.enter = nn.Linear(channels * patch * patch, width)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.steer = nn.Linear(condition, width) if condition else None
        self.tokens = nn.Linear(condition, width) if condition else None
        self.layers = nn.ModuleList(Layer(width, heads, expansion) for _ in range(depth))
        self.modulation = nn.Linear(width, 2 * width)
        self.leave = nn.Linear(width, channels * patch * patch)
        for last in (self.modulation, self.leave):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(
        self, latent: torch.Tensor, timestep: torch.Tensor, condition: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The prediction, shaped as `latent` [B, C, H, W].

        timestep   a number or [B], from 0 (clean) to 1000 (noise)
        condition  [B, D], or a sequence [B, N, D]: its first vector steers every layer, and all of them are looked at
        """
        rows, columns = latent.shape[-2] // self.patch, latent.shape[-1] // self.patch
        patches = functional.pixel_unshuffle(latent, self.patch).flatten(2).transpose(1, 2)
        down, across = torch.meshgrid(
            torch.arange(rows, device=latent.device), torch.arange(columns, device=latent.device), indexing="ij"
        )
        hidden = self.enter(patches) + grid(across.flatten(), down.flatten(), self.width)
        times = torch.as_tensor(timestep, device=latent.device).expand(latent.shape[0])
        steering = self.time(waves(times, self.width))
        if condition is not None:
            if self.steer is None or self.tokens is None:
                raise ConfigError("this DiT takes no condition", hint="condition: 128   # the width of its vectors")
            steering = steering + self.steer(condition if condition.dim() == 2 else condition[:, 0])
            if condition.dim() == 3:
                hidden = torch.cat([hidden, self.tokens(condition)], dim=1)
        steering = functional.silu(steering)
        for layer in self.layers:
            hidden = layer(hidden, steering)
        shift, scale = self.modulation(steering)[:, None].chunk(2, dim=-1)
        hidden = _norm(hidden[:, : rows * columns]) * (1 + scale) + shift
        patches = self.leave(hidden).transpose(1, 2).unflatten(2, (rows, columns))
        pred: torch.Tensor = functional.pixel_shuffle(patches, self.patch)
        return pred


class Layer(nn.Module):
    """Attention and a network of its own for each token, both gated; [B, N, width] to the same."""

    def __init__(self, width: int, heads: int, expansion: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.inner = nn.Linear(width, expansion * width)
        self.outer = nn.Linear(expansion * width, width)
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, hidden: torch.Tensor, steering: torch.Tensor) -> torch.Tensor:
        """The tokens after it; `steering` [B, width] shifts, scales and gates."""
        shift, scale, gate, shift_inner, scale_inner, gate_inner = self.modulation(steering)[:, None].chunk(6, dim=-1)
        seen = self._attend(_norm(hidden) * (1 + scale) + shift)
        hidden = hidden + gate * seen
        inner = functional.gelu(self.inner(_norm(hidden) * (1 + scale_inner) + shift_inner), approximate="tanh")
        out: torch.Tensor = hidden + gate_inner * self.outer(inner)
        return out

    def _attend(self, hidden: torch.Tensor) -> torch.Tensor:
        query, key, value = self.qkv(hidden).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        out: torch.Tensor = self.out(seen.transpose(1, 2).flatten(2))
        return out


def _norm(hidden: torch.Tensor) -> torch.Tensor:
    return functional.layer_norm(hidden, hidden.shape[-1:], eps=1e-6)
