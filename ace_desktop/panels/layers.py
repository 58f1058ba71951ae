"""The list of layers: what is shown, in which order, how it is blended, and which one tools work on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from PySide6.QtCore import (
    QEvent,
    QItemSelectionModel,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QAction, QDrag, QKeyEvent, QPainter
from PySide6.QtWidgets import QAbstractItemView, QComboBox, QHBoxLayout, QMenu, QTreeView, QVBoxLayout, QWidget

from ..actions import LAYER_BUTTONS, LAYER_MENU
from ..background import Background
from ..document.geometry import Rect
from ..document.plane import Plane
from ..document.state import BLEND_MODES, GroupLayer, walk
from ..document.target import Target
from ..document.tree import find, with_properties
from ..session import Session
from ..translation import tr
from .blend_names import BLEND_NAMES
from .controls import IconButton, ValueSlider, hairline
from .layer_model import LayerModel, thumbnail
from .layer_row import HEIGHT, LayerRow


class LayerView(QTreeView):
    """The list itself."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("layers")
        self.setAccessibleName(tr("Layers"))
        self.setHeaderHidden(True)
        self.setIndentation(16)
        self.setUniformRowHeights(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.setDragEnabled(True)
        self.setAcceptDrops(True)
        self.setDropIndicatorShown(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setTabKeyNavigation(False)
        self.with_files: Callable[[QMimeData], QMimeData] | None = None

    def sizeHint(self) -> QSize:  # noqa: N802
        """Ask for two rows, so that the column does not scroll for more; what is left is given to it."""
        return QSize(200, 2 * HEIGHT)

    def startDrag(self, supportedActions: Qt.DropAction) -> None:  # noqa: N802, N803
        """Drag layers; other programs get a PNG file."""
        drag = QDrag(self)
        drag.setMimeData(self.drag_data())
        drag.exec(supportedActions, Qt.DropAction.MoveAction)

    def drag_data(self) -> QMimeData:
        """Make what a drag of the chosen layers carries."""
        data = self.model().mimeData(self.selectedIndexes())
        return data if self.with_files is None else self.with_files(data)

    def drawBranches(self, painter: QPainter, rect: QRect, index: QModelIndex | QPersistentModelIndex) -> None:  # noqa: N802
        """Leave the triangle of a group to the row, whose ground reaches under it."""

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Rename with Return, as people expect of a list."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.state() != self.State.EditingState:
            self.edit(self.currentIndex())
            return
        super().keyPressEvent(event)


class LayersPanel(QWidget):
    """The list with its blend mode and opacity above and its buttons below."""

    paint_on_mask = Signal(bool)
    show_mask_alone = Signal(object)
    """The mask (Target) of a layer is to be shown in place of the picture, or no more."""
    run_again = Signal(str)
    """A layer made by an edit is to be made anew on what lies below it now."""

    def __init__(
        self,
        session: Session,
        actions: Mapping[str, QAction],
        background: Background,
        paints_mask: Callable[[], bool],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session, self._actions, self._background = session, actions, background
        self.model = LayerModel(session, self)
        self.view = LayerView(self)
        self._row = LayerRow(lambda layer_id: layer_id == session.state.active and paints_mask(), self.view)
        self._closed: set[str] = set()
        self.blend = QComboBox(self)
        self.opacity = ValueSlider(tr("Opacity"), 0, 100, " %", self)
        self._lay_out()
        self.setTabOrder(self.blend, self.opacity.slider)
        self.setTabOrder(self.opacity.slider, self.view)
        self.view.setItemDelegate(self._row)
        self.view.setModel(self.model)
        self._connect()
        self._translate()
        self._restore()

    def _lay_out(self) -> None:
        self.blend.setFixedWidth(124)
        top = QHBoxLayout()
        top.setContentsMargins(12, 0, 12, 8)
        top.setSpacing(8)
        top.addWidget(self.blend)
        top.addWidget(self.opacity, 1)
        bottom = QHBoxLayout()
        bottom.setContentsMargins(6, 4, 6, 4)
        bottom.setSpacing(4)
        for name in LAYER_BUTTONS:
            bottom.addStretch(1) if name == "<" else bottom.addWidget(IconButton(self._actions[name], parent=self))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        inset = QHBoxLayout()
        inset.setContentsMargins(6, 0, 6, 0)
        inset.addWidget(self.view)
        column.addLayout(inset, 1)
        column.addWidget(hairline(self))
        column.addLayout(bottom)

    def _connect(self) -> None:
        self.model.thumbnail_wanted.connect(self._make_thumbnail)
        self.model.modelReset.connect(self._restore)
        self.session.changed.connect(self._follow)
        self.view.selectionModel().currentChanged.connect(self._activate)
        self.view.selectionModel().selectionChanged.connect(lambda: self.view.viewport().update())
        self.view.collapsed.connect(self._collapsed)
        self.view.expanded.connect(self._expanded)
        self.view.customContextMenuRequested.connect(self._menu)
        self._row.eye_clicked.connect(self._flip_visible)
        self._row.lock_clicked.connect(self._flip_locked)
        self._row.mask_clicked.connect(self._choose_mask)
        self._row.picture_clicked.connect(self._choose_pixels)
        self._row.again_clicked.connect(self.run_again)
        self.blend.activated.connect(self._set_blend)
        self.opacity.moved.connect(self._preview_opacity)
        self.opacity.settled.connect(self._set_opacity)

    def selected(self) -> list[str]:
        """List the ids of the chosen layers; the active one where none is chosen."""
        chosen = [self.model.id_of(index) for index in self.view.selectedIndexes()]
        return chosen or ([self.session.state.active] if self.session.state.active else [])

    def rename(self) -> None:
        """Open the field for the active layer's name."""
        index = self.model.index_of(self.session.state.active)
        if index.isValid():
            self.view.setFocus()
            self.view.edit(index)

    def show_stale(self, stale: frozenset[str]) -> None:
        """Mark the layers whose request was made of something that has changed since."""
        self.model.show_stale(stale)

    def carry_files(self, add: Callable[[QMimeData, list[str]], QMimeData]) -> None:
        """Let drags carry a file for other programs: `add` puts it to the data of the layers with these ids."""
        self.view.with_files = lambda data: add(data, self.selected())

    def _make_thumbnail(self, key: str, plane: Plane, rect: Rect) -> None:
        self._background.run(
            lambda: thumbnail(plane, rect),
            lambda picture: self.model.set_thumbnail(key, plane, rect, picture),
            lambda _: None,
            self.model,
        )

    def _restore(self) -> None:
        """Open groups and choose the active layer again after the list was made anew."""
        groups = any(isinstance(layer, GroupLayer) for layer in self.session.state.layers)
        self.view.setRootIsDecorated(groups)  # no room for triangles where there are none
        for layer in walk(self.session.state.layers):
            index = self.model.index_of(layer.id)
            self.view.setExpanded(index, layer.id not in self._closed)
        self._show_active()

    def _follow(self) -> None:
        current = self.view.currentIndex()
        if not current.isValid() or self.model.id_of(current) != self.session.state.active:
            self._show_active()
        self._show_properties()

    def _show_active(self) -> None:
        index = self.model.index_of(self.session.state.active)
        selection = self.view.selectionModel()
        blocked = selection.blockSignals(True)
        if index.isValid():
            selection.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        else:
            selection.clear()
        selection.blockSignals(blocked)
        self.view.viewport().update()
        self._show_properties()

    def _show_properties(self) -> None:
        active = self.session.state.active
        self.blend.setEnabled(active is not None)
        self.opacity.setEnabled(active is not None)
        if active is not None:
            layer = find(self.session.state, active)
            self.blend.setCurrentIndex(BLEND_MODES.index(layer.blend))
            self.opacity.set_value(round(layer.opacity * 100))

    def _activate(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid() and self.model.id_of(current) != self.session.state.active:
            self.paint_on_mask.emit(False)
            self.session.amend(replace(self.session.state, active=self.model.id_of(current)))

    def _collapsed(self, index: QModelIndex) -> None:
        self._closed.add(self.model.id_of(index))

    def _expanded(self, index: QModelIndex) -> None:
        self._closed.discard(self.model.id_of(index))

    def _flip_visible(self, layer_id: str) -> None:
        self._flip(layer_id, "visible", "Show or hide layer")

    def _flip_locked(self, layer_id: str) -> None:
        self._flip(layer_id, "locked", "Lock or unlock layer")

    def _flip(self, layer_id: str, which: str, label: str) -> None:
        now = getattr(find(self.session.state, layer_id), which)
        self.session.do(label, with_properties(self.session.state, layer_id, **{which: not now}))

    def _choose_mask(self, layer_id: str, alone: bool) -> None:
        self._make_active(layer_id)
        self.paint_on_mask.emit(True)
        if alone:
            self.show_mask_alone.emit(Target("layer mask", layer_id))
        self.view.viewport().update()

    def _choose_pixels(self, layer_id: str) -> None:
        self._make_active(layer_id)
        self.paint_on_mask.emit(False)
        self.view.viewport().update()

    def _make_active(self, layer_id: str) -> None:
        self.view.setCurrentIndex(self.model.index_of(layer_id))

    def _set_blend(self, row: int) -> None:
        state = self.session.state
        if state.active is not None and find(state, state.active).blend != BLEND_MODES[row]:
            self.session.do("Blend mode", with_properties(state, state.active, blend=BLEND_MODES[row]))

    def _preview_opacity(self, value: int) -> None:
        state = self.session.state
        if state.active is not None:
            self.session.preview(with_properties(state, state.active, opacity=value / 100))

    def _set_opacity(self) -> None:
        state = self.session.state
        if state is not self.session.history.state:
            self.session.do("Layer opacity", state)

    def _menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        for name in LAYER_MENU:
            menu.addAction(self._actions[name]) if name else menu.addSeparator()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.view.viewport().mapToGlobal(at))

    def _translate(self) -> None:
        chosen = self.blend.currentIndex()
        self.blend.clear()
        self.blend.addItems([tr(BLEND_NAMES[mode]) for mode in BLEND_MODES])
        self.blend.setCurrentIndex(chosen)
        self.blend.setAccessibleName(tr("Blend mode"))
        self.blend.setToolTip(tr("Blend mode"))
        self.opacity.slider.setAccessibleName(tr("Opacity"))
        self.opacity.setToolTip(tr("Opacity"))
        self.view.setAccessibleName(tr("Layers"))

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Write everything again in another language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._translate()
            self._show_properties()
        super().changeEvent(event)
