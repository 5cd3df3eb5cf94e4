"""Where in the Doppler spectrum the simulated radar sees each point.

In TOPS the antenna is steered forward during a burst, so a point that is focused at azimuth time
eta was illuminated about the Doppler frequency

    f(eta, tau) = f_dc(tau) + k_t(tau) (eta - eta_ref(tau)),

with eta counted from the burst's middle (ESA, COPE-GSEG-EOPG-TN-14-0025). Written independently of
the engine, which is judged by what is simulated with it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.ellipsoid import to_ecef
from geobservatory.insar.rdr2geo import rdr2geo
from geobservatory.insar.track import Track, state
from geobservatory.sandbox.instrument import FREQUENCY_HZ, WAVELENGTH_M, Swath
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT

# Polynomials of range time count from here, in all swaths; a figure that annotations carry.
DOPPLER_ORIGIN_S = 5.337093144532509e-3


@dataclass(frozen=True)
class Doppler:
    """Doppler parameters of a burst.

    Attributes
    ----------
    centroid
        (3,) coefficients of f_dc, Hz, in powers of (tau - DOPPLER_ORIGIN_S).
    fm_rate
        (3,) coefficients of k_a, Hz/s, in powers of (tau - near_range_s).
    near_range_s
        Two-way range time of the first sample.
    steering_hz_s
        Doppler rate by steering, k_s.
    """

    centroid: NDArray[np.float64]
    fm_rate: NDArray[np.float64]
    near_range_s: float
    steering_hz_s: float

    def at(
        self, tau: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Doppler centroid (Hz), rate k_t (Hz/s), reference time (s) for two-way range times."""
        f_dc = np.polynomial.Polynomial(self.centroid)(tau - DOPPLER_ORIGIN_S)
        k_a = np.polynomial.Polynomial(self.fm_rate)(tau - self.near_range_s)
        k_t = self.steering_hz_s / (1 - self.steering_hz_s / k_a)
        first = -self.centroid_at_first() / self.fm_rate[0]
        return f_dc, k_t, -f_dc / k_a - first

    def centroid_at_first(self) -> float:
        """Doppler centroid at the first sample, Hz."""
        return float(np.polynomial.Polynomial(self.centroid)(self.near_range_s - DOPPLER_ORIGIN_S))


def make_doppler(
    track: Track,
    middle_s: float,
    swath: Swath,
    near_range_s: float,
    far_range_s: float,
    wander: NDArray[np.float64],
) -> Doppler:
    """Work out the Doppler parameters of a burst from its geometry.

    Parameters
    ----------
    track
        The satellite's path.
    middle_s
        Middle of the burst, seconds after the epoch of the track's orbit.
    near_range_s, far_range_s
        Two-way range times of the first and last sample.
    wander
        (3,) what attitude adds to the usual Doppler centroid polynomial.
    """
    tau = np.linspace(near_range_s, far_range_s, 9)
    place = rdr2geo(track, np.full(9, middle_s), tau * SPEED_OF_LIGHT / 2, np.zeros(9))
    rate = np.empty(9)
    for i in range(9):
        x = np.array(to_ecef(place[0][i], place[1][i], 0.0))
        values = np.array(state(track.cubics, track.start_s, track.step_s, middle_s))
        position, velocity, acceleration = values[:3], values[3:6], values[6:]
        sight = x - position
        # Range's second derivative where its first is zero.
        curvature = (velocity @ velocity - sight @ acceleration) / np.linalg.norm(sight)
        rate[i] = -2 / WAVELENGTH_M * curvature
    fm_rate = np.asarray(np.polynomial.polynomial.polyfit(tau - near_range_s, rate, 2), np.float64)
    speed = float(np.linalg.norm(velocity))
    steering = 2 * speed * FREQUENCY_HZ / SPEED_OF_LIGHT * np.radians(swath.steering_deg_s)
    usual = np.array([-10.6, 1.6e4, -4.9e7])
    return Doppler(usual + wander, fm_rate, near_range_s, steering)
