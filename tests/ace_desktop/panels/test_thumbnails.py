"""Small pictures: their size, their colours, and what is transparent in them."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QColorSpace, QImage

from ace_desktop.panels.thumbnails import small_image, straight_image

P3 = bytes(QColorSpace(QColorSpace.NamedColorSpace.DisplayP3).iccProfile().data())


def plain(
    width: int, height: int, colour: tuple[int, int, int, int]
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((height, width, 4), colour, np.uint8)


@pytest.mark.parametrize(
    ("width", "height", "wanted"), [(1000, 500, (96, 48)), (3, 2000, (1, 96)), (20, 10, (20, 10))]
)
def test_a_picture_keeps_its_shape_and_is_never_made_larger(width: int, height: int, wanted: tuple[int, int]) -> None:
    image = small_image(plain(width, height, (10, 20, 30, 255)), 96)
    assert (image.width(), image.height()) == wanted
    assert image.pixelColor(0, 0).getRgb() == (10, 20, 30, 255)
    assert not image.hasAlphaChannel()


def test_what_is_transparent_does_not_tint_what_is_beside_it() -> None:
    pixels = plain(400, 400, (0, 255, 0, 0))
    pixels[:, :201] = (255, 0, 0, 255)
    image = small_image(pixels, 50)
    assert image.hasAlphaChannel()
    border = image.pixelColor(25, 25)
    assert 0 < border.alpha() < 255
    assert border.red() > 230
    assert border.green() < 30


def test_colours_of_a_wider_space_are_shown_as_they_look() -> None:
    picture = plain(8, 8, (200, 60, 50, 255))
    image = small_image(picture, 96, P3)
    like = QImage(8, 8, QImage.Format.Format_RGB32)
    like.fill(0xC83C32)
    like.setColorSpace(QColorSpace(QColorSpace.NamedColorSpace.DisplayP3))
    like.convertToColorSpace(QColorSpace(QColorSpace.NamedColorSpace.SRgb))
    ours, theirs = image.pixelColor(4, 4), like.pixelColor(4, 4)
    assert abs(ours.red() - theirs.red()) <= 2
    assert abs(ours.green() - theirs.green()) <= 2
    assert abs(ours.blue() - theirs.blue()) <= 2
    assert ours.red() > 205, "more of the red than sRGB names with the same number"


def test_pixels_become_qts_picture_as_they_are() -> None:
    pixels = plain(3, 2, (1, 2, 3, 4))
    assert straight_image(pixels).pixelColor(2, 1).getRgb() == (1, 2, 3, 4)
