"""A calm line under a control that says what is missing or what will happen, with a link that helps."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget


class Note(QLabel):
    """Hidden while it has nothing to say."""

    asked = Signal(str)
    """The action of a link that was clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("note")
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.linkActivated.connect(self.asked)
        self._said: tuple[str, tuple[tuple[str, str], ...]] = ("", ())
        self.hide()

    @property
    def sentence(self) -> str:
        """What it says, without its links."""
        return self._said[0]

    def say(self, sentence: str, links: Sequence[tuple[str, str]] = (), *, failure: bool = False) -> None:
        """Say a sentence, with links: pairs of text and action; nothing where it is empty. A failure has a colour."""
        name = "problem" if failure else "note"
        if name != self.objectName():
            self.setObjectName(name)
            self.style().polish(self)
        self._said = sentence, tuple(links) if sentence else ()
        self._write()
        self.setVisible(bool(sentence))

    def _write(self) -> None:
        sentence, links = self._said
        colour = self.palette().color(QPalette.ColorRole.Link).name()
        style = f"color: {colour}; text-decoration: none"
        tags = [f'<a href="{action}" style="{style}">{_unbroken(text)}</a>' for text, action in links]
        self.setText("<br>".join([_escaped(sentence), *(["&nbsp;&nbsp; &nbsp;".join(tags)] if tags else [])]))
        self.setAccessibleName(sentence)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if links else Qt.FocusPolicy.NoFocus)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the colours."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._said[1]:
            self._write()


def _unbroken(text: str) -> str:
    return _escaped(text).replace(" ", "&nbsp;")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
