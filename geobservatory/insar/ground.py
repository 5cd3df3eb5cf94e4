"""Where radar time and range meet the ground of a DEM.

At a given time and range the place moves with the height assumed for it: g(h) = DEM(place(h)) - h
is not negative at the lowest height of the DEM and not positive at the highest, so a root lies
between and regula falsi (Illinois variant: Dowell and Jarratt, 1971) finds one whatever the slope.
In layover there are several; `layover_shadow` says where.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory.errors import InputError
from geobservatory.insar.dem import Dem, height_at
from geobservatory.insar.rdr2geo import RIGHT, locate
from geobservatory.insar.track import Track

_STEPS = 60
_ENOUGH_M = 1e-4


def ground(
    track: Track,
    dem: Dem,
    azimuth_time_s: NDArray[np.float64],
    slant_range_m: NDArray[np.float64],
    side: int = RIGHT,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Find the ground seen at each time and range.

    Parameters
    ----------
    track
        The satellite's path.
    dem
        Heights above the ellipsoid.
    azimuth_time_s
        Seconds after the epoch of the track's orbit; any shape.
    slant_range_m
        Of one shape with it, metres.
    side
        `RIGHT` or `LEFT` of the track.

    Returns
    -------
    latitude, longitude, height_m
        Of that shape, radians and metres above the ellipsoid; NaN where the DEM ends or has a void
        on the way to the root, and where `rdr2geo` gives NaN.

    Raises
    ------
    InputError
        If the DEM holds no height at all.
    """
    if dem.known == 0:
        raise InputError(f"{dem.source}: holds no heights")
    low, high = float(np.nanmin(dem.heights)), float(np.nanmax(dem.heights))
    time, distance = np.broadcast_arrays(azimuth_time_s, slant_range_m)
    shape = time.shape
    t, r = (np.ascontiguousarray(one, np.float64).ravel() for one in (time, distance))
    out = np.empty((3, t.size))
    grid = (dem.heights, dem.longitude, dem.latitude, dem.longitude_step, dem.latitude_step)
    # A level DEM would leave the bracket without width.
    _solve(track.cubics, track.start_s, track.step_s, grid, low - 1, high + 1, t, r, side, out)
    latitude, longitude, height = (one.reshape(shape) for one in out)
    return latitude, longitude, height


@numba.njit(cache=True, inline="always")
def _above(cubics, start, step, grid, time, distance, height, side):  # type: ignore[no-untyped-def]
    """Place at a height, and how far the DEM stands above that height there."""
    latitude, longitude = locate(cubics, start, step, time, distance, height, side)
    heights, first_lon, first_lat, lon_step, lat_step = grid
    found = height_at(
        heights,
        first_lon,
        first_lat,
        lon_step,
        lat_step,
        math.degrees(latitude),
        math.degrees(longitude),
    )
    return latitude, longitude, found - height


@numba.njit(parallel=True, cache=True)
def _solve(  # type: ignore[no-untyped-def]
    cubics, start, step, grid, low, high, time, distance, side, out
) -> None:
    for i in numba.prange(time.size):
        out[0, i], out[1, i], out[2, i] = _root(
            cubics, start, step, grid, low, high, time[i], distance[i], side
        )


@numba.njit(cache=True)
def _root(  # type: ignore[no-untyped-def]
    cubics, start, step, grid, low, high, time, distance, side
):
    nowhere = math.nan, math.nan, math.nan
    _, _, below = _above(cubics, start, step, grid, time, distance, low, side)
    _, _, above = _above(cubics, start, step, grid, time, distance, high, side)
    if not (below == below and above == above):
        return nowhere
    kept = 0
    for _ in range(_STEPS):
        height = (low * above - high * below) / (above - below)
        latitude, longitude, over = _above(cubics, start, step, grid, time, distance, height, side)
        if over != over:
            return nowhere
        if abs(over) < _ENOUGH_M:
            return latitude, longitude, height
        if over > 0:
            low, below = height, over
            # Halving the weight of an end that stays keeps the other end from creeping.
            above = above / 2 if kept == 1 else above
            kept = 1
        else:
            high, above = height, over
            below = below / 2 if kept == -1 else below
            kept = -1
    return nowhere
