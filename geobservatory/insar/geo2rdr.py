"""From a place on the Earth to radar time and range: the zero-Doppler equation.

A point P is seen when the line from the satellite at X to it is perpendicular to the velocity V,
f(t) = (P - X) · V = 0 (Cumming and Wong, 2005, section 6.5). Newton's method with
f'(t) = (P - X) · A - V · V; neighbours start from each other's solution, so two steps are common.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.ellipsoid import to_ecef
from geobservatory.insar.track import Track, state

_STEPS = 12
# 1e-10 s is 1e-7 of a line and less than a micrometre along the track.
_ENOUGH_S = 1e-10
_CHUNK = 4096


def geo2rdr(
    track: Track,
    latitude: NDArray[np.float64],
    longitude: NDArray[np.float64],
    height_m: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find when, and how far away, the satellite sees each point.

    Parameters
    ----------
    track
        The satellite's path.
    latitude, longitude
        Any one shape, radians.
    height_m
        Of that shape, metres above the ellipsoid.

    Returns
    -------
    azimuth_time_s, slant_range_m
        Of that shape; seconds after the epoch of the track's orbit, metres. NaN for points that are
        not seen within the track, or whose coordinates are not finite.
    """
    latitude, longitude, height = np.broadcast_arrays(latitude, longitude, height_m)
    shape = latitude.shape
    lat, lon, h = (
        np.ascontiguousarray(one, np.float64).ravel() for one in (latitude, longitude, height)
    )
    time, slant_range = np.empty(lat.size), np.empty(lat.size)
    _solve(track.cubics, track.start_s, track.step_s, lat, lon, h, time, slant_range)
    return time.reshape(shape), slant_range.reshape(shape)


@numba.njit(cache=True, inline="always")
def zero_doppler(  # type: ignore[no-untyped-def]
    cubics, start: float, step: float, x: float, y: float, z: float, guess: float
):
    """Time and range of one Earth-fixed point from a guess; NaN where there is none."""
    end = start + step * cubics.shape[0]
    time = guess
    for _ in range(_STEPS):
        px, py, pz, vx, vy, vz, ax, ay, az = state(cubics, start, step, time)
        dx, dy, dz = x - px, y - py, z - pz
        slope = dx * ax + dy * ay + dz * az - (vx * vx + vy * vy + vz * vz)
        change = -(dx * vx + dy * vy + dz * vz) / slope
        # Behind the Earth the distance has a greatest value, not a least.
        if not slope < 0:
            return math.nan, math.nan
        # Outside the track the last polynomial goes astray: stay in it while searching.
        time = min(max(time + change, start), end)
        if abs(change) < _ENOUGH_S:
            px, py, pz = state(cubics, start, step, time)[:3]
            dx, dy, dz = x - px, y - py, z - pz
            return time, math.sqrt(dx * dx + dy * dy + dz * dz)
    return math.nan, math.nan


@numba.njit(parallel=True, cache=True)
def _solve(  # type: ignore[no-untyped-def]
    cubics, start, step, latitude, longitude, height, time, slant_range
) -> None:
    chunks = (latitude.size + _CHUNK - 1) // _CHUNK
    middle = start + 0.5 * step * cubics.shape[0]
    for chunk in numba.prange(chunks):
        guess = middle
        for i in range(chunk * _CHUNK, min((chunk + 1) * _CHUNK, latitude.size)):
            x, y, z = to_ecef(latitude[i], longitude[i], height[i])
            found, distance = zero_doppler(cubics, start, step, x, y, z, guess)
            time[i] = found
            slant_range[i] = distance
            guess = found if found == found else middle
