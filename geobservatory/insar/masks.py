"""Why a cell of the map is not to be trusted: bits of one mask."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

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


# Land in a DEM varies by more than this over five cells; lakes and the sea are levelled in them,
# but for the slope of the geoid.
_LEVEL_M, _LEVEL_CELLS = 0.05, 5


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


def level_ground(dem: Dem) -> Dem:
    """Mark cells of a DEM that are level as water is: 1 where they are, 0 elsewhere.

    Returns
    -------
    level
        On the grid of the DEM, to be sampled like it.
    """
    highest = maximum_filter(dem.heights, _LEVEL_CELLS)
    lowest = minimum_filter(dem.heights, _LEVEL_CELLS)
    level = (highest - lowest) < _LEVEL_M
    return Dem(
        heights=np.ascontiguousarray(level, np.float32),
        longitude=dem.longitude,
        latitude=dem.latitude,
        longitude_step=dem.longitude_step,
        latitude_step=dem.latitude_step,
        source=dem.source,
    )
