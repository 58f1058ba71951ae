"""What a window without a document shows: how to begin, samples to try, and where the full models are."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QAction, QColor, QIcon, QImage, QImageReader, QPainter, QPainterPath, QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QToolButton, QVBoxLayout, QWidget

from ..icons import app_icon
from ..samples import SAMPLES, Sample, sample_folder
from ..translation import tr

_PICTURE = QSize(112, 88)
_GAP = 8  # below the picture
_BUTTON = QSize(132, 132)
_INSET = 36
_MASK = QColor(255, 40, 40, 115)
_RADIUS = 6


class Welcome(QScrollArea):
    """Stands where the canvas is; everything on it is one click, and nothing has to be answered."""

    sample_wanted = Signal(str)
    """The name of a sample."""
    models_wanted = Signal()

    def __init__(self, actions: Mapping[str, QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        page = QWidget(self)
        page.setObjectName("welcome")
        self._drawn = False
        self._picture, self._title, self._words = QLabel(page), QLabel(page), QLabel(page)
        self._picture.setPixmap(app_icon().pixmap(72, 72))
        self._title.setObjectName("title")
        self._title.setText("ACE Desktop")
        self._try, self._honest = QLabel(page), QLabel(page)
        self._honest.setObjectName("caption")
        for label in (self._picture, self._title, self._words, self._try):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.buttons = {name: QPushButton(page) for name in ("file.open", "file.new_from_clipboard", "file.new")}
        self._actions = {name: actions[name] for name in self.buttons}
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        for name, button in self.buttons.items():
            button.clicked.connect(actions[name].trigger)
            actions[name].changed.connect(self._follow_actions)
            row.addWidget(button)
        row.addStretch(1)
        self.samples = {sample.name: self._sample(sample, page) for sample in SAMPLES}
        samples = QHBoxLayout()
        samples.setSpacing(8)
        samples.addStretch(1)
        for button in self.samples.values():
            samples.addWidget(button)
        samples.addStretch(1)
        self.models = QPushButton(page)
        self.models.setObjectName("small-link")
        self.models.setCursor(Qt.CursorShape.PointingHandCursor)
        self.models.clicked.connect(self.models_wanted)
        last = QHBoxLayout()
        last.setSpacing(4)
        last.addStretch(1)
        last.addWidget(self._honest)
        last.addWidget(self.models)
        last.addStretch(1)
        column = QVBoxLayout(page)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(8)
        column.addStretch(3)
        for part in (self._picture, self._title, self._words):
            column.addWidget(part)
        column.addSpacing(8)
        column.addLayout(row)
        column.addSpacing(32)
        column.addWidget(self._try)
        column.addLayout(samples)
        column.addStretch(4)
        column.addLayout(last)
        self.setWidget(page)
        self.setFocusProxy(self.buttons["file.open"])
        self.retranslate()

    def _sample(self, sample: Sample, parent: QWidget) -> QToolButton:
        button = QToolButton(parent)
        button.setObjectName("sample")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setIconSize(_PICTURE + QSize(0, _GAP))
        button.setFixedSize(_BUTTON)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda: self.sample_wanted.emit(sample.name))
        return button

    def retranslate(self) -> None:
        """Say everything in the present language."""
        self.setAccessibleName(tr("Welcome"))
        self._words.setText(tr("Open a picture, paste one, or drop it here."))
        self._try.setText(tr("Or try a sample: it is ready to run."))
        self._honest.setText(tr("The built-in model knows simple drawn scenes."))
        self.models.setText(tr("Get a full model for photographs…"))
        for sample in SAMPLES:
            button = self.samples[sample.name]
            button.setText(tr(sample.title))
            button.setAccessibleName(tr(sample.title))
            button.setToolTip(f"{tr(sample.about)}\n“{tr(sample.words)}”")
        self._follow_actions()

    def show_built_in_only(self, only: bool) -> None:
        """Say what the built-in model can do, as long as it is the only one here."""
        self._honest.setVisible(only)
        self.models.setVisible(only)

    def _follow_actions(self) -> None:
        for name, button in self.buttons.items():
            button.setText(self._actions[name].text())
            button.setEnabled(self._actions[name].isEnabled())
            button.setToolTip(self._actions[name].toolTip())

    def draw_samples(self) -> None:
        """Draw the pictures of the samples, once."""
        if self._drawn:
            return
        self._drawn = True
        for sample in SAMPLES:
            self.samples[sample.name].setIcon(QIcon(sample_pixmap(sample, self.devicePixelRatioF())))

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
        super().changeEvent(event)


def sample_pixmap(sample: Sample, ratio: float) -> QPixmap:
    """Draw a sample: its picture with the mask as a tint, and the reference in a corner or alone."""
    whole = _PICTURE * ratio
    picture = _filling(sample.picture or sample.reference, whole)
    if sample.mask:
        _tint(picture, _filling(sample.mask, whole))
    pixmap = QPixmap((_PICTURE + QSize(0, _GAP)) * ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    shape = QPainterPath()
    shape.addRoundedRect(0, 0, whole.width(), whole.height(), _RADIUS * ratio, _RADIUS * ratio)
    painter.setClipPath(shape)
    painter.drawImage(0, 0, picture)
    if sample.picture and sample.reference:
        side, edge = round(_INSET * ratio), round(2 * ratio)
        x, y = whole.width() - side - 2 * edge, whole.height() - side - 2 * edge
        painter.fillRect(x - edge, y - edge, side + 2 * edge, side + 2 * edge, QColor("white"))
        painter.drawImage(x, y, _filling(sample.reference, QSize(side, side)))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def _filling(name: str, size: QSize) -> QImage:
    """Read a picture so small that it just fills a size, cut at its middle; a JPEG is never decoded whole."""
    reader = QImageReader(str(sample_folder() / name))
    scaled = reader.size().scaled(size, Qt.AspectRatioMode.KeepAspectRatioByExpanding)
    reader.setScaledSize(scaled)
    across, down = (scaled.width() - size.width()) // 2, (scaled.height() - size.height()) // 2
    return reader.read().copy(across, down, size.width(), size.height())


def _tint(picture: QImage, mask: QImage) -> None:
    """Paint the mask's colour over a picture of the same size, where the mask is bright."""
    veil = mask.convertToFormat(QImage.Format.Format_Grayscale8)
    cut = QImage(veil.constBits(), veil.width(), veil.height(), veil.bytesPerLine(), QImage.Format.Format_Alpha8)
    tint = QImage(picture.size(), QImage.Format.Format_ARGB32_Premultiplied)
    tint.fill(_MASK)
    painter = QPainter(tint)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_DestinationIn)
    painter.drawImage(0, 0, cut)
    painter.end()
    painter = QPainter(picture)
    painter.drawImage(0, 0, tint)
    painter.end()
