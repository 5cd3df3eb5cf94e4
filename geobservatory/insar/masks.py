"""Why a cell of the map is not to be trusted: bits of one mask."""

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.dem import Dem
from geobservatory.insar.layover import layover_shadow
from geobservatory.insar.pair import Layout
from geobservatory.sentinel1.orbit import Orbit


class Mask:
    """Bits of `mask.tif`; 0 is a cell that nothing speaks against."""

    LAYOVER = 1
    SHADOW = 2
    NO_HEIGHT = 4
    WATER = 8
    LOW_COHERENCE = 16
    NO_DATA = 32
    NOT_UNWRAPPED = 64


MEANINGS = {
    Mask.LAYOVER: "layover",
    Mask.SHADOW: "shadow",
    Mask.NO_HEIGHT: "no height known",
    Mask.WATER: "water",
    Mask.LOW_COHERENCE: "coherence no higher than noise has",
    Mask.NO_DATA: "not seen in both images",
    Mask.NOT_UNWRAPPED: "not unwrapped",
}


# Land in a DEM varies by more than this over so many cells each way; lakes and the sea are levelled
# in it, but for the slope of the geoid.
_LEVEL_M, _LEVEL_CELLS = 0.05, 2


def terrain_mask(layout: Layout, orbit: Orbit, dem: Dem) -> NDArray[np.uint8]:
    """Mark layover, shadow and missing heights in radar geometry.

    Parameters
    ----------
    orbit
        Of the reference.

    Returns
    -------
    mask
        (rows, cols) of the looked-down grid; bits LAYOVER, SHADOW and NO_HEIGHT.
    """
    azimuth, across = layout.looks
    centre = (np.arange(layout.rows, dtype=np.float64) + 0.5) * azimuth - 0.5
    start_s = float(orbit.seconds(layout.first_time))
    return layover_shadow(
        layout.track(orbit),
        dem,
        start_s + centre * layout.line_s,
        layout.near_m + (across - 1) / 2 * layout.sample_m,
        layout.sample_m * across,
        layout.cols,
    )


def level_ground(height_m: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Find the cells of a map that are level as water is, with all their neighbours.

    Parameters
    ----------
    height_m
        (rows, cols); cells without a height are not level.
    """
    level = np.zeros(height_m.shape, np.bool_)
    _level(height_m, level)
    return level


@numba.njit(parallel=True, cache=True)
def _level(height, level) -> None:  # type: ignore[no-untyped-def]
    rows, cols = height.shape
    for i in numba.prange(rows):
        for j in range(cols):
            same = height[i, j] == height[i, j]
            for k in range(max(i - _LEVEL_CELLS, 0), min(i + _LEVEL_CELLS + 1, rows)):
                # A slope shows in the first neighbour that is looked at.
                if not same:
                    break
                for m in range(max(j - _LEVEL_CELLS, 0), min(j + _LEVEL_CELLS + 1, cols)):
                    if not abs(height[k, m] - height[i, j]) < _LEVEL_M:
                        same = False
                        break
            level[i, j] = same
