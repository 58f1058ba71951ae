"""The way from the document to the view and back, at any zoom and rotation."""

import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, QRect

from ace_desktop.canvas.transform import LARGEST, SMALLEST, ViewTransform, fitted, stepped
from ace_desktop.document.geometry import Rect

busy = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # other programs may have the machine
places = st.floats(-5000, 5000)
transforms = st.builds(
    ViewTransform,
    zoom=st.floats(SMALLEST, LARGEST),
    rotation=st.floats(-180, 180),
    x=places,
    y=places,
    ratio=st.sampled_from((1.0, 1.5, 2.0)),
)


@busy
@given(transforms, places, places)
def test_there_and_back_is_the_same_point(transform: ViewTransform, x: float, y: float) -> None:
    back = transform.to_document(transform.to_view(x, y))
    assert math.dist(back, (x, y)) < 1e-6 * max(1, 1 / transform.zoom) * 10


@busy
@given(transforms, st.floats(SMALLEST / 2, LARGEST * 2), st.floats(0, 800), st.floats(0, 600))
def test_zooming_and_turning_keep_what_is_under_the_pointer(
    transform: ViewTransform, zoom: float, x: float, y: float
) -> None:
    pointer = QPointF(x, y)
    under = transform.to_document(pointer)
    for moved in (transform.zoomed(zoom, pointer), transform.rotated(zoom * 10, pointer)):
        place = moved.to_view(*under)
        assert math.dist((place.x(), place.y()), (x, y)) < 1e-4
        assert SMALLEST <= moved.zoom <= LARGEST
        assert -180 <= moved.rotation <= 180


@busy
@given(transforms, st.builds(Rect, *(st.integers(-500, 500),) * 2, *(st.integers(1, 500),) * 2))
def test_rectangles_reach_around_what_they_stand_for(transform: ViewTransform, rect: Rect) -> None:
    shown = transform.view_rect(rect)
    for x in (rect.x, rect.right):
        for y in (rect.y, rect.bottom):
            point = transform.to_view(x, y)
            assert shown.left() <= point.x() <= shown.right() + 1
            assert shown.top() <= point.y() <= shown.bottom() + 1
    assert rect in transform.document_rect(shown).grown(1)


def test_fitting_shows_all_of_it_and_enlarges_nothing() -> None:
    for frame, rotation in ((Rect(0, 0, 4000, 3000), 0.0), (Rect(0, 0, 3000, 4000), 30.0), (Rect(0, 0, 20, 10), 0.0)):
        transform = fitted(frame, 800, 600, 2.0, rotation)
        assert QRect(0, 0, 800, 600).contains(transform.view_rect(frame))
        assert transform.zoom <= 1
    assert fitted(Rect(0, 0, 20, 10), 800, 600, 2.0).zoom == 1


def test_steps_stop_at_one_hundred_percent_and_at_the_ends() -> None:
    assert stepped(0.8, up=True) == 1
    assert stepped(1.2, up=False) == 1
    assert stepped(LARGEST, up=True) == LARGEST
    assert stepped(SMALLEST, up=False) == SMALLEST
