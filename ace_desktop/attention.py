"""What is told outside the windows: a notification and a number on the icon when a job has ended, progress in it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable

from PySide6.QtCore import QObject, QProcess, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPixmap, QWindow
from PySide6.QtWidgets import QApplication, QSystemTrayIcon

from .icons import app_icon

SOURCES = ("jobs", "download")
_SIDE = 256
_SHOWN_MS = 10_000
_STEP = 0.02  # the icon is drawn again for so much more progress


class Attention(QObject):
    """Speaks where no window of the program is in front; is quiet where the user looks on.

    The icon in the Dock or taskbar carries a bar while something is under way, and a number of jobs that ended
    meanwhile, which goes away as soon as a window is in front again.
    """

    def __init__(
        self, application: QApplication, parent: QObject | None = None, *, platform: str = sys.platform
    ) -> None:
        super().__init__(parent)
        self._application, self._platform = application, platform
        self._shares: dict[str, float] = {}
        self._drawn: float | None = None
        self._tray: QSystemTrayIcon | None = None
        self._clicked: Callable[[], None] | None = None
        self.wanted = True
        """Whether notifications are wanted; the icon shows its bar and number in any case."""
        self.unseen = 0
        """How many jobs ended unseen."""
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(_SHOWN_MS)
        self._quiet.timeout.connect(self._hide_tray)
        application.focusWindowChanged.connect(self._focus_changed)

    @property
    def in_front(self) -> bool:
        """Whether a window of the program has the focus."""
        return bool(QGuiApplication.focusWindow())

    def ended(self, title: str, sentence: str, clicked: Callable[[], None] | None = None) -> None:
        """Tell that something has ended, if no window is in front; `clicked` is called where the user follows it."""
        if self.in_front:
            return
        self._count(self.unseen + 1)
        if (
            window := next((w for w in QApplication.topLevelWidgets() if w.isWindow() and w.isVisible()), None)
        ) is not None:
            QApplication.alert(window)
        if self.wanted:
            self._notify(title, sentence, clicked)

    def progress(self, source: str, share: float | None) -> None:
        """Show how far one of SOURCES is (0..1), None where it has ended; the first that is under way is drawn."""
        if share is None:
            self._shares.pop(source, None)
        else:
            self._shares[source] = min(max(share, 0.0), 1.0)
        self._draw(next((self._shares[name] for name in SOURCES if name in self._shares), None))

    def close(self) -> None:
        """Take back everything."""
        self._shares.clear()
        self._draw(None)
        self._count(0)
        self._hide_tray()
        self._application.focusWindowChanged.disconnect(self._focus_changed)

    def _draw(self, share: float | None) -> None:
        before = self._drawn
        if share == before or (
            share is not None and before is not None and abs(share - before) < _STEP and share < 1
        ):
            return
        self._drawn = share
        self._application.setWindowIcon(app_icon() if share is None else icon_with_bar(app_icon(), share))

    def _count(self, unseen: int) -> None:
        if unseen != self.unseen:
            self.unseen = unseen
            self._application.setBadgeNumber(unseen)

    def _notify(self, title: str, sentence: str, clicked: Callable[[], None] | None) -> None:
        """Let the system show it: macOS through its own script, others through an icon that goes again."""
        if self._platform == "darwin":
            if words := banner(title, sentence):
                QProcess.startDetached(words[0], words[1:])
            return
        if not QSystemTrayIcon.isSystemTrayAvailable():
            return
        self._clicked = clicked
        if self._tray is None:
            self._tray = QSystemTrayIcon(app_icon(), self)
            self._tray.messageClicked.connect(self._follow)
            self._tray.activated.connect(self._follow)
        self._tray.setToolTip(title)
        self._tray.show()
        self._tray.showMessage(title, sentence, app_icon(), _SHOWN_MS)
        self._quiet.start()

    def _follow(self) -> None:
        self._hide_tray()
        if self._clicked is not None:
            self._clicked()

    def _hide_tray(self) -> None:
        self._quiet.stop()
        if self._tray is not None:
            self._tray.hide()

    def _focus_changed(self, window: QWindow | None) -> None:
        if window is not None:
            self._count(0)


def banner(title: str, sentence: str, which: Callable[[str], str | None] = shutil.which) -> list[str]:
    """Give the command that shows a banner on macOS; empty where that has none.

    The script is the same whatever is shown, which it is given as its arguments: nothing of it is read as script. A
    title that looks like an option would be one, so titles are the program's own.
    """
    found = which("osascript")
    if found is None:
        return []
    script = ("on run argv", "display notification (item 2 of argv) with title (item 1 of argv)", "end run")
    lines = [word for line in script for word in ("-e", line)]
    return [found, *lines, *(text.replace("\0", "") for text in (title, sentence))]


def icon_with_bar(icon: QIcon, share: float) -> QIcon:
    """Draw a bar over the lower part of an icon, filled to a share of 0..1."""
    return QIcon(pixmap_with_bar(icon.pixmap(_SIDE, _SIDE), share))


def pixmap_with_bar(picture: QPixmap, share: float) -> QPixmap:
    """Draw such a bar on one picture, of whatever density."""
    pixmap = QPixmap(picture)
    side = min(pixmap.deviceIndependentSize().toTuple())
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    height, margin = side / 8, side / 10
    bar = QRectF(margin, side - margin - height, side - 2 * margin, height)
    painter.setBrush(QColor(0, 0, 0, 190))
    painter.drawRoundedRect(bar, height / 2, height / 2)
    inner = bar.adjusted(height / 5, height / 5, -height / 5, -height / 5)
    inner.setWidth(max(inner.width() * share, inner.height()))
    painter.setBrush(QColor("#ffffff"))
    painter.drawRoundedRect(inner, inner.height() / 2, inner.height() / 2)
    painter.end()
    return pixmap
