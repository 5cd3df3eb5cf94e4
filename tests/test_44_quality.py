"""Coherence, effective looks, registration, detection and the match with the terrain."""

import dataclasses
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from geobservatory.insar.coherence import (
    coherence,
    effective_looks,
    is_coherent,
    phase_deviation,
)
from geobservatory.insar.detect import find_deformation
from geobservatory.insar.geocode import Lookup
from geobservatory.insar.interferogram import Interferogram
from geobservatory.insar.map_grid import MapGrid
from geobservatory.insar.pair import Layout
from geobservatory.insar.terrain_check import match_terrain
from geobservatory.sandbox.instrument import LINE_S, SAMPLING_HZ, SWATHS
from geobservatory.sentinel1.annotation import Annotation, Band

GRID = MapGrid("EPSG:32629", 500_000.0, 3_500_000.0, 40.0, 1500, 1500)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(5)


def speckle(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.complex128]:
    return (random.normal(size=shape) + 1j * random.normal(size=shape)) / math.sqrt(2)


def looked_down(
    one: NDArray[np.complex128], other: NDArray[np.complex128], looks: tuple[int, int]
) -> Interferogram:
    """Sum cells of independent pixels."""

    def cells(values: NDArray) -> NDArray:
        rows, cols = values.shape[0] // looks[0], values.shape[1] // looks[1]
        return values.reshape(rows, looks[0], cols, looks[1]).sum((1, 3))

    cross = cells(one * other.conj())
    layout = Layout((), *cross.shape, looks, np.datetime64("2023-09-04"), LINE_S, 8e5, 2.3)
    return Interferogram(
        cross.astype(np.complex64),
        cells(np.abs(one) ** 2).astype(np.float32),
        cells(np.abs(other) ** 2).astype(np.float32),
        np.full(cross.shape, looks[0] * looks[1], np.int32),
        layout,
    )


@pytest.mark.parametrize("cycles", [(0.0, 0.0), (0.0, 0.25), (0.3, -0.2)])
def test_coherence_is_unbiased_under_fringes(
    random: np.random.Generator, cycles: tuple[float, float]
) -> None:
    """Fringes of so many cycles a cell; the truth is 0.8."""
    looks, truth = (4, 20), 0.8
    shape = 60 * looks[0], 60 * looks[1]
    one = speckle(random, shape)
    other = truth * one + math.sqrt(1 - truth**2) * speckle(random, shape)
    row, col = np.mgrid[: shape[0], : shape[1]]
    other *= np.exp(2j * np.pi * (cycles[0] * row / looks[0] + cycles[1] * col / looks[1]))
    made = looked_down(one, other, looks)
    assert np.nanmean(coherence(made)) == pytest.approx(truth, abs=0.01)


def test_coherence_of_noise_is_that_of_theory(random: np.random.Generator) -> None:
    """Mean sqrt(pi / 4L), and one in a hundred above the bound; no fringe is taken from noise."""
    looks = (4, 10)
    made = looked_down(speckle(random, (800, 2000)), speckle(random, (800, 2000)), looks)
    found = coherence(made)
    assert found.mean() == pytest.approx(math.sqrt(math.pi / 160), rel=0.02)
    assert is_coherent(found, 40).mean() == pytest.approx(0.01, abs=0.006)
    assert is_coherent(found + np.float32(0.1), 40).mean() > 0.95


def test_cells_without_pixels_have_no_coherence(random: np.random.Generator) -> None:
    made = looked_down(speckle(random, (40, 40)), speckle(random, (40, 40)), (4, 10))
    made.pixels[2, 1] = 19
    made.cross[3, 3] = made.reference_power[3, 3] = 0
    found = coherence(made)
    assert np.isnan(found[2, 1])
    assert np.isnan(found[3, 3])
    assert np.isfinite(found).sum() == found.size - 2


def annotation_with(range_band: Band, azimuth_band: Band) -> Annotation:
    blank = {one.name: None for one in dataclasses.fields(Annotation)}
    return Annotation(
        **{
            **blank,
            "range_band": range_band,
            "azimuth_band": azimuth_band,
            "range_sampling_rate_hz": SAMPLING_HZ,
            "azimuth_time_interval_s": LINE_S,
        }  # type: ignore[arg-type]
    )


def test_effective_looks_are_those_of_speckle(random: np.random.Generator) -> None:
    """Noise filtered to the band: mean squared over variance of its intensity."""
    swath = SWATHS["IW2"]
    annotation = annotation_with(
        Band(swath.range_bandwidth_hz, swath.range_window),
        Band(swath.azimuth_bandwidth_hz, swath.azimuth_window),
    )
    pixels = speckle(random, (1200, 4000))
    for axis, share, window in (
        (0, swath.azimuth_bandwidth_hz * LINE_S, swath.azimuth_window),
        (1, swath.range_bandwidth_hz / SAMPLING_HZ, swath.range_window),
    ):
        pixels = np.moveaxis(pixels, axis, -1)
        frequency = np.fft.fftfreq(pixels.shape[-1]) / share
        taper = window + (1 - window) * np.cos(2 * np.pi * frequency)
        taper[np.abs(frequency) > 0.5] = 0
        pixels = np.moveaxis(np.fft.ifft(np.fft.fft(pixels) * taper), -1, axis)
    power = np.abs(pixels) ** 2
    for looks in ((4, 20), (8, 5)):
        rows, cols = power.shape[0] // looks[0], power.shape[1] // looks[1]
        cut = power[: rows * looks[0], : cols * looks[1]]
        cells = cut.reshape(rows, looks[0], cols, looks[1]).mean((1, 3))
        measured = cells.mean() ** 2 / cells.var()
        assert effective_looks(annotation, looks) == pytest.approx(measured, rel=0.03)


def test_looks_of_white_pixels_are_all_independent() -> None:
    white = annotation_with(Band(SAMPLING_HZ, 1.0), Band(1 / LINE_S, 1.0))
    assert effective_looks(white, (4, 20)) == pytest.approx(80, rel=0.01)
    assert effective_looks(white, (1, 1)) == pytest.approx(1, rel=1e-6)


def test_phase_deviation_is_that_of_simulated_cells(random: np.random.Generator) -> None:
    for truth in (0.4, 0.6, 0.9):
        one = speckle(random, (800, 1000))
        other = truth * one + math.sqrt(1 - truth**2) * speckle(random, (800, 1000))
        made = looked_down(one, other, (4, 10))
        expected = float(phase_deviation(np.float32(truth), 40))
        assert np.angle(made.cross).std() == pytest.approx(expected, rel=0.08)
    assert phase_deviation(np.float32(0.0), 40) == pytest.approx(math.pi / math.sqrt(3))


def troposphere(random: np.random.Generator, deviation_m: float) -> NDArray[np.float32]:
    """Delays over tens of kilometres, of a standard deviation."""
    delay = gaussian_filter(random.normal(size=(1500, 1500)), 100, mode="wrap")
    return (delay * deviation_m / delay.std()).astype(np.float32)


def bell(height_m: float, width_m: float) -> NDArray[np.float32]:
    y, x = np.mgrid[:1500, :1500] * 40.0 - 30_000
    return (height_m * np.exp(-(x**2 + y**2) / (2 * width_m**2))).astype(np.float32)


def test_deformation_is_found_and_quiet_is_quiet() -> None:
    """Over many skies: what is three limits high is seen, and no sky is taken for motion."""
    false_alarms = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        sky = troposphere(random, 0.006) + random.normal(0, 0.003, (1500, 1500)).astype(np.float32)
        quiet = find_deformation(sky, GRID)
        false_alarms += quiet.detected
        assert 0.01 < quiet.limit_m < 0.06
        for sign in (1, -1):
            moved = find_deformation(sky + bell(sign * 3 * quiet.limit_m, 6000), GRID)
            assert moved.detected
            peak = moved.highest_m if sign > 0 else -moved.lowest_m
            assert peak == pytest.approx(3 * quiet.limit_m, abs=0.025)
            assert moved.area_km2 > 20
    assert false_alarms <= 1


def test_motion_that_fills_the_map_is_still_found() -> None:
    assert find_deformation(bell(0.3, 15_000), GRID).detected


def test_a_ramp_is_measured_beside_deformation() -> None:
    y, x = np.mgrid[:1500, :1500] * 40.0
    ramp = (x * 0.08e-5 - y * 0.05e-5).astype(np.float32)
    east, north = find_deformation(ramp + bell(0.5, 5000), GRID).ramp_m_per_100km
    assert east == pytest.approx(0.08, abs=0.01)
    assert north == pytest.approx(0.05, abs=0.01)


def test_nothing_to_judge_is_said() -> None:
    found = find_deformation(np.full((1500, 1500), np.nan, np.float32), GRID)
    assert not found.detected
    assert math.isnan(found.limit_m)


def terrain(random: np.random.Generator) -> tuple[Lookup, NDArray[np.float32]]:
    """Relief that bends columns, and the brightness that follows from it, with speckle."""
    height = gaussian_filter(random.normal(size=(400, 400)), 6)
    height *= 120 / height.std()
    row, col = np.mgrid[:400, :400].astype(np.float64)
    # 40 m of ground are a cell; height moves a place toward the radar by as much as it is high.
    col -= height / 40
    lookup = Lookup(GRID, row.astype(np.float32), col.astype(np.float32), height.astype(np.float32))
    area = 1 / np.maximum(np.abs(np.gradient(col, axis=1)), 0.05)
    power = area * random.gamma(20, 1 / 20, (400, 400))
    return lookup, np.sqrt(power).astype(np.float32)


@pytest.mark.parametrize(("south", "east"), [(0, 0), (2, -3)])
def test_the_image_is_found_where_it_lies(
    random: np.random.Generator, south: int, east: int
) -> None:
    lookup, amplitude = terrain(random)
    moved = np.roll(amplitude, (south, east), (0, 1))
    found = match_terrain(moved, lookup)
    assert found.telling
    assert found.correlation > 0.5
    assert found.east_m == pytest.approx(40.0 * east, abs=5)
    assert found.north_m == pytest.approx(-40.0 * south, abs=5)


def test_another_terrain_does_not_match(random: np.random.Generator) -> None:
    lookup, _ = terrain(random)
    _, amplitude = terrain(random)
    assert match_terrain(amplitude, lookup).correlation < 0.1


def test_a_plain_tells_nothing(random: np.random.Generator) -> None:
    _, amplitude = terrain(random)
    row, col = np.mgrid[:400, :400].astype(np.float32)
    flat = Lookup(GRID, row, col, np.zeros((400, 400), np.float32))
    assert not match_terrain(amplitude, flat).telling
