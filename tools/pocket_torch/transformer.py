"""FLUX.1's MM-DiT in torch, named as in the released files, for fast training on a CPU.

The same function as diffusers' FluxTransformer2DModel, with q, k, v (and in single blocks the MLP) in one matrix as
the released files have them, so that nothing has to be converted afterwards. Checked against the golden arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """Sizes, named as in a model folder's config.json."""

    in_channels: int = 448
    out_channels: int = 64
    hidden_size: int = 192
    num_heads: int = 3
    axes_dim: tuple[int, ...] = (8, 28, 28)
    theta: float = 10000
    vec_in_dim: int = 128
    context_in_dim: int = 128
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    depth: int = 2
    depth_single_blocks: int = 6
    guidance_embed: bool = False


class TwoLayer(nn.Module):
    def __init__(self, wide: int, out: int):
        super().__init__()
        self.in_layer, self.out_layer = nn.Linear(wide, out), nn.Linear(out, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_layer(functional.silu(self.in_layer(x)))


class HeadNorm(nn.Module):
    """RMS norm over a head with the released names query_norm.scale and key_norm.scale."""

    def __init__(self, wide: int):
        super().__init__()
        self.query_norm, self.key_norm = (
            nn.ParameterDict({"scale": torch.ones(wide)}),
            nn.ParameterDict({"scale": torch.ones(wide)}),
        )

    def forward(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        return (rms(q, self.query_norm["scale"]), rms(k, self.key_norm["scale"]))


class Modulation(nn.Module):
    def __init__(self, wide: int, parts: int):
        super().__init__()
        self.lin = nn.Linear(wide, parts * wide)
        self.parts = parts

    def forward(self, vec: Tensor) -> tuple[Tensor, ...]:
        return self.lin(functional.silu(vec))[:, None].chunk(self.parts, -1)


class Attention(nn.Module):
    """Projections of one stream of a double block."""

    def __init__(self, wide: int, heads: int, bias: bool):
        super().__init__()
        self.qkv, self.proj, self.norm = (
            nn.Linear(wide, 3 * wide, bias),
            nn.Linear(wide, wide),
            HeadNorm(wide // heads),
        )


def rms(x: Tensor, scale: Tensor) -> Tensor:
    y = x.float()
    return (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + 1e-6) * scale).to(x.dtype)


def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return functional.layer_norm(x, (x.shape[-1],), eps=1e-6) * (1 + scale) + shift


def heads_of(qkv: Tensor, heads: int) -> tuple[Tensor, ...]:
    """(n, l, 3 wide) to three of (n, heads, l, wide / heads)."""
    n, length, wide = qkv.shape
    return qkv.view(n, length, 3, heads, wide // 3 // heads).permute(2, 0, 3, 1, 4).unbind(0)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding on neighbouring pairs, in float32."""
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2).to(x.dtype)


def attend(q: Tensor, k: Tensor, v: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    # Written out: torch's fused CPU attention is slower at these lengths, above all backwards.
    q, k = rotate(q, *rope) * q.shape[-1] ** -0.5, rotate(k, *rope)
    out = torch.softmax(q @ k.mT, -1, dtype=torch.float32).to(v.dtype) @ v
    return out.transpose(1, 2).flatten(2)


class DoubleBlock(nn.Module):
    def __init__(self, s: Shape):
        super().__init__()
        self.heads = s.num_heads
        inner = int(s.hidden_size * s.mlp_ratio)
        for stream in ("img", "txt"):
            setattr(self, f"{stream}_mod", Modulation(s.hidden_size, 6))
            setattr(self, f"{stream}_attn", Attention(s.hidden_size, s.num_heads, s.qkv_bias))
            mlp = nn.Sequential(nn.Linear(s.hidden_size, inner), nn.GELU("tanh"), nn.Linear(inner, s.hidden_size))
            setattr(self, f"{stream}_mlp", mlp)

    def forward(self, img: Tensor, txt: Tensor, vec: Tensor, rope: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        length = txt.shape[1]
        mi, mt = self.img_mod(vec), self.txt_mod(vec)
        qi, ki, vi = heads_of(self.img_attn.qkv(modulated(img, mi[0], mi[1])), self.heads)
        qt, kt, vt = heads_of(self.txt_attn.qkv(modulated(txt, mt[0], mt[1])), self.heads)
        qi, ki = self.img_attn.norm(qi, ki)
        qt, kt = self.txt_attn.norm(qt, kt)
        joined = attend(torch.cat([qt, qi], 2), torch.cat([kt, ki], 2), torch.cat([vt, vi], 2), rope)
        img = img + mi[2] * self.img_attn.proj(joined[:, length:])
        img = img + mi[5] * self.img_mlp(modulated(img, mi[3], mi[4]))
        txt = txt + mt[2] * self.txt_attn.proj(joined[:, :length])
        txt = txt + mt[5] * self.txt_mlp(modulated(txt, mt[3], mt[4]))
        return img, txt


class SingleBlock(nn.Module):
    def __init__(self, s: Shape):
        super().__init__()
        self.heads, self.wide = s.num_heads, s.hidden_size
        inner = int(s.hidden_size * s.mlp_ratio)
        self.linear1 = nn.Linear(s.hidden_size, 3 * s.hidden_size + inner)
        self.linear2 = nn.Linear(s.hidden_size + inner, s.hidden_size)
        self.norm = HeadNorm(s.hidden_size // s.num_heads)
        self.modulation = Modulation(s.hidden_size, 3)

    def forward(self, x: Tensor, vec: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
        shift, scale, gate = self.modulation(vec)
        y = self.linear1(modulated(x, shift, scale))
        q, k, v = heads_of(y[..., : 3 * self.wide], self.heads)
        q, k = self.norm(q, k)
        inner = functional.gelu(y[..., 3 * self.wide :], approximate="tanh")
        return x + gate * self.linear2(torch.cat([attend(q, k, v, rope), inner], -1))


class FinalLayer(nn.Module):
    def __init__(self, s: Shape):
        super().__init__()
        self.linear = nn.Linear(s.hidden_size, s.out_channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(s.hidden_size, 2 * s.hidden_size))

    def forward(self, x: Tensor, vec: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(vec)[:, None].chunk(2, -1)
        return self.linear(modulated(x, shift, scale))


def time_embedding(t: Tensor, wide: int = 256) -> Tensor:
    """Sinusoids of 1000 t, cosines first, float32."""
    half = wide // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
    angles = 1000 * t.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], -1)


def rope_tables(shape: Shape, text: int, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines (text + rows * columns, head / 2) for text ids (0, 0, 0), image ids (0, row, column)."""
    ids = torch.zeros(text + rows * columns, 3)
    ids[text:, 1] = torch.arange(rows).repeat_interleave(columns)
    ids[text:, 2] = torch.arange(columns).repeat(rows)
    angles = [
        ids[:, axis, None].double() / shape.theta ** (torch.arange(0, wide, 2).double() / wide)
        for axis, wide in enumerate(shape.axes_dim)
    ]
    table = torch.cat(angles, -1)
    return table.cos().float(), table.sin().float()


class Transformer(nn.Module):
    """Velocity (n, tokens, out_channels) from tokens (n, tokens, in_channels), text, pooled text and sigma.

    With it come the image's tokens (n, tokens, hidden_size) as they are after a third of the single blocks.
    """

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        wide = shape.hidden_size
        self.img_in = nn.Linear(shape.in_channels, wide)
        self.txt_in = nn.Linear(shape.context_in_dim, wide)
        self.time_in = TwoLayer(256, wide)
        if shape.guidance_embed:
            self.guidance_in = TwoLayer(256, wide)
        self.vector_in = TwoLayer(shape.vec_in_dim, wide)
        self.double_blocks = nn.ModuleList(DoubleBlock(shape) for _ in range(shape.depth))
        self.single_blocks = nn.ModuleList(SingleBlock(shape) for _ in range(shape.depth_single_blocks))
        self.final_layer = FinalLayer(shape)

    def forward(
        self,
        tokens: Tensor,
        text: Tensor,
        pooled: Tensor,
        sigma: Tensor,
        rope: tuple[Tensor, Tensor],
        guidance: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        vec = self.time_in(time_embedding(sigma)) + self.vector_in(pooled)
        if guidance is not None:
            vec = vec + self.guidance_in(time_embedding(guidance))
        img, txt = self.img_in(tokens), self.txt_in(text)
        for block in self.double_blocks:
            img, txt = block(img, txt, vec, rope)
        x = torch.cat([txt, img], 1)
        early = x
        for index, block in enumerate(self.single_blocks):
            x = block(x, vec, rope)
            if index < len(self.single_blocks) // 3:
                early = x
        return self.final_layer(x[:, txt.shape[1] :], vec), early[:, txt.shape[1] :]


def start_weights(model: Transformer) -> None:
    """Set the initial weights: gates closed, the first slots of the stream carry noise, edit and modify latents.

    A token's 64 numbers of noise and the sum of its edit and modify latents enter untouched, so that keeping what
    stands there is learnt in the first minutes.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if name.endswith((".lin", "adaLN_modulation.1")):
            nn.init.zeros_(module.weight)
    nn.init.normal_(model.time_in.in_layer.weight, std=0.02)
    nn.init.normal_(model.time_in.out_layer.weight, std=0.02)
    nn.init.zeros_(model.final_layer.linear.weight)
    out = model.shape.out_channels
    with torch.no_grad():
        weight = model.img_in.weight
        weight[: 2 * out] = 0
        eye = torch.eye(out)
        weight[:out, :out] = eye
        weight[out : 2 * out, out : 2 * out] = eye
        if model.shape.in_channels == 448:
            weight[out : 2 * out, 2 * out : 3 * out] = eye
        weight[2 * out :] *= 0.5
