"""The list of jobs: what runs, what waits, and what failed and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QDropEvent, QImage, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..background import Background
from ..translation import tr
from .controls import hairline
from .job_row import JobRow
from .thumbnails import small_image

if TYPE_CHECKING:
    from mlx_model.request import EditRequest, Picture

    from ..engine.engine import Engine
    from ..engine.jobs import JobStatus

WIDTH, HIGHEST = 380, 400
_SIDE = 80


class QueueList(QWidget):
    """All jobs of the engine, in their order; `pictures` has those of jobs that are known from before."""

    resized = Signal()
    """It has another height."""

    def __init__(
        self,
        engine: Engine,
        background: Background,
        parent: QWidget | None = None,
        pictures: dict[str, QImage | None] | None = None,
    ) -> None:
        super().__init__(parent)
        self._engine, self._background = engine, background
        self._pictures = {} if pictures is None else pictures
        self.setFixedWidth(WIDTH)
        self.heading = QLabel(self)
        self.heading.setObjectName("name")
        self.cancel_all = QPushButton(self)
        self.cancel_all.setObjectName("small")
        self.cancel_all.clicked.connect(engine.cancel_all)
        self.clear = QPushButton(self)
        self.clear.setObjectName("small")
        self.clear.clicked.connect(self._remove_ended)
        top = QHBoxLayout()
        top.setContentsMargins(8, 0, 8, 8)
        top.setSpacing(8)
        top.addWidget(self.heading)
        top.addStretch(1)
        top.addWidget(self.clear)
        top.addWidget(self.cancel_all)
        self.list = _Rows(self)
        self.nothing = QLabel(self)
        self.nothing.setObjectName("caption")
        self.nothing.setContentsMargins(8, 16, 8, 16)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.nothing.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(hairline(self))
        column.addWidget(self.list, 1)
        column.addWidget(self.nothing)
        self._fit_soon = QTimer(self, interval=0, singleShot=True)
        self._fit_soon.timeout.connect(self._fit)
        engine.jobs_changed.connect(self.refresh)
        engine.progressed.connect(self._progressed)
        self.list.moved.connect(self._move)
        self.list.asked.connect(self._do)
        self.list.customContextMenuRequested.connect(self._menu)
        self._translate()
        self.refresh()

    def row(self, job_id: str) -> JobRow | None:
        """Give the row of a job."""
        return self.list.rows().get(job_id)

    # What it shows

    def refresh(self) -> None:
        """Show all jobs as they are now."""
        jobs = self._engine.jobs
        rows = self.list.rows()
        if list(rows) != [status.id for status in jobs]:
            self._rebuild(jobs)
        else:
            for place, status in enumerate(jobs):
                rows[status.id].show_status(status)
                spoken = rows[status.id].accessibleName()
                self.list.item(place).setData(Qt.ItemDataRole.AccessibleTextRole, spoken)
        ended = any(status.phase not in ("waiting", "running") for status in jobs)
        self.clear.setVisible(ended)
        self.cancel_all.setVisible(self._engine.busy)
        self.list.setVisible(bool(jobs))
        self.nothing.setVisible(not jobs)
        self._fit_soon.start()

    def _rebuild(self, jobs: tuple[JobStatus, ...]) -> None:
        chosen = self.list.chosen
        self.list.clear()
        for status in jobs:
            row = JobRow(status)
            row.asked.connect(self._do)
            row.grown.connect(self._fit_soon.start)
            item = QListWidgetItem()
            item.setData(Qt.ItemDataRole.UserRole, status.id)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, row.accessibleName())
            self.list.addItem(item)
            self.list.setItemWidget(item, row)
            if status.id == chosen:
                self.list.setCurrentItem(item)
            self._picture(status, row)
        for job_id in self._pictures.keys() - {status.id for status in jobs}:
            del self._pictures[job_id]

    def _progressed(self, job_id: str, _progress: object) -> None:
        row, status = self.row(job_id), self._engine.status(job_id)
        if row is not None and status is not None:
            row.show_status(status)
            if row.picture.image is not None:
                self._pictures[job_id] = row.picture.image

    def _picture(self, status: JobStatus, row: JobRow) -> None:
        """Show a job's picture; made in the background, since what jobs hold may lie on the disk."""
        held = self._pictures.get(status.id)
        if held is not None:
            row.picture.show_picture(held)
            return
        job = status.job
        if not job.pictures:
            return

        def done(image: QImage | None) -> None:
            self._pictures[job.id] = image
            row_now = self.row(job.id)
            if row_now is not None and image is not None and row_now.picture.image is None:
                row_now.picture.show_picture(image)

        self._background.run(lambda: picture_of(job.requests[0], job.pictures), done, lambda _: None, self)

    def _fit(self) -> None:
        """Be as high as the jobs, up to a limit."""
        height = 0
        for place in range(self.list.count()):
            item = self.list.item(place)
            row = self.list.itemWidget(item)
            wide = max(self.list.viewport().width(), WIDTH - 16)
            needed = max(row.heightForWidth(wide), row.minimumSizeHint().height(), 56)
            item.setSizeHint(QSize(wide, needed))
            height += needed
        self.list.setFixedHeight(min(height, HIGHEST))
        self.adjustSize()
        self.resized.emit()

    # What is done

    def _do(self, job_id: str, wanted: str) -> None:
        engine = self._engine
        if wanted == "again":
            engine.run_again(job_id)
        elif wanted == "afresh":
            engine.run_again(job_id, afresh=True)
        else:
            {"cancel": engine.cancel, "remove": engine.remove, "end": engine.end_stuck}[wanted](job_id)

    def _move(self, job_id: str, index: int) -> None:
        self._engine.move(job_id, index)

    def _remove_ended(self) -> None:
        for status in self._engine.jobs:
            if status.phase not in ("waiting", "running"):
                self._engine.remove(status.id)

    def _menu(self, at: QPoint) -> None:
        item = self.list.itemAt(at)
        if item is not None:
            self.menu_of(item.data(Qt.ItemDataRole.UserRole)).popup(self.list.viewport().mapToGlobal(at))

    def menu_of(self, job_id: str) -> QMenu:
        """Make the menu of a job."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        jobs = [status.id for status in self._engine.jobs]
        row, place = self.row(job_id), jobs.index(job_id)
        assert row is not None  # noqa: S101 every job has one
        for text, index in ((tr("Move up"), place - 1), (tr("Move down"), place + 1)):
            action = menu.addAction(text)
            action.setEnabled(row.status.phase == "waiting" and 0 <= index < len(jobs))
            action.triggered.connect(lambda _checked=False, index=index: self._move(job_id, index))
        menu.addSeparator()
        for button, wanted in ((row.again, "again"), (row.afresh, "afresh"), (row.end, "end")):
            if not button.isHidden():
                menu.addAction(button.text()).triggered.connect(
                    lambda _checked=False, wanted=wanted: self._do(job_id, wanted)
                )
        menu.addAction(row.close_button.accessibleName()).triggered.connect(lambda: self._do(job_id, row.close_means))
        return menu

    def _translate(self) -> None:
        self.heading.setText(tr("Edits"))
        self.cancel_all.setText(tr("Cancel all"))
        self.clear.setText(tr("Clear ended"))
        self.nothing.setText(tr("Nothing is being made. Edits that you run are listed here."))
        self.list.setAccessibleName(tr("Edits"))

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Write everything again in another language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._translate()
            self._fit_soon.start()  # rows hear of it after this, and have other heights then
        super().changeEvent(event)


class _Rows(QListWidget):
    """Drag a job, or press Alt with up and down, to move it; Del cancels it or takes it away."""

    moved = Signal(str, int)
    asked = Signal(str, str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("jobs")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDropIndicatorShown(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setTabKeyNavigation(False)

    @property
    def chosen(self) -> str:
        """The id of the chosen job; empty where none is."""
        return str(self.currentIndex().data(Qt.ItemDataRole.UserRole) or "")

    def rows(self) -> Mapping[str, JobRow]:
        """Map the ids of the jobs to their rows, in their order."""
        found: dict[str, JobRow] = {}
        for place in range(self.count()):
            widget = self.itemWidget(self.item(place))
            if isinstance(widget, JobRow):
                found[widget.job_id] = widget
        return found

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Ask for the move; the list follows the engine."""
        self.drop_at(event.position().toPoint())
        event.setDropAction(Qt.DropAction.IgnoreAction)
        event.accept()

    def drop_at(self, at: QPoint) -> None:
        """Move the chosen job to a place of the list."""
        index, chosen = self.indexAt(at), self.chosen
        if not chosen:
            return
        place = self.count() if not index.isValid() else index.row()
        if index.isValid() and at.y() > self.visualRect(index).center().y():
            place += 1
        self.moved.emit(chosen, place - 1 if self.currentRow() < place else place)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Do what a key is for."""
        key, chosen = Qt.Key(event.key()), self.chosen
        alt = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if chosen and alt and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            place = self.currentRow() + (-1 if key == Qt.Key.Key_Up else 1)
            if 0 <= place < self.count():
                self.moved.emit(chosen, place)
        elif chosen and key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.asked.emit(chosen, self.rows()[chosen].close_means)
        else:
            super().keyPressEvent(event)


def picture_of(request: EditRequest, pictures: Mapping[str, Picture]) -> QImage | None:
    """Make a small picture of what a request is about: what is edited, or its first reference. Slow."""
    name = request.picture or (request.references[0].picture if request.references else None)
    if name is None or name not in pictures:
        return None
    from .incoming import eight_bits

    picture = pictures[name]
    if request.region is not None:
        from mlx_model.request import Picture

        left, top, width, height = request.region
        part = picture.pixels[max(top, 0) : top + height, max(left, 0) : left + width]
        if part.size:
            picture = Picture(part, picture.profile)
    return small_image(eight_bits(picture), _SIDE, picture.profile)
