"""What the document's rooms say about files, in the user's language.

Those rooms know no Qt and write English; here stands every form of sentence that they have, so that it can be
recognised and said again in another language. A test compares the table with their source.
"""

from __future__ import annotations

import re

from .translation import marked as _
from .translation import tr

SENTENCES: tuple[str, ...] = (
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
    _("{0} could not be saved: {1}"),
    _("{0} is write-protected; unlock it, or save under another name"),
    _("{0} is not a file; save under another name"),
)


def _pattern(form: str) -> re.Pattern[str]:
    """Make of a form what its sentences match; the values are what stands between its words."""
    return re.compile(re.sub(r"\\\{\d\\\}", "(.+)", re.escape(form)), re.DOTALL)


_PATTERNS = tuple((form, _pattern(form)) for form in sorted(SENTENCES, key=len, reverse=True))


def said(text: str) -> str:
    """Say a message of the document's rooms as a sentence, in the user's language as far as its form is known."""
    for form, pattern in _PATTERNS:
        if match := pattern.fullmatch(text):
            text = tr(form).format(*match.groups())
            break
    first, _space, rest = text.partition(" ")
    if first.isalpha() and rest:  # a file's name stays as it is
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!", "…")) else text + "."
