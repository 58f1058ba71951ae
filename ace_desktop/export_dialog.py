"""What kind of file the picture becomes, and what that kind loses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QFileDialog, QLabel, QSpinBox, QWidget

from .commands.doing import session_of
from .dialogs import Sheet
from .document.export import KINDS, Export, export_picture, losses, recipe_of, size_of
from .document.pictures import CAMERA_DATA
from .panels.controls import ValueSlider
from .preferences import EXPORT_KINDS
from .translation import marked as _
from .translation import tr

if TYPE_CHECKING:
    from .main_window import MainWindow

PSD = "psd"
LOSSES = {
    "layers": _("The layers become one picture."),
    "alpha": _("What is transparent becomes white."),
    "depth": _("Of 16 bits a colour this kind keeps 8; PNG and TIFF keep all."),
    "exactness": _("Fine detail is lost a little."),
    "masks": _("Masks and selections of the editor are left out."),
}


class ExportDialog(Sheet):
    """Asks for the kind, its quality and the size; then for the file."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window, tr("Export"), tr("Export…"))
        self._window = window
        self._state = session_of(window).history.state
        kept = window.desktop.kept.value
        self.kind = QComboBox(self)
        for name, text in (*EXPORT_KINDS, (PSD, tr("Photoshop, with layers"))):
            self.kind.addItem(text, name)
        self.kind.setCurrentIndex(max(self.kind.findData(kept.export_kind), 0))
        self.kind.setMinimumWidth(200)
        self.quality = ValueSlider(tr("Quality"), 1, 100, parent=self)
        self.quality.set_value(kept.export_quality)
        self.quality.setMinimumWidth(200)
        self.lossless = QCheckBox(tr("Lossless"), self)
        self.percent = QSpinBox(self)
        self.percent.setRange(1, 400)
        self.percent.setValue(100)
        self.percent.setSuffix(" %")
        self.percent.setFixedWidth(80)
        self.percent.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.size_label, self.losses_label = QLabel(self), QLabel(self)
        self.srgb = QCheckBox(tr("Convert to sRGB"), self)
        self.srgb.setVisible(self._state.profile is not None)
        self._recipe = recipe_of(self._state)
        self.recipe = QCheckBox(tr("Write how the picture was made into the file"), self)
        self.recipe.setChecked(kept.export_recipe)
        self.recipe.setVisible(self._recipe is not None)
        self.camera = QCheckBox(tr("Keep date, camera and copyright"), self)
        self.camera.setChecked(True)
        self.camera.setVisible(CAMERA_DATA in self._state.attachments)
        for label in (self.size_label, self.losses_label):
            label.setObjectName("caption")
            label.setWordWrap(True)
        self.losses_label.setMinimumSize(280, 32)
        self.losses_label.setAlignment(Qt.AlignmentFlag.AlignTop)
        rows: tuple[tuple[str, QWidget], ...] = (
            (tr("Kind"), self.kind), (tr("Quality"), self.quality), ("", self.lossless), (tr("Size"), self.percent),
            ("", self.size_label), ("", self.srgb), ("", self.recipe), ("", self.camera),
            ("", self.losses_label),
        )  # fmt: skip
        for name, widget in rows:
            self.form.addRow(name, widget)
            if name:
                widget.setAccessibleName(name)
        self.kind.currentIndexChanged.connect(self._follow)
        self.quality.moved.connect(self._follow)
        self.lossless.toggled.connect(self._follow)
        self.percent.valueChanged.connect(self._follow)
        self.accepted.connect(self._ask_where)
        self._follow()

    @property
    def export(self) -> Export | None:
        """What was chosen; None for a Photoshop file."""
        name = self.kind.currentData()
        if name == PSD:
            return None
        kind = KINDS[name]
        wants_quality = kind.quality and not (kind.lossless and self.lossless.isChecked())
        return Export(
            name,
            quality=self.quality.slider.value() if wants_quality else None,
            percent=float(self.percent.value()),
            srgb=self.srgb.isChecked(),
            recipe=self._recipe if self.recipe.isChecked() else None,
            camera_data=self.camera.isChecked(),
        )

    def _follow(self) -> None:
        export = self.export
        kind = None if export is None else KINDS[export.kind]
        for widget, shown in (
            (self.quality, bool(kind and kind.quality)),
            (self.lossless, bool(kind and kind.quality and kind.lossless)),
            (self.percent, export is not None),
        ):
            self.form.setRowVisible(widget, shown)
        if kind is not None and kind.quality and kind.lossless:
            self.quality.setEnabled(not self.lossless.isChecked())
        width, height = size_of(self._state, export.percent if export else 100)
        self.size_label.setText(f"{width} × {height} px")
        lost = losses(self._state, export) if export else frozenset({"masks"})
        self.losses_label.setText(" ".join(tr(LOSSES[name]) for name in LOSSES if name in lost))

    def _ask_where(self) -> None:
        window, export, state = self._window, self.export, self._state
        suffix = KINDS[export.kind].suffixes[0] if export else ".psd"
        window.desktop.kept.change(
            export_kind=export.kind if export else window.desktop.kept.value.export_kind,
            export_quality=self.quality.slider.value(),
            export_recipe=self.recipe.isChecked(),
        )
        dialog = QFileDialog(window, tr("Export"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(suffix.removeprefix("."))
        dialog.setNameFilters([f"{self.kind.currentText()} (*{suffix})"])
        dialog.selectFile(window.name + suffix)

        def chosen(name: str) -> None:
            path = Path(name)

            def work() -> None:
                if export is not None:
                    export_picture(path, state, export)
                else:
                    from .document.psd_write import write_psd

                    write_psd(path, state)

            window.status.say(tr("Exporting {name}…", name=path.name))
            window.desktop.background.run(
                work, lambda _: window.status.say(tr("Exported {name}.", name=path.name)), window.fail, window
            )

        dialog.fileSelected.connect(chosen)
        dialog.open()
