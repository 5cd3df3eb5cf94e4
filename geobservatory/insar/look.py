"""From which direction the satellite sees the ground: line-of-sight vectors, incidence angle."""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.ellipsoid import to_ecef
from geobservatory.insar.geo2rdr import zero_doppler
from geobservatory.insar.track import Track, state


@dataclass(frozen=True)
class Look:
    """Unit vectors from the ground to the satellite, along local east, north and up.

    Arrays of the shape of the points; NaN where the point is not seen within the track.
    """

    east: NDArray[np.float64]
    north: NDArray[np.float64]
    up: NDArray[np.float64]

    @property
    def incidence_angle(self) -> NDArray[np.float64]:
        """Angle between the line of sight and the ellipsoid's normal, radians."""
        return np.arccos(self.up)


def look(
    track: Track,
    latitude: NDArray[np.float64],
    longitude: NDArray[np.float64],
    height_m: NDArray[np.float64],
) -> Look:
    """Find the line of sight at each point, when it is seen at zero Doppler.

    Parameters
    ----------
    track
        The satellite's path.
    latitude, longitude
        Any one shape, radians.
    height_m
        Of that shape, metres above the ellipsoid.
    """
    latitude, longitude, height = np.broadcast_arrays(latitude, longitude, height_m)
    shape = latitude.shape
    lat, lon, h = (
        np.ascontiguousarray(one, np.float64).ravel() for one in (latitude, longitude, height)
    )
    out = np.empty((3, lat.size))
    _solve(track.cubics, track.start_s, track.step_s, lat, lon, h, out)
    return Look(*(one.reshape(shape) for one in out))


@numba.njit(parallel=True, cache=True)
def _solve(cubics, start, step, latitude, longitude, height, out) -> None:  # type: ignore[no-untyped-def]
    middle = start + 0.5 * step * cubics.shape[0]
    for i in numba.prange(latitude.size):
        x, y, z = to_ecef(latitude[i], longitude[i], height[i])
        time, distance = zero_doppler(cubics, start, step, x, y, z, middle)
        px, py, pz = state(cubics, start, step, time if time == time else start)[:3]
        dx, dy, dz = (px - x) / distance, (py - y) / distance, (pz - z) / distance
        sin_lat, cos_lat = np.sin(latitude[i]), np.cos(latitude[i])
        sin_lon, cos_lon = np.sin(longitude[i]), np.cos(longitude[i])
        out[0, i] = -sin_lon * dx + cos_lon * dy
        out[1, i] = -sin_lat * (cos_lon * dx + sin_lon * dy) + cos_lat * dz
        out[2, i] = cos_lat * (cos_lon * dx + sin_lon * dy) + sin_lat * dz
