"""The window that says what the program is."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from .icons import app_icon
from .reporting import about
from .translation import tr


def show_about(parent: QWidget) -> QDialog:
    """Show it over a window."""
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(tr("About ACE Desktop"))
    picture, name, words, versions = (QLabel(dialog) for _ in range(4))
    picture.setPixmap(app_icon().pixmap(96, 96))
    picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
    name.setObjectName("title")
    name.setText("ACE Desktop")
    name.setAlignment(Qt.AlignmentFlag.AlignCenter)
    words.setText(tr("Edit pictures by instruction, on your own machine."))
    words.setAlignment(Qt.AlignmentFlag.AlignCenter)
    versions.setObjectName("caption")
    versions.setText(about())
    versions.setWordWrap(True)
    versions.setAlignment(Qt.AlignmentFlag.AlignCenter)
    versions.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    buttons = QDialogButtonBox(dialog)
    close = buttons.addButton(tr("Close"), QDialogButtonBox.ButtonRole.RejectRole)
    close.setDefault(True)
    buttons.rejected.connect(dialog.reject)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(32, 24, 32, 20)
    column.setSpacing(8)
    for part in (picture, name, words, versions, buttons):
        column.addWidget(part)
    dialog.setFixedWidth(360)
    dialog.open()
    return dialog
