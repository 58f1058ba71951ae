"""Documents of any profile look in an sRGB window as they are meant, and those in sRGB keep their numbers."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageCms
from PySide6.QtGui import QColorSpace, QSurfaceFormat
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from ace_desktop.canvas.colours import converted, tag_windows, to_window
from ace_desktop.document.geometry import Rect
from ace_desktop.document.state import RasterLayer, State
from tests.ace_desktop.canvas.conftest import Open
from tests.ace_desktop.document.drawings import plain

P3 = bytes(QColorSpace(QColorSpace.NamedColorSpace.DisplayP3).iccProfile().data())
ADOBE = bytes(QColorSpace(QColorSpace.NamedColorSpace.AdobeRgb).iccProfile().data())
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def document(profile: bytes | None) -> State:
    layer = RasterLayer(pixels=plain((60, 200, 100, 255), Rect(0, 0, 300, 200)), name="green")
    return State(width=300, height=200, layers=(layer,), active=layer.id, profile=profile)


def shown(open_view: Open, state: State) -> tuple[int, ...]:
    colour = open_view(state).view.whole_grab().toImage().pixelColor(100, 100)
    return colour.red(), colour.green(), colour.blue()


@pytest.mark.parametrize("profile", [P3, ADOBE])
def test_another_profile_is_shown_in_the_colours_that_it_means(open_view: Open, profile: bytes) -> None:

    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    expected = ImageCms.profileToProfile(
        Image.new("RGB", (1, 1), (60, 200, 100)), source, ImageCms.createProfile("sRGB")
    )
    assert expected is not None
    wanted = expected.getpixel((0, 0))
    assert isinstance(wanted, tuple)
    found = shown(open_view, document(profile))
    assert found != (60, 200, 100)
    assert np.abs(np.subtract(found, wanted)).max() <= 3


@pytest.mark.parametrize("profile", [None, SRGB, b"no profile"])
def test_srgb_keeps_its_numbers(open_view: Open, profile: bytes | None) -> None:
    assert shown(open_view, document(profile)) == (60, 200, 100)


def test_a_change_of_profile_is_followed(open_view: Open) -> None:
    hand = open_view(document(None))
    before = hand.view.whole_grab().toImage().pixelColor(100, 100)
    hand.session.do("Profile", replace(hand.state, profile=P3))
    assert hand.view.whole_grab().toImage().pixelColor(100, 100) != before


def test_what_is_transparent_stays_so() -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[0, 0] = (20, 40, 10, 128)
    there = converted(pixels, to_window(P3))
    assert np.array_equal(there[..., 3], pixels[..., 3])
    assert not there[1:].any()
    assert (there[..., :3] <= there[..., 3:]).all()


def test_windows_say_that_they_are_srgb(qtbot: QtBot, qapp: QApplication) -> None:
    del qapp
    before = QSurfaceFormat.defaultFormat()
    try:
        tag_windows()
        widget = QWidget()
        qtbot.addWidget(widget)
        widget.show()
        handle = widget.windowHandle()
        assert handle is not None
        assert handle.requestedFormat().colorSpace() == QColorSpace(QColorSpace.NamedColorSpace.SRgb)
    finally:
        QSurfaceFormat.setDefaultFormat(before)
