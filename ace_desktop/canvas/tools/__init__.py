"""The tools, as data: the tool column, the options strip, shortcuts and tests read this table.

Tools are loaded when they are first taken up, so that the window is there before OpenCV is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ...session import Session
from ...translation import marked as _

if TYPE_CHECKING:
    from .tool import Tool

Make: TypeAlias = "Callable[[Session, Mapping[str, Any]], Tool]"


@dataclass(frozen=True)
class Option:
    """A value that a person sets for a tool. `choices` are pairs of value and text; colours are "#rrggbb"."""

    name: str
    text: str
    kind: Literal["int", "float", "bool", "choice", "colour", "text"]
    default: Any
    minimum: float = 0
    maximum: float = 100
    step: float = 1
    unit: str = ""
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ToolKind:
    """A tool as people see it; `icon` names a drawing in `resources/icons`, `make` loads and makes the tool."""

    id: str
    text: str
    icon: str
    shortcut: str
    make: Make
    options: tuple[Option, ...] = ()


def _from(module: str, name: str) -> Make:
    def make(session: Session, options: Mapping[str, Any]) -> Tool:
        return getattr(import_module(f".{module}", __package__), name)(session, options)

    return make


_SIZE = Option("size", _("Size"), "int", 80, 1, 4000, unit="px")
_HARDNESS = Option("hardness", _("Hardness"), "int", 80, unit="%")
_OPACITY = Option("opacity", _("Opacity"), "int", 100, 1, unit="%")
_COLOUR = Option("colour", _("Colour"), "colour", "#e0402f")
_PRESSURE = (
    Option("pressure_size", _("Pressure sets size"), "bool", True),
    Option("pressure_opacity", _("Pressure sets opacity"), "bool", False),
)
_TARGET = Option(
    "target", _("Makes"), "choice", "edit mask",
    choices=(("edit mask", _("Edit mask")), ("selection", _("Selection"))),
)  # fmt: skip
_SELECTS = Option(
    "target", _("Makes"), "choice", "selection",
    choices=(("edit mask", _("Edit mask")), ("selection", _("Selection"))),
)  # fmt: skip
_PAINTS = Option(
    "target", _("Paints on"), "choice", "pixels", choices=(("pixels", _("Layer")), ("layer mask", _("Layer mask")))
)
_COMBINE = Option(
    "combine", _("Mode"), "choice", "replace",
    choices=(
        ("replace", _("New")), ("add", _("Add")), ("subtract", _("Subtract")), ("intersect", _("Intersect")),
    ),
)  # fmt: skip
_FEATHER = Option("feather", _("Soft edge"), "int", 0, 0, 250, unit="px")
_TOLERANCE = Option("tolerance", _("Tolerance"), "int", 32, 0, 255)
_CONTIGUOUS = Option("contiguous", _("Contiguous"), "bool", True)
_SAMPLE = Option(
    "sample", _("Looks at"), "choice", "picture", choices=(("picture", _("Whole picture")), ("layer", _("Layer")))
)
_STROKE = (_SIZE, _HARDNESS, _OPACITY, *_PRESSURE)
_SHAPE = (_TARGET, _COMBINE, _FEATHER)

TOOLS: tuple[ToolKind, ...] = (
    ToolKind(
        "move", _("Move"), "move", "V", _from("move", "MoveTool"),
        (Option("proportions", _("Keep proportions"), "bool", True),),
    ),
    ToolKind("mask-brush", _("Mask brush"), "mask-brush", "B", _from("brushes", "MaskBrush"), (_TARGET, *_STROKE)),
    ToolKind(
        "mask-eraser", _("Mask eraser"), "mask-eraser", "Shift+B", _from("brushes", "MaskEraser"), (_TARGET, *_STROKE)
    ),
    ToolKind("rectangle", _("Rectangle"), "rectangle", "M", _from("shapes", "RectangleTool"), _SHAPE),
    ToolKind("ellipse", _("Ellipse"), "ellipse", "Shift+M", _from("shapes", "EllipseTool"), _SHAPE),
    ToolKind("lasso", _("Lasso"), "lasso", "L", _from("lasso", "LassoTool"), _SHAPE),
    ToolKind("polygon", _("Polygon"), "polygon", "Shift+L", _from("lasso", "PolygonTool"), _SHAPE),
    ToolKind(
        "quick-select", _("Quick select"), "quick-select", "Q", _from("likeness", "QuickSelectTool"),
        (_SIZE, _TARGET, _COMBINE, _FEATHER, _SAMPLE),
    ),
    ToolKind(
        "wand", _("Magic wand"), "wand", "W", _from("likeness", "WandTool"),
        (_TOLERANCE, _CONTIGUOUS, _TARGET, _COMBINE, _FEATHER, _SAMPLE),
    ),
    ToolKind("brush", _("Brush"), "brush", "D", _from("brushes", "ColourBrush"), (_COLOUR, *_STROKE, _PAINTS)),
    ToolKind(
        "fill", _("Fill"), "fill", "G", _from("colour", "FillTool"),
        (_COLOUR, _TOLERANCE, _CONTIGUOUS, _OPACITY, _SAMPLE),
    ),
    ToolKind("eraser", _("Eraser"), "eraser", "E", _from("brushes", "Eraser"), (*_STROKE, _PAINTS)),
    ToolKind(
        "crop", _("Crop and expand"), "crop", "C", _from("crop", "CropTool"),
        (
            Option(
                "ratio", _("Proportions"), "choice", "free",
                choices=(
                    ("free", _("Free")), ("original", _("As the picture")), ("1:1", "1 : 1"), ("4:3", "4 : 3"),
                    ("3:2", "3 : 2"), ("16:9", "16 : 9"),
                ),
            ),
            Option("keep", _("Keep what is cut off"), "bool", True),
        ),
    ),
    ToolKind("hand", _("Hand"), "hand", "H", _from("colour", "HandTool")),
    ToolKind(
        "eyedropper", _("Eyedropper"), "eyedropper", "I", _from("colour", "EyedropperTool"),
        (
            Option(
                "size", _("Averages"), "choice", "1",
                choices=(("1", _("One pixel")), ("3", "3 × 3"), ("5", "5 × 5")),
            ),
            _SAMPLE,
        ),
    ),
)  # fmt: skip
"""In the order of the tool column."""
