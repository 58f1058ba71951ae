"""Every mask of a document is read and set through one door, in document coordinates."""

import pytest

from ace_desktop.document.geometry import Rect
from ace_desktop.document.state import GroupLayer, State
from ace_desktop.document.target import EDIT_MASK, SELECTION, Kind, Target, mask_of, plane_of, with_mask, with_plane
from ace_desktop.document.tree import with_properties
from tests.ace_desktop.document.drawings import plain, raster

MASK = plain((77,), Rect(10, 20, 300, 30))


def document() -> State:
    layer = raster((1, 2, 3, 255))
    group = GroupLayer(children=(layer,), name="group", id="group", x=5, y=-7)
    return State(width=400, height=300, layers=(group,), active=layer.id)


@pytest.mark.parametrize("kind", ["edit mask", "selection", "saved mask", "layer mask"])
def test_what_is_set_is_read_again(kind: Kind) -> None:
    state = document()
    target = Target(kind, str(state.active) if kind == "layer mask" else "sky" if kind == "saved mask" else "")
    after = with_mask(state, target, MASK)
    assert mask_of(after, target).equals(MASK)
    plane = plane_of(after, target)
    assert plane is not None
    assert plane.content() == (Rect(5, 27, 300, 30) if kind == "layer mask" else Rect(10, 20, 300, 30))
    if kind != "edit mask":
        gone = with_plane(after, target, None)
        if kind == "saved mask":
            assert not gone.masks
        else:
            assert plane_of(gone, target) is None
            assert mask_of(gone, target).default == 255


def test_what_is_not_there_or_locked_is_refused() -> None:
    state = document()
    with pytest.raises(ValueError, match="no mask sky"):
        plane_of(state, Target("saved mask", "sky"))
    for name in ("pixels", "layer mask"):
        with pytest.raises(ValueError, match="no layer x"):
            plane_of(state, Target(name, "x"))
        with pytest.raises(ValueError, match="locked"):
            with_plane(with_properties(state, "group", locked=True), Target(name, str(state.active)), MASK)
    with pytest.raises(ValueError, match="no pixels"):
        plane_of(state, Target("pixels", "group"))
    with pytest.raises(ValueError, match="without edit mask"):
        with_plane(state, EDIT_MASK, None)
    assert with_plane(state, SELECTION, None).selection is None
