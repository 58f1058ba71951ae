"""What the document's rooms say about files, in the user's language.

Those rooms know no Qt and write English; here stands every form of sentence that they have, so that it can be
recognised and said again in another language. A test compares the table with their source.
"""

from __future__ import annotations

import re

from .translation import filled, tr
from .translation import marked as _

SENTENCES: tuple[str, ...] = (
    _("{0} is damaged or was cut short; use a copy, or open it in another program"),
    _("{0} lacks its part {1}; use a copy"),
    _("the part {0} of {1} is too large; this is not a file to open"),
    _("{0} has more than {1} parts; this is not a file to open"),
    _("{0} holds two parts of the same name; use a copy from where it was made"),
    _("{0} holds parts with unsafe names; this is not a file to open"),
    _("{0} is packed with a password or in a way that is not read; save it again"),
    _("{0} would unpack to far more than it should; this is not a file to open"),
    _("{0} holds parts that overlap; this is not a file to open"),
    _("groups lie inside each other more than {0} deep; take some apart"),
    _("{0}×{1} pixels are more than a {2} file holds; choose a smaller size or PNG"),
    _("there is no memory left to write {0}; choose a smaller size"),
    _("unsaved work cannot be kept in {0} ({1}); save often"),
    _("{0} is a folder; open a file inside it"),
    _("there is no file {0}; it may have been moved or renamed"),
    _("{0} cannot be opened: {1}; check its permissions"),
    _("{0} is a zip file, but no picture; open a .ora file"),
    _("{0} is no OpenRaster file; open it in the program that made it"),
    _("{0} was saved by a later version of this program; update it"),
    _("{0} is {1}×{2}, more than can be opened; scale it down first"),
    _("{0} is {1}, more than can be opened; scale it down first"),
    _("{0} holds more than one picture, of which the first is opened"),
    _("{0} has {1} bits a colour, of which 8 are read; convert it to TIFF or PNG to keep all"),
    _("unknown here, and shown as normal or left out of {0}: {1}"),
    _("{0} is too large for the memory of this machine; close other documents"),
    _("{0} is too large for the memory of this machine; scale it down first"),
    _("{0} is damaged and cannot be read; use a copy, or open it in another program"),
    _("{0} is damaged or of a kind that is not read; save it again in the program that made it"),
    _("{0} holds more pixels than can be read; scale it down where it was made"),
    _("{0} holds more pixels than can be read; flatten or scale it down first"),
    _("the list of layers in {0} contains definitions; this is not a file to open"),
    _("the list of layers in {0} is damaged; use a copy"),
    _("an attached file cannot be called “{0}”; rename it"),
    _("{0} reaches over {1} megapixels, more than the {2} that a file holds; crop it to the picture first"),
    _("not everything in {0} is known here: {1}"),
    _("a Photoshop file has at most 300 000 pixels a side; save another kind"),
    _("the unsaved work of {0} was kept by another version; open it in that one"),
    _("the unsaved work of {0} is damaged; open the file as it was saved last"),
    _("{0} could not be saved: the disk is full; make room or save on another disk"),
    _("{0} could not be saved: the folder {1} may not be written to; choose another folder"),
    _("{0} could not be saved: there is no folder {1}; choose another folder"),
    _("{0} could not be saved: {1}; choose another name or folder"),
    _("the disk is full, so that unsaved work of {0} is not kept; make room and save"),
    _("unsaved work of {0} is not kept any more ({1}); save often"),
    _("{0} is write-protected; unlock it, or save under another name"),
    _("{0} is not a file; save under another name"),
    _("this result is no longer there; make it again"),
    _("a picture that this result was made of is damaged; run the edit anew"),
    _("a result was damaged and is set aside in {0}; run it again"),
    _("this result was made of another picture; open it as a document of its own"),
    _("this result no longer fits into the picture; undo what made it smaller, or run it again"),
    # What stands in the way of an edit.
    _("Choose one of the tasks."),
    _("Open or paste a picture first, or choose a task that makes a new one."),
    _("Open or paste a picture for the mask to lie on."),
    _("A control needs a picture to edit; choose none."),
    _("This task makes a new picture; choose another."),
    _("Paint a mask over what may change."),
    _("Paint a mask where the reference should go, or make it the subject of a new picture."),
    _("Removing keeps nothing that a control could show; choose none."),
    _("Add a reference picture and switch it on."),
    _("Say in a few words what you want to see."),
    _("Choose one of the controls."),
    _("This model paints masks only; choose another task, model or adapter."),
    _("At a closeness of 0 % no control is seen; raise it or choose no control."),
    _("Choose a strength from 0 to 1."),
    _("Choose a seed of 0 or more."),
    _("Choose from 1 to 1000 steps."),
    _("Choose a guidance from 0 to 1000."),
    _("This model cannot work at this size."),
    _("Grow and fade the mask by 0 pixels or more."),
    _("Choose a strength of the adapter from -10 to 10."),
    _("The frame lies outside the picture; move it back."),
    _("The frame is too long; make it more square."),
    _("The mask lies outside the frame; move the frame over it."),
    _("The part of the mask outside the frame stays as it is; enlarge the frame."),
    _("The mask is too long to be seen whole; only what is in the frame changes."),
    _("The picture is too long to be seen whole; only what is in the frame changes."),
    _("This layer lies outside the picture; move it back and run it again."),
    _("So many references do not fit in; switch some off."),
    _("The references leave little room for the picture; switch some off."),
    _("The picture is smaller than 16 pixels; enlarge it."),
    _("A new picture has at most 8192 pixels a side; make the canvas smaller."),
    _("A new picture is at most four times as long as it is wide; change the canvas."),
    _("Depth needs a model that is not installed; add a depth picture of your own as a reference and choose it."),
    _("Choose the reference that is your own control picture."),
    _("The control picture has another size than the picture."),
    _("The control picture is no longer among the references; choose another."),
    _("The adapter {0} is not installed; choose another or install it."),
    _("This model is not installed; choose another or install it."),
    _("This task makes a new picture; the mask is not used."),
    _("A reference is damaged; take it off the board and add it again."),
    _("The mask fits only pictures of the same size; choose such pictures or another task."),
)

PICTURES: tuple[tuple[str, str], ...] = (
    ("{0} is empty; export it again", _("{0} is empty; export it again")),
    ("{0} is not a PNG, JPEG, WebP, TIFF or AVIF picture, or it is damaged",
     _("{0} is damaged or of a kind that is not read; save it as PNG, JPEG or TIFF and open that")),
    ("{0} is too large for the memory of this machine; scale it down first",
     _("{0} is too large for the memory of this machine; scale it down first")),
    ("{0} is damaged or cut short and cannot be read; export or copy it again",
     _("{0} is damaged or cut short and cannot be read; export or copy it again")),
    ("{0} is a folder, not a picture", _("{0} is a folder; open a file inside it")),
    ("there is no file {0}; check the name and the folder",
     _("there is no file {0}; it may have been moved or renamed")),
    ("{0} is a device, not a picture", _("{0} is a device; open a file")),
    ("{0} cannot be opened: {1}", _("{0} cannot be opened: {1}; check its permissions")),
    ("{0} is larger than 2 GiB; scale it down first", _("{0} is larger than 2 GiB; scale it down first")),
    ("{0} has {1}×{2} pixels, more than the {3} that can be read; scale it down",
     _("{0} is {1}×{2}, more than can be opened; scale it down first")),
    ("{0} holds its 16-bit channels one after the other; save it with interleaved channels",
     _("{0} holds its 16-bit channels one after the other; save it with interleaved channels")),
    ("{0} is in LAB or has more than 16 bits per channel; save it as RGB with 8 or 16 bits",
     _("{0} is in LAB or has more than 16 bits per channel; save it as RGB with 8 or 16 bits")),
    ("{0} is a HEIC picture, which is read on macOS only; convert it to JPEG or PNG first",
     _("{0} is a HEIC picture, which is read on macOS only; convert it to JPEG or PNG first")),
    ("the picture could not be encoded as PNG; write TIFF instead",
     _("The picture could not be written as PNG; choose TIFF.")),
    ("macOS could not read the HEIC picture {0}; convert it to JPEG first",
     _("macOS could not read the HEIC picture {0}; convert it to JPEG first")),
)  # fmt: skip
"""What is said when a picture is read or written, and what a window says instead of what is meant for a terminal."""

SYSTEM: frozenset[str] = frozenset(
    {
        _("Device or resource busy"), _("Disc quota exceeded"), _("Disk quota exceeded"), _("File exists"),
        _("File name too long"), _("File too large"), _("Input/output error"), _("Invalid argument"),
        _("Is a directory"), _("No space left on device"), _("No such file or directory"), _("Not a directory"),
        _("Operation not permitted"), _("Operation not supported"), _("Operation timed out"),
        _("Permission denied"), _("Read-only file system"), _("Resource busy"), _("Stale NFS file handle"),
        _("Stale file handle"), _("Too many levels of symbolic links"), _("Too many open files"),
    }
)  # fmt: skip
"""What macOS and Linux say of files and disks."""


def _pattern(form: str) -> re.Pattern[str]:
    """Make of a form what its sentences match; the values are what stands between its words."""
    return re.compile(re.sub(r"\\\{\d\\\}", "(.+)", re.escape(form)), re.DOTALL)


_FORMS = sorted(((*((form, form) for form in SENTENCES), *PICTURES)), key=lambda pair: len(pair[0]), reverse=True)
_PATTERNS = tuple((_pattern(form), said_here) for form, said_here in _FORMS)


def said(text: str) -> str:
    """Say a message of the document's rooms as a sentence, in the user's language as far as its form is known."""
    for pattern, form in _PATTERNS:
        if match := pattern.fullmatch(text):
            values = (tr(value) if value in SYSTEM else value for value in match.groups())
            text = filled(tr(form), *values)
            break
    return as_sentence(text)


def as_sentence(text: str) -> str:
    """Begin with a capital letter and end with a full stop."""
    first, _space, rest = text.partition(" ")
    if first.isalpha() and rest:  # a file's name stays as it is
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!", "…")) else text + "."
