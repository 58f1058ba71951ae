"""The results of a document as a model for Qt's views: those on their way first, then the newest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QImage

from .. import job_words
from ..document.results import Result
from ..edit_names import TASK_NAMES
from ..translation import tr
from .controls import plain_tip, shortened

if TYPE_CHECKING:
    from mlx_model.request import Progress

    from ..engine.jobs import JobStatus

RESULT_MIME = "application/x-ace-result"
"""The id of a result whose thumbnail is dragged."""

ITEM = Qt.ItemDataRole.UserRole
THUMBNAIL = Qt.ItemDataRole.UserRole + 1
RELATED = Qt.ItemDataRole.UserRole + 2
"""Whether the chosen result was made of this one, or this one of it."""
SIDE = 144
"""Device pixels of a thumbnail, enough for a screen of twice the density."""
_KEPT = 400
"""Thumbnails that are kept in memory, about 80 kB each."""
_ENDED = 16
"""Last previews that are kept until their results come."""

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


@dataclass(frozen=True, eq=False)
class Pending:
    """A variation that has no result yet; `share` 0..1 of it is done, `preview` how it looks by now."""

    job: str
    index: int
    words: str
    running: bool
    share: float = 0.0
    progress: Progress | None = None
    preview: QImage | None = None

    @property
    def id(self) -> str:
        """A name that no result has."""
        return f"{self.job}/{self.index}"


Item = Pending | Result


class ResultModel(QAbstractListModel):
    """Shows what `show` is given. Thumbnails are asked for by `thumbnail_wanted` and given by `set_thumbnail`."""

    thumbnail_wanted = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.items: tuple[Item, ...] = ()
        self.related: frozenset[str] = frozenset()
        self._pictures: OrderedDict[str, QImage | None] = OrderedDict()
        self._previews: dict[str, QImage] = {}
        self._ended: list[tuple[str, QImage]] = []

    def show(self, items: Sequence[Item]) -> None:
        """Show other items; where they are the same ones in another condition the view keeps its place.

        What is on its way keeps its last preview: the last stages have none. So does its result, until there is a
        thumbnail of it.
        """
        seen = {item.id: item.preview for item in self.items if isinstance(item, Pending)}
        now = tuple(
            replace(item, preview=seen.get(item.id)) if isinstance(item, Pending) and item.preview is None else item
            for item in items
        )
        if [item.id for item in now] == [item.id for item in self.items]:
            self.items = now
            if now:
                self.dataChanged.emit(self.index(0, 0), self.index(len(now) - 1, 0))
            return
        self._keep_previews(now)
        self.beginResetModel()
        self.items = now
        self.endResetModel()

    def _keep_previews(self, now: Sequence[Item]) -> None:
        """Hand the previews of what is made on to the results, which may come some moments later."""
        ids, known = {item.id for item in now}, {item.id for item in self.items}
        gone = [item for item in self.items if isinstance(item, Pending) and item.id not in ids]
        self._ended = [*self._ended, *((item.job, item.preview) for item in gone if item.preview)][-_ENDED:]
        for item in now:
            last = next((pair for pair in self._ended if isinstance(item, Result) and pair[0] == item.run), None)
            if last is not None and item.id not in known:
                self._ended.remove(last)
                self._previews[item.id] = last[1]

    def set_related(self, related: frozenset[str]) -> None:
        """Mark the results that the chosen one was made of, or that were made of it."""
        if related != self.related:
            self.related = related
            if self.items:
                self.dataChanged.emit(self.index(0, 0), self.index(len(self.items) - 1, 0))

    def item(self, index: Index) -> Item:
        """Give what is at an index."""
        return self.items[index.row()]

    def result(self, index: Index) -> Result | None:
        """Give the result at an index; None for one that is on its way, and for no index."""
        item = self.items[index.row()] if index.isValid() and index.row() < len(self.items) else None
        return item if isinstance(item, Result) else None

    def index_of(self, item_id: str) -> QModelIndex:
        """Find a result; an invalid index where it is not shown."""
        rows = [row for row, item in enumerate(self.items) if item.id == item_id]
        return self.index(rows[0], 0) if rows else _ROOT

    def rowCount(self, parent: Index = _ROOT) -> int:  # noqa: N802
        """Count the items."""
        return 0 if parent.isValid() else len(self.items)

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Let results be chosen and dragged; what is on its way is only looked at."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag
        whole = flags.ItemIsEnabled | flags.ItemIsSelectable | flags.ItemIsDragEnabled
        return whole if isinstance(self.item(index), Result) else flags.ItemIsEnabled

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Give an item, its picture, or words about it."""
        item = self.item(index)
        if role == ITEM:
            return item
        if role == THUMBNAIL:
            return self._picture(item)
        if role == RELATED:
            return item.id in self.related
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return spoken(item)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tool_tip(item)
        return None

    def set_thumbnail(self, result_id: str, picture: QImage) -> None:
        """Show a picture that was asked for."""
        self._pictures[result_id] = picture
        self._previews.pop(result_id, None)
        while len(self._pictures) > _KEPT:
            self._pictures.popitem(last=False)
        index = self.index_of(result_id)
        if index.isValid():
            self.dataChanged.emit(index, index)

    def _picture(self, item: Item) -> QImage | None:
        if isinstance(item, Pending):
            return item.preview
        if item.id not in self._pictures:
            self._pictures[item.id] = None
            self.thumbnail_wanted.emit(item.id)
        self._pictures.move_to_end(item.id)
        return self._pictures[item.id] or self._previews.get(item.id)


def pending_of(jobs: Sequence[JobStatus]) -> list[Pending]:
    """List what is on its way, the variation that is worked on first."""
    found: list[Pending] = []
    for status in jobs:
        running = status.phase == "running"
        if not running and status.phase != "waiting":
            continue
        for index in status.left:
            words = status.job.requests[index].instruction
            if running and index == status.index and status.progress is not None:
                share = job_words.share(status.progress, 0, 1)
                preview = image_of_preview(status.progress)
                found.append(Pending(status.id, index, words, True, share, status.progress, preview))
            else:
                found.append(Pending(status.id, index, words, running and index == status.index))
    return sorted(found, key=lambda pending: not pending.running)


def image_of_preview(progress: Progress) -> QImage | None:
    """Make a picture of a preview (h x w x 3, sRGB)."""
    if progress.preview is None:
        return None
    rows = np.ascontiguousarray(progress.preview)
    height, width = rows.shape[:2]
    return QImage(rows.data, width, height, rows.strides[0], QImage.Format.Format_RGB888).copy()


def spoken(item: Item) -> str:
    """Describe an item in words for those who hear the window."""
    if isinstance(item, Pending):
        return job_words.stage(item.progress) if item.running else tr("Waiting")
    parts = [item.words or tr("Without words"), tr(TASK_NAMES[item.task][0]) if item.task in TASK_NAMES else ""]
    parts += [tr("starred")] if item.starred else []
    parts += [tr("rejected")] if item.rejected else []
    parts += [tr("made a layer")] if item.accepted else []
    return ", ".join(part for part in parts if part)


def tool_tip(item: Item) -> str:
    """Say in one or two lines what a result is."""
    if isinstance(item, Pending):
        return spoken(item)
    task = tr(TASK_NAMES[item.task][0]) if item.task in TASK_NAMES else item.task
    words = shortened(item.words) or tr("Without words")
    return plain_tip(f"{words}\n{task} · {tr('seed {seed}', seed=item.seed)}")
