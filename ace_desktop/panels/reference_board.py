"""The board of reference pictures: what the model is to take from other pictures, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QActionGroup, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QStackedWidget, QVBoxLayout, QWidget

from ..background import Background
from ..document.references import (
    ROLES,
    change_reference,
    move_reference,
    remove_reference,
)
from ..document.state import State
from ..icons import icon
from ..session import Session
from ..slow_steps import do_when_still
from ..translation import tr
from .controls import PlainButton
from .incoming import SUFFIXES, Incoming, has_pictures, of_file, pictures_of
from .layer_model import LAYER_MIME
from .reference_adding import Ready, Source, make_ready, of_incoming, of_layer, of_selection, put_ready
from .reference_empty import EmptyBoard
from .reference_model import ROLE_HINTS, ROLE_NAMES, ReferenceModel, thumbnail
from .reference_row import HEIGHT, ReferenceRow
from .reference_view import ReferenceView

_MOST_SHOWN = 4
"""Cards that are seen at once; more are scrolled."""


class ReferenceBoard(QWidget):
    """The document's references; takes files, pictures from other programs, layers and what is pasted."""

    failed = Signal(object)
    """An Exception to be explained: a picture that cannot be read."""
    place_wanted = Signal(str)
    """A reference is to be blended in where the person looks: what dragging its card onto the canvas does."""
    said = Signal(str)
    """A sentence for the status line."""

    def __init__(self, session: Session, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session, self._background = session, background
        self.setAcceptDrops(True)
        self.model = ReferenceModel(session, self)
        self.view = ReferenceView(self)
        self._row = ReferenceRow(self.view)
        self.view.setItemDelegate(self._row)
        self.view.setModel(self.model)
        self.empty = EmptyBoard(self)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.view)
        self.add_button = PlainButton(icon("plus"), "", self)
        self.selection_button = PlainButton(icon("rectangle"), "", self)
        self.remove_button = PlainButton(icon("trash"), "", self)
        self._lay_out()
        self._connect()
        self._translate()
        self._follow()

    def _lay_out(self) -> None:
        bottom = QHBoxLayout()
        bottom.setContentsMargins(8, 4, 8, 4)
        bottom.setSpacing(4)
        bottom.addWidget(self.add_button)
        bottom.addWidget(self.selection_button)
        bottom.addStretch(1)
        bottom.addWidget(self.remove_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._stack)
        column.addLayout(bottom)

    def _connect(self) -> None:
        self.model.thumbnail_wanted.connect(self._make_thumbnail)
        self.model.modelReset.connect(self._follow)
        self.model.dropped.connect(self.take)
        self.empty.dropped.connect(self.take)
        self.empty.chosen.connect(self.choose_files)
        self.session.changed.connect(self._enable)
        self.view.selectionModel().selectionChanged.connect(self._enable)
        self.view.customContextMenuRequested.connect(self._menu)
        self.view.remove_wanted.connect(self.remove)
        self.view.flip_wanted.connect(self.flip)
        self.view.open_wanted.connect(self.edit)
        self.view.move_wanted.connect(self.move_by)
        self.view.paste_wanted.connect(self.paste)
        self._row.eye_clicked.connect(self.flip)
        self._row.role_clicked.connect(self._role_menu)
        self._row.edit_clicked.connect(self._menu_of)
        self.add_button.clicked.connect(self.choose_files)
        self.selection_button.clicked.connect(self.add_selection)
        self.remove_button.clicked.connect(lambda: self.remove(self.chosen()))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Take pictures and layers beside the cards too."""
        data = event.mimeData()
        if data.hasFormat(LAYER_MIME) or has_pictures(data):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Put them last."""
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self.take(event.mimeData())

    # What comes in

    def take(self, data: QMimeData, row: int | None = None) -> None:
        """Add what was dropped or pasted: layers of this document, or pictures."""
        if data.hasFormat(LAYER_MIME):
            self.add_layers(bytes(data.data(LAYER_MIME).data()).decode().split("\n"), row)
        else:
            self.add_pictures(pictures_of(data), row)

    def add_files(self, paths: Sequence[Path]) -> None:
        """Read pictures in the background and add them."""
        self.add_pictures([of_file(path) for path in paths])

    def add_pictures(self, pictures: Sequence[Incoming], row: int | None = None) -> None:
        """Read pictures in the background and add them, before a row or at the end."""
        self._add([of_incoming(incoming) for incoming in pictures], row)

    def add_layers(self, ids: Sequence[str], row: int | None = None) -> None:
        """Add layers of the document, each as it is seen alone."""
        state = self.session.state
        self._add([of_layer(state, layer_id) for layer_id in ids], row)

    def add_selection(self) -> None:
        """Add what is selected of the picture, its outline as the reference's mask."""
        state = self.session.state
        if state.selection is not None:
            self._add([of_selection(state, tr("Selection"))], None)

    def paste(self) -> None:
        """Add the picture on the clipboard."""
        held = QGuiApplication.clipboard().mimeData()
        pictures = pictures_of(held) if held else []  # there is none where the clipboard is empty
        if pictures:
            self.add_pictures(pictures)
        else:
            self.said.emit(tr("Copy a picture first."))

    def choose_files(self) -> None:
        """Ask for picture files and add them."""
        dialog = QFileDialog(self, tr("Add reference"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setNameFilters([f"{tr('Pictures')} (*{' *'.join(sorted(SUFFIXES))})"])
        dialog.filesSelected.connect(self._add_chosen)
        dialog.open()

    def _add_chosen(self, names: list[str]) -> None:
        self.add_files([Path(name) for name in names])

    def _add(self, sources: Sequence[Source], row: int | None) -> None:
        """Read and encode pictures in the background, then put them on the board in one step."""
        session = self.session

        def done(ready: Ready) -> None:
            if ready.error is not None:
                self.failed.emit(ready.error)
            elif ready.empty:
                self.said.emit(tr("There is nothing to be seen in it."))
            if ready.references:
                change = partial(put_ready, ready, row)
                chosen = partial(self.view.choose, ready.references[-1].reference.id)
                do_when_still(session, self._background, "Add reference", change, self.failed.emit, chosen)

        self._background.run(lambda: make_ready(sources), done, self.failed.emit, self)

    # What is done with the cards

    def chosen(self) -> str:
        """Give the id of the card that is chosen; empty where none is."""
        index = self.view.currentIndex()
        return self.model.reference(index).id if index.isValid() else ""

    def remove(self, reference_id: str) -> None:
        """Take a reference off the board."""
        index = self.model.index_of(reference_id)
        if not index.isValid():
            return
        self.session.do("Remove reference", remove_reference(self.session.state, reference_id))
        left = self.model.references
        if left:
            self.view.choose(left[min(index.row(), len(left) - 1)].id)

    def flip(self, reference_id: str) -> None:
        """Switch a reference off or on."""
        index = self.model.index_of(reference_id)
        if index.isValid():
            on = not self.model.reference(index).on
            self._change("Switch reference on or off", reference_id, on=on)

    def move_by(self, reference_id: str, way: int) -> None:
        """Move a card up or down."""
        row = self.model.index_of(reference_id).row() + way
        if 0 <= row < len(self.model.references):
            self.session.do("Reorder references", move_reference(self.session.state, reference_id, row))
            self.view.choose(reference_id)

    def edit(self, reference_id: str) -> None:
        """Open the sheet in which a reference is cropped, cut out and named."""
        from .reference_editor import ReferenceEditor

        if self.model.index_of(reference_id).isValid():
            ReferenceEditor(self.session, reference_id, self._background, self.failed.emit, self.window()).open()

    def _change(self, label: str, reference_id: str, **changes: object) -> None:
        self.session.do(label, change_reference(self.session.state, reference_id, **changes))

    def _set_role(self, reference_id: str, role: str) -> None:
        self._change("Role of the reference", reference_id, role=role)

    # Menus

    def _role_menu(self, reference_id: str, place: QRect) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._fill_roles(menu, reference_id)
        menu.popup(self.view.viewport().mapToGlobal(place.bottomLeft()))

    def _fill_roles(self, menu: QMenu, reference_id: str) -> None:
        now = self.model.reference(self.model.index_of(reference_id)).role
        group = QActionGroup(menu)
        for role in ROLES:
            action = menu.addAction(tr(ROLE_NAMES[role]))
            action.setToolTip(tr(ROLE_HINTS[role]))
            action.setCheckable(True)
            action.setChecked(role == now)
            group.addAction(action)
            action.triggered.connect(partial(self._set_role, reference_id, role))
        menu.setToolTipsVisible(True)

    def _menu(self, at: QPoint) -> None:
        index = self.view.indexAt(at)
        if index.isValid():
            self.menu_of(self.model.reference(index).id).popup(self.view.viewport().mapToGlobal(at))

    def _menu_of(self, reference_id: str) -> None:
        rect = self.view.visualRect(self.model.index_of(reference_id))
        self.menu_of(reference_id).popup(self.view.viewport().mapToGlobal(rect.bottomRight() - QPoint(28, 12)))

    def menu_of(self, reference_id: str) -> QMenu:
        """Make the menu of a card."""
        index = self.model.index_of(reference_id)
        reference, row = self.model.reference(index), index.row()
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(tr("Crop and cut out…"), partial(self.edit, reference_id))
        menu.addAction(tr("Rename"), lambda: self.view.edit(self.model.index_of(reference_id)))
        menu.addAction(tr("Blend into the picture"), partial(self.place_wanted.emit, reference_id))
        self._fill_roles(menu.addMenu(tr("Role")), reference_id)
        menu.addAction(tr("Switch off") if reference.on else tr("Switch on"), partial(self.flip, reference_id))
        menu.addSeparator()
        up = menu.addAction(tr("Move up"), partial(self.move_by, reference_id, -1))
        up.setEnabled(row > 0)
        down = menu.addAction(tr("Move down"), partial(self.move_by, reference_id, 1))
        down.setEnabled(row + 1 < len(self.model.references))
        menu.addSeparator()
        menu.addAction(tr("Remove"), partial(self.remove, reference_id))
        return menu

    # What it shows

    def _make_thumbnail(self, reference_id: str, key: object, state: State) -> None:
        self._background.run(
            lambda: thumbnail(state, reference_id),
            lambda picture: self.model.set_thumbnail(reference_id, key, picture),
            lambda _: None,
            self.model,
        )

    def _follow(self) -> None:
        rows = len(self.model.references)
        self._stack.setCurrentWidget(self.view if rows else self.empty)
        self._stack.setFixedHeight(min(rows, _MOST_SHOWN) * HEIGHT if rows else self.empty.sizeHint().height())
        self._enable()

    def _enable(self) -> None:
        self.remove_button.setEnabled(bool(self.model.references) and self.view.currentIndex().isValid())
        self.selection_button.setEnabled(self.session.state.selection is not None)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Be as high as what is on the board, as far as `_MOST_SHOWN` cards."""
        return QSize(280, self._stack.height() + 32)

    def _translate(self) -> None:
        for button, name in (
            (self.add_button, tr("Add reference")),
            (self.selection_button, tr("Add selection as reference")),
            (self.remove_button, tr("Remove reference")),
        ):
            button.setToolTip(name)
            button.setAccessibleName(name)
        self.view.setAccessibleName(tr("References"))

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Write everything again in another language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._translate()
            self.view.viewport().update()
            self._follow()
        super().changeEvent(event)
