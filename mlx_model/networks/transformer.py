"""The MM-DiT of FLUX.1 and ACE++: double-stream blocks, then single-stream blocks, on packed tokens.

Parameters carry the names of the released files. The modulation layers are apart (see
:mod:`mlx_model.networks.modulation`). What does not change from step to step (rotary tables, embedded prompt,
modulation) is computed once per request and passed in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mlx_model.networks.modulation import StepModulation
from mlx_model.runtime import mx, nn
from mlx_model.weights.config import TransformerConfig
from mlx_model.weights.layouts import TIME_CHANNELS

NORM_EPS: Final = 1e-6
QK_NORM_EPS: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Rope:
    """Rotary position tables, float32, (1, 1, tokens, head / 2): text tokens first."""

    cos: mx.array
    sin: mx.array


def rope_tables(config: TransformerConfig, text_length: int, rows: int, columns: int) -> Rope:
    """Compute tables for ``text_length`` tokens at (0, 0, 0), then a grid of image tokens at (0, row, column)."""
    positions = np.zeros((text_length + rows * columns, 3))
    positions[text_length:, 1:] = np.indices((rows, columns)).reshape(2, -1).T
    angles = np.concatenate(
        [
            positions[:, axis, None] / config.theta ** (np.arange(0, size, 2) / size)
            for axis, size in enumerate(config.axes_dim)
        ],
        axis=1,
    )
    return Rope(*(mx.array(table.astype(np.float32))[None, None] for table in (np.cos(angles), np.sin(angles))))


def rotate(x: mx.array, rope: Rope) -> mx.array:
    """Turn neighbouring pairs of (B, heads, tokens, head) by their angles, in float32; the type of ``x`` is kept."""
    pairs = x.astype(mx.float32).reshape(*x.shape[:-1], -1, 2)
    a, b = pairs[..., 0], pairs[..., 1]
    turned = mx.stack([a * rope.cos - b * rope.sin, a * rope.sin + b * rope.cos], axis=-1)
    return turned.reshape(x.shape).astype(x.dtype)


def _frequencies() -> npt.NDArray[np.float32]:
    """Frequencies 10000^(-k/128), k below 128, exactly as the authors' float32 arithmetic has them.

    At guidance 50 an angle reaches 50 000 rad, where the last bit of a frequency moves the golden velocities by
    1.5e-4. The exponents are rounded to float32 as theirs, the exponentials correctly, but for two that their exp
    rounds up.
    """
    half = TIME_CHANNELS // 2
    exponents = np.float32(-np.log(10000.0)) * np.arange(half, dtype=np.float32) / np.float32(half)
    frequencies = np.exp(exponents.astype(np.float64)).astype(np.float32)
    frequencies[[13, 44]] = np.nextafter(frequencies[[13, 44]], np.float32(1))
    return frequencies


_FREQUENCIES: Final = _frequencies()


def embed_number(values: mx.array) -> mx.array:
    """Sinusoidal embedding of (B,) float32 values times 1000: (B, 256), cosines first, float32."""
    angles = (1000.0 * values.astype(mx.float32))[:, None] * mx.array(_FREQUENCIES)
    return mx.concatenate([mx.cos(angles), mx.sin(angles)], axis=-1)


def modulated(x: mx.array, shift: mx.array, scale: mx.array) -> mx.array:
    """Layer norm without parameters, then scale and shift."""
    return mx.fast.layer_norm(x, None, None, NORM_EPS) * (1 + scale) + shift


def attention(q: mx.array, k: mx.array, v: mx.array, rope: Rope) -> mx.array:
    """Attend among (B, heads, tokens, head) with rotary positions; (B, tokens, hidden)."""
    scale = q.shape[-1] ** -0.5
    out = mx.fast.scaled_dot_product_attention(rotate(q, rope), rotate(k, rope), v, scale=scale)
    return out.swapaxes(1, 2).flatten(2)


class HeadNorm(nn.Module):
    """RMS norm over a head, with the released name of its parameter."""

    def __init__(self, size: int):
        super().__init__()
        self.scale = mx.ones((size,))

    def __call__(self, x: mx.array) -> mx.array:
        """Norm the last axis; the type of ``x`` is kept."""
        return mx.fast.rms_norm(x, self.scale.astype(x.dtype), QK_NORM_EPS)


class QueryKeyNorm(nn.Module):
    """The norms of queries and keys, and the split of a fused projection that comes before."""

    def __init__(self, size: int):
        super().__init__()
        self.query_norm, self.key_norm = HeadNorm(size), HeadNorm(size)

    def __call__(self, qkv: mx.array) -> tuple[mx.array, mx.array, mx.array]:
        """(B, tokens, 3 * hidden) to normed q, normed k and v, each (B, heads, tokens, head)."""
        size = self.query_norm.scale.shape[0]
        q, k, v = mx.unflatten(qkv, -1, (3, -1, size)).transpose(2, 0, 3, 1, 4)
        return self.query_norm(q), self.key_norm(k), v


class Embedder(nn.Module):
    """Two layers with SiLU between, for time, guidance and pooled text."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.in_layer, self.out_layer = nn.Linear(channels, hidden), nn.Linear(hidden, hidden)

    def __call__(self, x: mx.array) -> mx.array:
        """(B, channels) to (B, hidden)."""
        return self.out_layer(nn.silu(self.in_layer(x)))


class Attention(nn.Module):
    """The projections of one stream of a double block."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        hidden = config.hidden_size
        self.qkv, self.proj = nn.Linear(hidden, 3 * hidden, bias=config.qkv_bias), nn.Linear(hidden, hidden)
        self.norm = QueryKeyNorm(hidden // config.num_heads)


class DoubleBlock(nn.Module):
    """Image and text in two streams, each with its own weights, attending to each other."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.img_attn, self.txt_attn = Attention(config), Attention(config)
        hidden, inner = config.hidden_size, config.mlp_size
        self.img_mlp = [nn.Linear(hidden, inner), nn.GELU("tanh"), nn.Linear(inner, hidden)]
        self.txt_mlp = [nn.Linear(hidden, inner), nn.GELU("tanh"), nn.Linear(inner, hidden)]

    def __call__(
        self, img: mx.array, txt: mx.array, modulation: tuple[mx.array, mx.array], rope: Rope
    ) -> tuple[mx.array, mx.array]:
        """(B, N, hidden) image and (B, T, hidden) text to the same."""
        img_parts, txt_parts = (mx.split(vectors, 6, axis=-1) for vectors in modulation)
        img_qkv = self.img_attn.norm(self.img_attn.qkv(modulated(img, *img_parts[:2])))
        txt_qkv = self.txt_attn.norm(self.txt_attn.qkv(modulated(txt, *txt_parts[:2])))
        q, k, v = (mx.concatenate(list(pair), axis=2) for pair in zip(txt_qkv, img_qkv, strict=True))
        txt_seen, img_seen = mx.split(attention(q, k, v, rope), [txt.shape[1]], axis=1)
        img = img + img_parts[2] * self.img_attn.proj(img_seen)
        txt = txt + txt_parts[2] * self.txt_attn.proj(txt_seen)
        img = img + img_parts[5] * _through(self.img_mlp, modulated(img, *img_parts[3:5]))
        txt = txt + txt_parts[5] * _through(self.txt_mlp, modulated(txt, *txt_parts[3:5]))
        return img, txt


def _through(layers: list[nn.Linear | nn.GELU], x: mx.array) -> mx.array:
    for layer in layers:
        x = layer(x)
    return x


class SingleBlock(nn.Module):
    """Text and image in one stream; attention and MLP side by side in two fused projections."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        hidden, inner = config.hidden_size, config.mlp_size
        self.linear1, self.linear2 = nn.Linear(hidden, 3 * hidden + inner), nn.Linear(hidden + inner, hidden)
        self.norm = QueryKeyNorm(hidden // config.num_heads)
        self.mlp_act = nn.GELU("tanh")

    def __call__(self, x: mx.array, modulation: mx.array, rope: Rope) -> mx.array:
        """(B, T + N, hidden) to the same."""
        shift, scale, gate = mx.split(modulation, 3, axis=-1)
        qkv, inner = mx.split(self.linear1(modulated(x, shift, scale)), [3 * x.shape[-1]], axis=-1)
        seen = attention(*self.norm(qkv), rope)
        return x + gate * self.linear2(mx.concatenate([seen, self.mlp_act(inner)], axis=-1))


class FinalLayer(nn.Module):
    """Modulated norm and the projection to the output channels."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.linear = nn.Linear(config.hidden_size, config.out_channels)

    def __call__(self, x: mx.array, modulation: mx.array) -> mx.array:
        """(B, N, hidden) to (B, N, out_channels)."""
        return self.linear(modulated(x, *mx.split(modulation, 2, axis=-1)))


class Transformer(nn.Module):
    """The velocity of rectified flow for packed tokens. The stream's type is that of the embedded text."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        hidden = config.hidden_size
        self.img_in, self.txt_in = nn.Linear(config.in_channels, hidden), nn.Linear(config.context_in_dim, hidden)
        self.time_in, self.vector_in = Embedder(TIME_CHANNELS, hidden), Embedder(config.vec_in_dim, hidden)
        if config.guidance_embed:
            self.guidance_in = Embedder(TIME_CHANNELS, hidden)
        self.double_blocks = [DoubleBlock(config) for _ in range(config.depth)]
        self.single_blocks = [SingleBlock(config) for _ in range(config.depth_single_blocks)]
        self.final_layer = FinalLayer(config)

    def embed_text(self, context: mx.array) -> mx.array:
        """(B, T, context_in_dim) from T5 to (B, T, hidden), in the type of the weights: once per request."""
        return self.txt_in(context.astype(self.double_blocks[0].img_attn.norm.key_norm.scale.dtype))

    def vector(self, sigmas: mx.array, guidance: mx.array, pooled: mx.array) -> mx.array:
        """Compute what the modulation is made from: (B, hidden), float32, a row per noise level.

        ``sigmas`` and ``guidance`` are (B,) and stay float32 until embedded; ``pooled`` is (B or 1, vec_in_dim).
        A model without a guidance embedding ignores ``guidance``.
        """
        vector = self.time_in(embed_number(sigmas)) + self.vector_in(pooled.astype(mx.float32))
        return vector + self.guidance_in(embed_number(guidance)) if self.config.guidance_embed else vector

    def rope(self, text_length: int, rows: int, columns: int) -> Rope:
        """Position tables for a canvas of ``rows`` x ``columns`` tokens: once per request."""
        return rope_tables(self.config, text_length, rows, columns)

    def __call__(
        self,
        tokens: mx.array,
        text: mx.array,
        modulation: StepModulation,
        rope: Rope,
        on_block: Callable[[], None] | None = None,
        blocks_at_once: int = 1,
    ) -> mx.array:
        """Predict the velocity of one step.

        Args:
            tokens: (B, N, in_channels), packed as in :mod:`mlx_model.conditioning.packing`.
            text: (B, T, hidden) from :meth:`embed_text`.
            modulation: of this step.
            rope: from :meth:`rope` for the same T and N.
            on_block: called whenever ``blocks_at_once`` more blocks have been evaluated; may raise to stop. Without
                it nothing is evaluated here.
            blocks_at_once: how many blocks are evaluated together.

        Returns:
            (B, N, out_channels) in float32.
        """
        done = 0

        def evaluated(*streams: mx.array) -> None:
            nonlocal done
            done += 1
            if on_block is not None and done % blocks_at_once == 0:
                mx.eval(*streams)
                on_block()

        img, txt = self.img_in(tokens.astype(text.dtype)), text
        for block, vectors in zip(self.double_blocks, modulation.double, strict=True):
            img, txt = block(img, txt, vectors, rope)
            evaluated(img, txt)
        stream = mx.concatenate([txt, img], axis=1)
        for block, vectors in zip(self.single_blocks, modulation.single, strict=True):
            stream = block(stream, vectors, rope)
            evaluated(stream)
        return self.final_layer(stream[:, text.shape[1] :], modulation.final).astype(mx.float32)
