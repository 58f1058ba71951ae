"""Colours: legible, and following light and dark at run time."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QIcon, QPalette
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from ace_desktop.desktop import Desktop
from ace_desktop.icons import icon, names
from ace_desktop.main_window import MainWindow
from ace_desktop.theme import DARK, LIGHT, Colours, contrast, is_dark, readable, style_sheet


def test_contrast_of_known_pairs() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colours", [DARK, LIGHT], ids=["dark", "light"])
def test_words_are_legible_on_every_ground(colours: Colours) -> None:
    for ground in (colours.window, colours.panel, colours.field, colours.hover):
        for ink in (colours.text, colours.faint, colours.warning):
            assert contrast(ink, ground) >= 4.5, (ink, ground)
    assert contrast(colours.on_accent, colours.accent) >= 4.5


@pytest.mark.parametrize("accent", ["#007aff", "#0a84ff", "#a550a7", "#f74f9e", "#ff5257", "#8e8e93"])
def test_words_on_the_accents_of_the_system_are_white_as_everywhere_on_a_mac(accent: str) -> None:
    ground, ink = readable(accent)
    assert ink == "#ffffff"
    assert contrast(ink, ground) >= 4.5
    assert abs(QColor(ground).hue() - QColor(accent).hue()) <= 2, "the same colour, no more than darker"


@pytest.mark.parametrize("accent", ["#ffc600", "#62ba46", "#f7821b"])
def test_words_on_accents_too_light_for_that_are_black(accent: str) -> None:
    assert readable(accent) == (accent, "#000000")
    assert contrast("#000000", accent) >= 4.5


@pytest.mark.parametrize("native", [True, False])
def test_the_button_that_runs_has_the_accent_everywhere(native: bool, qtbot: QtBot) -> None:
    """What is the common controls' own look on a Mac would leave it as grey as all others."""
    button = QPushButton("Run")
    qtbot.addWidget(button)
    button.setObjectName("run")
    button.setStyleSheet(style_sheet(DARK, native=native))
    button.resize(200, 28)
    assert button.grab().toImage().pixelColor(20, 14).name() == DARK.accent


def test_the_window_follows_light_and_dark(desktop: Desktop, window: MainWindow) -> None:
    def surround() -> QColor:
        return window.view.grab().toImage().pixelColor(2, 2)

    def drawn() -> QColor:
        image = window.actions_by_id["file.open"].icon().pixmap(20, 20).toImage()
        return max((image.pixelColor(x, 8) for x in range(20)), key=lambda colour: colour.alpha())

    desktop.kept.change(theme="dark")
    assert is_dark()
    assert surround().name() == DARK.surround
    assert drawn().lightness() > 200
    desktop.kept.change(theme="light")
    assert not is_dark()
    assert surround().name() == LIGHT.surround
    assert drawn().lightness() < 60


@pytest.mark.parametrize("side", [16, 20, 40])
def test_icons_are_drawn_in_one_colour_inside_their_square(side: int, qapp: QApplication) -> None:
    ink = qapp.palette().color(QPalette.ColorRole.ButtonText).name()
    for name in names():
        if name not in ("app", "app-small"):
            image = icon(name).pixmap(side, side).toImage()
            covered = [(x, y) for x in range(side) for y in range(side) if image.pixelColor(x, y).alpha() > 40]
            assert len(covered) > side, name
            edge = [place for place in covered if 0 in place or side - 1 in place]
            assert len(edge) <= 2, f"{name} is cut off"
            assert {image.pixelColor(x, y).name() for x, y in covered if image.pixelColor(x, y).alpha() == 255} <= {
                ink
            }


def test_a_chosen_tool_is_drawn_in_the_colour_on_the_accent(desktop: Desktop) -> None:
    desktop.kept.change(theme="light")
    image = icon("plus").pixmap(20, 20, QIcon.Mode.Normal, QIcon.State.On).toImage()
    assert image.pixelColor(10, 10).name() == LIGHT.on_accent


@pytest.mark.parametrize("colours", [DARK, LIGHT], ids=["dark", "light"])
def test_what_is_checked_without_the_accent_is_seen(colours: Colours, desktop: Desktop, window: MainWindow) -> None:
    desktop.kept.change(theme="dark" if colours is DARK else "light")
    assert window.panels is not None
    button = window.panels.filmstrip.bar.wipe_button
    image = button.icon().pixmap(40, 40, QIcon.Mode.Normal, QIcon.State.On).toImage()
    pixels = [image.pixelColor(x, y) for x in range(40) for y in range(40)]
    inks = {pixel.name() for pixel in pixels if pixel.alpha() == 255}
    assert inks
    assert all(contrast(ink, colours.pressed) >= 4.5 for ink in inks)
