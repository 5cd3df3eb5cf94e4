"""Whether the heights fit the image: relief as the image shows it against relief as the DEM has it.

Slopes that face the radar are bright, because more ground falls into each cell: the brightness of
a cell goes with the map area it covers (Small, 2011). A DEM of another place or datum, or an orbit
that is off, leaves the two apart.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import uniform_filter

from geobservatory.insar.geocode import Lookup

# Longer waves are brightness of the ground, not relief.
_HIGH_PASS = 25
# Cells of the map that are compared, and how far the two may be apart.
_MOST, _REACH = 2048, 8
# Less relief than this (standard deviation of the logarithm of the area) cannot be told from noise.
LEAST_RELIEF = 0.05


@dataclass(frozen=True)
class TerrainMatch:
    """How the image fits the heights.

    Attributes
    ----------
    relief
        Standard deviation of the logarithm of the area that cells cover: what there is to compare.
    correlation
        Best correlation within eight cells of the map.
    east_m, north_m
        Where the image lies there, relative to the heights.
    """

    relief: float
    correlation: float
    east_m: float
    north_m: float

    @property
    def telling(self) -> bool:
        """Whether there is relief enough to tell."""
        return self.relief >= LEAST_RELIEF


def match_terrain(amplitude: NDArray[np.float32], lookup: Lookup) -> TerrainMatch:
    """Compare the image's relief with that of the heights.

    Parameters
    ----------
    amplitude
        (rows, cols) on the map, of any unit; NaN or zero where there is nothing.
    """
    rows, cols = (_middle(size) for size in amplitude.shape)
    # Cells of the radar's grid in a cell of the map, by the derivatives of one by the other.
    row, col = lookup.row[rows, cols], lookup.col[rows, cols]
    row_south, row_east = (np.asarray(one) for one in np.gradient(row))
    col_south, col_east = (np.asarray(one) for one in np.gradient(col))
    cells = np.abs(row_south * col_east - row_east * col_south)
    with np.errstate(divide="ignore", invalid="ignore"):
        area = -np.log(np.maximum(cells, 0.02))
        shown = np.log(amplitude[rows, cols].astype(np.float64))
    seen = np.isfinite(area) & np.isfinite(shown)
    if min(seen.shape) < 4 * _REACH or seen.mean() < 0.05:
        return TerrainMatch(0.0, 0.0, 0.0, 0.0)
    expected, found = _high_pass(area, seen), _high_pass(shown, seen)
    relief = float(expected[seen].std())
    if relief == 0:
        return TerrainMatch(0.0, 0.0, 0.0, 0.0)
    matched = fft.irfft2(fft.rfft2(found) * fft.rfft2(expected).conj(), s=found.shape, workers=-1)
    matched /= np.sqrt((found**2).sum() * (expected**2).sum())
    near = np.roll(matched, (_REACH, _REACH), (0, 1))[: 2 * _REACH + 1, : 2 * _REACH + 1]
    y, x = np.unravel_index(np.argmax(near), near.shape)
    south, east = _refine(near[:, x], int(y)), _refine(near[y], int(x))
    step = lookup.grid.step
    return TerrainMatch(relief, float(near[y, x]), (east - _REACH) * step, -(south - _REACH) * step)


def _middle(size: int) -> slice:
    first = max(0, (size - _MOST) // 2)
    return slice(first, min(first + _MOST, size))


def _high_pass(values: NDArray[np.float64], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    filled = np.where(seen, values, 0.0)
    share = uniform_filter(seen.astype(np.float64), _HIGH_PASS, mode="constant")
    mean = uniform_filter(filled, _HIGH_PASS, mode="constant") / np.maximum(share, 1e-3)
    passed = np.where(seen, values - mean, 0.0)
    # A few very bright targets must not decide.
    limit = 3 * passed[seen].std()
    return np.clip(passed, -limit, limit)


def _refine(line: NDArray[np.float64], at: int) -> float:
    """Peak of a parabola through three values."""
    if not 0 < at < len(line) - 1:
        return float(at)
    bend = line[at - 1] - 2 * line[at] + line[at + 1]
    return at + 0.5 * (line[at - 1] - line[at + 1]) / bend if bend < 0 else float(at)
