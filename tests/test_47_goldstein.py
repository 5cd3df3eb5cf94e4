"""The phase filter against fringes that are known."""

import math

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from geobservatory.errors import InputError
from geobservatory.insar.goldstein import goldstein


def turned(phase: NDArray) -> NDArray[np.complex64]:
    return np.exp(1j * phase).astype(np.complex64)


def plane(shape: tuple[int, int], down: float, across: float) -> NDArray:
    """Radians a row and a column."""
    row, col = np.mgrid[: shape[0], : shape[1]]
    return 0.7 + down * row + across * col


def bowl(size: int, fringes: float) -> NDArray:
    row, col = np.mgrid[:size, :size] / size - 0.5
    return 2 * np.pi * fringes * np.exp(-(row**2 + col**2) / 0.08)


def looked_down(truth: NDArray, coherence: NDArray | float, looks: int) -> NDArray[np.complex64]:
    """Interferogram of circular Gaussian pixels with a known coherence, summed over looks."""
    random = np.random.default_rng(11)
    total = np.zeros(truth.shape, np.complex128)
    for _ in range(looks):
        one, other = (
            random.normal(size=truth.shape) + 1j * random.normal(size=truth.shape) for _ in "12"
        )
        other = coherence * one + np.sqrt(1 - np.square(coherence)) * other
        total += one * other.conj()
    return (total * np.exp(1j * truth)).astype(np.complex64)


def error(found: NDArray[np.complex64], truth: NDArray) -> NDArray[np.float64]:
    return np.angle(found * np.exp(-1j * truth))


def rms(values: NDArray) -> float:
    return math.sqrt(np.mean(np.square(values)))


def same(shape: tuple[int, int], coherence: float) -> NDArray[np.float32]:
    return np.full(shape, coherence, np.float32)


@pytest.mark.parametrize("steps", [(0, 0), (0.31, -0.17), (-1.9, 2.3), (0.0, 2 * np.pi * 3.5 / 32)])
@pytest.mark.parametrize("shape", [(100, 145), (7, 11), (32, 32), (1, 50)])
def test_a_plane_passes_unchanged(shape: tuple[int, int], steps: tuple[float, float]) -> None:
    """With patches cut short at the edges, images smaller than a patch, and between frequencies."""
    truth = plane(shape, *steps)
    found = goldstein(turned(truth), same(shape, 0.2), strength=1.0)
    assert found.dtype == np.complex64
    assert np.abs(error(found, truth)).max() < 1e-3
    assert np.abs(found) == pytest.approx(np.ones(shape), abs=1e-5)


def test_a_plane_with_holes_passes_unchanged_and_the_holes_stay() -> None:
    truth = plane((150, 130), 0.4, -0.8)
    row, col = np.mgrid[:150, :130]
    hole = (row - 60) ** 2 + (col - 50) ** 2 < 20**2
    hole[100:] |= col[100:] > 80
    phasor = turned(truth)
    phasor[hole] = np.where(col[hole] % 2, np.nan, 0)
    phasor[3, 3] = complex(math.inf, 1)
    hole[3, 3] = True
    found = goldstein(phasor, same(hole.shape, 0.4))
    assert (found[hole] == 0).all()
    assert np.abs(error(found, truth)[~hole]).max() < 1e-3


def test_size_of_a_phasor_has_no_say() -> None:
    noisy = looked_down(bowl(128, 3), 0.5, 4)
    bright = noisy * (1 + 1000 * (np.arange(128) % 7 == 0)).astype(np.float32)
    known = same(noisy.shape, 0.5)
    assert goldstein(bright, known) == pytest.approx(goldstein(noisy, known), abs=1e-4)


@pytest.mark.parametrize("looks", [8, 25])
def test_noise_is_halved_at_low_coherence(looks: int) -> None:
    truth = bowl(400, 6)
    noisy = looked_down(truth, 0.4, looks)
    found = goldstein(noisy, same(truth.shape, 0.4))
    before, after = rms(error(noisy, truth)), rms(error(found, truth))
    assert after < before / 2


def test_steep_fringes_do_not_move() -> None:
    """Up to 2.2 radians a cell, noise aside."""
    truth = bowl(400, 50)
    steepest = np.abs(np.diff(truth, axis=0)).max()
    assert 2 < steepest < np.pi
    found = goldstein(turned(truth), same(truth.shape, 0.3))
    assert rms(error(found, truth)) < 0.05
    assert abs(np.angle(np.mean(found * np.exp(-1j * truth)))) < 2e-3


def test_coherent_ground_is_left_alone() -> None:
    """The exponent falls with coherence: detail smaller than a patch survives where it is high."""
    truth = np.zeros((160, 160))
    truth[70:76, 70:76] = 1.5
    kept = goldstein(turned(truth), same(truth.shape, 0.97))
    smoothed = goldstein(turned(truth), same(truth.shape, 0.3))
    middle = np.s_[72:74, 72:74]
    assert np.abs(error(kept, truth)[middle]).max() < 0.1
    assert np.abs(error(smoothed, truth)[middle]).min() > 0.3


def test_strength_is_the_upper_bound_and_zero_changes_nothing() -> None:
    noisy = looked_down(bowl(100, 3), 0.3, 4)
    known = same(noisy.shape, 0.3)
    unchanged = goldstein(noisy, known, strength=0)
    assert np.abs(error(unchanged, np.angle(noisy))).max() < 1e-4
    assert goldstein(noisy, known, strength=0.5) == pytest.approx(
        goldstein(noisy, same(noisy.shape, 0.4), strength=0.5), abs=1e-5
    )
    assert goldstein(noisy, None, strength=0.5) == pytest.approx(
        goldstein(noisy, known, strength=0.5), abs=1e-5
    )


def test_unknown_coherence_is_no_coherence() -> None:
    noisy = looked_down(bowl(100, 3), 0.6, 4)
    known = same(noisy.shape, 0.6)
    known[40:50, 40:50] = np.nan
    found = goldstein(noisy, known)
    assert np.isfinite(found).all()
    assert np.abs(found) == pytest.approx(np.ones(noisy.shape), abs=1e-5)


def test_no_seams_between_patches() -> None:
    """Steps of phase across the lines where patches begin are no larger than elsewhere."""
    truth = bowl(640, 12)
    found = goldstein(looked_down(truth, 0.5, 8), same(truth.shape, 0.5))
    rest = error(found, truth)
    steps = np.abs(np.angle(np.exp(1j * np.diff(rest, axis=1)))).mean(axis=0)
    at_seams = steps[15::16].mean()
    assert at_seams == pytest.approx(np.delete(steps, np.s_[15::16]).mean(), rel=0.03)


def test_result_does_not_depend_on_how_the_work_is_cut() -> None:
    """Rows far from a cut are those of the whole; strips are 256 rows of 16 x 16."""
    truth = bowl(700, 9)
    noisy, known = looked_down(truth, 0.5, 4), same(truth.shape, 0.5)
    whole = goldstein(noisy, known)
    part = goldstein(noisy[160:], known[160:])
    assert np.array_equal(part[32:], whole[192:])
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        assert np.array_equal(goldstein(noisy, known), whole)
    finally:
        numba.set_num_threads(threads)


def test_rows_and_columns_are_treated_alike() -> None:
    noisy = looked_down(bowl(200, 5), 0.5, 4)[:, :150]
    found = goldstein(noisy, None)
    assert goldstein(noisy.T.copy(), None).T == pytest.approx(found, abs=2e-3)


def test_progress_tells_every_cell_once() -> None:
    told: list[int] = []
    goldstein(np.zeros((600, 50), np.complex64), None, progress=told.append)
    assert sum(told) == 600 * 50
    assert len(told) > 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"coherence": np.ones((5, 6), np.float32)}, "of the same looks"),
        ({"strength": 1.2}, "strength 1.2"),
        ({"strength": math.nan}, "strength nan"),
        ({"window": 15}, "window 15"),
        ({"window": 4}, "window 4"),
        ({"phasor": np.ones(5, np.complex64)}, "rows and columns"),
    ],
)
def test_what_cannot_be_filtered_is_named(change: dict, named: str) -> None:
    arguments = {"phasor": np.ones((5, 5), np.complex64), "coherence": None} | change
    with pytest.raises(InputError, match=named):
        goldstein(**arguments)
