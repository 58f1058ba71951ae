"""The encoder of T5 v1.1: ids to the last hidden state, with no attention mask, as FLUX.1 uses it.

Parameters are named as transformers' ``T5EncoderModel`` saves them.
"""

import math
from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
import numpy.typing as npt

from mlx_model.runtime import mx, nn
from mlx_model.weights.config import T5Config


class T5Encoder(nn.Module):
    """T5 v1.1 encoder in float32 or bfloat16: in float16 the full one overflows."""

    def __init__(self, config: T5Config):
        super().__init__()
        self.config = config
        self.shared = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = Stack(config)

    def __call__(self, ids: mx.array, on_chunk: Callable[[], None] | None = None) -> mx.array:
        """Return the hidden states (1, L, d_model) of ids (1, L).

        ``on_chunk`` is called after every attention and every feed-forward layer, and may raise to stop.

        Raises:
            TypeError: the weights are float16.
        """
        x = self.shared(ids)
        if x.dtype == mx.float16:
            raise TypeError("T5 overflows in float16; load its weights as bfloat16 or float32")
        first = cast(AttentionLayer, self.encoder.block[0].layer[0])
        bias = first.SelfAttention.position_bias(ids.shape[1]).astype(x.dtype)
        for block in self.encoder.block:
            for layer in block.layer:
                x = x + layer(x, bias)
                if on_chunk is not None:
                    mx.eval(x)
                    on_chunk()
        return self.encoder.final_layer_norm(x)


class Stack(nn.Module):
    """The blocks and the last norm."""

    def __init__(self, config: T5Config):
        super().__init__()
        self.block = [Block(config, has_bias=i == 0) for i in range(config.num_layers)]
        self.final_layer_norm = nn.RMSNorm(config.d_model, eps=config.layer_norm_epsilon)


class Block(nn.Module):
    """Attention, then feed-forward; each is added to the stream."""

    def __init__(self, config: T5Config, has_bias: bool):
        super().__init__()
        self.layer: list[AttentionLayer | FeedForwardLayer] = [
            AttentionLayer(config, has_bias),
            FeedForwardLayer(config),
        ]


class AttentionLayer(nn.Module):
    """Norm and self-attention."""

    def __init__(self, config: T5Config, has_bias: bool):
        super().__init__()
        self.SelfAttention = Attention(config, has_bias)
        self.layer_norm = nn.RMSNorm(config.d_model, eps=config.layer_norm_epsilon)

    def __call__(self, x: mx.array, bias: mx.array) -> mx.array:
        """Return what is to be added to ``x`` (1, L, d_model)."""
        return self.SelfAttention(self.layer_norm(x), bias)


class Attention(nn.Module):
    """Self-attention without scaling; its first layer holds the position bias of all."""

    def __init__(self, config: T5Config, has_bias: bool):
        super().__init__()
        inner = config.num_heads * config.d_kv
        self.config = config
        self.q = nn.Linear(config.d_model, inner, bias=False)
        self.k = nn.Linear(config.d_model, inner, bias=False)
        self.v = nn.Linear(config.d_model, inner, bias=False)
        self.o = nn.Linear(inner, config.d_model, bias=False)
        if has_bias:
            self.relative_attention_bias = nn.Embedding(config.relative_attention_num_buckets, config.num_heads)

    def __call__(self, x: mx.array, bias: mx.array) -> mx.array:
        """Return (1, L, d_model); ``bias`` (1, heads, L, L) is added to the scores."""
        q, k, v = (
            mx.unflatten(project(x), 2, (self.config.num_heads, -1)).transpose(0, 2, 1, 3)
            for project in (self.q, self.k, self.v)
        )
        attended = mx.fast.scaled_dot_product_attention(q, k, v, scale=1.0, mask=bias)
        return self.o(attended.transpose(0, 2, 1, 3).flatten(2))

    def position_bias(self, length: int) -> mx.array:
        """Return the learned bias (1, heads, length, length) of every key's distance from every query."""
        position = np.arange(length)
        buckets = relative_buckets(
            position[None] - position[:, None],
            self.config.relative_attention_num_buckets,
            self.config.relative_attention_max_distance,
        )
        return self.relative_attention_bias(mx.array(buckets)).transpose(2, 0, 1)[None]


class FeedForwardLayer(nn.Module):
    """Norm and gated feed-forward."""

    def __init__(self, config: T5Config):
        super().__init__()
        self.DenseReluDense = FeedForward(config)
        self.layer_norm = nn.RMSNorm(config.d_model, eps=config.layer_norm_epsilon)

    def __call__(self, x: mx.array, _: mx.array) -> mx.array:
        """Return what is to be added to ``x`` (1, L, d_model)."""
        return self.DenseReluDense(self.layer_norm(x))


class FeedForward(nn.Module):
    """Two projections, one gating the other through tanh GELU, and a third back."""

    def __init__(self, config: T5Config):
        super().__init__()
        self.wi_0 = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.wi_1 = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.wo = nn.Linear(config.d_ff, config.d_model, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        """Return (1, L, d_model)."""
        return self.wo(nn.gelu_approx(self.wi_0(x)) * self.wi_1(x))


def relative_buckets(distance: npt.NDArray[np.int_], buckets: int, farthest: int) -> npt.NDArray[np.int32]:
    """Sort signed distances into buckets: half per direction; near ones singly, far ones by their logarithm."""
    half, exact = buckets // 2, buckets // 4
    size = np.abs(distance)
    scale = np.float32(math.log(farthest / exact))
    far = np.log(np.maximum(size, 1).astype(np.float32) / np.float32(exact)) / scale * np.float32(half - exact)
    bucket = np.where(size < exact, size, np.minimum(exact + far.astype(np.int32), half - 1))
    return (bucket + np.where(distance > 0, half, 0)).astype(np.int32)


def released_tensors(file: Mapping[str, mx.array]) -> dict[str, mx.array]:
    """Take the embedding once: files hold it as ``shared.weight``, ``encoder.embed_tokens.weight``, or both."""
    tensors = dict(file)
    if (twin := tensors.pop("encoder.embed_tokens.weight", None)) is not None:
        tensors.setdefault("shared.weight", twin)
    return tensors
