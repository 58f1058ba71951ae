"""The small autoencoder of TAEF1's architecture (TAESD layout), in torch, with the released parameter names.

Eight times smaller, 16 latent channels, pixels in [0, 1]. `channels` is 64 in the released weights, 32 in the
built-in model.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Three convolutions with a skip, ReLU after the sum."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu_(self.conv(x) + x)


class Clamp(nn.Module):
    """Soft limit of the latent to (-3, 3)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 3) * 3


def encoder(channels: int, latent: int = 16) -> nn.Sequential:
    """(n, 3, h, w) in [0, 1] to (n, latent, h / 8, w / 8)."""
    layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1), Block(channels)]
    for _ in range(3):
        layers.append(nn.Conv2d(channels, channels, 3, padding=1, stride=2, bias=False))
        layers += [Block(channels) for _ in range(3)]
    layers.append(nn.Conv2d(channels, latent, 3, padding=1))
    return nn.Sequential(*layers)


def decoder(channels: int, latent: int = 16) -> nn.Sequential:
    """(n, latent, h, w) to (n, 3, 8 h, 8 w), about [0, 1]."""
    layers: list[nn.Module] = [Clamp(), nn.Conv2d(latent, channels, 3, padding=1), nn.ReLU(inplace=True)]
    for _ in range(3):
        layers += [Block(channels) for _ in range(3)]
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(channels, channels, 3, padding=1, bias=False)]
    layers += [Block(channels), nn.Conv2d(channels, 3, 3, padding=1)]
    return nn.Sequential(*layers)


class Autoencoder(nn.Module):
    """Encoder and decoder; pixels in [-1, 1] outside, [0, 1] inside, as diffusers' AutoencoderTiny has it."""

    def __init__(self, channels: int = 32):
        super().__init__()
        self.encoder = encoder(channels)
        self.decoder = decoder(channels)

    def encode(self, pixels: Tensor) -> Tensor:
        return self.encoder(pixels.add(1).mul(0.5))

    def decode(self, latent: Tensor) -> Tensor:
        return self.decoder(latent).mul(2).sub(1)
