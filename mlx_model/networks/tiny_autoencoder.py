"""TAESD's architecture: a tiny autoencoder for step previews (TAEF1) and for small models.

Parameters are named as in the released files (github.com/madebyollin/taesd), with ``encoder.`` or ``decoder.``
in front. TAEF1's latents are FLUX.1's scaled ones, so nothing is scaled or shifted for it.
"""

from collections.abc import Callable, Mapping
from typing import Final

from mlx_model.networks.autoencoder import channels_last
from mlx_model.request import RequestError
from mlx_model.runtime import mx, nn
from mlx_model.weights.config import TinyAutoencoderConfig

PREVIEW_DECODER: Final = "preview_decoder.safetensors"
"""The file of a model folder that holds TAEF1's decoder."""


def preview_channels(tensors: Mapping[str, mx.array]) -> int:
    """Read from a decoder's tensors how many channels it has; RequestError where it is none of TAEF1's kind."""
    if "decoder.1.weight" not in tensors:
        raise RequestError(f"{PREVIEW_DECODER} is no decoder of TAEF1's kind; install it again or remove it")
    return tensors["decoder.1.weight"].shape[0]


class TinyAutoencoder(nn.Module):
    """Pixels (1, H, W, 3) in [-1, 1] to latents (1, H / 8, W / 8, latent_channels) and back.

    With ``encoder`` false there is only the decoder, for a file that has no more. The callbacks are called after
    every layer and may raise to stop the work.
    """

    def __init__(self, config: TinyAutoencoderConfig, encoder: bool = True):
        super().__init__()
        self.config = config
        c, z = config.channels, config.latent_channels
        if encoder:
            self.encoder: list[nn.Module] = [nn.Conv2d(3, c, 3, padding=1), Block(c)]
            for _ in range(3):
                self.encoder += [nn.Conv2d(c, c, 3, stride=2, padding=1, bias=False), *(Block(c) for _ in range(3))]
            self.encoder += [nn.Conv2d(c, z, 3, padding=1)]
        self.decoder: list[nn.Module] = [SoftClamp(), nn.Conv2d(z, c, 3, padding=1), nn.ReLU()]
        for _ in range(3):
            self.decoder += [
                Block(c),
                Block(c),
                Block(c),
                nn.Upsample(2.0),
                nn.Conv2d(c, c, 3, padding=1, bias=False),
            ]
        self.decoder += [Block(c), nn.Conv2d(c, 3, 3, padding=1)]

    def encode(self, pixels: mx.array, on_chunk: Callable[[], None] | None = None) -> mx.array:
        """Return the latent of pixels (1, H, W, 3) in [-1, 1], float32.

        Raises:
            ValueError: H or W is no multiple of 8.
        """
        _, height, width, _ = pixels.shape
        if height % 8 or width % 8:
            raise ValueError(f"{width}x{height} pixels are not multiples of 8")
        return _run(self.encoder, (pixels + 1) / 2, on_chunk)

    def decode(self, latent: mx.array, on_chunk: Callable[[], None] | None = None) -> mx.array:
        """Return the pixels (1, H, W, 3), about in [-1, 1], float32."""
        return _run(self.decoder, latent, on_chunk) * 2 - 1


class Block(nn.Module):
    """Three 3x3 convolutions, added to the input."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv: list[nn.Module] = []
        for index in range(5):
            self.conv.append(nn.ReLU() if index % 2 else nn.Conv2d(channels, channels, 3, padding=1))

    def __call__(self, x: mx.array) -> mx.array:
        """Return a map of the same shape."""
        h = x
        for layer in self.conv:
            h = layer(h)
        return nn.relu(h + x)


class SoftClamp(nn.Module):
    """Keep latents within (-3, 3)."""

    def __call__(self, x: mx.array) -> mx.array:
        """Return ``x`` with large values bent."""
        return mx.tanh(x / 3) * 3


def released_tensors(
    encoder: Mapping[str, mx.array] | None = None, decoder: Mapping[str, mx.array] | None = None
) -> dict[str, mx.array]:
    """Join the released encoder and decoder files (``0.weight`` ...) under this module's names and layout."""
    parts = (("encoder", encoder), ("decoder", decoder))
    return channels_last({f"{part}.{name}": t for part, file in parts if file for name, t in file.items()})


def _run(layers: list[nn.Module], x: mx.array, on_chunk: Callable[[], None] | None) -> mx.array:
    convolution = next(layer for layer in layers if isinstance(layer, nn.Conv2d))
    x = x.astype(convolution.weight.dtype)
    for layer in layers:
        x = layer(x)
        if on_chunk is not None:
            mx.eval(x)
            on_chunk()
    return x.astype(mx.float32)
