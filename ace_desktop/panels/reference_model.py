"""The references of a document as a model for Qt's views, in the order in which the model sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from PySide6.QtCore import QAbstractListModel, QMimeData, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QImage

from ..document.references import (
    BoardReference,
    change_reference,
    move_reference,
    reference_picture,
    references_of,
)
from ..document.state import State
from ..session import Session
from ..translation import marked as _
from ..translation import tr
from .incoming import has_pictures
from .layer_model import LAYER_MIME
from .thumbnails import small_image

REFERENCE_MIME = "application/x-ace-reference"
"""The id of a reference whose card is dragged."""

REFERENCE = Qt.ItemDataRole.UserRole
THUMBNAIL = Qt.ItemDataRole.UserRole + 1
SIDE = 96
"""Device pixels of a card's picture, enough for a screen of twice the density."""

ROLE_NAMES: Mapping[str, str] = MappingProxyType(
    {"subject": _("Subject"), "face": _("Face"), "object": _("Object"), "pattern": _("Pattern")}
)
ROLE_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "subject": _("Who or what the new picture is about"),
        "face": _("Whose face it should be"),
        "object": _("What to put under the mask"),
        "pattern": _("What the surface should look like"),
    }
)

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class ReferenceModel(QAbstractListModel):
    """Shows `references_of(session.state)`; what is edited in a view becomes a step of undo.

    Thumbnails are asked for by `thumbnail_wanted` (a reference's id, a key, the state) and given by `set_thumbnail`.
    """

    thumbnail_wanted = Signal(str, object, object)
    dropped = Signal(QMimeData, int)
    """Pictures or layers were dropped before this row."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.references: tuple[BoardReference, ...] = references_of(session.state)
        self._pictures: dict[str, tuple[object, QImage | None]] = {}
        session.changed.connect(self._follow)

    def reference(self, index: Index) -> BoardReference:
        """Give the reference at an index."""
        return self.references[index.row()]

    def index_of(self, reference_id: str) -> QModelIndex:
        """Find a reference; an invalid index where there is none."""
        rows = [row for row, reference in enumerate(self.references) if reference.id == reference_id]
        return self.index(rows[0], 0) if rows else _ROOT

    def rowCount(self, parent: Index = _ROOT) -> int:  # noqa: N802
        """Count the references."""
        return 0 if parent.isValid() else len(self.references)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Give a reference's name, words for those who hear it, the reference itself or its thumbnail."""
        reference = self.reference(index)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return reference.name
        if role == REFERENCE:
            return reference
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return spoken(reference)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tr(ROLE_HINTS[reference.role])
        if role == THUMBNAIL:
            return self._picture(reference)
        return None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: N802
        """Rename a reference."""
        name, reference = str(value).strip(), self.reference(index)
        if role != Qt.ItemDataRole.EditRole or not name or name == reference.name:
            return False
        self.session.do("Rename reference", change_reference(self.session.state, reference.id, name=name))
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Tell that every card can be renamed and dragged, and that things drop between cards."""
        if not index.isValid():
            return Qt.ItemFlag.ItemIsDropEnabled
        flags = Qt.ItemFlag
        return flags.ItemIsEditable | flags.ItemIsSelectable | flags.ItemIsEnabled | flags.ItemIsDragEnabled

    def supportedDropActions(self) -> Qt.DropAction:  # noqa: N802
        """Let cards be moved, and pictures be copied here."""
        return Qt.DropAction.MoveAction | Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:  # noqa: N802
        """Name what is dragged from here."""
        return [REFERENCE_MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:  # noqa: N802
        """Carry the id of the reference."""
        data = QMimeData()
        data.setData(REFERENCE_MIME, self.reference(indexes[0]).id.encode())
        return data

    def canDropMimeData(  # noqa: N802
        self,
        data: QMimeData,
        action: Qt.DropAction,  # noqa: ARG002
        row: int,  # noqa: ARG002
        column: int,  # noqa: ARG002
        parent: Index,  # noqa: ARG002
    ) -> bool:
        """Take cards, layers and pictures."""
        return data.hasFormat(REFERENCE_MIME) or data.hasFormat(LAYER_MIME) or has_pictures(data)

    def dropMimeData(  # noqa: N802
        self,
        data: QMimeData,
        action: Qt.DropAction,
        row: int,
        column: int,  # noqa: ARG002
        parent: Index,
    ) -> bool:
        """Drop before a row; at the end where it is none."""
        if action == Qt.DropAction.IgnoreAction:
            return False
        row = row if row >= 0 else parent.row() if parent.isValid() else len(self.references)
        if data.hasFormat(REFERENCE_MIME):
            self._move(bytes(data.data(REFERENCE_MIME).data()).decode(), row)
        else:
            self.dropped.emit(data, row)
        return False  # the rows move with the state; Qt must not remove them itself

    def _move(self, reference_id: str, row: int) -> None:
        index = self.index_of(reference_id)
        if not index.isValid():
            return
        place = row - 1 if index.row() < row else row
        if place != index.row():
            self.session.do("Reorder references", move_reference(self.session.state, reference_id, place))

    def set_thumbnail(self, reference_id: str, key: object, picture: QImage) -> None:
        """Show a picture that was asked for, unless the reference has changed since."""
        held = self._pictures.get(reference_id)
        if held is not None and held[0] == key:
            self._pictures[reference_id] = key, picture
            index = self.index_of(reference_id)
            if index.isValid():
                self.dataChanged.emit(index, index)

    def _picture(self, reference: BoardReference) -> QImage | None:
        key, held = look_of(self.session.state, reference), self._pictures.get(reference.id)
        if held is None or held[0] != key:
            self._pictures[reference.id] = key, held[1] if held else None
            self.thumbnail_wanted.emit(reference.id, key, self.session.state)
        return self._pictures[reference.id][1]

    def _follow(self) -> None:
        now = references_of(self.session.state)
        if now == self.references:
            return
        if [reference.id for reference in now] == [reference.id for reference in self.references]:
            self.references = now
            self.dataChanged.emit(self.index(0, 0), self.index(len(now) - 1, 0))
            return
        self.beginResetModel()
        self.references = now
        self.endResetModel()


def look_of(state: State, reference: BoardReference) -> object:
    """Give what a card's picture depends on, for comparing."""
    files = tuple(
        id(data) for path, data in state.attachments.items() if path.startswith(f"references/{reference.id}")
    )
    return reference.crop, reference.has_mask, files


def thumbnail(state: State, reference_id: str) -> QImage:
    """Make a card's picture: what of the reference the model is shown; safe in any thread."""
    return reference_image(state, reference_id, SIDE)


def reference_image(state: State, reference_id: str, side: int) -> QImage:
    """Make a picture of what counts of a reference, with at most `side` pixels a side; safe in any thread."""
    picture, mask = reference_picture(state, reference_id)
    pixels = np.asarray(picture.pixels, np.uint8)
    if mask is not None:
        pixels = np.dstack([pixels[..., :3], np.minimum(pixels[..., 3], mask)])
    return small_image(pixels, side, picture.profile)


def spoken(reference: BoardReference) -> str:
    """Describe a reference in words for those who hear the window."""
    parts = [reference.name, tr(ROLE_NAMES[reference.role])]
    if not reference.on:
        parts.append(tr("switched off"))
    if reference.crop is not None:
        parts.append(tr("cropped"))
    if reference.has_mask:
        parts.append(tr("cut out"))
    return ", ".join(parts)
