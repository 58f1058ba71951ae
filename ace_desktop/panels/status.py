"""The line under the canvas: zoom, position, size and colour space, and a word from tools."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from ..document.state import RasterLayer, State, walk
from ..translation import tr

HEIGHT = 20
_MESSAGE_MS = 6000


class Status(QWidget):
    """Four facts at the right, words at the left."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status")
        self.setFixedHeight(HEIGHT + 1)
        self.message, self.position, self.size_label, self.colour, self.zoom = (QLabel(self) for _ in range(5))
        for label, name in (
            (self.message, "message"),
            (self.position, "position"),
            (self.size_label, "size"),
            (self.colour, "colour space"),
            (self.zoom, "zoom"),
        ):
            label.setAccessibleDescription(name)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 1, 12, 0)
        row.setSpacing(16)
        row.addWidget(self.message, 1)
        for label in (self.position, self.size_label, self.colour, self.zoom):
            row.addWidget(label)
        self._row = row
        self._job_line: QWidget | None = None
        self._state: State | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.clear)
        self._kept = ""

    def say(self, text: str) -> None:
        """Show words for some seconds."""
        self.message.setText(text)
        self._timer.start(_MESSAGE_MS)

    def keep(self, text: str) -> None:
        """Show words now and whenever there are no others, until these are others or none."""
        if text or self.message.text() == self._kept:
            self._timer.stop()
            self.message.setText(text)
        self._kept = text

    def clear(self) -> None:
        """Be done with the words for some seconds."""
        self._timer.stop()
        self.message.setText(self._kept)

    def show_job_line(self, job_line: QWidget | None) -> None:
        """Have how the jobs stand beside the words, in the place of what stood there."""
        if self._job_line is not None:
            self._row.removeWidget(self._job_line)
            self._job_line.hide()
            self._job_line.deleteLater()
        self._job_line = job_line
        if job_line is not None:
            self._row.insertWidget(1, job_line)

    def show_state(self, state: State | None) -> None:
        """Show a document's size and colour space."""
        self._state = state
        if state is None:
            for label in (self.position, self.size_label, self.colour, self.zoom):
                label.clear()
            return
        self.size_label.setText(f"{state.width} × {state.height} px")
        self.colour.setText(f"{profile_name(state.profile)}, {tr('{bits} bits', bits=depth(state))}")

    def show_zoom(self, factor: float) -> None:
        """Show the zoom."""
        percent = factor * 100
        self.zoom.setText(f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %")

    def show_position(self, point: object) -> None:
        """Show where the pointer is, in document pixels."""
        if isinstance(point, tuple):
            x, y = point
            self.position.setText(f"{int(x // 1)}, {int(y // 1)}")
        else:
            self.position.clear()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Write the facts again in another language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.show_state(self._state)
        super().changeEvent(event)


def depth(state: State) -> int:
    """Give the bits per channel of the deepest layer."""
    return max((layer.pixels.depth for layer in walk(state.layers) if isinstance(layer, RasterLayer)), default=8)


def profile_name(profile: bytes | None) -> str:
    """Read a profile's description (ICC.1, `desc` of version 2 and 4); "sRGB" for none."""
    if profile is None:
        return "sRGB"
    for at in range(128 + 4, min(len(profile), 128 + 4 + 12 * 64), 12):
        if profile[at : at + 4] == b"desc":
            start = int.from_bytes(profile[at + 4 : at + 8], "big")
            data = profile[start : start + int.from_bytes(profile[at + 8 : at + 12], "big")]
            if data[:4] == b"desc":
                length = int.from_bytes(data[8:12], "big")
                return data[12 : 12 + length].split(b"\0")[0].decode("ascii", "replace") or "ICC"
            if data[:4] == b"mluc" and len(data) >= 28:
                length, offset = int.from_bytes(data[20:24], "big"), int.from_bytes(data[24:28], "big")
                return data[offset : offset + length].decode("utf-16-be", "replace") or "ICC"
    return "ICC"
