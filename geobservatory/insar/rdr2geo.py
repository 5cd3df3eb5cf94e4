"""From radar time and range to a place on the Earth, over a given height or a DEM's own.

The place lies on the sphere of its range about the satellite, in the zero-Doppler plane, and at
its height above the ellipsoid: Newton's method on the three equations (Schubert et al., 2012, use
the same three). The ellipsoid blown up by h is not the surface of height h exactly, so the height
it is blown up by is corrected until the geodetic height is met.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.ellipsoid import A, B, to_geodetic
from geobservatory.insar.track import Track, state

RIGHT, LEFT = 1, -1
_STEPS = 30
_ENOUGH_M = 1e-7


def rdr2geo(
    track: Track,
    azimuth_time_s: NDArray[np.float64],
    slant_range_m: NDArray[np.float64],
    height_m: NDArray[np.float64],
    side: int = RIGHT,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the place seen at a time and range, at a height.

    Parameters
    ----------
    track
        The satellite's path.
    azimuth_time_s
        Seconds after the epoch of the track's orbit; any shape.
    slant_range_m, height_m
        Of one shape with it, metres; heights above the ellipsoid.
    side
        `RIGHT` (Sentinel-1 and most others) or `LEFT` of the track.

    Returns
    -------
    latitude, longitude
        Of that shape, radians; NaN outside the track, for ranges that do not reach the height, and
        for input that is not finite.
    """
    time, distance, height = np.broadcast_arrays(azimuth_time_s, slant_range_m, height_m)
    shape = time.shape
    t, r, h = (np.ascontiguousarray(one, np.float64).ravel() for one in (time, distance, height))
    latitude, longitude = np.empty(t.size), np.empty(t.size)
    _solve(track.cubics, track.start_s, track.step_s, t, r, h, side, latitude, longitude)
    return latitude.reshape(shape), longitude.reshape(shape)


@numba.njit(cache=True, inline="always")
def _first_guess(  # type: ignore[no-untyped-def]
    px, py, pz, vx, vy, vz, distance, height, side
):
    """Place on a sphere of the Earth's local radius, in the zero-Doppler plane (law of cosines)."""
    far = math.sqrt(px * px + py * py + pz * pz)
    sine = pz / far
    earth = A * B / math.sqrt((B * B) * (1 - sine * sine) + (A * A) * sine * sine) + height
    cosine = (far * far + distance * distance - earth * earth) / (2 * far * distance)
    if not abs(cosine) <= 1:
        return math.nan, math.nan, math.nan
    # Down, and right of the track (down x along): perpendicular to the velocity and to each other.
    speed = math.sqrt(vx * vx + vy * vy + vz * vz)
    ux, uy, uz = vx / speed, vy / speed, vz / speed
    along = (px * ux + py * uy + pz * uz) / far
    dx, dy, dz = -px / far + along * ux, -py / far + along * uy, -pz / far + along * uz
    norm = math.sqrt(dx * dx + dy * dy + dz * dz)
    dx, dy, dz = dx / norm, dy / norm, dz / norm
    sx, sy, sz = dy * uz - dz * uy, dz * ux - dx * uz, dx * uy - dy * ux
    down = distance * cosine
    aside = side * math.sqrt(max(distance * distance - down * down, 0.0))
    return (
        px + down * dx + aside * sx,
        py + down * dy + aside * sy,
        pz + down * dz + aside * sz,
    )


@numba.njit(cache=True)
def locate(  # type: ignore[no-untyped-def]
    cubics, start: float, step: float, time: float, distance: float, height: float, side: int
):
    """Latitude and longitude (radians) of one time and range at a height; NaN where none is."""
    nowhere = math.nan, math.nan
    if not (start <= time <= start + step * cubics.shape[0]) or not distance > 0:
        return nowhere
    px, py, pz, vx, vy, vz = state(cubics, start, step, time)[:6]
    x, y, z = _first_guess(px, py, pz, vx, vy, vz, distance, height, side)
    blown = height
    for _ in range(_STEPS):
        dx, dy, dz = x - px, y - py, z - pz
        a, b = A + blown, B + blown
        f1 = dx * dx + dy * dy + dz * dz - distance * distance
        f2 = dx * vx + dy * vy + dz * vz
        f3 = (x * x + y * y) / (a * a) + z * z / (b * b) - 1
        gx, gy, gz = 2 * x / (a * a), 2 * y / (a * a), 2 * z / (b * b)
        # Cramer's rule on rows (2D, V, gradient of the ellipsoid).
        cx, cy, cz = vy * gz - vz * gy, vz * gx - vx * gz, vx * gy - vy * gx
        determinant = 2 * (dx * cx + dy * cy + dz * cz)
        if not abs(determinant) > 0:
            return nowhere
        ex, ey, ez = gy * dz - gz * dy, gz * dx - gx * dz, gx * dy - gy * dx
        hx, hy, hz = dy * vz - dz * vy, dz * vx - dx * vz, dx * vy - dy * vx
        mx = -(f1 * cx + 2 * f2 * ex + 2 * f3 * hx) / determinant
        my = -(f1 * cy + 2 * f2 * ey + 2 * f3 * hy) / determinant
        mz = -(f1 * cz + 2 * f2 * ez + 2 * f3 * hz) / determinant
        x, y, z = x + mx, y + my, z + mz
        latitude, longitude, found = to_geodetic(x, y, z)
        blown += height - found
        if abs(mx) + abs(my) + abs(mz) < _ENOUGH_M and abs(height - found) < _ENOUGH_M:
            return latitude, longitude
    return nowhere


@numba.njit(parallel=True, cache=True)
def _solve(  # type: ignore[no-untyped-def]
    cubics, start, step, time, distance, height, side, latitude, longitude
) -> None:
    for i in numba.prange(time.size):
        latitude[i], longitude[i] = locate(
            cubics, start, step, time[i], distance[i], height[i], side
        )
