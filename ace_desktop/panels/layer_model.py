"""The layers of a document as a model for Qt's views: the highest layer first, groups around their children."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractItemModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QImage

from ..document.geometry import Rect
from ..document.plane import Plane
from ..document.result_layers import result_of_layer
from ..document.state import GroupLayer, Layer, RasterLayer, State
from ..document.tree import ancestors, can_move, find, move, origin, with_properties
from ..session import Session
from ..translation import tr
from .thumbnails import plane_thumbnail

LAYER_MIME = "application/x-ace-layers"

LAYER = Qt.ItemDataRole.UserRole
THUMBNAIL = Qt.ItemDataRole.UserRole + 1
MASK_THUMBNAIL = Qt.ItemDataRole.UserRole + 2
STALE = Qt.ItemDataRole.UserRole + 3
"""Whether what lies below a layer made by an edit is no longer what it was made of."""

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_EDITABLE = Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
_DRAGS = Qt.ItemFlag.ItemIsDragEnabled


class LayerModel(QAbstractItemModel):
    """Shows `session.state`; what is edited in a view becomes a step of undo.

    Thumbnails are asked for by `thumbnail_wanted` (a layer's id, the plane, the rectangle of it to show) and given by
    `set_thumbnail`.
    """

    thumbnail_wanted = Signal(str, object, object)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._shown = session.state
        self.stale: frozenset[str] = frozenset()
        self._ids: list[str] = []
        self._numbers: dict[str, int] = {}
        self._pictures: dict[str, tuple[Plane, Rect, QImage | None]] = {}
        session.changed.connect(self._follow)

    def id_of(self, index: Index) -> str:
        """Give the id of the layer at an index."""
        return self._ids[index.internalId()]

    def layer(self, index: Index) -> Layer:
        """Give the layer at an index."""
        return find(self._shown, self.id_of(index))

    def index_of(self, layer_id: str | None) -> QModelIndex:
        """Find a layer; an invalid index where there is none."""
        if layer_id is None:
            return _ROOT
        try:
            groups = ancestors(self._shown, layer_id)
        except ValueError:
            return _ROOT
        beside = groups[-1].children if groups else self._shown.layers
        place = [layer.id for layer in beside].index(layer_id)
        return self.createIndex(len(beside) - 1 - place, 0, self._number(layer_id))

    def index(self, row: int, column: int, parent: Index = _ROOT) -> QModelIndex:
        """Give the index of a row."""
        children = self._children(parent)
        if column != 0 or not 0 <= row < len(children):
            return _ROOT
        return self.createIndex(row, 0, self._number(children[len(children) - 1 - row].id))

    def parent(self, child: Index = _ROOT) -> QModelIndex:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Give the index of the group around a layer."""
        if not child.isValid():
            return _ROOT
        groups = ancestors(self._shown, self.id_of(child))
        return self.index_of(groups[-1].id) if groups else _ROOT

    def rowCount(self, parent: Index = _ROOT) -> int:  # noqa: N802
        """Count the layers of a group, or of the document."""
        return len(self._children(parent))

    def columnCount(self, parent: Index = _ROOT) -> int:  # noqa: N802, ARG002
        """Count one: a layer is drawn as a whole."""
        return 1

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Give a layer's name, words for those who hear it, the layer itself or its thumbnails."""
        layer = self.layer(index)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return layer.name
        if role == LAYER:
            return layer
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return spoken(layer, stale=layer.id in self.stale)
        if role == STALE:
            return layer.id in self.stale
        if role == Qt.ItemDataRole.ToolTipRole and layer.id in self.stale:
            return tr("What lies below has changed since this was made. Run it again to fit.")
        if role == THUMBNAIL and isinstance(layer, RasterLayer):
            return self._picture(layer.id, layer.pixels)
        if role == MASK_THUMBNAIL and layer.mask is not None:
            return self._picture(layer.id + "/mask", layer.mask)
        return None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: N802
        """Rename a layer."""
        name = str(value).strip()
        if role != Qt.ItemDataRole.EditRole or not name or name == self.layer(index).name:
            return False
        self.session.do("Rename layer", with_properties(self.session.state, self.id_of(index), name=name))
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Tell that every layer can be renamed and dragged, and that groups and the list take drops."""
        if not index.isValid():
            return Qt.ItemFlag.ItemIsDropEnabled
        drops = (
            Qt.ItemFlag.ItemIsDropEnabled if isinstance(self.layer(index), GroupLayer) else Qt.ItemFlag.NoItemFlags
        )
        return _EDITABLE | _DRAGS | drops

    def supportedDropActions(self) -> Qt.DropAction:  # noqa: N802
        """Let layers be moved within the list."""
        return Qt.DropAction.MoveAction

    def supportedDragActions(self) -> Qt.DropAction:  # noqa: N802
        """Let layers be moved, and copied out of the window."""
        return Qt.DropAction.MoveAction | Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:  # noqa: N802
        """Name what can be dropped."""
        return [LAYER_MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:  # noqa: N802
        """Carry the ids of the layers."""
        data = QMimeData()
        data.setData(LAYER_MIME, "\n".join(self.id_of(index) for index in indexes).encode())
        return data

    def dropMimeData(  # noqa: N802
        self,
        data: QMimeData,
        action: Qt.DropAction,
        row: int,
        column: int,  # noqa: ARG002
        parent: Index,
    ) -> bool:
        """Drop layers between rows, or on a group (row -1); below all others where it is neither."""
        if not data.hasFormat(LAYER_MIME) or action == Qt.DropAction.IgnoreAction:
            return False
        ids = bytes(data.data(LAYER_MIME).data()).decode().split("\n")
        moved = self.moved_state(ids, row, parent)
        if moved is None:
            return False
        self.session.do("Reorder layers", moved)
        return False  # the rows moved with the state; Qt must not remove them itself

    def moved_state(self, ids: Sequence[str], row: int, parent: Index) -> State | None:
        """Give the state with layers dropped above a row of a group (-1: on top in it); None if they cannot be."""
        state, children = self.session.state, self._children(parent)
        if row < 0:
            if parent.isValid():
                target = self.id_of(parent)
                return move(state, ids, into=target) if can_move(state, ids, target) else None
            row = len(children)
        if not children:
            return move(state, ids, into=self.id_of(parent)) if parent.isValid() else None
        highest_first = [layer.id for layer in reversed(children)]
        free = [name for name in highest_first[row:] if name not in ids]
        if free:
            return move(state, ids, above=free[0]) if can_move(state, ids, free[0]) else None
        free = [name for name in highest_first[:row] if name not in ids]
        return move(state, ids, below=free[-1]) if free and can_move(state, ids, free[-1]) else None

    def set_thumbnail(self, key: str, plane: Plane, rect: Rect, picture: QImage) -> None:
        """Show a picture that was asked for, unless the layer has changed since."""
        held = self._pictures.get(key)
        if held is not None and held[0] is plane and held[1] == rect:
            self._pictures[key] = plane, rect, picture
            index = self.index_of(key.partition("/")[0])
            if index.isValid():
                self.dataChanged.emit(index, index)

    def show_stale(self, stale: frozenset[str]) -> None:
        """Mark these layers as made of something that has changed since."""
        if stale != self.stale:
            changed, self.stale = stale ^ self.stale, stale
            for layer_id in changed:
                index = self.index_of(layer_id)
                if index.isValid():
                    self.dataChanged.emit(index, index)

    def _picture(self, key: str, plane: Plane) -> QImage | None:
        x, y = origin(self._shown, key.partition("/")[0])
        rect = self._shown.frame.moved(-x, -y)
        held = self._pictures.get(key)
        if held is None or held[0] is not plane or held[1] != rect:
            self._pictures[key] = plane, rect, held[2] if held else None
            self.thumbnail_wanted.emit(key, plane, rect)
        return self._pictures[key][2]

    def _children(self, parent: Index) -> tuple[Layer, ...]:
        if not parent.isValid():
            return self._shown.layers
        layer = self.layer(parent)
        return layer.children if isinstance(layer, GroupLayer) else ()

    def _number(self, layer_id: str) -> int:
        if layer_id not in self._numbers:
            self._numbers[layer_id] = len(self._ids)
            self._ids.append(layer_id)
        return self._numbers[layer_id]

    def _follow(self) -> None:
        state = self.session.state
        if state.layers is self._shown.layers and state.frame == self._shown.frame:
            self._shown = state
            return
        same = _shape(state.layers) == _shape(self._shown.layers)
        if same:
            self._shown = state
            self._announce(state.layers, _ROOT)
            return
        self.beginResetModel()
        self._shown = state
        self.endResetModel()

    def _announce(self, layers: tuple[Layer, ...], parent: QModelIndex) -> None:
        if layers:
            self.dataChanged.emit(self.index(0, 0, parent), self.index(len(layers) - 1, 0, parent))
        for layer in layers:
            if isinstance(layer, GroupLayer):
                self._announce(layer.children, self.index_of(layer.id))


def _shape(layers: tuple[Layer, ...]) -> tuple[object, ...]:
    return tuple((layer.id, _shape(layer.children) if isinstance(layer, GroupLayer) else None) for layer in layers)


def thumbnail(plane: Plane, rect: Rect) -> QImage:
    """Make the picture that a model asked for; safe in any thread."""
    return plane_thumbnail(plane, rect)


def spoken(layer: Layer, *, stale: bool = False) -> str:
    """Describe a layer in words for those who hear the window."""
    kind = tr("group") if isinstance(layer, GroupLayer) else tr("layer")
    parts = [layer.name, kind]
    if not layer.visible:
        parts.append(tr("hidden"))
    if layer.locked:
        parts.append(tr("locked"))
    if layer.mask is not None:
        parts.append(tr("with mask"))
    if result_of_layer(layer) is not None:
        parts.append(tr("made by an edit"))
    if stale:
        parts.append(tr("no longer fits what lies below"))
    return ", ".join(parts)
