"""The FLUX.1 autoencoder, whole or in row strips.

Parameters are named as in the released ``ae.safetensors``. Pixels are (1, H, W, 3) in [-1, 1], latents
(1, H / 2^n, W / 2^n, z_channels) as the network makes them ("raw": scale and shift belong to the model's config);
H and W are multiples of 2^n, n being the number of levels less one (8 for FLUX.1).
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final

from mlx_model.networks.strips import Rows, Strips, mapped, residual, rows_of, upsampled
from mlx_model.runtime import mx, nn
from mlx_model.weights.config import AutoencoderConfig

STRIP_ROWS: Final = 32
THIN_ROWS: Final = 8
"""Of a strip where memory is short; more of them are begun, which a GPU feels."""
_QUERIES: Final = 512  # of the middle attention at a time: 32 MiB of scores at 1024 x 1024
_GROUPS: Final = 32
_EVERYTHING: Final = 1 << 62


class Autoencoder(nn.Module):
    """Encoder and decoder.

    ``encode`` and ``decode`` hold whole activations. ``encode_tiled`` and ``decode_tiled`` give the same result
    (within float32 rounding) and need about one activation of full height and width with ``ch`` channels,
    H * W * ch numbers (512 MiB at 1024 x 1024 in float32), plus a few strips; larger ones are computed anew from
    the level below for each use instead of being kept, which costs about two thirds more arithmetic. The callbacks
    are called several times a second, on a GPU far more often, and may raise to stop the work.
    """

    def __init__(self, config: AutoencoderConfig):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def encode(self, pixels: mx.array, on_chunk: Callable[[], None] | None = None) -> mx.array:
        """Return the posterior's mean for pixels (1, H, W, 3) in [-1, 1], float32.

        Raises:
            ValueError: H or W is no multiple of the autoencoder's factor.
        """
        return self.encode_tiled(pixels, _EVERYTHING, on_chunk)

    def decode(self, raw: mx.array, on_chunk: Callable[[], None] | None = None) -> mx.array:
        """Return the pixels (1, H, W, 3), about in [-1, 1], of a raw latent, float32."""
        return self.decode_tiled(raw, _EVERYTHING, on_chunk)

    def encode_tiled(
        self, pixels: mx.array, strip_rows: int = STRIP_ROWS, on_strip: Callable[[], None] | None = None
    ) -> mx.array:
        """Encode by strips of ``strip_rows`` rows (of every level): :meth:`encode` in less memory."""
        _, height, width, _ = pixels.shape
        factor = 2 ** (len(self.config.ch_mult) - 1)
        if height % factor or width % factor:
            raise ValueError(f"{width}x{height} pixels are not multiples of {factor}")
        strips = self._strips(height * width, strip_rows, on_strip)
        x = rows_of(pixels.astype(self.encoder.conv_in.weight.dtype))
        moments = strips.stored(self.encoder(x, strips))
        return moments.read(0, moments.height)[..., : self.config.z_channels].astype(mx.float32)

    def decode_tiled(
        self, raw: mx.array, strip_rows: int = STRIP_ROWS, on_strip: Callable[[], None] | None = None
    ) -> mx.array:
        """Decode by strips of ``strip_rows`` rows (of every level): :meth:`decode` in less memory."""
        _, height, width, _ = raw.shape
        strips = self._strips(height * width * 4 ** (len(self.config.ch_mult) - 1), strip_rows, on_strip)
        x = rows_of(raw.astype(self.decoder.conv_in.weight.dtype))
        pixels = strips.stored(self.decoder(x, strips))
        return pixels.read(0, pixels.height).astype(mx.float32)

    def _strips(self, pixels: int, rows: int, on_strip: Callable[[], None] | None) -> Strips:
        # A kept result of half the size fits twice beside nothing, or once beside the activation it came from.
        keep = pixels * self.config.ch // 2 if rows < _EVERYTHING else _EVERYTHING
        return Strips(rows, keep, on_strip or (lambda: None))


class ResnetBlock(nn.Module):
    """Two normalized 3x3 convolutions and a shortcut."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.norm1 = _norm(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3)
        self.norm2 = _norm(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3)
        if in_channels != out_channels:
            self.nin_shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def __call__(self, x: Rows, strips: Strips) -> Rows:
        """Return the rows of the block's result."""
        h = strips.convolved(mapped(strips.normalized(x, self.norm1), nn.silu), self.conv1)
        h = strips.kept(h)
        h = strips.convolved(mapped(strips.normalized(h, self.norm2), nn.silu), self.conv2)
        return residual(h, strips.convolved(x, self.nin_shortcut) if "nin_shortcut" in self else x)


class AttnBlock(nn.Module):
    """Attention of every position to every position, one head, in chunks of queries."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = _norm(channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def __call__(self, x: Rows, strips: Strips) -> Rows:
        """Return the rows of ``x`` with what every position attends to added."""
        normed = strips.normalized(x, self.norm)
        keys, values = (
            strips.convolved(normed, conv).read(0, x.height).reshape(1, 1, -1, x.channels)
            for conv in (self.k, self.v)
        )
        queries = strips.convolved(normed, self.q)

        def read(start: int, stop: int) -> mx.array:
            wanted = queries.read(start, stop).reshape(1, 1, -1, x.channels)
            parts: list[mx.array] = []
            for first in range(0, wanted.shape[2], _QUERIES):
                part = wanted[:, :, first : first + _QUERIES]
                parts.append(mx.fast.scaled_dot_product_attention(part, keys, values, scale=x.channels**-0.5))
                mx.eval(parts)
                strips.on_strip()
            return mx.concatenate(parts, axis=2).reshape(1, stop - start, x.width, x.channels)

        attended = Rows(x.height, x.width, x.channels, read)
        return residual(strips.convolved(attended, self.proj_out), x)


class Middle(nn.Module):
    """Block, attention, block at the lowest resolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.block_1 = ResnetBlock(channels, channels)
        self.attn_1 = AttnBlock(channels)
        self.block_2 = ResnetBlock(channels, channels)

    def __call__(self, x: Rows, strips: Strips) -> Rows:
        """Return the rows of the result, stored."""
        for layer in (self.block_1, self.attn_1, self.block_2):
            x = strips.stored(layer(x, strips))
        return x


class Resample(nn.Module):
    """The convolution before or after a change of resolution."""

    def __init__(self, channels: int, stride: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=stride)


class Level(nn.Module):
    """The blocks of one resolution, and the way down or up to the next if there is one."""

    def __init__(self, widths: tuple[int, int], blocks: int, down: bool = False, up: bool = False):
        super().__init__()
        self.block = [ResnetBlock(widths[0] if i == 0 else widths[1], widths[1]) for i in range(blocks)]
        if down:
            self.downsample = Resample(widths[1], stride=2)
        if up:
            self.upsample = Resample(widths[1], stride=1)

    def __call__(self, x: Rows, strips: Strips) -> Rows:
        """Return the rows of the result at the next level's resolution; ``x`` is used up."""
        for block in self.block:
            x = strips.stored(block(x, strips))
        if "downsample" in self:
            return strips.stored(strips.convolved(x, self.downsample.conv))
        if "upsample" in self:
            return strips.kept(strips.convolved(upsampled(x), self.upsample.conv))
        return x


class Encoder(nn.Module):
    """Pixels to mean and log variance of the latent."""

    def __init__(self, config: AutoencoderConfig):
        super().__init__()
        widths = [config.ch, *(config.ch * multiplier for multiplier in config.ch_mult)]
        self.conv_in = nn.Conv2d(config.in_channels, config.ch, 3)
        last = len(config.ch_mult) - 1
        self.down = [Level(w, config.num_res_blocks, down=i < last) for i, w in enumerate(pairwise(widths))]
        self.mid = Middle(widths[-1])
        self.norm_out = _norm(widths[-1])
        self.conv_out = nn.Conv2d(widths[-1], 2 * config.z_channels, 3)

    def __call__(self, x: Rows, strips: Strips) -> Rows:
        """Return the rows of mean and log variance, 2 * z_channels."""
        x = strips.kept(strips.convolved(x, self.conv_in))
        for level in self.down:
            x = level(x, strips)
        x = self.mid(x, strips)
        return strips.convolved(mapped(strips.normalized(x, self.norm_out), nn.silu), self.conv_out)


class Decoder(nn.Module):
    """Latent to pixels; levels are numbered from the highest resolution and walked from the lowest."""

    def __init__(self, config: AutoencoderConfig):
        super().__init__()
        widths = [config.ch * multiplier for multiplier in config.ch_mult]
        self.conv_in = nn.Conv2d(config.z_channels, widths[-1], 3)
        self.mid = Middle(widths[-1])
        steps = enumerate(pairwise([widths[-1], *reversed(widths)]))
        last = len(widths) - 1
        self.up = [Level(w, config.num_res_blocks + 1, up=i < last) for i, w in steps][::-1]
        self.norm_out = _norm(widths[0])
        self.conv_out = nn.Conv2d(widths[0], config.out_ch, 3)

    def __call__(self, x: Rows, strips: Strips) -> Rows:
        """Return the rows of the pixels."""
        x = self.mid(strips.stored(strips.convolved(x, self.conv_in)), strips)
        for level in reversed(self.up):
            x = level(x, strips)
        return strips.convolved(mapped(strips.normalized(x, self.norm_out), nn.silu), self.conv_out)


def channels_last(tensors: Mapping[str, mx.array]) -> dict[str, mx.array]:
    """Turn convolution weights (out, in, height, width), as released, into MLX's (out, height, width, in).

    Those of one pixel may be written as matrices (out, in), as diffusers has the attention's.
    """
    return {
        name: mx.transpose(t, (0, 2, 3, 1)) if t.ndim == 4 else t[:, None, None, :] if t.ndim == 2 else t
        for name, t in tensors.items()
    }


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(_GROUPS, channels, eps=1e-6)
