"""Blend modes as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..translation import marked as _

BLEND_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "normal": _("Normal"),
        "multiply": _("Multiply"),
        "screen": _("Screen"),
        "overlay": _("Overlay"),
        "soft-light": _("Soft light"),
        "darken": _("Darken"),
        "lighten": _("Lighten"),
        "colour": _("Colour"),
        "luminosity": _("Luminosity"),
    }
)
