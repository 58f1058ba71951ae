"""Blend modes of W3C Compositing and Blending Level 1: what a layer's colour becomes over a backdrop.

Colours are three planes (red, green, blue) of float32 in 0..1, not multiplied by alpha. Nothing here writes to what
it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]  # float32 throughout; the stubs of numpy lose it
Colour: TypeAlias = tuple[Floats, Floats, Floats]
Blend: TypeAlias = Callable[[Colour, Colour], Colour]

LUMINOSITY = (np.float32(0.3), np.float32(0.59), np.float32(0.11))
"""The weights of red, green and blue in the specification's Lum()."""


def blended(mode: str, backdrop: Colour, source: Colour) -> Colour:
    """Mix the source's colour with the backdrop's by a mode of `BLEND_MODES` other than "normal"."""
    return _MODES[mode](backdrop, source)


def _multiply(backdrop: Floats, source: Floats) -> Floats:
    return backdrop * source


def _screen(backdrop: Floats, source: Floats) -> Floats:
    return backdrop + source - backdrop * source


def _overlay(backdrop: Floats, source: Floats) -> Floats:
    """Hard light with the two exchanged."""
    doubled = 2 * backdrop
    return np.where(doubled <= 1, source * doubled, _screen(source, doubled - 1))


def _soft_light(backdrop: Floats, source: Floats) -> Floats:
    bright = np.where(backdrop <= 0.25, ((16 * backdrop - 12) * backdrop + 4) * backdrop, np.sqrt(backdrop))
    shift = 2 * source - 1
    return backdrop + shift * np.where(source <= 0.5, backdrop * (1 - backdrop), bright - backdrop)


def _separable(mix: Callable[[Floats, Floats], Floats]) -> Blend:
    def blend(backdrop: Colour, source: Colour) -> Colour:
        red, green, blue = (mix(b, s) for b, s in zip(backdrop, source, strict=True))
        return red, green, blue

    return blend


def luminosity(colour: Colour) -> Floats:
    """Give the specification's Lum() of a colour."""
    red, green, blue = (weight * plane for weight, plane in zip(LUMINOSITY, colour, strict=True))
    return red + green + blue


def _with_luminosity(colour: Colour, wanted: Floats) -> Colour:
    """SetLum() and ClipColor() of the specification."""
    shift = wanted - luminosity(colour)
    red, green, blue = (plane + shift for plane in colour)
    lum = luminosity((red, green, blue))
    lowest, highest = np.minimum(np.minimum(red, green), blue), np.maximum(np.maximum(red, green), blue)
    below = np.where(lowest < 0, lum / np.maximum(lum - lowest, 1e-12), 1)
    above = np.where(highest > 1, (1 - lum) / np.maximum(highest - lum, 1e-12), 1)
    scale = np.minimum(below, above)
    red, green, blue = (np.clip(lum + (plane - lum) * scale, 0, 1, dtype=np.float32) for plane in (red, green, blue))
    return red, green, blue


def _colour(backdrop: Colour, source: Colour) -> Colour:
    return _with_luminosity(source, luminosity(backdrop))


def _luminosity(backdrop: Colour, source: Colour) -> Colour:
    return _with_luminosity(backdrop, luminosity(source))


_MODES: Mapping[str, Blend] = MappingProxyType(
    {
        "multiply": _separable(_multiply),
        "screen": _separable(_screen),
        "overlay": _separable(_overlay),
        "soft-light": _separable(_soft_light),
        "darken": _separable(np.minimum),
        "lighten": _separable(np.maximum),
        "colour": _colour,
        "luminosity": _luminosity,
    }
)
