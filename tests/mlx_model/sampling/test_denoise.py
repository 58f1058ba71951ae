"""The loop's arithmetic, its stop at unusable numbers, and the noise that it starts from."""

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from mlx_model.runtime import mx
from mlx_model.sampling.denoise import denoise, noise

Numbers = npt.NDArray[np.float32]
LEVELS = [1.0, 0.75, 0.3, 0.0]


def apart(a: mx.array, b: mx.array) -> float:
    return float(np.abs(np.array(a) - np.array(b)).max())


def test_a_straight_flow_is_followed_exactly() -> None:
    """Where the velocity is noise - picture everywhere, any schedule ends at the picture."""
    start, picture = noise(3, (1, 4, 6, 16)), noise(4, (1, 4, 6, 16))
    end = denoise(lambda _latent, _step: start - picture, start, LEVELS)
    difference = apart(end, picture)
    assert difference < 1e-6, difference


def test_every_step_is_euler_s() -> None:
    start = noise(5, (1, 2, 2, 16))
    end = denoise(lambda latent, step: latent * (step + 1), start, LEVELS)
    expected = np.array(start)
    for step, (sigma, following) in enumerate(itertools.pairwise(LEVELS)):
        expected = expected + (following - sigma) * expected * (step + 1)
    assert np.abs(np.array(end) - expected).max() < 1e-6


def test_steps_are_told_with_the_picture_in_sight() -> None:
    start, picture = noise(3, (1, 2, 2, 16)), noise(4, (1, 2, 2, 16))
    seen: list[tuple[int, float]] = []

    def on_step(done: int, _latent: mx.array, clean: mx.array) -> None:
        seen.append((done, apart(clean, picture)))

    denoise(lambda _latent, _step: start - picture, start, LEVELS, on_step)
    assert [done for done, _ in seen] == [1, 2, 3]
    assert max(error for _, error in seen) < 1e-6, seen


@pytest.mark.parametrize("first", [1, 2, 3])
def test_going_on_from_a_step_is_the_same_walk(first: int) -> None:
    """Bit by bit, through an array of numpy's; velocities and tellings go by the step's own number."""
    kept: dict[int, Numbers] = {}

    def keep(done: int, latent: mx.array, _clean: mx.array) -> None:
        kept[done] = np.array(latent)

    def velocity(latent: mx.array, step: int) -> mx.array:
        return latent * (step + 1) + 0.1

    end = np.array(denoise(velocity, noise(5, (1, 2, 2, 16)), LEVELS, keep))
    whole = kept.copy()
    kept.clear()
    again = denoise(velocity, mx.array(whole[first]), LEVELS, keep, first)
    assert np.array_equal(np.array(again), end)
    assert list(kept) == list(range(first + 1, 4))
    assert all(np.array_equal(kept[done], whole[done]) for done in kept)


def test_the_sum_stays_float32_when_the_network_is_not() -> None:
    start = noise(1, (1, 2, 2, 16))
    end = denoise(lambda latent, _: latent.astype(mx.bfloat16), start, LEVELS)
    assert end.dtype == mx.float32
    assert start.dtype == mx.float32


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 0.0])
def test_unusable_numbers_stop_the_run_at_their_step(number: float) -> None:
    def velocity(latent: mx.array, step: int) -> mx.array:
        return latent if step == 0 else mx.full(latent.shape, number)

    with pytest.raises(ArithmeticError, match="step 2"):
        denoise(velocity, noise(1, (1, 2, 2, 16)), LEVELS)


def test_one_bad_number_among_good_ones_stops_the_run() -> None:
    start = noise(1, (1, 2, 2, 16))
    for number in (float("nan"), float("inf"), -float("inf")):
        spoiled = np.array(start)
        spoiled[0, 1, 1, 3] = number
        with pytest.raises(ArithmeticError, match="step 1"):
            denoise(lambda _latent, _step: mx.array(spoiled), start, LEVELS)  # noqa: B023  (called at once)


def test_stopping_comes_through() -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        denoise(lambda latent, _: latent, noise(1, (1, 2, 2, 16)), LEVELS, stop)


def test_noise_depends_on_seed_and_shape_alone() -> None:
    first = np.array(noise(7, (1, 8, 8, 16)))
    noise(8, (1, 8, 8, 16))
    assert np.array_equal(first, np.array(noise(7, (1, 8, 8, 16))))
    assert not np.array_equal(first, np.array(noise(8, (1, 8, 8, 16))))
    assert abs(float(first.std()) - 1) < 0.1
    assert np.array(noise(2**64 - 1, (1, 1, 1, 4))).dtype == np.float32
