"""Enhanced spectral diversity: the azimuth shift that orbits leave, from burst overlaps.

Two bursts see an overlap from squints some 4.5 kHz of Doppler apart. A secondary that lies e lines
later than it was taken to be has a phase error of 2 pi f e dt in its interferogram, f the Doppler
frequency, so the two interferograms of an overlap differ by 2 pi (f_late - f_early) e dt (Prats-
Iraola et al., 2012; Yague-Martinez et al., 2016). Their difference is free of topography, motion
across the track and atmosphere; ground that moved along the track stays in it.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.dem import Dem
from geobservatory.insar.pair import BurstPair, Layout
from geobservatory.insar.stream import NO_OFFSET, Images, Offset, Prepared, burst_cells
from geobservatory.insar.tops import Carrier, carrier

_STEPS = 20


@dataclass(frozen=True)
class Shift:
    """Residual azimuth shift of a pair.

    Attributes
    ----------
    lines
        How much later the secondary's content lies than orbits and heights say.
    sigma_lines
        Standard deviation of it, from the scatter of the overlaps' cells.
    overlaps
        How many overlaps it rests on; where there is none, both others are zero and infinite.
    """

    lines: float
    sigma_lines: float
    overlaps: int

    @property
    def significant(self) -> bool:
        """Whether it is larger than three standard deviations."""
        return abs(self.lines) > 3 * self.sigma_lines


def estimate_shift(
    layout: Layout,
    prepared: list[Prepared],
    images: Images,
    dem: Dem,
    offset: Offset = NO_OFFSET,
) -> Shift:
    """Estimate the residual azimuth shift of a pair from all overlaps of its bursts.

    Some 0.1 line are a whole turn of phase: what is larger must be in `offset` beforehand.

    Parameters
    ----------
    offset
        What is known already (`estimate_offset`); the shift found is beyond it.
    """
    differences, rates = [], []
    overlaps = 0
    for one, other, cols in _neighbours(layout, prepared):
        found = _overlap(layout, one, other, images, dem, cols, offset)
        if found is not None:
            differences.append(found[0])
            rates.append(found[1])
            overlaps += 1
    if not overlaps:
        return Shift(0.0, math.inf, 0)
    return _solve(np.concatenate(differences), np.concatenate(rates), overlaps)


def _neighbours(layout: Layout, prepared: list[Prepared]) -> list[tuple[Prepared, Prepared, range]]:
    """Pairs of bursts of a swath that follow each other, and the columns both fill."""
    found = []
    tiles = list(zip(layout.tiles, prepared, strict=True))
    for (tile, one), (next_tile, other) in pairwise(tiles):
        here, there = tile.pair.identity, next_tile.pair.identity
        if here.swath == there.swath and there.number == here.number + 1:
            cols = range(
                max(tile.cols.start, next_tile.cols.start), min(tile.cols.stop, next_tile.cols.stop)
            )
            found.append((one, other, cols))
    return found


def _overlap(
    layout: Layout,
    one: Prepared,
    other: Prepared,
    images: Images,
    dem: Dem,
    cols: range,
    offset: Offset,
) -> tuple[NDArray[np.complex128], NDArray[np.float64]] | None:
    """Weighted phase differences of an overlap, and radians a line of shift, by cells."""
    azimuth = layout.looks[0]
    first = other.pair.first_line + other.pair.reference_burst.valid_lines[0]
    stop = one.pair.first_line + one.pair.reference_burst.valid_lines[1]
    rows = range(-(-first // azimuth), stop // azimuth)
    if len(rows) < 1 or len(cols) < 1:
        return None
    late, early = (
        burst_cells(each, images, dem, layout.looks, rows, cols, offset) for each in (one, other)
    )
    full = layout.looks[0] * layout.looks[1]
    seen = (late.pixels == full) & (early.pixels == full)
    if not seen.any():
        return None
    difference = late.cross.astype(np.complex128) * early.cross.conj()
    # Of unit size times the product of the two coherences: what is not coherent counts less.
    power = np.sqrt(
        late.reference_power.astype(np.float64)
        * late.secondary_power
        * early.reference_power
        * early.secondary_power
    )
    frequencies = [
        _frequency(each.pair, _reference_carrier(each), layout, rows, cols) for each in (one, other)
    ]
    rate = 2 * np.pi * (frequencies[0] - frequencies[1]) * layout.line_s
    return difference[seen] / power[seen], rate[seen]


def _reference_carrier(prepared: Prepared) -> Carrier:
    return carrier(prepared.pair.reference, prepared.pair.reference_burst)


def _frequency(
    pair: BurstPair, taken: Carrier, layout: Layout, rows: range, cols: range
) -> NDArray[np.float64]:
    """Doppler frequency at the centres of cells, Hz."""
    azimuth, across = layout.looks
    line = (np.array(rows) + 0.5) * azimuth - 0.5 - pair.first_line
    sample = ((np.array(cols) + 0.5) * across - 0.5 - pair.first_sample).astype(int)
    eta = line[:, None] * taken.line_s - taken.reference_s[sample]
    return np.asarray(taken.centroid_hz[sample] + taken.rate_hz_s[sample] * eta)


def _solve(difference: NDArray[np.complex128], rate: NDArray[np.float64], overlaps: int) -> Shift:
    """Find the shift that brings all phase differences to nought, weighted by their size."""
    weight = np.abs(difference)
    lines = float(np.angle(difference.sum()) / (weight * rate).sum() * weight.sum())
    for _ in range(_STEPS):
        left = np.angle(difference * np.exp(-1j * rate * lines))
        change = float((weight * rate * left).sum() / (weight * rate**2).sum())
        lines += change
        if abs(change) < 1e-7:
            break
    left = np.angle(difference * np.exp(-1j * rate * lines))
    scatter = (weight * rate * left) ** 2
    sigma = math.sqrt(float(scatter.sum())) / float((weight * rate**2).sum())
    return Shift(lines, sigma, overlaps)
