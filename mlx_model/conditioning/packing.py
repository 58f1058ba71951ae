"""Latents and masks to the transformer's tokens, and back (LCU++, arXiv 2501.02487).

A token stands for 2 x 2 latent positions (16 x 16 pixels), its numbers in the order (channel, patch row, patch
column). Latents are (batch, rows, columns, channels) with even rows and columns.
"""

from mlx_model.runtime import mx


def pack(latent: mx.array) -> mx.array:
    """(B, h, w, C) latents to (B, h/2 * w/2, 4 C) tokens, row by row."""
    batch, rows, columns, channels = latent.shape
    patches = latent.reshape(batch, rows // 2, 2, columns // 2, 2, channels).transpose(0, 1, 3, 5, 2, 4)
    return patches.reshape(batch, rows // 2 * (columns // 2), channels * 4)


def unpack(tokens: mx.array, rows: int, columns: int) -> mx.array:
    """(B, N, 4 C) tokens to (B, rows, columns, C) latents, undoing :func:`pack`."""
    batch, _, numbers = tokens.shape
    patches = tokens.reshape(batch, rows // 2, columns // 2, numbers // 4, 2, 2).transpose(0, 1, 4, 2, 5, 3)
    return patches.reshape(batch, rows, columns, numbers // 4)


def pack_mask(mask: mx.array) -> mx.array:
    """(B, H, W) pixel mask, 1 where pixels may change, to (B, H/16 * W/16, 256) tokens.

    Each 8 x 8 block of pixels becomes 64 channels, ordered (row in the block, column in the block).
    """
    batch, height, width = mask.shape
    blocks = mask.reshape(batch, height // 8, 8, width // 8, 8).transpose(0, 1, 3, 2, 4)
    return pack(blocks.reshape(batch, height // 8, width // 8, 64))


def condition_tokens(edit: mx.array, mask: mx.array, modify: mx.array | None = None) -> mx.array:
    """Pack what stands beside the noise in every token: edit latent | modify latent (FFT only) | mask.

    ``edit`` and ``modify`` are scaled latents (B, h, w, 16), ``mask`` the pixel mask (B, 8 h, 8 w). The network's
    input is ``concatenate([pack(noise), condition_tokens(...)], axis=-1)``.
    """
    parts = [pack(edit), pack_mask(mask)] if modify is None else [pack(edit), pack(modify), pack_mask(mask)]
    return mx.concatenate([part.astype(mx.float32) for part in parts], axis=-1)
