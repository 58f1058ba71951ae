"""`stack.xml` of an OpenRaster file: written for all programs, read without what XML can do to a reader.

Attributes that are not ours are kept: a layer's in its `extra` under "openraster", the image's in the attachment
`ace/image-attributes.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from .description import check_depth
from .errors import DocumentError
from .state import GroupLayer, Layer, State

KEPT: Final = "openraster"
IMAGE_ATTRIBUTES: Final = "ace/image-attributes.json"
_VERSION: Final = "0.0.6"

OPERATORS: Final[Mapping[str, str]] = {
    "normal": "svg:src-over",
    "multiply": "svg:multiply",
    "screen": "svg:screen",
    "overlay": "svg:overlay",
    "soft-light": "svg:soft-light",
    "darken": "svg:darken",
    "lighten": "svg:lighten",
    "colour": "svg:color",
    "luminosity": "svg:luminosity",
}
_NAME: Final = re.compile(r"(?:\{([^{}\"<>&\s]+)\})?([A-Za-z_][\w.-]*)", re.ASCII)
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Drawn:
    """Where a layer's pixels are: the entry, and where its corner stands in the picture."""

    source: str
    x: int
    y: int


@dataclass(frozen=True)
class Element:
    """An XML element: tag, attributes ("{namespace}name" for those of a namespace) and children."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    children: list[Element] = field(default_factory=list["Element"])


def image_element(state: State, drawn: Mapping[str, Drawn]) -> bytes:
    """Write `stack.xml`; `drawn` says by layer id where its pixels are."""
    attributes = _kept_image_attributes(state) | {
        "version": _VERSION,
        "w": str(state.width),
        "h": str(state.height),
        "xres": str(max(1, round(state.resolution))),
        "yres": str(max(1, round(state.resolution))),
    }
    stack = Element("stack", {}, [_layer_element(layer, drawn) for layer in reversed(state.layers)])
    lines = ["<?xml version='1.0' encoding='UTF-8'?>"]
    _print(Element("image", attributes, [stack]), lines, 0)
    return "\n".join([*lines, ""]).encode()


def _layer_element(layer: Layer, drawn: Mapping[str, Drawn]) -> Element:
    attributes = kept_attributes(layer.extra)
    if layer.blend != "normal":
        attributes.pop("composite-op", None)  # it stood for normal
    attributes = {
        "name": layer.name,
        "opacity": repr(float(layer.opacity)),
        "visibility": "visible" if layer.visible else "hidden",
        "composite-op": OPERATORS[layer.blend],
        **({"edit-locked": "true"} if layer.locked else {}),
        **attributes,
    }
    if isinstance(layer, GroupLayer):
        attributes = {"isolation": "isolate", **attributes}
        return Element("stack", attributes, [_layer_element(child, drawn) for child in reversed(layer.children)])
    at = drawn[layer.id]
    return Element("layer", attributes | {"src": at.source, "x": str(at.x), "y": str(at.y)})


def kept_attributes(extra: Mapping[str, Any]) -> dict[str, str]:
    """Return what another program had said about a layer, as far as XML can hold it."""
    kept = extra.get(KEPT)
    if not isinstance(kept, Mapping):
        return {}
    return {
        name: value
        for name, value in kept.items()
        if isinstance(name, str) and _NAME.fullmatch(name)
        if isinstance(value, str)
    }


def _kept_image_attributes(state: State) -> dict[str, str]:
    try:
        held = json.loads(state.attachments.get(IMAGE_ATTRIBUTES, b"{}"))
    except (ValueError, RecursionError):
        return {}
    return kept_attributes({KEPT: held})


def _print(element: Element, lines: list[str], depth: int) -> None:
    words = [element.tag]
    for number, (name, value) in enumerate(element.attributes.items()):
        match = _NAME.fullmatch(name)
        if match and match[1]:
            words += [f"xmlns:n{number}={_quoted(match[1])}", f"n{number}:{match[2]}={_quoted(value)}"]
        else:
            words.append(f"{name}={_quoted(value)}")
    start = " " * depth + "<" + " ".join(words)
    if not element.children and element.tag == "layer":
        lines.append(start + "/>")
        return
    lines.append(start + ">")
    for child in element.children:
        _print(child, lines, depth + 1)
    lines.append(" " * depth + f"</{element.tag}>")


def _quoted(text: str) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def read_elements(data: bytes, name: str) -> Element:
    """Parse `stack.xml`; declarations of documents and entities are refused, not obeyed.

    Raises:
        DocumentError: it is no XML, it defines things of its own, or it is nested too deep.
    """
    parser = expat.ParserCreate(namespace_separator="}")
    top = Element("")
    path = [top]

    def start(tag: str, attributes: dict[str, str]) -> None:
        check_depth(len(path) - 2)
        named = {f"{{{key}" if "}" in key else key: value for key, value in attributes.items()}
        element = Element(tag.rpartition("}")[2], named)
        path[-1].children.append(element)
        path.append(element)

    def end(_tag: str) -> None:
        path.pop()

    def refuse(*_declaration: Any) -> None:
        raise DocumentError(f"the list of layers in {name} contains definitions; this is not a file to open")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(f"the list of layers in {name} is damaged; use a copy") from error
    return top.children[0]
