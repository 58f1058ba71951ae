"""The field for what should happen: grows with its words, remembers earlier ones, marks what is not read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QPalette, QResizeEvent, QSyntaxHighlighter, QTextCharFormat
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy, QWidget

from ..unread_words import Span

LINES = 2, 5
"""At least and at most so many lines are shown; more are scrolled."""
_MARGIN = 5
_MARKED = 1  # what a line that has underlined words is called


class WordsField(QPlainTextEdit):
    """Several lines of plain text; alt with up and down walks through `history`, the last instruction first."""

    edited = Signal(str)
    """What the user has written."""

    def __init__(
        self,
        history: Callable[[], Sequence[str]],
        parent: QWidget | None = None,
        platform: str = sys.platform,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("words")
        self.setTabChangesFocus(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(_MARGIN)
        self._history = history
        self._mac = platform == "darwin"
        self._at = -1  # in the history; -1 is what was being written
        self._draft = ""
        self._silent = False
        self._marks = _Marks(self)
        self.textChanged.connect(self._changed)
        self._fit()

    def show_words(self, words: str) -> None:
        """Show other words without telling anyone; the same ones leave cursor and undo alone."""
        if words == self.toPlainText():
            return
        self._silent = True
        self.setPlainText(words)
        self._silent = False
        self.moveCursor(self.textCursor().MoveOperation.End)

    def mark(self, find: Callable[[str], list[Span]] | None) -> None:
        """Underline what this function finds in a line of words; None: nothing."""
        self._marks.find = find
        self._marks.rehighlight()

    @property
    def marked(self) -> bool:
        """Whether something is underlined."""
        return self._marks.any

    def walk(self, step: int) -> bool:
        """Go to an earlier instruction (1) or a later one (-1); tell whether there is one."""
        past = [words for words in self._history() if words != self._draft]
        to = self._at + step
        if not -1 <= to < len(past):
            return False
        if self._at == -1:
            self._draft = self.toPlainText()
            past = [words for words in self._history() if words != self._draft]
            if to >= len(past):
                return False
        self._at = to
        words = self._draft if to == -1 else past[to]
        cursor = self.textCursor()  # in this way it can be undone
        cursor.beginEditBlock()
        cursor.select(cursor.SelectionType.Document)
        at = self._at
        cursor.insertText(words)
        cursor.endEditBlock()
        self._at = at
        self.setTextCursor(cursor)
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Walk through the history with alt."""
        steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        step = steps.get(Qt.Key(event.key())) if modifiers == Qt.KeyboardModifier.AltModifier else None
        if step is not None:
            self.walk(step)
            return
        if self._mac and _clears_line(event):
            cursor = self.textCursor()
            if not cursor.hasSelection():
                cursor.movePosition(cursor.MoveOperation.StartOfLine, cursor.MoveMode.KeepAnchor)
            cursor.removeSelectedText()
            return
        super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Leave undo to the document where the field has nothing to undo."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if self._mac and _clears_line(event):
                event.accept()
                return True
            undo = event.matches(QKeySequence.StandardKey.Undo) and not self.document().isUndoAvailable()
            redo = event.matches(QKeySequence.StandardKey.Redo) and not self.document().isRedoAvailable()
            if undo or redo:
                event.ignore()
                return False
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Fit the height to how the lines break now."""
        super().resizeEvent(event)
        self._fit()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Have the height of the words."""
        return QSize(160, self.height())

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the colours."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._marks.rehighlight()
        elif event.type() == QEvent.Type.FontChange:
            self._fit()

    def _changed(self) -> None:
        self._fit()
        if not self._silent:
            self._at = -1
            self.edited.emit(self.toPlainText())

    def _fit(self) -> None:
        lines = min(max(round(self.document().size().height()), LINES[0]), LINES[1])
        more = self.document().size().height() > LINES[1]
        height = lines * self.fontMetrics().lineSpacing() + 2 * _MARGIN + 2 * self.frameWidth() + 2
        policy = Qt.ScrollBarPolicy.ScrollBarAsNeeded if more else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setVerticalScrollBarPolicy(policy)
        if height != self.height() or self.minimumHeight() != height:
            self.setFixedHeight(height)


def _clears_line(event: QKeyEvent) -> bool:
    """Tell whether a Mac's fields delete all before the cursor in its line, which Qt does not know."""
    return event.key() == Qt.Key.Key_Backspace and event.modifiers() == Qt.KeyboardModifier.ControlModifier


class _Marks(QSyntaxHighlighter):
    """Underlines words."""

    def __init__(self, field: WordsField) -> None:
        super().__init__(field.document())
        self._field = field
        self.find: Callable[[str], list[Span]] | None = None

    @property
    def any(self) -> bool:
        """Whether something is underlined, as each line was read last."""
        block = self._field.document().firstBlock()
        while block.isValid():
            if block.userState() == _MARKED:
                return True
            block = block.next()
        return False

    def highlightBlock(self, text: str) -> None:  # noqa: N802
        """Underline a line's words."""
        found = self.find(text) if self.find is not None else []
        self.setCurrentBlockState(_MARKED if found else 0)
        if not found:
            return
        shape = QTextCharFormat()
        shape.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
        colour = self._field.palette().color(QPalette.ColorRole.PlaceholderText)
        shape.setUnderlineColor(QColor(colour))
        for start, length in found:
            self.setFormat(start, length, shape)
