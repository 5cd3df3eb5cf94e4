"""The satellite's path in a form kernels evaluate in a few nanoseconds.

The orbit is resampled once by its own interpolation; over each second a cubic goes through four of
its values, off by h^4/1944 times the fourth derivative, for Sentinel-1 some 5e-9 m (checked in
tests/test_21_geo2rdr.py). Velocity has cubics of its own: where position and velocity of an orbit
disagree (downlink orbits, by a millimetre a second), the processor's zero-Doppler times are those
of the velocity, and the derivative of position would be off by 0.012 line.
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory.sentinel1.orbit import Orbit

_STEP_S = 1.0


@dataclass(frozen=True)
class Track:
    """Cubic polynomials of position and velocity, one a second.

    Attributes
    ----------
    start_s, step_s
        Time of the first node, seconds after the orbit's epoch, and spacing.
    cubics
        (segments, 4, 6): coefficients of s^0..s^3, s = (t - node) / step, for the three components
        of position (metres) and of velocity (metres a second).
    """

    start_s: float
    step_s: float
    cubics: NDArray[np.float64]


def make_track(orbit: Orbit, start: np.datetime64, stop: np.datetime64, margin_s: float) -> Track:
    """Prepare the path over a span of time, with a margin as far as the orbit goes.

    Raises
    ------
    InputError
        If the orbit does not cover the span itself.
    """
    first, last = float(orbit.seconds(start)), float(orbit.seconds(stop))
    orbit.require(first)
    orbit.require(last)
    first = max(first - margin_s, float(orbit.times_s[0]))
    last = min(last + margin_s, float(orbit.times_s[-1]))
    segments = max(1, int(np.ceil((last - first) / _STEP_S)))
    step = (last - first) / segments
    thirds = np.arange(4) / 3
    times = first + step * (np.arange(segments)[:, None] + thirds)
    position, velocity = orbit.interpolate(np.clip(times, first, last))
    values = np.concatenate([position, velocity], axis=2)
    cubics = np.einsum("kn,snc->skc", np.linalg.inv(np.vander(thirds, increasing=True)), values)
    return Track(first, step, np.ascontiguousarray(cubics))


@numba.njit(cache=True, inline="always")
def state(  # type: ignore[no-untyped-def]
    cubics, start: float, step: float, time: float
):
    """Position, velocity and acceleration (nine numbers) at a time in or just beside a track."""
    at = (time - start) / step
    i = min(max(int(at), 0), cubics.shape[0] - 1)
    s = at - i
    c = cubics[i]
    px = c[0, 0] + s * (c[1, 0] + s * (c[2, 0] + s * c[3, 0]))
    py = c[0, 1] + s * (c[1, 1] + s * (c[2, 1] + s * c[3, 1]))
    pz = c[0, 2] + s * (c[1, 2] + s * (c[2, 2] + s * c[3, 2]))
    vx = c[0, 3] + s * (c[1, 3] + s * (c[2, 3] + s * c[3, 3]))
    vy = c[0, 4] + s * (c[1, 4] + s * (c[2, 4] + s * c[3, 4]))
    vz = c[0, 5] + s * (c[1, 5] + s * (c[2, 5] + s * c[3, 5]))
    ax = (c[1, 3] + s * (2 * c[2, 3] + s * 3 * c[3, 3])) / step
    ay = (c[1, 4] + s * (2 * c[2, 4] + s * 3 * c[3, 4])) / step
    az = (c[1, 5] + s * (2 * c[2, 5] + s * 3 * c[3, 5])) / step
    return px, py, pz, vx, vy, vz, ax, ay, az
