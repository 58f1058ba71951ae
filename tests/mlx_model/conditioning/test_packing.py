"""Tokens hold their numbers in the order (channel, patch row, patch column), masks as 8 x 8 blocks unshuffled."""

import numpy as np

from mlx_model.conditioning.packing import condition_tokens, pack, pack_mask, unpack
from mlx_model.runtime import mx


def test_packing_orders_numbers_by_channel_then_row_then_column_of_the_patch() -> None:
    latent = mx.arange(4 * 6 * 3).reshape(1, 4, 6, 3)
    tokens = np.array(pack(latent))
    assert tokens.shape == (1, 6, 12)
    known = np.array(latent)[0]
    row, column = 1, 2  # the last token
    expected = [known[2 * row + r, 2 * column + c, channel] for channel in range(3) for r in (0, 1) for c in (0, 1)]
    assert tokens[0, row * 3 + column].tolist() == expected


def test_unpacking_undoes_packing() -> None:
    latent = mx.random.normal((2, 4, 6, 16), key=mx.random.key(0))
    assert mx.array_equal(unpack(pack(latent), 4, 6), latent)


def test_a_mask_token_lists_the_pixels_of_its_blocks_by_place_in_the_block_then_by_block() -> None:
    mask = np.arange(32 * 48, dtype=np.float32).reshape(32, 48)
    tokens = np.array(pack_mask(mx.array(mask)[None]))
    assert tokens.shape == (1, 6, 256)
    row, column = 1, 1
    expected = [
        mask[16 * row + 8 * block_row + y, 16 * column + 8 * block_column + x]
        for y in range(8)
        for x in range(8)
        for block_row in (0, 1)
        for block_column in (0, 1)
    ]
    assert tokens[0, row * 3 + column].tolist() == expected


def test_the_condition_stands_in_the_order_edit_modify_mask() -> None:
    edit, modify, mask = mx.full((1, 2, 2, 16), 1.0), mx.full((1, 2, 2, 16), 2.0), mx.full((1, 16, 16), 3.0)
    fill, fft = (np.array(condition_tokens(edit, mask, m))[0, 0] for m in (None, modify))
    assert fill.tolist() == [1] * 64 + [3] * 256
    assert fft.tolist() == [1] * 64 + [2] * 64 + [3] * 256
