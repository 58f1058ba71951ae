"""Every action, declared once: menus, toolbar, context menus, shortcuts, the command palette and tests read this."""

from __future__ import annotations

from dataclasses import dataclass

from .translation import marked as _


@dataclass(frozen=True)
class ActionKind:
    """An action as people see it.

    `menu` is the path of the menu it stands in ("" for none), `section` counts the parts of that menu between
    separators. `shortcuts` are in Qt's portable form, in which Ctrl is the command key of a Mac. `enabled` names a
    condition in `conditions.py`. `role` is one of Qt's menu roles ("about", "preferences", "quit"), or
    "field" for what Qt hands to the name field of a Mac's file panel: it knows them by their names, "Cut", "Copy",
    "Paste" and "Select all".
    `choice` names a set of which one is checked.
    """

    id: str
    text: str
    menu: str = ""
    section: int = 0
    shortcuts: tuple[str, ...] = ()
    enabled: str = "document"
    icon: str = ""
    checkable: bool = False
    choice: str = ""
    role: str = ""


MENUS: tuple[str, ...] = (
    _("File"), _("Edit"), _("Image"), _("Layer"), _("Select"), _("Mask"), _("Instruct"), _("Tools"),
    _("View"), _("Window"), _("Help"),
)  # fmt: skip
SUBMENUS: tuple[str, ...] = (
    _("Open recent"), _("Layer mask"), _("Transform layer"), _("Load mask"), _("References"), _("Results"),
    _("Edited layer"),
)  # fmt: skip

A = ActionKind
_FILE = (
    A("file.new", _("New…"), "File", 0, ("Ctrl+N",), "always"),
    A("file.new_from_clipboard", _("New from clipboard"), "File", 0, ("Ctrl+Alt+N",), "clipboard"),
    A("file.open", _("Open…"), "File", 0, ("Ctrl+O",), "always", "open"),
    A("file.clear_recent", _("Clear list"), "File/Open recent", 9, (), "recent"),
    A("file.close", _("Close window"), "File", 1, ("Ctrl+W",), "always"),
    A("file.save", _("Save"), "File", 1, ("Ctrl+S",)),
    A("file.save_as", _("Save as…"), "File", 1, ("Ctrl+Shift+S",)),
    A("file.revert", _("Revert to saved"), "File", 1, (), "revertible"),
    A("file.export", _("Export…"), "File", 2, ("Ctrl+E",), icon="export"),
    A("file.quit", _("Quit ACE Desktop"), "File", 9, ("Ctrl+Q",), "always", role="quit"),
)
_EDIT = (
    A("edit.undo", _("Undo"), "Edit", 0, ("Ctrl+Z",), "undo", "undo"),
    A("edit.redo", _("Redo"), "Edit", 0, ("Ctrl+Shift+Z", "Ctrl+Y"), "redo", "redo"),
    A("edit.cut", _("Cut"), "Edit", 1, ("Ctrl+X",), "pixels", role="field"),
    A("edit.copy", _("Copy"), "Edit", 1, ("Ctrl+C",), "raster", role="field"),
    A("edit.copy_merged", _("Copy merged"), "Edit", 1, ("Ctrl+Shift+C",), "layers"),
    A("edit.paste", _("Paste"), "Edit", 1, ("Ctrl+V",), "clipboard", role="field"),
    A("edit.clear", _("Delete pixels"), "Edit", 1, ("Del", "Backspace"), "pixels"),
    A("edit.fill", _("Fill with colour"), "Edit", 1, ("Alt+Backspace", "Alt+Del"), "pixels"),
    A("edit.palette", _("Command palette…"), "Edit", 2, ("Ctrl+K",), "always", "search"),
    A("edit.preferences", _("Preferences…"), "Edit", 3, ("Ctrl+,",), "always", role="preferences"),
)
_IMAGE = (
    A("image.size", _("Image size…"), "Image", 0, ("Ctrl+Alt+I",)),
    A("image.canvas_size", _("Canvas size…"), "Image", 0, ("Ctrl+Alt+C",)),
    A("image.crop", _("Crop to selection"), "Image", 0, (), "selection", "crop"),
    A("image.rotate_left", _("Rotate left"), "Image", 1),
    A("image.rotate_right", _("Rotate right"), "Image", 1),
    A("image.rotate_half", _("Rotate by 180°"), "Image", 1),
    A("image.flip_horizontal", _("Flip horizontally"), "Image", 2),
    A("image.flip_vertical", _("Flip vertically"), "Image", 2),
)
_LAYER = (
    A("layer.new", _("New layer"), "Layer", 0, ("Ctrl+Shift+N",), icon="plus"),
    A("layer.duplicate", _("Duplicate layer"), "Layer", 0, ("Ctrl+J",), "layer", "duplicate"),
    A("layer.delete", _("Delete layer"), "Layer", 0, ("Ctrl+Shift+Backspace",), "unlocked", "trash"),
    A("layer.rename", _("Rename layer"), "Layer", 1, ("F2",), "layer"),
    A("layer.visible", _("Visible"), "Layer", 1, ("Ctrl+Shift+,",), "layer", "eye", checkable=True),
    A("layer.locked", _("Locked"), "Layer", 1, ("Ctrl+/",), "layer", "lock", checkable=True),
    A("layer.raise", _("Move up"), "Layer", 2, ("Ctrl+]",), "raisable"),
    A("layer.lower", _("Move down"), "Layer", 2, ("Ctrl+[",), "lowerable"),
    A("layer.group", _("Group layers"), "Layer", 3, ("Ctrl+G",), "layer", "group"),
    A("layer.ungroup", _("Ungroup"), "Layer", 3, ("Ctrl+Shift+G",), "group"),
    A("layer.mask_add", _("Add mask"), "Layer/Layer mask", 0, (), "no_layer_mask", "mask"),
    A("layer.mask_from_selection", _("Mask from selection"), "Layer/Layer mask", 0, (), "maskable_selection"),
    A("layer.mask_from_edit", _("Mask from edit mask"), "Layer/Layer mask", 0, (), "maskable"),
    A("layer.mask_paint", _("Paint on mask"), "Layer/Layer mask", 1, (), "layer_mask", checkable=True),
    A("layer.mask_show", _("Show layer mask alone"), "Layer/Layer mask", 1, (), "layer_mask", checkable=True),
    A("layer.mask_enabled", _("Mask enabled"), "Layer/Layer mask", 1, (), "layer_mask", checkable=True),
    A("layer.mask_invert", _("Invert mask"), "Layer/Layer mask", 2, (), "layer_mask"),
    A("layer.mask_delete", _("Delete mask"), "Layer/Layer mask", 2, (), "layer_mask"),
    A("layer.flip_horizontal", _("Flip layer horizontally"), "Layer/Transform layer", 0, (), "unlocked"),
    A("layer.flip_vertical", _("Flip layer vertically"), "Layer/Transform layer", 0, (), "unlocked"),
    A("layer.rotate_left", _("Rotate layer left"), "Layer/Transform layer", 1, (), "unlocked"),
    A("layer.rotate_right", _("Rotate layer right"), "Layer/Transform layer", 1, (), "unlocked"),
    A("layer.merge_down", _("Merge down"), "Layer", 5, ("Ctrl+Shift+E",), "mergeable", "merge"),
    A("layer.merge_visible", _("Merge visible"), "Layer", 5, (), "visible_layers"),
    A("layer.stamp", _("New layer from visible"), "Layer", 5, ("Ctrl+Alt+Shift+E",), "visible_layers"),
    A("layer.flatten", _("Flatten image"), "Layer", 5, (), "layers"),
)
_SELECT = (
    A("select.all", _("Select all"), "Select", 0, ("Ctrl+A",), role="field"),
    A("select.none", _("Deselect"), "Select", 0, ("Ctrl+D",), "selection"),
    A("select.invert", _("Invert selection"), "Select", 0, ("Ctrl+Shift+I",)),
    A("select.grow", _("Grow selection…"), "Select", 1, (), "selection"),
    A("select.shrink", _("Shrink selection…"), "Select", 1, (), "selection"),
    A("select.feather", _("Feather selection…"), "Select", 1, (), "selection"),
    A("select.from_layer", _("Selection from layer"), "Select", 2, (), "layer"),
    A("select.from_mask", _("Selection from edit mask"), "Select", 2, (), "edit_mask"),
)
_MASK = (
    A("mask.fill", _("Mask everything"), "Mask", 0),
    A("mask.clear", _("Clear mask"), "Mask", 0, ("Ctrl+Shift+D",), "edit_mask"),
    A("mask.invert", _("Invert edit mask"), "Mask", 0, ("Ctrl+I",)),
    A("mask.grow", _("Grow mask…"), "Mask", 1, (), "edit_mask"),
    A("mask.shrink", _("Shrink mask…"), "Mask", 1, (), "edit_mask"),
    A("mask.feather", _("Feather mask…"), "Mask", 1, (), "edit_mask"),
    A("mask.from_selection", _("Mask the selection"), "Mask", 2, ("Ctrl+Shift+M",), "selection"),
    A("mask.from_layer", _("Mask what the layer covers"), "Mask", 2, (), "layer"),
    A("mask.save", _("Save mask…"), "Mask", 3, (), "edit_mask"),
    A("mask.tint", _("Show as tint"), "Mask", 4, (), checkable=True, choice="overlay"),
    A("mask.ants", _("Show as marching ants"), "Mask", 4, (), checkable=True, choice="overlay"),
    A("mask.hide", _("Hide mask"), "Mask", 4, ("Ctrl+Shift+H",), checkable=True, choice="overlay"),
)
_INSTRUCT = (
    A("instruct.run", _("Run"), "Instruct", 0, ("Ctrl+Return", "Ctrl+Enter"), "runnable"),
    A("instruct.many", _("Run on many…"), "Instruct", 0, ("Ctrl+Shift+Return",), "document"),
    A("instruct.cancel", _("Cancel the edit"), "Instruct", 0, ("Ctrl+.",), "working"),
    A("instruct.run_again", _("Run the failed edit again"), "Instruct", 0, (), "failed"),
    A("instruct.words", _("Say what should happen"), "Instruct", 1, ("Ctrl+L",)),
    A("instruct.keep_words", _("Keep these words…"), "Instruct", 1, (), "words"),
    A("instruct.whole_picture", _("Edit the whole picture"), "Instruct", 2),
    A("instruct.automatic", _("Read the kind of edit from the situation"), "Instruct", 2, (), "task_set"),
    A("instruct.frame", _("Show what the model sees"), "Instruct", 3, (), "always", checkable=True),
    A("instruct.frame_selection", _("Let the model see the selection"), "Instruct", 3, (), "selection"),
    A("instruct.frame_automatic", _("Let the model choose what it sees"), "Instruct", 3, (), "framed"),
    A("instruct.seed", _("Another seed"), "Instruct", 4),
    A("instruct.lock_seed", _("Keep the seed"), "Instruct", 4, checkable=True),
    A("instruct.edit_again", _("Edit again"), "Instruct/Edited layer", 0, (), "edited_layer"),
    A("instruct.more_like", _("More like this"), "Instruct/Edited layer", 0, (), "edited_layer"),
    A("instruct.same_seed", _("Same seed, other words"), "Instruct/Edited layer", 0, (), "edited_layer"),
    A("instruct.repeat", _("Repeat exactly"), "Instruct/Edited layer", 1, (), "edited_layer"),
    A("instruct.rerun", _("Run again on what lies below"), "Instruct/Edited layer", 1, (), "edited_layer"),
    A("result.accept", _("Make it a layer"), "Instruct/Results", 0, ("Ctrl+Alt+Return",), "result"),
    A("result.next", _("Next result"), "Instruct/Results", 1, (), "results"),
    A("result.previous", _("Previous result"), "Instruct/Results", 1, (), "results"),
    A("result.wipe", _("Divide before and after"), "Instruct/Results", 1, (), "result", checkable=True),
    A("result.star", _("Star"), "Instruct/Results", 2, (), "result", checkable=True),
    A("result.reject", _("Reject"), "Instruct/Results", 2, (), "result", checkable=True),
    A("result.recipe", _("Show recipe"), "Instruct/Results", 2, (), "result"),
    A("result.delete", _("Delete result"), "Instruct/Results", 3, (), "result"),
    A("reference.add", _("Add pictures…"), "Instruct/References", 0),
    A("reference.paste", _("Paste as reference"), "Instruct/References", 0, ("Ctrl+Alt+V",), "pasteable"),
    A("reference.selection", _("Add the selection"), "Instruct/References", 0, (), "selection"),
    A("reference.layer", _("Add the layer"), "Instruct/References", 0, (), "layer"),
)
_VIEW = (
    A("view.zoom_in", _("Zoom in"), "View", 0, ("Ctrl++", "Ctrl+=")),
    A("view.zoom_out", _("Zoom out"), "View", 0, ("Ctrl+-",)),
    A("view.fit", _("Fit to window"), "View", 0, ("Ctrl+0",)),
    A("view.actual_size", _("Actual size"), "View", 0, ("Ctrl+1",)),
    A("view.rotate_left", _("Turn view left"), "View", 1, ("Ctrl+Alt+Left",)),
    A("view.rotate_right", _("Turn view right"), "View", 1, ("Ctrl+Alt+Right",)),
    A("view.reset_rotation", _("Turn view upright"), "View", 1, ("Ctrl+Alt+0",)),
    A("view.mask_alone", _("Show mask alone"), "View", 2, ("Ctrl+Alt+Shift+M",), checkable=True),
    A("view.canvas_only", _("Canvas only"), "View", 2, ("Tab",), "always", checkable=True),
    A("view.full_screen", _("Full screen"), "View", 2, ("F11", "Ctrl+Meta+F"), "always", checkable=True),
)
_WINDOW = (
    A("window.minimize", _("Minimize"), "Window", 0, ("Ctrl+M",), "always"),
    A("window.zoom", _("Zoom window"), "Window", 0, (), "always"),
    A("models.show", _("Models…"), "Window", 1, (), "always"),
    A("help.samples", _("Sample projects…"), "Help", 0, (), "always"),
    A("help.shortcuts", _("Keyboard shortcuts…"), "Help", 0, (), "always"),
    A("help.logs", _("Show log files"), "Help", 0, (), "always"),
    A("help.about", _("About ACE Desktop"), "Help", 1, (), "always", role="about"),
)

ACTIONS: tuple[ActionKind, ...] = _FILE + _EDIT + _IMAGE + _LAYER + _SELECT + _MASK + _INSTRUCT + _VIEW + _WINDOW

TOOLBAR: tuple[str, ...] = ("file.open", "", "edit.undo", "edit.redo", "<", "edit.palette", "file.export")
"""Actions of the toolbar; "" is a space, "<" pushes what follows to the right."""

LAYER_BUTTONS: tuple[str, ...] = (
    "layer.new",
    "layer.group",
    "layer.mask_add",
    "layer.duplicate",
    "<",
    "layer.delete",
)

LAYER_MENU: tuple[str, ...] = (
    "layer.rename", "layer.duplicate", "layer.delete", "", "layer.visible", "layer.locked", "", "layer.group",
    "layer.ungroup", "layer.merge_down", "", "layer.mask_add", "layer.mask_paint", "layer.mask_show",
    "layer.mask_enabled", "layer.mask_invert", "layer.mask_delete", "",
    "select.from_layer", "mask.from_layer", "",
    "instruct.edit_again", "instruct.more_like", "instruct.repeat", "instruct.rerun",
)  # fmt: skip

CANVAS_MENU: tuple[str, ...] = (
    "edit.cut", "edit.copy", "edit.paste", "", "select.all", "select.none", "select.invert", "",
    "mask.from_selection", "mask.clear", "mask.invert", "", "instruct.run", "instruct.frame", "", "view.fit",
    "view.actual_size",
)  # fmt: skip


def by_id() -> dict[str, ActionKind]:
    """Map ids to actions."""
    return {kind.id: kind for kind in ACTIONS}
