"""The colours of the window, dark and light, following the system while the program runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from .places import resources

BODY_PX, CAPTION_PX = 13, 11
ROW = 28  # the height of a strip and of a tool's button
RADIUS = 6
_READABLE, _DARKENED = 4.5, 2.9  # contrasts: of small words (WCAG 2.2), and that of white from which on it gets there


@dataclass(frozen=True)
class Colours:
    """What the window is painted with; "#rrggbb". `text` and `faint` are for words, `line` for hairlines."""

    window: str
    panel: str
    surround: str
    field: str
    hover: str
    pressed: str
    line: str
    text: str
    faint: str
    disabled: str
    accent: str
    on_accent: str
    warning: str
    link: str
    on_surround: str


DARK = Colours(
    window="#1e1e1e", panel="#2a2a2a", surround="#141414", field="#363636", hover="#383838", pressed="#444444",
    line="#3a3a3a", text="#e6e6e6", faint="#a8a8a8", disabled="#6e6e6e", accent="#0a60d0", on_accent="#ffffff",
    warning="#ffd479", link="#6aa9ff", on_surround="#a8a8a8",
)  # fmt: skip
LIGHT = Colours(
    window="#f5f5f5", panel="#ffffff", surround="#d0d0d0", field="#f0f0f0", hover="#ececec", pressed="#dedede",
    line="#dcdcdc", text="#1f1f1f", faint="#636363", disabled="#a6a6a6", accent="#0a60d0", on_accent="#ffffff",
    warning="#7a4a00", link="#0a4aa0", on_surround="#3f3f3f",
)  # fmt: skip


def contrast(one: str, other: str) -> float:
    """Give the contrast of two colours, 1..21 (WCAG 2.2, relative luminance)."""

    def luminance(name: str) -> float:
        colour = QColor(name)
        parts = (colour.redF(), colour.greenF(), colour.blueF())
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def readable(accent: str) -> tuple[str, str]:
    """Give a ground of the system's accent and the colour of words on it, which are white as macOS has them.

    The ground is darkened for them as far as it must be, but for accents that are too light: words are black there.
    """
    ground = QColor(accent)
    if contrast("#ffffff", accent) < _DARKENED:
        return ground.name(), "#000000"
    while contrast("#ffffff", ground.name()) < _READABLE:
        ground = ground.darker(103)
    return ground.name(), "#ffffff"


def is_dark() -> bool:
    """Tell whether the window is dark now."""
    return QGuiApplication.palette().color(QPalette.ColorRole.Window).lightness() < 128


def palette(colours: Colours) -> QPalette:
    """Make Qt's palette of these colours."""
    roles, groups = QPalette.ColorRole, QPalette.ColorGroup
    made = QPalette()
    for role, name in (
        (roles.Window, colours.window), (roles.WindowText, colours.text), (roles.Base, colours.panel),
        (roles.AlternateBase, colours.window), (roles.Text, colours.text), (roles.Button, colours.field),
        (roles.ButtonText, colours.text), (roles.BrightText, colours.on_accent), (roles.Highlight, colours.accent),
        (roles.Accent, colours.accent), (roles.HighlightedText, colours.on_accent), (roles.Link, colours.link),
        (roles.ToolTipBase, colours.panel), (roles.ToolTipText, colours.text), (roles.PlaceholderText, colours.faint),
        (roles.Light, colours.line), (roles.Midlight, colours.hover), (roles.Mid, colours.line),
        (roles.Dark, colours.surround), (roles.Shadow, colours.surround),
    ):  # fmt: skip
        made.setColor(role, QColor(name))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        made.setColor(groups.Disabled, role, QColor(colours.disabled))
    return made


class Theme(QObject):
    """The colours that hold now; `changed` comes when the system or the user asks for others."""

    changed = Signal()

    def __init__(self, application: QApplication, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._application = application
        self._native = QGuiApplication.platformName() == "cocoa"
        self.colours = LIGHT
        self._wanted = "system"
        if not self._native:
            application.setStyle("Fusion")
        self._set_font()
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._follow)
        self._follow()

    def _set_font(self) -> None:
        """Have one size for all words; those that are smaller say so in the style sheet."""
        font = QFont(self._application.font())
        font.setPixelSize(BODY_PX)
        self._application.setFont(font)

    def use(self, wanted: str) -> None:
        """Be "light", "dark", or what the system is."""
        self._wanted = wanted
        schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
        QGuiApplication.styleHints().setColorScheme(schemes.get(wanted, Qt.ColorScheme.Unknown))
        self._follow()

    def _follow(self) -> None:
        system = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        dark = self._wanted == "dark" or (self._wanted == "system" and system)
        self.colours = DARK if dark else LIGHT
        if self._native:
            accent = self._application.style().standardPalette().color(QPalette.ColorRole.Accent).name()
            ground, ink = readable(accent)
            self.colours = replace(self.colours, accent=ground, on_accent=ink)
            QTimer.singleShot(0, self, self._set_font)  # when Qt has gone back to the fonts of the system's controls
        self._application.setPalette(palette(self.colours))
        self._application.setStyleSheet(style_sheet(self.colours, native=self._native))
        self.changed.emit()


def style_sheet(colours: Colours, *, native: bool) -> str:
    """Give the rules for our own parts, and, where the system has no style that fits, for the common controls."""
    named = {name: getattr(colours, name) for name in Colours.__dataclass_fields__}
    text = _OURS if native else _OURS + _COMMON
    shade = "dark" if colours.window == DARK.window else "light"
    for control in ("arrow", "check"):
        named[f"{control}_image"] = (
            f"url({(resources() / 'icons' / 'controls' / f'{control}-{shade}.svg').as_posix()})"
        )
    return re.sub(r"@(\w+)", lambda match: named[match[1]], text)


_OURS = """
QToolTip { border: 1px solid @line; background: @panel; color: @text; padding: 4px 8px; }
#tools, #options, #status { background: @panel; }
#inspector { background: @panel; }
#tools { border-right: 1px solid @line; }
#inspector { border-left: 1px solid @line; }
#options { border-bottom: 1px solid @line; }
#status { border-top: 1px solid @line; }
#status QLabel { font-size: 11px; color: @faint; }
#caption { font-size: 11px; color: @faint; }
#value { font-size: 11px; color: @text; }
#heading { font-size: 11px; font-weight: 600; color: @faint; border: none; background: transparent; text-align: left;
           padding: 0 8px; }
#heading:hover { color: @text; }
#heading:focus { color: @accent; }
#layers::item, #layers::item:selected { background: transparent; }
#layers::branch { background: transparent; border-image: none; image: none; }
#title { font-size: 17px; font-weight: 600; }
QToolButton#tool, QToolButton#flat { border: none; border-radius: 6px; background: transparent; padding: 0; }
QToolButton#tool:hover, QToolButton#flat:hover { background: @hover; }
QToolButton#tool:pressed, QToolButton#flat:pressed { background: @pressed; }
QToolButton#tool:checked { background: @accent; }
QToolButton#tool:focus, QToolButton#flat:focus { border: 1px solid @accent; }
#message { background: @panel; border-bottom: 1px solid @line; }
#layers { border: none; border-radius: 0; background: @panel; outline: 0; show-decoration-selected: 0;
    selection-background-color: transparent; }
#references, #results, #jobs { border: none; border-radius: 0; background: @panel; outline: 0;
    show-decoration-selected: 0; selection-background-color: transparent; }
#references::item, #references::item:selected, #results::item, #results::item:selected { background: transparent; }
#filmstrip { background: @panel; border-top: 1px solid @line; }
QPushButton#run { background: @accent; color: @on_accent; border: 1px solid @accent; border-radius: 6px;
    font-weight: 600; min-height: 26px; padding: 0 8px; }
QPushButton#run:hover { background: @accent; }
QPushButton#run:pressed { background: @accent; }
QPushButton#run:disabled { background: @field; color: @disabled; border-color: @line; }
QPushButton#run:focus { border-color: @on_accent; }
#popover { background: @panel; border: 1px solid @line; border-radius: 8px; }
#popover #popover-title { font-weight: 600; }
QToolButton#space, QToolButton#job { border: none; background: transparent; font-size: 11px; color: @faint;
    padding: 2px 4px; border-radius: 4px; }
QToolButton#space:hover, QToolButton#job:hover { background: @hover; }
QToolButton#space:focus, QToolButton#job:focus { color: @link; }
QToolButton#space[over="true"] { color: @warning; }
QToolButton#flat:checked { background: @pressed; }
QToolButton#choice { border: 1px solid transparent; border-radius: 6px; background: transparent; padding: 6px 8px;
    text-align: left; }
QToolButton#choice:hover { background: @hover; }
QToolButton#choice:pressed { background: @pressed; }
QToolButton#choice:focus { border-color: @accent; }
#palette { background: @panel; border: 1px solid @line; border-radius: 8px; }
#palette QLineEdit { border: none; background: transparent; font-size: 17px; padding: 8px 4px; }
#palette QListView { border: none; background: @panel; outline: 0; }
#hairline { background: @line; border: none; }
#page { background: @window; }
#inspector_area, #inspector_content { background: @panel; border: none; }
#more { font-size: 11px; font-weight: 600; color: @faint; border: none; background: transparent; text-align: left;
        padding: 0; margin-left: -4px; }
#more:hover { color: @text; }
#more:focus { color: @accent; }
#note { font-size: 11px; color: @faint; }
#value:disabled { color: @faint; }
#welcome { background: @surround; }
#welcome #caption, #welcome QLabel { color: @on_surround; }
QToolButton#sample { border: 1px solid transparent; border-radius: 8px; background: transparent; padding: 6px 4px;
    color: @on_surround; }
QToolButton#sample:hover { background: @hover; color: @text; }
QToolButton#sample:pressed { background: @pressed; color: @text; }
QToolButton#sample:focus { border-color: @accent; }
#card { background: @panel; border: 1px solid @line; border-radius: 8px; }
#name { font-weight: 600; }
#problem { font-size: 11px; color: @warning; }
QPushButton#link, QPushButton#small-link { border: none; background: transparent; padding: 0 2px; min-height: 0;
    color: @link; text-align: left; }
QPushButton#small-link { font-size: 11px; }
QPushButton#link:hover, QPushButton#link:focus, QPushButton#small-link:hover, QPushButton#small-link:focus {
    text-decoration: underline; }
"""

_COMMON = """
QMainWindow::separator { width: 0; height: 0; }
QMenuBar { background: @window; border-bottom: 1px solid @line; padding: 2px 4px; spacing: 0; }
QMenuBar::item { padding: 4px 10px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected, QMenuBar::item:pressed { background: @hover; }
QMenu { background: @panel; border: 1px solid @line; padding: 4px; }
QMenu::item { padding: 5px 28px 5px 24px; border-radius: 4px; }
QMenu::item:selected { background: @accent; color: @on_accent; }
QMenu::item:disabled { color: @disabled; background: transparent; }
QMenu::separator { height: 1px; background: @line; margin: 4px 8px; }
QMenu::indicator { width: 12px; height: 12px; left: 7px; }
QMenu::indicator:checked { image: @check_image; }
QMenu::icon { left: 6px; }
QToolBar { background: @window; border: none; border-bottom: 1px solid @line; padding: 0 8px; spacing: 4px; }
QToolBar QToolButton { border: none; border-radius: 6px; padding: 0; background: transparent; }
QToolBar QToolButton:hover { background: @hover; }
QToolBar QToolButton:pressed { background: @pressed; }
QToolBar QToolButton:focus { border: 1px solid @accent; }
QPushButton { background: @field; border: 1px solid @line; border-radius: 6px; padding: 0 14px; min-height: 24px; }
QPushButton:hover { background: @hover; }
QPushButton:pressed { background: @pressed; }
QPushButton:default { background: @accent; color: @on_accent; border-color: @accent; }
QPushButton:focus { border-color: @accent; }
QPushButton:default:focus { border-color: @on_accent; }
QPushButton:disabled { color: @disabled; }
QPushButton#segment:checked { background: @pressed; border-color: @disabled; }
QPushButton#small { min-height: 22px; padding: 0 10px; font-size: 11px; }
QToolButton#chip { background: @field; border: 1px solid @line; border-radius: 6px; padding: 0 10px; }
QToolButton#chip:hover { background: @hover; }
QToolButton#chip:pressed { background: @pressed; }
QToolButton#chip:focus { border-color: @accent; }
QToolButton#chip::menu-indicator, QToolButton#flat::menu-indicator { image: none; width: 0; }
#stepper { background: @field; border: 1px solid @line; border-radius: 6px; }
#stepper:focus { border-color: @accent; }
QPlainTextEdit#words { background: @field; border: 1px solid @line; border-radius: 6px; padding: 0 2px;
    selection-background-color: @accent; selection-color: @on_accent; }
QPlainTextEdit#words:focus { border-color: @accent; }
QLineEdit, QSpinBox, QDoubleSpinBox, QKeySequenceEdit QLineEdit { background: @field; border: 1px solid @line;
    border-radius: 6px; padding: 0 8px; min-height: 22px; selection-background-color: @accent;
    selection-color: @on_accent; }
QAbstractSpinBox QLineEdit { border: none; background: transparent; padding: 0 5px; min-height: 0;
    border-radius: 0; }
#options QSpinBox, #options QDoubleSpinBox, #options QComboBox { min-height: 20px; }
#options QSpinBox, #options QDoubleSpinBox { padding: 0 2px; }
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus { border-color: @accent; }
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button, QDoubleSpinBox::down-button { width: 0;
    border: none; }
QComboBox { background: @field; border: 1px solid @line; border-radius: 6px; padding: 0 8px; min-height: 22px; }
QComboBox::drop-down { border: none; width: 20px; }
QComboBox::down-arrow { image: @arrow_image; width: 14px; height: 14px; }
QComboBox QAbstractItemView { background: @panel; border: 1px solid @line; padding: 4px; outline: 0;
    selection-background-color: @accent; selection-color: @on_accent; }
QComboBox QAbstractItemView::item { min-height: 24px; padding: 0 8px; }
QSlider::groove:horizontal { height: 4px; background: @pressed; border-radius: 2px; }
QSlider::sub-page:horizontal { background: @accent; border-radius: 2px; }
QSlider::sub-page:horizontal:disabled { background: @pressed; }
QSlider::handle:horizontal { width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; background: #ffffff;
    border: 1px solid @disabled; }
QSlider::handle:horizontal:focus { border: 2px solid @accent; width: 12px; height: 12px; }
QSlider::handle:horizontal:disabled { background: @field; }
QCheckBox { spacing: 8px; }
QCheckBox::indicator, QListView::indicator { width: 14px; height: 14px; border: 1px solid @disabled;
    border-radius: 4px; background: @field; }
QCheckBox::indicator:checked, QListView::indicator:checked { image: @check_image; }
QCheckBox::indicator:focus { border-color: @accent; }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { border-color: @line; }
QRadioButton { spacing: 8px; }
QRadioButton::indicator { width: 14px; height: 14px; border: 1px solid @disabled; border-radius: 8px;
    background: @field; }
QRadioButton::indicator:checked { width: 6px; height: 6px; border: 5px solid @accent; border-radius: 8px;
    background: @on_accent; }
QRadioButton::indicator:focus { border-color: @accent; }
QProgressBar { background: @pressed; border: none; border-radius: 3px; }
QProgressBar::chunk { background: @accent; border-radius: 3px; }
QScrollBar:vertical { width: 10px; background: transparent; margin: 0; }
QScrollBar::handle:vertical { background: @pressed; border-radius: 3px; min-height: 24px; margin: 2px; }
QScrollBar::add-line, QScrollBar::sub-line { height: 0; width: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QListView, QTreeView, QTableView { background: @panel; border: 1px solid @line; border-radius: 6px; }
QListView::item:selected, QTreeView::item:selected { background: @accent; color: @on_accent; }
QHeaderView::section { background: @panel; border: none; border-bottom: 1px solid @line; padding: 4px 8px;
    font-size: 11px; color: @faint; }
QTabBar::tab { padding: 5px 16px; border: 1px solid transparent; border-radius: 6px; margin: 0 2px 8px 2px;
    color: @faint; }
QTabBar::tab:selected { background: @pressed; color: @text; }
QTabBar::tab:hover:!selected { background: @hover; }
QTabBar::tab:selected:focus { border-color: @accent; }
QTabWidget::pane { border: none; border-top: 1px solid @line; }
QTabWidget::tab-bar { alignment: center; }
QTableView::item { padding: 0 8px; }
QTableView::item:selected { background: @accent; color: @on_accent; }
"""
