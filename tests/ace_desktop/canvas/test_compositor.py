"""The pyramid shows every level as if made anew, whatever changed before, and renders no more than it must."""

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ace_desktop.canvas.compositor import LEVELS, Pyramid, level_for
from ace_desktop.document.geometry import Rect

FRAME = Rect(0, 0, 700, 530)


class Picture:
    """Pixels that change, and which rectangles of them were asked for."""

    def __init__(self, channels: int = 4) -> None:
        self.pixels = np.random.default_rng(1).integers(0, 256, (FRAME.height, FRAME.width, channels), np.uint8)
        self.asked: list[Rect] = []

    def render(self, rect: Rect) -> NDArray[np.uint8]:
        """Give what is there now."""
        self.asked.append(rect)
        return self.pixels[rect.y : rect.bottom, rect.x : rect.right]


def look(
    pyramid: Pyramid, level: int, rect: Rect, deadline: float = float("inf")
) -> tuple[NDArray[np.uint8], list[Rect]]:
    """Refresh and read; give what is left too."""
    left = pyramid.refresh(level, rect, deadline)
    return pyramid.read(level, rect), left


def by_hand(pixels: NDArray[np.uint8], level: int) -> NDArray[np.float64]:
    """Mean of every block; blocks at the border repeat the last pixels."""
    size = 1 << level
    height, width = pixels.shape[:2]
    padded = cv2.copyMakeBorder(pixels, 0, -height % size, 0, -width % size, cv2.BORDER_REPLICATE)
    blocks = padded.reshape(padded.shape[0] // size, size, padded.shape[1] // size, size, -1)
    return blocks.mean((1, 3))


def test_every_level_is_the_mean_of_blocks() -> None:
    for channels in (1, 4):
        picture = Picture(channels)
        pyramid = Pyramid(FRAME, channels, picture.render)
        for level in range(LEVELS):
            frame = pyramid.level_frame(level)
            found, left = look(pyramid, level, frame)
            assert not left
            assert np.abs(found - by_hand(picture.pixels, level)).max() <= 0.51


def test_outside_the_frame_is_nothing() -> None:
    pyramid = Pyramid(FRAME, 4, Picture().render)
    found, _ = look(pyramid, 0, Rect(-10, -20, 15, 25))
    assert not found[:20].any()
    assert not found[:, :10].any()
    assert found[20:, 10:].any()


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.builds(Rect, st.integers(-20, 690), st.integers(-20, 520), st.integers(1, 300), st.integers(1, 300)),
            st.integers(0, LEVELS - 1),
        ),
        max_size=6,
    ),
    st.sampled_from((1, 3, 1000)),
)
def test_mended_is_the_same_as_new(changes: list[tuple[Rect, int]], tiles: int) -> None:
    picture = Picture()
    pyramid = Pyramid(FRAME, 4, picture.render, tiles * 256 * 256 * 4)
    random = np.random.default_rng(2)
    for rect, level in changes:
        look(pyramid, level, pyramid.level_frame(level))
        inside = rect & FRAME
        part = picture.pixels[inside.y : inside.bottom, inside.x : inside.right]
        part[:] = random.integers(0, 256, part.shape, np.uint8)
        pyramid.invalidate([rect])
        for other in range(LEVELS):
            frame = pyramid.level_frame(other)
            new = look(Pyramid(FRAME, 4, picture.render), other, frame)[0]
            assert np.array_equal(look(pyramid, other, frame)[0], new)


def test_only_what_changed_is_rendered() -> None:
    picture = Picture()
    pyramid = Pyramid(FRAME, 4, picture.render)
    for level in (0, 1):
        look(pyramid, level, pyramid.level_frame(level))
    picture.asked.clear()
    pyramid.invalidate([Rect(101, 50, 30, 20)])
    look(pyramid, 0, FRAME)
    look(pyramid, 1, pyramid.level_frame(1))
    assert picture.asked == [Rect(101, 50, 30, 20), Rect(100, 50, 32, 20)]


def test_out_of_time_it_tells_what_is_left_and_goes_on_later() -> None:
    picture = Picture()
    pyramid = Pyramid(FRAME, 4, picture.render)
    rounds = 0
    found, left = picture.pixels, [FRAME]
    while left:
        found, left = look(pyramid, 0, FRAME, deadline=0.0)
        rounds += 1
        assert len(picture.asked) == rounds
    assert rounds == 9
    assert np.array_equal(found, picture.pixels)


def test_a_coarser_level_stands_in_until_there_is_time() -> None:
    picture = Picture()
    picture.pixels[:] = 77
    pyramid = Pyramid(FRAME, 4, picture.render)
    look(pyramid, 2, pyramid.level_frame(2))
    found, left = look(pyramid, 0, FRAME, deadline=0.0)
    assert left
    assert (found[:512, :512] == 77).all()  # beyond, tiles of the level may reach over the frame


def test_it_keeps_no_more_than_it_may_except_what_is_seen() -> None:
    pyramid = Pyramid(FRAME, 4, Picture().render, 2 * 256 * 256 * 4)
    look(pyramid, 0, FRAME)
    assert pyramid.nbytes == 9 * 256 * 256 * 4
    look(pyramid, 1, Rect(0, 0, 10, 10))
    assert pyramid.nbytes == 2 * 256 * 256 * 4


def test_levels_never_enlarge_below_one_to_one() -> None:
    assert [level_for(scale) for scale in (8, 1, 0.99, 0.5, 0.49, 0.25, 0.1, 0.0001)] == [0, 0, 0, 1, 1, 2, 3, 7]
