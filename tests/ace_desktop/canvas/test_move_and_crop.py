"""The move tool and the crop tool through real events."""

from dataclasses import replace

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from ace_desktop.document.compose import compose
from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import RasterLayer
from tests.ace_desktop.canvas.conftest import SHIFT, Hand, Open, document, pixel


def test_dragging_inside_moves_the_layer_by_whole_pixels(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("move")
    hand.press(140, 90)
    hand.move(150, 95)
    assert pixel(hand, 185, 100) == (255, 0, 0, 255)
    assert hand.labels == []
    hand.release(160, 100)
    hand.wait()
    assert (hand.state.layers[1].x, hand.state.layers[1].y) == (20, 10)
    assert hand.labels == ["Move layer"]


def test_arrows_move_by_one_and_ten_pixels_in_one_step(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("move")
    for _ in range(3):
        hand.key(Qt.Key.Key_Right)
    hand.key(Qt.Key.Key_Up, SHIFT)
    assert (hand.state.layers[1].x, hand.state.layers[1].y) == (3, -10)
    assert hand.labels == ["Move layer"]


def corners(hand: Hand) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(compose(replace(hand.state, layers=hand.state.layers[1:]))[..., 3] > 127)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_a_corner_scales_in_proportion_a_side_does_not(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("move")
    hand.drag((180, 120), (220, 150))
    assert corners(hand) == (100, 60, 220, 150)
    hand.drag((160, 60), (160, 30))
    assert corners(hand) == (100, 30, 220, 150)
    assert hand.labels == ["Scale layer"] * 2


def test_beyond_a_corner_it_turns_and_turning_twice_costs_no_more_than_once(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("move")
    hand.press(100 - 12, 60 - 12)
    hand.move(140 + 42, 90 - 52, SHIFT)
    assert pixel(hand, 140, 90) == (128, 128, 128, 255), "the layer itself is hidden while it turns"
    hand.release(140 + 42, 90 - 52, SHIFT)
    hand.wait()
    assert corners(hand) == (110, 50, 170, 130)
    assert pixel(hand, 140, 90) == (255, 0, 0, 255)
    assert hand.labels == ["Turn layer"]


def test_scaling_down_and_up_again_gives_back_the_pixels(open_view: Open) -> None:
    hand = open_view(document())
    random = np.random.default_rng(1).integers(0, 256, (60, 80, 4)).astype(np.uint8)
    layer = RasterLayer(pixels=Plane.of(random, 100, 60), name="noise")
    opaque = random.copy()
    opaque[..., 3] = 255
    layer = replace(layer, pixels=Plane.of(opaque, 100, 60))
    hand = open_view(replace(document(), layers=(document().layers[0], layer), active=layer.id))
    hand.take("move")
    hand.drag((180, 120), (140, 90))
    assert corners(hand) == (100, 60, 140, 90)
    hand.drag((140, 90), (180, 120))
    assert np.array_equal(compose(hand.state, Rect(100, 60, 80, 60)), opaque)


def test_crop_applies_with_return_and_keeps_what_is_cut_off(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("crop")
    hand.drag((90, 50), (200, 130))
    assert hand.labels == []
    hand.key(Qt.Key.Key_Return)
    assert (hand.state.width, hand.state.height) == (110, 80)
    assert pixel(hand, 10, 10) == (255, 0, 0, 255)
    assert pixel(hand, -20, -20) == (128, 128, 128, 255)
    assert hand.labels == ["Crop"]
    hand.session.undo()
    assert (hand.state.width, hand.state.height) == (300, 200)


def test_expanding_comes_transparent_and_masked(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("crop")
    hand.drag((300, 100), (350, 100))
    hand.key(Qt.Key.Key_Return)
    assert (hand.state.width, hand.state.height) == (350, 200)
    room = hand.state.edit_mask.read(Rect(0, 0, 350, 200))[..., 0]
    assert (room[:, 300:] == 255).all()
    assert not room[:, :300].any()
    assert pixel(hand, 320, 100) == (0, 0, 0, 0)
    assert hand.labels == ["Expand"]


def test_crop_keeps_proportions_and_esc_takes_the_frame_back(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("crop", ratio="1:1")
    hand.drag((50, 50), (150, 70))
    hand.key(Qt.Key.Key_Escape)
    hand.key(Qt.Key.Key_Return)
    assert hand.labels == []
    hand.drag((50, 50), (150, 70))
    hand.key(Qt.Key.Key_Return)
    assert (hand.state.width, hand.state.height) == (100, 100)


def test_what_expanding_adds_is_tinted_before_it_is_applied(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("crop")
    before = hand.view.whole_grab().toImage()
    hand.drag((300, 100), (350, 100))
    shown = hand.view.whole_grab().toImage()
    added, there = hand.at(325, 150), hand.at(150, 150)
    assert shown.pixelColor(there) == before.pixelColor(there)
    surround, tinted = before.pixelColor(added), shown.pixelColor(added)
    share = hand.view.mask_colour.alphaF()
    assert abs(tinted.red() - (surround.red() * (1 - share) + 255 * share)) <= 2
    hand.key(Qt.Key.Key_Escape)
    assert hand.view.whole_grab().toImage().pixelColor(added) == surround
    hand.view.mask_colour = QColor(0, 255, 0, 128)
    hand.drag((300, 100), (350, 100))
    green = hand.view.whole_grab().toImage().pixelColor(added)
    assert green.red() < tinted.red()
