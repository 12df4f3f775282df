"""A small variational autoencoder for small pictures: a fold into fewer pixels of more channels, and a few residuals.

After D. Kingma and M. Welling, "Auto-encoding variational Bayes" (2014).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from yggdrasil.blocks.neural import NeuralBlock
from yggdrasil.errors import ConfigError

DIRECTIONS = ("encode", "decode")


def tiny(direction: str = "decode", **config: Any) -> NeuralBlock:
    """The block `codec/tiny`, untrained, one way: "encode" image -> latent, "decode" latent -> image.

    The other arguments are those of `TinyCodec`. An image is [B, 3, H, W] from 0 to 1.
    """
    if direction not in DIRECTIONS:
        raise ConfigError(f"direction is {direction!r}", hint="direction: encode   # or decode")
    codec = TinyCodec(**config)
    given = {"direction": direction, **config}
    side, output = (codec.encoder, "latent") if direction == "encode" else (codec.decoder, "image")
    return NeuralBlock(side, name="tiny", outputs={output: torch.Tensor}, block_type="codec/tiny", config=given)


class TinyCodec(nn.Module):
    """Both ways in one.

    channels  of the image
    latent    channels of the latent, which is `factor` times smaller each way
    width     channels inside; the decoder, which has more to do, has `depth + 1` residuals and the encoder `depth`
    """

    def __init__(self, *, channels: int = 3, latent: int = 8, factor: int = 4, width: int = 64, depth: int = 2) -> None:
        super().__init__()
        if min(channels, latent, factor, depth) < 1 or width < 8 or width % 8:
            raise ConfigError(
                "a size of the codec is wrong", hint="latent: 8, factor: 4, width: 64   # a multiple of 8"
            )
        self.encoder = TinyEncoder(channels, latent, factor, width, depth)
        self.decoder = TinyDecoder(channels, latent, factor, width, depth + 1)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """For training: the image from a sample of its latent, and the latent's mean and logarithm of variance."""
        mean, spread = self.encoder.moments(image)
        sample = mean + torch.exp(0.5 * spread) * torch.randn_like(mean)
        return self.decoder.raw(sample), mean, spread

    @torch.no_grad()
    def begin(self, images: torch.Tensor) -> None:
        """Start as the best linear codec of some images, on their principal components; the residuals do nothing yet.

        What a codec of convolutions learns in its first thousand steps is there at once. Components are scaled by the
        root of their deviation: what is large in a picture stays large in its latent, and is learned first from it.
        ConfigError where `width` is less than a patch has numbers.
        """
        folded = functional.pixel_unshuffle(images * 2 - 1, self.encoder.factor)
        count, width, latent = folded.shape[1], self.encoder.enter.out_channels, self.decoder.enter.in_channels
        if not latent <= count <= width:
            raise ConfigError(f"{count} numbers of a patch do not fit", hint=f"width: {-(-count // 8) * 8}, latent: 8")
        patches = folded.transpose(0, 1).flatten(1)
        middle = patches.mean(1)
        powers, axes = torch.linalg.eigh(torch.cov(patches))
        axes = axes.flip(1)[:, :latent]
        size = powers.flip(0)[:latent].clamp(min=1e-6) ** 0.25
        through = torch.eye(count, device=images.device)
        _centre(self.encoder.enter, through, torch.zeros_like(middle))
        _centre(self.encoder.leave, (axes / size).T, -(axes / size).T @ middle)
        _centre(self.decoder.enter, axes * size, middle)
        _centre(self.decoder.leave, through, torch.zeros_like(middle))
        if self.encoder.leave.bias is not None:
            self.encoder.leave.bias[latent:] = -6.0
        for layer in (*self.encoder.layers, *self.decoder.layers):
            if isinstance(layer, Residual):
                for value in layer.second.parameters():
                    value.zero_()

    @torch.no_grad()
    def settle(self, images: torch.Tensor) -> None:
        """Measure the latents of some images, so that from now on they have mean 0, by channel, and deviation 1."""
        mean = self.encoder.moments(images)[0]
        middle = mean.mean((0, 2, 3))[:, None, None]
        for side in (self.encoder, self.decoder):
            side.shift.copy_(middle)
            side.scale.copy_((mean - middle).std().expand_as(middle))


def _centre(layer: nn.Conv2d, weight: torch.Tensor, bias: torch.Tensor) -> None:
    """Make a convolution's first outputs a function of the pixel alone, of its first inputs; the rest as it was."""
    outputs, inputs = weight.shape
    layer.weight[:outputs] = 0
    layer.weight[:outputs, :inputs, 1, 1] = weight
    assert layer.bias is not None
    layer.bias[:outputs] = bias


class TinyEncoder(nn.Module):
    """Image to latent."""

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self, channels: int, latent: int, factor: int, width: int, depth: int) -> None:
        super().__init__()
        self.factor = factor
        self.enter = nn.Conv2d(channels * factor * factor, width, 3, padding=1)
        self.layers = nn.Sequential(*(Residual(width) for _ in range(depth)))
        self.leave = nn.Conv2d(width, 2 * latent, 3, padding=1)
        self.register_buffer("shift", torch.zeros(latent, 1, 1))
        self.register_buffer("scale", torch.ones(latent, 1, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The mean of the latent, [B, latent, H / factor, W / factor], as `settle` has scaled it."""
        return (self.moments(image)[0] - self.shift) / self.scale

    def moments(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and logarithm of the variance, unscaled."""
        hidden = self.layers(self.enter(functional.pixel_unshuffle(image * 2 - 1, self.factor)))
        mean, spread = self.leave(hidden).chunk(2, dim=1)
        return mean, spread.clamp(-12, 4)


class TinyDecoder(nn.Module):
    """Latent to image."""

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self, channels: int, latent: int, factor: int, width: int, depth: int) -> None:
        super().__init__()
        self.factor = factor
        self.enter = nn.Conv2d(latent, width, 3, padding=1)
        self.layers = nn.Sequential(*(Residual(width) for _ in range(depth)))
        self.leave = nn.Conv2d(width, channels * factor * factor, 3, padding=1)
        self.register_buffer("shift", torch.zeros(latent, 1, 1))
        self.register_buffer("scale", torch.ones(latent, 1, 1))

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """The image, [B, channels, H, W] from 0 to 1."""
        return self.raw(latent * self.scale + self.shift).clamp(0, 1)

    def raw(self, latent: torch.Tensor) -> torch.Tensor:
        """The same from an unscaled latent, not clamped, for training."""
        hidden = self.leave(self.layers(self.enter(latent)))
        return functional.pixel_shuffle(hidden, self.factor) / 2 + 0.5


class Residual(nn.Module):
    """Two convolutions beside the way straight through."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first_norm, self.second_norm = nn.GroupNorm(8, width), nn.GroupNorm(8, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Same shape."""
        inner = self.first(functional.silu(self.first_norm(hidden)))
        out: torch.Tensor = hidden + self.second(functional.silu(self.second_norm(inner)))
        return out
