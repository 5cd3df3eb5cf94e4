"""The geometry of a real pair, with pixels simulated on it: orbits, polynomials, burst times.

The pixels are drawn here, by sums of impulse responses, not by the sandbox: real annotation has
what the sandbox's has not, such as FM-rate polynomials with an origin of their own and an orbit
that is no circle.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from geobservatory.insar.coregister import make_geometry, strip_nodes
from geobservatory.insar.dem import Dem
from geobservatory.insar.geo2rdr import geo2rdr
from geobservatory.insar.ground import ground
from geobservatory.insar.interfere import Looked, deramp, interfere
from geobservatory.insar.pair import BurstPair, match_bursts
from geobservatory.insar.tops import carrier
from geobservatory.insar.view import BurstView, burst_view
from geobservatory.sandbox.speckle import response
from geobservatory.sentinel1.safe import open_product

LINES, SAMPLES, LOOKS = 160, 480, (4, 16)
FIRST_SAMPLE = 12_000
BAND = 0.65, 0.75  # of the sampling rate, in both directions: about what IW2 has


@dataclasses.dataclass(frozen=True)
class Scatterers:
    """Places and amplitudes, and where an acquisition sees them."""

    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    height: NDArray[np.float64]
    amplitude: NDArray[np.complex128]


@pytest.fixture(scope="module")
def pairs(shared_data: Path) -> list[BurstPair]:
    before, after = (
        open_product(next((shared_data / "sentinel1").glob(f"S1A*_{day}T*.zip")))
        for day in ("20230904", "20230916")
    )
    return match_bursts([before], [after], "VV", swaths={"IW2"})


def dem_under(view: BurstView, line: int) -> Dem:
    """Hills of 150 m over half a degree about the window."""
    time = np.array([view.start_s + line * view.line_s])
    flat = Dem(np.full((2, 2), 800, np.float32), -180.0, 90.0, 360.0, -180.0, "level")
    middle = view.near_m + (FIRST_SAMPLE + SAMPLES / 2) * view.sample_m
    latitude, longitude, _ = ground(view.track, flat, time, np.array([middle]))
    random = np.random.default_rng(3)
    hills = gaussian_filter(random.normal(size=(600, 600)), 12)
    heights = (800 + 150 * hills / hills.std()).astype(np.float32)
    step = 1 / 3600
    return Dem(
        heights,
        float(np.degrees(longitude[0])) - 300 * step,
        float(np.degrees(latitude[0])) + 300 * step,
        step,
        -step,
        "hills",
    )


def scatter(view: BurstView, dem: Dem, first_line: int) -> Scatterers:
    random = np.random.default_rng(4)
    count = 2 * (LINES + 60) * (SAMPLES + 60)
    line = first_line + random.uniform(-30, LINES + 30, count)
    sample = FIRST_SAMPLE + random.uniform(-30, SAMPLES + 30, count)
    latitude, longitude, height = ground(
        view.track, dem, view.start_s + line * view.line_s, view.near_m + sample * view.sample_m
    )
    amplitude = random.normal(size=(2, count))
    return Scatterers(latitude, longitude, height, amplitude[0] + 1j * amplitude[1])


def drawn(
    pair: BurstPair,
    which: str,
    view: BurstView,
    seen: Scatterers,
    window: tuple[int, int, int, int],
    farther_m: NDArray[np.float64] | float,
) -> NDArray[np.complex64]:
    """Sum the scatterers' responses in a window of a burst: first line, lines, sample, samples."""
    first_line, lines, first_sample, samples = window
    annotation = getattr(pair, which)
    taken = carrier(annotation, getattr(pair, f"{which}_burst"))
    time, distance = geo2rdr(view.track, seen.latitude, seen.longitude, seen.height)
    distance = distance + farther_m
    line = (time - view.start_s) / view.line_s
    sample = (distance - view.near_m) / view.sample_m
    at = np.clip(np.rint(sample).astype(int), 0, taken.rate_hz_s.size - 1)
    doppler = taken.centroid_hz[at] + taken.rate_hz_s[at] * (
        line * view.line_s - taken.reference_s[at]
    )
    echo = seen.amplitude * np.exp(-4j * np.pi * (distance / view.wavelength_m % 0.5))
    # exp(-i 4 pi R / lambda): only R modulo half a wavelength counts, and keeps its digits.
    table = response(*BAND)
    row0, col0 = np.floor(line).astype(int), np.floor(sample).astype(int)
    along = table[np.rint((line - row0) * (len(table) - 1)).astype(int)]
    across = table[np.rint((sample - col0) * (len(table) - 1)).astype(int)]
    half = table.shape[1] // 2
    image = np.zeros(lines * samples, np.complex128)
    for i in range(2 * half):
        row = row0 - half + 1 + i
        value = echo * along[:, i] * np.exp(2j * np.pi * doppler * view.line_s * (row - line))
        for j in range(2 * half):
            col = col0 - half + 1 + j
            inside = (
                (row >= first_line)
                & (row < first_line + lines)
                & (col >= first_sample)
                & (col < first_sample + samples)
            )
            index = (row[inside] - first_line) * samples + col[inside] - first_sample
            part = value[inside] * across[inside, j]
            image += np.bincount(index, part.real, image.size)
            image += 1j * np.bincount(index, part.imag, image.size)
    return image.reshape(lines, samples).astype(np.complex64)


def moved(line: NDArray, sample: NDArray, first_line: int) -> NDArray[np.float64]:
    """Metres away from the satellite: a bell of 20 mm in the middle of the window."""
    y = (line - first_line) / LINES - 0.5
    x = (sample - FIRST_SAMPLE) / SAMPLES - 0.5
    return 0.02 * np.exp(-(x**2 + y**2) / 0.05)


def formed(pair: BurstPair, first_line: int, motion: bool) -> Looked:
    here = burst_view(pair.reference, pair.reference_burst)
    there = burst_view(pair.secondary, pair.secondary_burst)
    dem = dem_under(here, first_line + LINES // 2)
    seen = scatter(here, dem, first_line)
    time, distance = geo2rdr(here.track, seen.latitude, seen.longitude, seen.height)
    farther = moved(
        (time - here.start_s) / here.line_s, (distance - here.near_m) / here.sample_m, first_line
    )
    reference = drawn(
        pair, "reference", here, seen, (first_line, LINES, FIRST_SAMPLE, SAMPLES), 0.0
    )
    geometry = make_geometry(here, there, dem)
    nodes = strip_nodes(geometry, dem, first_line, LINES, FIRST_SAMPLE, FIRST_SAMPLE + SAMPLES)
    top = first_line + int(np.floor(nodes.line_offset.min())) - 8
    left = FIRST_SAMPLE + int(np.floor(nodes.sample_offset.min())) - 8
    other = drawn(
        pair, "secondary", there, seen, (top, LINES + 16, left, SAMPLES + 16), farther * motion
    )
    # Whole lines, as they come from a file.
    lines = np.zeros((LINES + 16, pair.secondary.samples_per_burst), np.complex64)
    lines[:, left : left + SAMPLES + 16] = other
    taken = carrier(pair.secondary, pair.secondary_burst)
    deramp(lines, top, taken)
    return interfere(
        reference, (first_line, FIRST_SAMPLE), lines, top, (left, left + SAMPLES + 16), taken,
        nodes, here.wavelength_m, LOOKS,
    )  # fmt: skip


@pytest.mark.parametrize("first_line", [60, 700, 1280])
def test_motion_is_seen_on_a_real_geometry(pairs: list[BurstPair], first_line: int) -> None:
    """At both ends and in the middle of a burst: a wrong ramp would turn the phase at the ends."""
    pair = pairs[4]
    made = formed(pair, first_line, motion=True)
    rows, cols = made.cross.shape
    line = first_line + (np.arange(rows)[:, None] + 0.5) * LOOKS[0] - 0.5
    sample = FIRST_SAMPLE + (np.arange(cols) + 0.5) * LOOKS[1] - 0.5
    expected = 4 * np.pi / pair.reference.wavelength_m * moved(line, sample, first_line)
    full = made.pixels == LOOKS[0] * LOOKS[1]
    assert full.mean() > 0.98
    rest = np.angle(made.cross * np.exp(-1j * expected))[full]
    coherence = np.abs(made.cross) / np.sqrt(made.reference_power * made.secondary_power)
    assert coherence[full].mean() > 0.95
    assert abs(np.angle(made.cross * np.exp(-1j * expected))[full].mean()) < 0.02
    assert rest.std() < 0.06
    # The motion itself: four radians and more.
    assert expected.max() - expected.min() > 4


def test_nothing_moves_on_a_real_geometry(pairs: list[BurstPair]) -> None:
    made = formed(pairs[0], 1280, motion=False)
    assert abs(np.angle(made.cross.sum())) < 0.01
