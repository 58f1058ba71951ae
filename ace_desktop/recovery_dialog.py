"""What is offered after an unexpected end: the documents that were open, each with a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QDateTime, QLocale, QSize, Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from .translation import tr

if TYPE_CHECKING:
    from .desktop import Desktop
    from .document.plane import Pixels
    from .document.recovery import Recoverable
    from .main_window import MainWindow

SIDE = 96


class RecoveryDialog(QDialog):
    """One document at a time: restore, delete, or decide later."""

    def __init__(self, desktop: Desktop, items: list[Recoverable], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.setWindowTitle(tr("Restore unsaved work"))
        self._desktop, self._items = desktop, items
        self.picture = QLabel(self)
        self.picture.setFixedSize(SIDE, SIDE)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setAccessibleName(tr("Preview"))
        self.question = QLabel(self)
        self.question.setObjectName("title")
        self.question.setWordWrap(True)
        self.facts = QLabel(self)
        self.facts.setObjectName("caption")
        self.facts.setWordWrap(True)
        buttons = QDialogButtonBox(self)
        self.restore = buttons.addButton(tr("Restore"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.delete = buttons.addButton(tr("Delete"), QDialogButtonBox.ButtonRole.DestructiveRole)
        self.later = buttons.addButton(tr("Later"), QDialogButtonBox.ButtonRole.RejectRole)
        self.restore.setDefault(True)
        self._connect(self.restore, self._restore)
        self._connect(self.delete, self._delete)
        self.later.clicked.connect(self.reject)
        words = QVBoxLayout()
        words.setSpacing(8)
        words.addWidget(self.question)
        words.addWidget(self.facts)
        words.addStretch(1)
        top = QHBoxLayout()
        top.setSpacing(16)
        top.addWidget(self.picture)
        top.addLayout(words, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(16)
        column.addLayout(top)
        column.addWidget(buttons)
        self.setMinimumWidth(480)
        self._show_next()

    def _connect(self, button: QPushButton, action: Callable[[], None]) -> None:
        button.clicked.connect(lambda: action())

    def _show_next(self) -> None:
        if not self._items:
            self.accept()
            return
        item = self._items[0]
        moment = QLocale().toString(QDateTime.fromSecsSinceEpoch(int(item.time)), QLocale.FormatType.ShortFormat)
        self.question.setText(tr("ACE Desktop quit unexpectedly. Restore “{name}”?", name=item.title))
        self.facts.setText(tr("Its unsaved work was kept on {time}.", time=moment))
        self.picture.clear()

        def work() -> Pixels:
            from .document.recovery import thumbnail

            return thumbnail(item)

        self._desktop.background.run(work, self._show_picture, lambda _: None, self)

    def _show_picture(self, pixels: Pixels) -> None:
        height, width = pixels.shape[:2]
        image = QImage(pixels.tobytes(), width, height, width * 4, QImage.Format.Format_RGBA8888)
        ratio = self.devicePixelRatioF()
        size = QSize(SIDE, SIDE) * ratio
        pixmap = QPixmap.fromImage(
            image.scaled(size, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
        )
        pixmap.setDevicePixelRatio(ratio)
        self.picture.setPixmap(pixmap)

    def _restore(self) -> None:
        self._desktop.recover(self._items.pop(0))
        self._show_next()

    def _delete(self) -> None:
        from .document.recovery import discard

        item = self._items.pop(0)
        self._desktop.background.run(lambda: discard(item), lambda _: None, lambda _: None, self._desktop)
        self._show_next()


def offer_recovery(desktop: Desktop, window: MainWindow) -> None:
    """Look in a thread for what was left behind, and offer it over the window."""

    def work() -> list[Recoverable]:
        from .document.recovery import recoverable

        return recoverable(desktop.places.journals)

    def done(items: list[Recoverable]) -> None:
        if items:
            RecoveryDialog(desktop, items, window).open()

    desktop.background.run(work, done, window.fail, window)
