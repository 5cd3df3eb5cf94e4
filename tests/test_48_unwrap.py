"""Unwrapping against phase that is known, and against a published unwrapping."""

import gzip
import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from geobservatory.errors import InputError
from geobservatory.insar import unwrap as module
from geobservatory.insar import unwrap_tiles
from geobservatory.insar.unwrap import Unwrapped, unwrap

TURN = 2 * math.pi
METHODS = [
    "whirlwind",
    pytest.param(
        "snaphu",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("snaphu") is None, reason="SNAPHU is not installed"
        ),
    ),
]


def looked_down(truth: NDArray, coherence: NDArray | float, looks: int) -> NDArray[np.complex64]:
    """Interferogram of circular Gaussian pixels with a known coherence, summed over looks."""
    random = np.random.default_rng(7)
    total = np.zeros(truth.shape, np.complex128)
    for _ in range(looks):
        one, other = (
            random.normal(size=truth.shape) + 1j * random.normal(size=truth.shape) for _ in "12"
        )
        other = coherence * one + np.sqrt(1 - np.square(coherence)) * other
        total += one * other.conj()
    return (total * np.exp(1j * truth)).astype(np.complex64)


def same(shape: tuple[int, int], coherence: float) -> NDArray[np.float32]:
    return np.full(shape, coherence, np.float32)


def everywhere(shape: tuple[int, int]) -> NDArray[np.bool_]:
    return np.ones(shape, np.bool_)


def hill(size: int, fringes: float) -> NDArray:
    row, col = np.mgrid[:size, :size] / size
    return TURN * fringes * np.exp(-((row - 0.45) ** 2 + (col - 0.55) ** 2) / 0.07)


def turns_off(found: NDArray, truth: NDArray) -> NDArray:
    """Whole turns that a solution differs by from the truth, but for the commonest; NaN kept."""
    turns = np.round((found - truth) / TURN)
    values, cells = np.unique(turns[np.isfinite(turns)], return_counts=True)
    return turns - values[cells.argmax()]


def share_right(found: NDArray, truth: NDArray) -> float:
    off = turns_off(found, truth)
    return float((off[np.isfinite(off)] == 0).mean())


def assert_congruent(made: Unwrapped, phasor: NDArray[np.complex64]) -> None:
    """Hold the phase to the one given plus whole turns, to the rounding of single precision."""
    there = np.isfinite(made.phase)
    turns = (made.phase[there] - np.angle(phasor[there].astype(np.complex128))) / TURN
    rounding = np.spacing(np.abs(made.phase[there])) / TURN
    assert (np.abs(turns - np.round(turns)) <= 0.51 * rounding + 1e-12).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [(0.05, -0.02), (-1.2, 1.0)])
def test_a_tilted_plane(method: str, steps: tuple[float, float]) -> None:
    row, col = np.mgrid[:180, :230]
    truth = steps[0] * row + steps[1] * col
    phasor = looked_down(truth, 0.9, 10)
    made = unwrap(phasor, same(truth.shape, 0.9), 10.0, everywhere(truth.shape), method)
    assert share_right(made.phase, truth) == 1
    assert (made.components == 1).mean() > 0.999
    assert_congruent(made, phasor)
    assert (made.phase.dtype, made.components.dtype) == (np.float32, np.uint32)
    assert made.method == method
    assert made.version[0].isdigit()


@pytest.mark.parametrize("method", METHODS)
def test_a_hill_of_twenty_fringes_in_noise(method: str) -> None:
    truth = hill(600, 20)
    phasor = looked_down(truth, 0.6, 8)
    made = unwrap(phasor, same(truth.shape, 0.6), 8.0, everywhere(truth.shape), method)
    assert share_right(made.phase, truth) > 0.995
    assert (made.components == 1).mean() > 0.99
    assert_congruent(made, phasor)


@pytest.mark.parametrize("method", METHODS)
def test_islands_are_right_each_for_itself(method: str) -> None:
    """Noise in the water between them, which is masked, must not tear them."""
    truth = hill(400, 12)
    row, col = np.mgrid[:400, :400]
    water = np.abs(col - 150 - 20 * np.sin(row / 40)) < 8
    coherence = np.where(water, 0.05, 0.7).astype(np.float32)
    phasor = looked_down(truth, coherence, 8)
    made = unwrap(phasor, coherence, 8.0, ~water, method)
    east = ~water & (col > 160)
    assert np.array_equal(np.isnan(made.phase), water)
    assert (made.components[water] == 0).all()
    assert (made.components[east] == 1).mean() > 0.99
    assert (made.components[~water & ~east] == 2).mean() > 0.9
    for label in (1, 2):
        island = np.where(made.components == label, made.phase, np.nan)
        assert share_right(island, truth) > 0.999


def test_the_masked_carry_nothing() -> None:
    """What stands in a masked cell changes nothing, be it a phase, noise or NaN."""
    truth = hill(300, 10)
    phasor, coherence = looked_down(truth, 0.7, 8), same(truth.shape, 0.7)
    row, col = np.mgrid[:300, :300]
    valid = (row - 150) ** 2 + (col - 130) ** 2 > 50**2
    expected = unwrap(phasor, coherence, 8.0, valid)
    assert share_right(expected.phase, truth) > 0.999
    random = np.random.default_rng(3)
    for filling in (np.exp(1j * random.uniform(-3, 3, (300, 300))), 1 + 0j, np.nan):
        other = np.where(valid, phasor, filling).astype(np.complex64)
        known = np.where(valid, coherence, 1).astype(np.float32)
        made = unwrap(other, known, 8.0, valid)
        assert np.array_equal(made.phase, expected.phase, equal_nan=True)
        assert np.array_equal(made.components, expected.components)


def test_cells_without_phase_or_coherence_are_not_unwrapped() -> None:
    truth = hill(150, 3)
    phasor, coherence = looked_down(truth, 0.8, 8), same(truth.shape, 0.8)
    phasor[10:20, 10:20] = np.nan
    phasor[40:50, 40:50] = 0
    coherence[80:90, 80:90] = np.nan
    made = unwrap(phasor, coherence, 8.0, everywhere(truth.shape))
    nothing = np.zeros(truth.shape, np.bool_)
    nothing[10:20, 10:20] = nothing[40:50, 40:50] = nothing[80:90, 80:90] = True
    assert np.array_equal(np.isnan(made.phase), nothing)
    assert share_right(made.phase, truth) == 1


@pytest.mark.parametrize("method", METHODS)
def test_a_rupture_keeps_its_jump(method: str) -> None:
    """Strike-slip crack of uniform stress drop: 6.4 turns across its middle, none at its ends.

    w = Im(sqrt(z^2 - a^2) - z) / a is its closed form; the ground is torn up along it.
    """
    row, col = np.mgrid[:400, :400]
    z = (col - 199.5) + 1j * (row - 199.5)
    truth = TURN * 3.2 * np.imag(np.sqrt(z - 110) * np.sqrt(z + 110) - z) / 110
    along = np.abs(col - 199.5) < 112
    torn = along & (np.abs(row - 199.5) < 3)
    coherence = np.where(torn, 0.15, 0.8).astype(np.float32)
    phasor = looked_down(truth, coherence, 8)
    made = unwrap(phasor, coherence, 8.0, everywhere(truth.shape), method)
    off = turns_off(made.phase, truth)
    assert (off[~torn] == 0).mean() > 0.995
    middle = made.phase[205, 190:210].mean() - made.phase[194, 190:210].mean()
    assert middle == pytest.approx(TURN * 6.4, rel=0.06)


def test_components_are_numbered_by_size_and_crumbs_belong_to_none() -> None:
    """A crumb is a component of fewer than 100 cells; its phase is kept."""
    valid = np.zeros((200, 200), np.bool_)
    valid[5:55, 5:55] = True
    valid[100:190, 10:190] = True
    valid[20:50, 120:160] = True
    valid[70:78, 100:108] = True
    truth = hill(200, 4)
    made = unwrap(looked_down(truth, 0.95, 20), same(truth.shape, 0.95), 20.0, valid)
    assert (made.components[100:190, 10:190] == 1).mean() > 0.995
    assert (made.components[5:55, 5:55] == 2).mean() > 0.995
    assert (made.components[20:50, 120:160] == 3).mean() > 0.995
    assert (made.components[70:78, 100:108] == 0).all()
    assert np.array_equal(np.isfinite(made.phase), valid)
    assert made.components.max() == 3


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 2_000_000)
    monkeypatch.setattr(unwrap_tiles, "_TILE", 220)
    monkeypatch.setattr(unwrap_tiles, "_OVERLAP", 48)


@pytest.mark.parametrize("coherence", [0.5, 0.7])
def test_tiles_are_the_whole(request: pytest.FixtureRequest, coherence: float) -> None:
    truth = hill(700, 18)[:, :530]
    phasor, known = looked_down(truth, coherence, 10), same(truth.shape, coherence)
    valid = np.random.default_rng(1).random(truth.shape) > 0.02
    valid[:3] = False
    whole = unwrap(phasor, known, 10.0, valid)
    request.getfixturevalue("small_tiles")
    told: list[int] = []
    tiled = unwrap(phasor, known, 10.0, valid, progress=told.append)
    assert len(told) == 12
    assert sum(told) == 697 * 530
    assert np.array_equal(np.isfinite(tiled.phase), valid)
    assert share_right(tiled.phase, whole.phase) >= 0.999
    assert share_right(tiled.phase, truth) >= 0.995
    assert ((tiled.components == 1) == (whole.components == 1)).mean() > 0.999
    assert_congruent(tiled, phasor)


@pytest.mark.usefixtures("small_tiles")
def test_tiles_join_what_belongs_together_and_nothing_else() -> None:
    """Two lands that reach through all tiles, water between them, and tiles of water alone."""
    truth = hill(600, 15)
    row, col = np.mgrid[:600, :600]
    water = (np.abs(row - col) < 9) | ((row > 350) & (col < 300))
    coherence = np.where(water, 0.05, 0.75).astype(np.float32)
    phasor = looked_down(truth, coherence, 8)
    made = unwrap(phasor, coherence, 8.0, ~water)
    upper, lower = ~water & (col > row), ~water & (col < row)
    assert (made.components[upper] == 1).mean() > 0.99
    assert (made.components[lower] == 2).mean() > 0.99
    for land in (upper, lower):
        assert share_right(np.where(land, made.phase, np.nan), truth) > 0.999


@pytest.mark.parametrize("length", [1, 255, 256, 2048, 2049, 3000, 3841, 10_000])
def test_cores_of_tiles_meet_without_gap(length: int) -> None:
    cuts = unwrap_tiles._cut(length)
    assert [cell for _, core in cuts for cell in range(length)[core]] == list(range(length))
    for whole, core in cuts:
        assert whole.start <= core.start < core.stop <= whole.stop
        assert whole.stop - whole.start <= 2049


def test_an_earthquake_is_unwrapped_as_published(shared_data: Path) -> None:
    """Thessaly, 2021-03-03, C band: whole turns of the published map, a smooth surface apart."""
    wrapped, published = (
        np.frombuffer(gzip.decompress(path.read_bytes()), "<f4").reshape(801, 801)
        for path in (
            shared_data / "coseismic" / "greece.diff.gz",
            shared_data / "coseismic" / "greece.unw.gz",
        )
    )
    valid = (wrapped != 0) & np.isfinite(wrapped)
    phasor = np.where(valid, np.exp(1j * wrapped), 0).astype(np.complex64)
    made = unwrap(phasor, _agreement(phasor, valid), 10.0, valid)
    assert_congruent(made, phasor)
    truth = published.astype(np.float64) * 4 * np.pi / 0.05546576
    both = valid & np.isfinite(truth)
    rest = (truth - made.phase)[both]
    row, col = (np.mgrid[:801, :801] / 400 - 1)[:, both]
    terms = [row**i * col**j for i in range(4) for j in range(4 - i)]
    surface = np.stack(terms, axis=1)
    # The surface is fitted to where it and the turns agree, which is found step by step.
    rest -= np.median(rest)
    near = np.ones(rest.shape, np.bool_)
    for _ in range(6):
        fitted = surface @ np.linalg.lstsq(surface[near], rest[near], rcond=None)[0]
        near = np.abs(rest - fitted) < 2
    right = np.round((rest - fitted) / TURN) == 0
    assert right.mean() >= 0.97
    assert both.sum() >= 0.999 * np.isfinite(truth).sum()


def _agreement(phasor: NDArray[np.complex64], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Stand in for the coherence, which was not published: agreement of 5 x 5 cells."""
    real, imaginary, cells = (
        uniform_filter(part.astype(np.float32), 5) for part in (phasor.real, phasor.imag, valid)
    )
    return np.minimum(np.hypot(real, imaginary) / np.maximum(cells, 0.01), 1)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"coherence": np.ones((50, 51), np.float32)}, r"coherence \(50, 51\)"),
        ({"valid": np.ones((49, 50), np.bool_)}, r"mask \(49, 50\)"),
        ({"valid": np.zeros((50, 50), np.bool_)}, "none of 2500 cells"),
        ({"coherence": np.full((50, 50), np.nan, np.float32)}, "2500 are valid, none of"),
        ({"looks": 0.5}, "0.5 looks"),
        ({"looks": math.nan}, "nan looks"),
        ({"method": "guesswork"}, "'guesswork'"),
    ],
)
def test_what_cannot_be_unwrapped_is_named(change: dict, named: str) -> None:
    shape = (50, 50)
    arguments = {
        "phasor": np.ones(shape, np.complex64),
        "coherence": same(shape, 0.5),
        "looks": 8.0,
        "valid": everywhere(shape),
    }
    with pytest.raises(InputError, match=named):
        unwrap(**(arguments | change))


def test_snaphu_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "snaphu", None)
    shape = (50, 50)
    with pytest.raises(InputError, match="pip install snaphu"):
        unwrap(np.ones(shape, np.complex64), same(shape, 0.5), 8.0, everywhere(shape), "snaphu")


def test_an_image_of_a_few_cells() -> None:
    shape = (3, 5)
    made = unwrap(np.ones(shape, np.complex64), same(shape, 0.9), 8.0, everywhere(shape))
    assert np.ptp(made.phase) == 0
    assert not made.components.any()
