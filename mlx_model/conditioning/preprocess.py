"""Controls: what the model is shown of the masked pixels instead of the pixels themselves.

The preprocessors of ACE++ (arXiv 2501.02487) as the authors' public code runs them, except for the line drawing,
which is made here without a network. Pictures are sRGB uint8 (H, W, 3), masks bool (H, W).
"""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mlx_model.request import RequestError

_BLOCK: Final = 64
"""The side in pixels of a mosaic's blocks."""


def canny(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Outline edges, white on black: Canny with thresholds 100 and 200 on the colour picture."""
    return _three(cv2.Canny(np.ascontiguousarray(rgb), 100, 200))


def contour(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Draw the picture in soft dark lines on white.

    A difference of Gaussians of the lightness (Winnemöller et al., "XDoG", 2012), and the slope of Lab's colour
    channels, so that borders between colours of equal lightness are drawn as well. Lines are wider in large pictures.
    """
    height, width = rgb.shape[:2]
    sigma = float(np.clip(min(height, width) / 400, 0.8, 3.0))
    lab = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2Lab).astype(np.float32)
    narrow = cv2.GaussianBlur(lab, (0, 0), sigma)
    wide = cv2.GaussianBlur(lab, (0, 0), 1.6 * sigma)
    # Lightness draws on the dark side of a border alone, colour on the border itself: each line is drawn once.
    dark = np.maximum(wide[..., 0] - narrow[..., 0], 0)
    slopes = [cv2.Scharr(narrow[..., 1:], cv2.CV_32F, dx, 1 - dx, scale=sigma / 32) for dx in (1, 0)]
    strength = dark + 0.35 * np.sqrt(np.square(slopes).sum(axis=(0, 3)))
    ink = np.tanh(np.maximum(strength - 1.5, 0) / 4.0)
    return _three(np.rint(255 * (1 - ink)).astype(np.uint8))


def mosaic(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Show blocks of about 64 pixels: shrunk with cubic interpolation, grown with nearest."""
    height, width = rgb.shape[:2]
    small = (max(1, width // _BLOCK), max(1, height // _BLOCK))
    blocks = cv2.resize(rgb, small, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def grey(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Show lightness alone, with the weights of red and blue exchanged, as the models were trained."""
    return _three(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_BGR2GRAY))


_PREPROCESSORS: Final[dict[str, Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]]] = {
    "canny": canny,
    "contour": contour,
    "mosaic": mosaic,
    "grey": grey,
}


def apply_control(
    name: str,
    rgb: npt.NDArray[np.uint8],
    mask: npt.NDArray[np.bool_],
    control_picture: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.uint8]:
    """Return a copy of ``rgb`` whose masked pixels show the control ``name`` instead.

    ``control_picture`` (the size of ``rgb``) is what the control is made from, None meaning ``rgb`` itself; "as-is"
    shows it unprocessed. A mask that selects nothing means everywhere.

    Raises:
        RequestError: an unknown control, one whose model is not installed, or a control picture that is missing or
            of another size.
    """
    if name == "depth":
        raise RequestError(
            "the depth control needs a depth model, which is not installed; "
            'make a depth picture elsewhere (near is bright) and give it as control picture with the control "as-is"'
        )
    if name == "as-is" and control_picture is None:
        raise RequestError('the control "as-is" shows your own control picture: give one, or choose another control')
    if name != "as-is" and name not in _PREPROCESSORS:
        known = ", ".join((*_PREPROCESSORS, "depth", "as-is"))
        raise RequestError(f'there is no control "{name}"; choose one of: {known}')
    source = rgb if control_picture is None else control_picture
    if source.shape != rgb.shape:
        raise RequestError(
            f"the control picture is {source.shape[1]} x {source.shape[0]} pixels, the picture "
            f"{rgb.shape[1]} x {rgb.shape[0]}: give one of the same size"
        )
    shown = source if name == "as-is" else _PREPROCESSORS[name](source)
    inside = mask if mask.any() else np.ones_like(mask)
    return np.where(inside[..., None], shown, rgb)


def _three(channel: npt.NDArray[np.uint8] | cv2.typing.MatLike) -> npt.NDArray[np.uint8]:
    return np.repeat(np.asarray(channel, np.uint8)[..., None], 3, axis=2)
